"""One page of what a system told, while it is decided: what the books hold of it, read once, and what it will change.

A page is of one kind from one system. Rule: each decision is seen by the next, so a key told twice in one page is told
twice in order; nothing is written before the whole page is decided, but for exceptions and what is rare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from erpsync.domain.events import Verdict
from erpsync.domain.flat import Fields
from erpsync.domain.kinds import Kind
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.offering import Change
from erpsync.engine.routes import Routes
from erpsync.store import books, cases, events, xrefs
from erpsync.store.before import before_page, seen_before
from erpsync.store.books import Picture, Record
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.events import EventRow
from erpsync.store.messages import open_tries
from erpsync.store.totals import Tally
from erpsync.store.xrefs import Binding

_HEALED_BY_TELLING = ("contract_violation", "unknown_key")


@dataclass
class Applied:
    """What a page came to. ``records`` are those the system was seen to hold."""

    verdicts: Counter[str] = field(default_factory=Counter)
    offered: list[int] = field(default_factory=list)
    records: set[int] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    nameless: bool = False  # something could not be read so far that nobody knows what it was
    changed: int = 0


@dataclass(slots=True)
class Page:
    """The state of one page. ``fresh``: ids of its new records. ``troubled``: (kind, subject) of open cases it may heal;
    ``known``: content hash and event of the duplicate keys told before; ``gone``: numbers told here whose removal waits for a
    person; ``untold``: records of keys that nobody told of before, though others queue under them."""

    db: Connection
    routes: Routes
    system: str
    system_id: int
    kind: Kind
    owns: bool
    now: int
    tally: Tally
    records: dict[str, Record]
    by_id: dict[int, Record]
    pictures: dict[int, Picture]
    far: dict[int, str]
    bound: dict[str, int]
    tries: dict[int, Fields]
    troubled: set[tuple[str, str]]
    known: dict[str, tuple[bytes, int]]
    gone: set[str]
    untold: frozenset[int]
    next_event: int
    next_record: int
    next_message: int
    report: Applied = field(default_factory=Applied)
    rows: list[tuple[EventRow, Incoming]] = field(default_factory=list)
    fresh: dict[int, Record] = field(default_factory=dict)
    touched: dict[int, Record] = field(default_factory=dict)
    repainted: dict[int, Picture] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    seen: list[tuple[str, bytes, int]] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)
    verdicts: list[tuple[int, str, str, int | None]] = field(default_factory=list)
    changes: dict[int, Change] = field(default_factory=dict)
    mends: dict[int, Change] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """The system of record for the page's kind."""
        return self.routes.owner(self.kind.name)

    def log(self, inc: Incoming, verdict: Verdict, *, record: Record | None = None, detail: str = "") -> int:
        """Put it into the event log (or give a kept event its new verdict); returns the event's id."""
        self.report.verdicts[verdict] += 1
        record_id = record.record_id if record is not None else None
        if inc.event_id is not None:
            self.verdicts.append((inc.event_id, verdict, detail, record_id))  # written once its record is there
            return inc.event_id
        event_id = self.next_event
        self.next_event += 1
        row = EventRow(
            *(
                event_id,
                self.kind.name,
                verdict._value_,
                inc.read_at,
                record_id,
                inc.number,
                inc.far_id,
                inc.far_revision,
            ),
            *(inc.far_order, inc.source_event_id or None, inc.removed, bool(inc.source_event_id), inc.at, inc.zone),
            detail=detail,
        )
        self.rows.append((row, inc))
        return event_id

    def open_case(
        self, kind: str, inc: Incoming, text: str, event_id: int, record: Record | None = None, **evidence: object
    ) -> None:
        """Open an exception about what was told; what is told after it in this page can heal it."""
        nameless = f"system:{self.system}/{self.kind.name}/{inc.error_place or inc.content_hash.hex()[:8]}"
        subject = record.key if record is not None else (inc.key if inc.number else nameless)
        case = Case(
            kind,
            subject,
            text,
            system_id=self.system_id,
            record_id=record.record_id if record is not None and record.record_id not in self.fresh else None,
            event_id=None,
            evidence={"event": event_id, "far_id": inc.far_id, **evidence},
        )
        cases.open_case(self.db, case, company_id=self.routes.company_id, now=self.now)
        self.troubled.add((kind, subject))

    def heal(self, kind: str, record: Record, how: str, *, system_id: int | None = None) -> None:
        """Close the open cases of a kind about a record, if there are any."""
        if self.troubled and (kind, record.key) in self.troubled:
            company_id = self.routes.company_id
            cases.heal(
                self.db, kind, company_id=company_id, now=self.now, how=how, subject=record.key, system_id=system_id
            )

    def heal_reading(self, record: Record) -> None:
        """A readable one followed what could not be read; broken the same way again, that is told again."""
        if self.troubled and ("contract_violation", record.key) in self.troubled:
            self.heal("contract_violation", record, "a readable one followed", system_id=self.system_id)
            events.forget_unreadable(self.db, self.routes.company_id, self.system_id, record.number)

    def there_again(self, number: str) -> None:
        """It is told: a removal of it that waits for a person has nothing to wait for any more."""
        if number in self.gone:
            self.gone.discard(number)
            events.let_go(
                self.db, self.routes.company_id, self.system_id, self.kind.name, [number], why="it was there again"
            )

    def was_seen(self, key: str) -> bool:
        """Whether this was told before: in this page, or kept from an earlier one."""
        return any(known == key for known, _, _ in self.seen) or bool(
            seen_before(self.db, self.routes.company_id, self.system_id, [key])
        )


