"""One thing that was found, and how much was looked through for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


class Rank(IntEnum):
    """How good a hit is: what was asked for by name comes before what only mentions it."""

    ID = 0
    KEY = 1
    XREF = 2
    PART_OF_KEY = 3
    PART_OF_XREF = 4
    CONTENT = 5


@dataclass(frozen=True)
class Found:
    """One hit. ``where`` is id, key, xref, content, raw, sent or answer; ``says`` and ``excerpt`` are exact, made safe when shown.

    ``at`` is when it came to be so. Whichever of ``message``, ``event``, ``exception`` and ``act`` is not None is what was found; else
    it is the record of ``key``. ``excerpt`` is what stands around the words, where they were found in a content. ``is_kept``: there is
    a record of ``key``, which can be traced.
    """

    rank: Rank
    where: str
    says: str
    at: datetime
    key: str | None = None
    system: str | None = None
    message: int | None = None
    event: int | None = None
    exception: str | None = None
    act: str | None = None
    excerpt: str = ""
    is_kept: bool = True

    @property
    def name(self) -> str:
        """What was found, as people name it: ``message 46480``, ``event 30020``, ``E-303``, else its key."""
        if self.message is not None:
            return f"message {self.message}"
        if self.event is not None:
            return f"event {self.event}"
        return self.exception or self.act or self.key or ""


@dataclass
class Looked:
    """How much was looked through: ``contents`` are events and tries.

    ``more``: what was found does not all fit. ``hurried``: what may have the words was not all read in time.
    """

    contents: int = 0
    more: bool = False
    hurried: bool = False
    _back_to: list[tuple[datetime | None, int]] = field(default_factory=list)

    def back_to(self, oldest: datetime | None, *, missed: int) -> None:
        """One sort was looked through back to ``oldest`` (None: not at all); ``missed``: so many of it lie further back."""
        self._back_to.append((oldest, missed))

    @property
    def missed(self) -> int:
        """How many contents were not looked through, for want of time and of an index."""
        return sum(missed for _, missed in self._back_to)

    @property
    def reaches(self) -> datetime | None:
        """The moment from which on nothing was missed: the oldest content's, where nothing was at all. None: there is none."""
        cut = [oldest for oldest, missed in self._back_to if missed]
        if cut:
            known = [oldest for oldest in cut if oldest is not None]
            return max(known) if len(known) == len(cut) else None
        return min((oldest for oldest, _ in self._back_to if oldest is not None), default=None)

    @property
    def whole(self) -> bool:
        """Whether everything was looked through, and all that was found is there."""
        return not (self.missed or self.more or self.hurried)


@dataclass(frozen=True)
class Findings:
    """Hits, the best first, and how much was looked through for them."""

    items: tuple[Found, ...]
    looked: Looked = field(default_factory=Looked)
