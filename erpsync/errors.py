"""Every error erpsync raises, grouped by what happens next.

    ErpsyncError
      UsageError                    the person mends what was typed or written: exit 2
        LandscapeError              ... in the landscape or a spec file, with file and line
        FilterError                 ... in a --where, with the column
        NotFound                    ... the id or key does not exist
        ReadOnly                    ... changes are refused here
      NotWritten                    a file that was asked for could not be written: exit 1
      Unreachable                   nothing could be tried: exit 3
      StoreError                    the store cannot be used: exit 4
        StoreLocked StoreDamaged StoreTooNew StoreFull
      BadDocument                   what a system told cannot be read: kept raw, that document alone is refused
      CallError                     what came of a call to a far system
        Refused                     it said no for good: dead
        RetryLater                  it asked us to come back: ready at
        SystemDown                  nothing was sent: ready, no attempt burned, breaker
        AccessDenied                it does not let us in: the system stops until resumed
        ParentMissing               it lacks a document this one names: held
        Conflict                    its document changed meanwhile: picture renewed, decided again
        Unmappable                  the content cannot be put into its words: dead, grouped by field
        OutcomeUnknown              the request may have arrived: unknown
      Defect                        ours: exit 70

Texts: lower case, subject first, what is true, no full stop; ``hint`` says what to do.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path


class ErpsyncError(Exception):
    """Something erpsync can say in one line."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ErpsyncError):
    """What was asked for cannot be done as it was asked."""

    exit_code = 2


class LandscapeError(UsageError):
    """The landscape (or a spec file it names) says something that cannot be."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        file: Path | None = None,
        line: int = 0,
        column: int = 0,
        where: str = "",
        found: str | None = None,
        nearest: str | None = None,
        valid: tuple[str, ...] = (),
        text: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.column = column
        self.where = where
        self.found = found
        self.nearest = nearest
        self.valid = valid
        self.text = text or message  # what is wrong, without where and what was found

    @property
    def place(self) -> str:
        """``erpsync.toml:63:6``, as far as it is known."""
        name = self.file.name if self.file else "landscape"
        return ":".join([name, *(str(n) for n in (self.line, self.column) if n)])


class FilterError(UsageError):
    """A filter that cannot be read; the message names the column."""


class NotFound(UsageError):
    """An id or key that is not in the store."""


class ReadOnly(UsageError):
    """A change was asked for where changes are refused."""


class NotWritten(ErpsyncError):
    """A file that was asked for could not be written; nothing of it was left behind."""

    exit_code = 1


class Unreachable(ErpsyncError):
    """No far system could be reached or would let us in: nothing was tried."""

    exit_code = 3


class StoreError(ErpsyncError):
    """The store cannot be used."""

    exit_code = 4


class StoreLocked(StoreError):
    """Another process holds the store's lock for longer than we wait."""


class StoreDamaged(StoreError):
    """The file is no store, or some of it cannot be read."""


class StoreTooNew(StoreError):
    """A newer erpsync made this store."""


class StoreFull(StoreError):
    """The disk has no room: nothing of the last transaction was kept, nothing acknowledged was lost."""


class BadDocument(ErpsyncError):
    """A document that cannot be read: wrong form, wrong value, missing key.

    ``field`` is the canonical field or the far system's own name, ``place`` says where it stands
    (``orders.csv:17:3``), ``number`` is the business number when it could still be read.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", field: str = "", place: str = "", number: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.place = place
        self.number = number


class CallError(ErpsyncError):
    """What came of a call to a far system, when it is not an answer to work with.

    ``code`` is a short stable word for grouping (``http_422``, ``timeout``), ``field`` the field it is about.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", code: str = "", field: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code or type(self).__name__.lower()
        self.field = field


class Refused(CallError):
    """The far system said no, and will say it again."""


class RetryLater(CallError):
    """The far system asks us to come back; ``after`` is how long it wants, None when it did not say.

    ``throttled``: it is about the whole system (429, 503), not about this document alone.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        field: str = "",
        after: timedelta | None = None,
        throttled: bool = True,
    ) -> None:
        super().__init__(message, hint=hint, code=code, field=field)
        self.after = after
        self.throttled = throttled


class SystemDown(CallError):
    """No connection could be made: nothing was sent."""


class AccessDenied(CallError):
    """The far system does not let us in: nothing more is tried until a person resumes it."""


class ParentMissing(CallError):
    """The far system lacks a document that this one names; ``key`` is ours for it (``customer:CU-7``)."""

    def __init__(self, message: str, *, key: str, hint: str = "", code: str = "", field: str = "") -> None:
        super().__init__(message, hint=hint, code=code, field=field)
        self.key = key


class Conflict(CallError):
    """The far document changed since we last saw it; read it again and decide anew."""


class Unmappable(CallError):
    """A value that the far system has no word for."""


class OutcomeUnknown(CallError):
    """The request may have arrived: it is not sent again before that is settled."""


class Defect(ErpsyncError):
    """Something that cannot be, was: ours to mend."""