def open_page(db: Connection, routes: Routes, system: str, batch: Sequence[Incoming], *, now: int) -> Page:
    """What the books hold of a page, read once for all of it."""
    company_id, system_id, kind = routes.company_id, routes.names.systems[system], batch[0].kind
    far_ids = [inc.far_id for inc in batch if inc.far_id]
    numbers = {inc.number for inc in batch if inc.number}
    bound = xrefs.bound_to(db, company_id, system_id, kind.name, far_ids) if far_ids else {}
    records = books.records_named(db, company_id, kind.name, numbers)
    by_id = {record.record_id: record for record in records.values()}
    if missing := set(bound.values()) - set(by_id):
        for record in books.records_by_id(db, missing).values():
            by_id[record.record_id] = record
            records.setdefault(record.number, record)
    untold = frozenset(record_id for record_id, record in by_id.items() if not record.is_told)
    told = by_id.keys() - untold if untold else by_id.keys()
    reached = bool(told) and routes.reaching(system, kind.name) is not None
    keys = [key for inc in batch if (key := inc.dup_key)]
    before = before_page(db, company_id, system_id=system_id, keys=keys, kinds=_HEALED_BY_TELLING)
    gone: set[str] = set()
    if before.removals_held:
        removals = {events.removal_key(kind.name, number): number for number in numbers}
        gone = {removals[key] for key in seen_before(db, company_id, system_id, removals)}
    troubled: set[tuple[str, str]] = set()
    if before.open_kinds:
        subjects = {*(f"{kind.name}:{number}" for number in numbers), *(record.key for record in by_id.values())}
        troubled = cases.open_subjects(db, before.open_kinds, company_id=company_id, subjects=subjects)
    return Page(
        db=db,
        routes=routes,
        system=system,
        system_id=system_id,
        kind=kind,
        owns=routes.owner(kind.name) == system,
        now=now,
        tally=Tally(company_id),
        records=records,
        by_id=by_id,
        pictures=books.pictures(db, system_id, told) if told else {},
        far=xrefs.far_ids(db, system_id, told) if told else {},
        bound=bound,
        tries=open_tries(db, system_id, told) if reached else {},
        known=before.seen,
        gone=gone,
        troubled=troubled,
        untold=untold,
        next_event=before.next_event,
        next_record=before.next_record,
        next_message=before.next_message,
    )
