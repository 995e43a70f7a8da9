"""What an adapter is: facts about one kind of system, and the calls it can make.

An adapter writes no flow. It raises the ``CallError`` that says what happened (``errors.py``) and the engine
decides what follows. It never retries a write by itself, never sleeps for a rate limit, never opens the store.

Reading yields ``Told`` (a document, a removal, or what could not be read). Writing has two steps so that the exact
bytes of a try are on disk before the first of them leaves: ``prepare`` makes the request from an ``Item`` without
any input or output, ``write`` sends what was prepared. The same ``Prepared`` sent twice is the same bytes.

What is made for every document is not frozen (that doubles its price), and changed by nobody all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from erpsync.domain.document import Document
from erpsync.domain.flat import Fields
from erpsync.domain.messages import Once
from erpsync.errors import BadDocument, CallError


@dataclass(slots=True)
class Revision:
    """A far revision: ``text`` as the system gives it; ``order`` sorts it, None when it is opaque."""

    text: str
    order: int | None = None


@dataclass(slots=True)
class Told:
    """One thing a system told: ``document``, or ``removed``, or an ``error`` that says why it cannot be read.

    ``event_id`` is set only where the system *sent* an event with an id; what was read by asking has none.
    ``number`` is the business number when it is known though the document is not (removals, bad rows).
    """

    kind: str
    raw: bytes
    document: Document | None = None
    far_id: str = ""
    number: str = ""
    removed: bool = False
    revision: Revision | None = None
    event_id: str = ""
    at: datetime | None = None  # the source's own time, UTC
    zone: str = ""  # the zone the source spoke in, where it told one
    error: BadDocument | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what was told. ``read_at`` is our time just before it was asked for.

    ``cursor`` goes on after this page. ``more``: ask again at once. In a scan the last page has ``more`` False, and
    ``whole`` False says that something could not be read so far that nothing may be concluded from a missing key.
    """

    tolds: Sequence[Told]
    cursor: str
    more: bool
    read_at: datetime
    whole: bool = True
    total: int | None = None  # how many the system says there are in all
    calls: int = 1  # requests made for it


@dataclass(frozen=True)
class Reads:
    """How a kind can be read."""

    changes: bool = False  # changed-since with a cursor
    scan: bool = True  # everything
    one: bool = False  # a single document by far_id
    ordered: bool = True  # its revisions can be compared (number or time)
    all_or_nothing: bool = False  # ``changes`` from a scan's cursor is that scan again, or one empty page, not whole


@dataclass(frozen=True)
class Writes:
    """How a kind can be written, and how one write is made once."""

    once: Once
    fields: frozenset[str] | None = None  # canonical fields carried (``lines`` for all of a line's); None: all
    finds: bool = False  # ``find`` works for this kind
    key_life: timedelta | None = None  # how long the system remembers a once_key; None: for ever
    upsert: bool = False  # a create of what is there already is an update, by key
    removes: bool = False  # it can be told that a document was removed


@dataclass(frozen=True)
class Capabilities:
    """What an adapter can do with its system."""

    reads: Mapping[str, Reads] = field(default_factory=dict)
    writes: Mapping[str, Writes] = field(default_factory=dict)
    one_at_a_time: bool = False  # the system must not get two writes at once (a file)


@dataclass(slots=True)
class Item:
    """One document to be written. ``document`` is all of it as it is now, ``changed`` the flat paths that differ.

    ``far_id`` empty: create it. ``ids`` has what the target calls each parent (``customer:CU-7`` -> ``4711``).
    ``number`` is our reference, carried by every create.
    """

    kind: str
    key: str
    number: str
    document: Document
    changed: frozenset[str]
    once_key: str
    far_id: str = ""
    far_revision: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    removed: bool = False


@dataclass(slots=True)
class Prepared:
    """A request ready to go: what is kept as evidence before it goes, and sent again if it must be repeated.

    ``request`` is a line for people (``POST /v1/items``) that also says where it goes; ``headers`` holds no secret
    (``Authorization`` is added on the way out and shown as ``(secret removed)``).
    """

    kind: str
    number: str
    request: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    far_id: str = ""
    once_key: str = ""
    far_revision: str = ""


@dataclass(slots=True)
class Evidence:
    """What was seen of a try: bounded answer, status, how long, how many calls, when the last byte left."""

    status: int | None = None
    answer: bytes = b""
    answer_cut: bool = False
    seconds: float = 0.0
    calls: int = 1
    sent_at: datetime | None = None


@dataclass(slots=True)
class Receipt:
    """What became of one prepared write, or what a find found.

    ``outcome`` is ``created``, ``updated`` or ``unchanged``, empty when ``error`` is set. ``holds`` is the flat form of
    what the far document now holds, as far as known; None: not told (the engine reads it back where it can).
    """

    outcome: str = ""
    far_id: str = ""
    far_revision: Revision | None = None
    holds: Fields | None = None
    number: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    error: CallError | None = None
    whole: bool = True  # False: a write of several calls stands half way there; the same write goes on from it


@dataclass(frozen=True, slots=True)
class Health:
    """A probe's answer: the system is there. ``clock_offset`` is its clock minus ours, where it told the time."""

    seconds: float
    text: str = ""
    clock_offset: timedelta | None = None


class Adapter(Protocol):
    """One far system. Every call may raise a CallError; ``write`` puts it into the receipt it belongs to."""

    system: str

    def capabilities(self) -> Capabilities:
        """What it can do; does no input or output."""

    def changes(self, kind: str, cursor: str) -> AsyncIterator[Page]:
        """Documents and removals since ``cursor`` ('' from the beginning); may repeat, must not lose."""

    def scan(self, kind: str) -> AsyncIterator[Page]:
        """Every document there is, as of a moment; removals are concluded by the engine."""

    async def read(self, kind: str, far_id: str) -> Told:
        """One document as it is now; ``removed`` when it is gone."""

    def understand(self, kind: str, raw: bytes) -> Told:
        """Read again what was kept raw, with the mapping of now; does no input or output."""

    def prepare(self, item: Item) -> Prepared:
        """The request for an item; raises Unmappable or ParentMissing; does no input or output."""

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        """Send each once, as it is; a receipt for each, in order. A write of several calls looks first and goes on."""

    async def find(self, kind: str, number: str) -> Sequence[Receipt]:
        """What the system has under our reference, else under the natural key: none, one, or several."""

    async def probe(self) -> Health:
        """A harmless call that shows it is up and lets us in."""

    async def close(self) -> None:
        """Give back connections."""
