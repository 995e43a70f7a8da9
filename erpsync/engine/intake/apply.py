"""Putting what a system told into the books, and offering it to those who need it: one transaction a page.

Everything is decided by ``domain.ownership.decide`` from picture and record; this module carries the decision out. A
page is decided as a whole, each decision seen by the next, so a key told twice in one page is told twice in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from erpsync.domain.document import Fields
from erpsync.domain.events import Verdict
from erpsync.domain.kinds import Kind, Nature
from erpsync.domain.ownership import Decision, decide, whole, without_gone_lines
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.offering import Change, offer_changes
from erpsync.engine.routes import Routes
from erpsync.store import books, cases, cursors, events, payloads
from erpsync.store.books import Picture, Record
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.events import EventRow
from erpsync.store.messages import open_tries
from erpsync.store.totals import Tally


class PullLost(Exception):  # noqa: N818  (no error of the user's: another worker reads on from here)
    """The pull this page belongs to is another worker's now; nothing of the page was kept."""


@dataclass
class Applied:
    """What a page came to. ``records`` are those the system was seen to hold."""

    verdicts: Counter[str] = field(default_factory=Counter)
    offered: list[int] = field(default_factory=list)
    records: set[int] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    changed: int = 0


@dataclass
class _Page:
    """The state of one page while it is decided."""

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
    tries: dict[int, dict[str, object]]
    next_event: int
    next_record: int
    report: Applied = field(default_factory=Applied)
    rows: list[tuple[EventRow, Incoming]] = field(default_factory=list)
    new_records: list[Record] = field(default_factory=list)
    touched: dict[int, Record] = field(default_factory=dict)
    repainted: dict[int, Picture] = field(default_factory=dict)
    bindings: list[tuple[int, str, str]] = field(default_factory=list)
    seen: list[tuple[str, bytes, int]] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)
    changes: dict[int, Change] = field(default_factory=dict)
    mends: dict[int, Change] = field(default_factory=dict)


def apply(
    db: Connection,
    routes: Routes,
    system: str,
    batch: Sequence[Incoming],
    *,
    now: int,
    restored_at: int | None = None,
    pull: cursors.Pull | None = None,
    cursor: str = "",
    pull_until: int = 0,
) -> Applied:
    """Put one page of one kind from one system into the books; with ``pull``, its cursor moves with it.

    Raises PullLost when the pull is not ours any more: the page is then no part of the store.
    """
    if pull is not None and not cursors.move(db, pull, cursor=cursor, until=pull_until):
        raise PullLost
    if not batch:
        return Applied()
    page = _open(db, routes, system, batch, now=now)
    known = events.seen_before(db, routes.company_id, page.system_id, [inc.dup_key for inc in batch if inc.dup_key])
    for inc in batch:
        if inc.error:
            _unreadable(page, inc)
        elif inc.dup_key and (before := known.get(inc.dup_key)) is not None:
            _told_again(page, inc, before)
        elif inc.removed:
            _removed(page, inc)
        else:
            _told(page, inc)
        if inc.dup_key and inc.dup_key not in known and page.rows and page.rows[-1][1] is inc:
            known[inc.dup_key] = (inc.content_hash, page.rows[-1][0].event_id)
            page.seen.append((inc.dup_key, inc.content_hash, page.rows[-1][0].event_id))
    _write(page)
    offered = offer_changes(
        db,
        routes,
        page.system,
        [*page.changes.values()],
        [*page.mends.values()],
        page.tally,
        now=now,
        restored_at=restored_at,
    )
    page.report.offered = offered
    for verdict, n in page.report.verdicts.items():
        page.tally.happened(at=now, flow_id=0, system_id=page.system_id, outcome=f"told:{verdict}", n=n)
    page.tally.write(db)
    return page.report


def _open(db: Connection, routes: Routes, system: str, batch: Sequence[Incoming], *, now: int) -> _Page:
    company_id, system_id, kind = routes.company_id, routes.names.systems[system], batch[0].kind
    bound = books.bound_to(db, company_id, system_id, kind.name, [inc.far_id for inc in batch if inc.far_id])
    records = books.records_named(db, company_id, kind.name, {inc.number for inc in batch if inc.number})
    by_id = {record.record_id: record for record in records.values()}
    if missing := set(bound.values()) - set(by_id):
        for record in books.records_by_id(db, missing).values():
            by_id[record.record_id] = record
            records.setdefault(record.number, record)
    reached = routes.reaching(system, kind.name) is not None
    return _Page(
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
        pictures=books.pictures(db, system_id, by_id),
        far=books.far_ids(db, system_id, by_id),
        bound=bound,
        tries=open_tries(db, system_id, by_id) if reached else {},
        next_event=events.next_event_id(db),
        next_record=books.next_record_id(db),
    )


def _log(page: _Page, inc: Incoming, verdict: Verdict, *, record: Record | None = None, detail: str = "") -> int:
    """Put it into the event log (or give a kept event its new verdict); returns the event's id."""
    page.report.verdicts[verdict] += 1
    if inc.event_id is not None:
        events.set_verdict(
            page.db, inc.event_id, verdict, detail=detail, record_id=record.record_id if record else None
        )
        return inc.event_id
    event_id = page.next_event
    page.next_event += 1
    row = EventRow(
        event_id=event_id,
        kind=page.kind.name,
        verdict=verdict,
        received_at=inc.read_at,
        record_id=record.record_id if record else None,
        number=inc.number,
        far_id=inc.far_id,
        far_revision=inc.far_revision,
        far_order=inc.far_order,
        source_event_id=inc.source_event_id or None,
        removed=inc.removed,
        sent=bool(inc.source_event_id),
        at=inc.at,
        zone=inc.zone,
        detail=detail,
    )
    page.rows.append((row, inc))
    return event_id


def _case(
    page: _Page, kind: str, inc: Incoming, text: str, event_id: int, record: Record | None = None, **evidence: object
) -> None:
    subject = record.key if record else (inc.key if inc.number else f"system:{page.system}")
    case = Case(
        kind,
        subject,
        text,
        system_id=page.system_id,
        record_id=record.record_id if record and record not in page.new_records else None,
        event_id=None,
        evidence={"event": event_id, "far_id": inc.far_id, **evidence},
    )
    cases.open_case(page.db, case, company_id=page.routes.company_id, now=page.now)


def _unreadable(page: _Page, inc: Incoming) -> None:
    """Kept raw, with an exception; told again unchanged, it is the same one."""
    if inc.number and (record := page.records.get(inc.number)) is not None:
        page.report.records.add(record.record_id)
    if inc.number:
        page.report.numbers.add(inc.number)
    key = f"bad:{inc.number}:{inc.content_hash.hex()[:24]}"
    before = events.seen_before(page.db, page.routes.company_id, page.system_id, [key])
    if before and inc.event_id is None:
        page.repeats.append(before[key][1])
        page.report.verdicts[Verdict.UNREADABLE] += 1
        return
    where = f"{inc.error_place}: " if inc.error_place else ""
    event_id = _log(page, inc, Verdict.UNREADABLE, detail=where + inc.error)
    page.seen.append((key, inc.content_hash, event_id))
    _case(
        page,
        "contract_violation",
        inc,
        f"{page.system} told {inc.key}: {where}{inc.error}",
        event_id,
        place=inc.error_place,
    )


def _told_again(page: _Page, inc: Incoming, before: tuple[bytes, int]) -> None:
    """The same event id: a duplicate, or, with other content, a conflict."""
    content, event_id = before
    if inc.number and (record := page.records.get(inc.number)) is not None:
        page.report.records.add(record.record_id)
    if content == inc.content_hash:
        page.repeats.append(event_id)
        page.report.verdicts["duplicate"] += 1
        return
    key = f"{inc.dup_key}:{inc.content_hash.hex()[:24]}"
    if events.seen_before(page.db, page.routes.company_id, page.system_id, [key]) or any(
        k == key for k, _, _ in page.seen
    ):
        page.repeats.append(event_id)
        page.report.verdicts["duplicate"] += 1
        return
    conflict = _log(
        page, inc, Verdict.CONFLICTING, detail=f"event id {inc.source_event_id} was told before as event {event_id}"
    )
    page.seen.append((key, inc.content_hash, conflict))
    text = f"{page.system} told event {inc.source_event_id} again with other content"
    _case(page, "event_conflict", inc, text, conflict, before=event_id)


def _find_record(page: _Page, inc: Incoming) -> tuple[Record | None, str]:
    """The record it is about, and what speaks against that, if anything."""
    record = page.records.get(inc.number) if inc.number else None
    owner_of_id = page.by_id.get(page.bound[inc.far_id]) if inc.far_id in page.bound else None
    if owner_of_id is not None and inc.number and owner_of_id.number != inc.number:
        return record, f"{page.system}'s {inc.far_id} is {owner_of_id.key}, and now says {inc.key}"
    record = record or owner_of_id
    if record is not None and inc.far_id:
        bound = page.far.get(record.record_id)
        picture = page.pictures.get(record.record_id)
        if bound and bound != inc.far_id and (picture is None or picture.present):
            return record, f"{page.system} has {record.key} twice: {bound} and {inc.far_id}"
    return record, ""


def _conflicting(page: _Page, inc: Incoming, record: Record | None, why: str) -> None:
    key = f"far:{inc.far_id}:{inc.number}"
    if record is not None:
        page.report.records.add(record.record_id)
    if inc.event_id is None and (
        events.seen_before(page.db, page.routes.company_id, page.system_id, [key])
        or any(k == key for k, _, _ in page.seen)
    ):
        page.report.verdicts[Verdict.CONFLICTING] += 1
        return
    event_id = _log(page, inc, Verdict.CONFLICTING, record=record, detail=why)
    page.seen.append((key, inc.content_hash, event_id))
    _case(page, "duplicate_far", inc, why, event_id, record)


def _is_stale(inc: Incoming, picture: Picture | None) -> bool:
    """Older than what that system told, or read before our last write there was answered."""
    if picture is None:
        return False
    if inc.far_order is not None and picture.far_order is not None and not inc.whole_scan:
        return inc.far_order < picture.far_order
    return inc.read_at < picture.seen_at


def _removed(page: _Page, inc: Incoming) -> None:
    record, why = _find_record(page, inc)
    if record is None or why:
        page.report.verdicts["unchanged"] += 1
        return
    picture = page.pictures.get(record.record_id)
    if picture is None or not picture.present or _is_stale(inc, picture):
        page.report.verdicts["unchanged" if picture is None or not picture.present else Verdict.STALE] += 1
        return
    _repaint(page, record, inc, Picture(present=False, far_revision=inc.far_revision, far_order=inc.far_order))
    if page.owns:
        event_id = _log(page, inc, Verdict.ACCEPTED, record=record, detail="removed")
        record.removed = True
        _touch(page, record, inc, event_id)
        return
    event_id = _log(
        page, inc, Verdict.REFUSED, record=record, detail=f"removed in {page.system}, which does not own it"
    )
    owner = page.routes.owner(page.kind.name)
    _case(page, "ownership_refused", inc, f"{page.system} removed {record.key}, which {owner} owns", event_id, record)


def _told(page: _Page, inc: Incoming) -> None:
    record, why = _find_record(page, inc)
    if why:
        _conflicting(page, inc, record, why)
        return
    picture = page.pictures.get(record.record_id) if record else None
    if record is not None:
        page.report.records.add(record.record_id)
    page.report.numbers.add(inc.number)
    if _is_stale(inc, picture):
        page.report.verdicts[Verdict.STALE] += 1
        return
    fields = (
        whole(inc.fields, picture.fields if picture else None, record.fields if record else None)
        if inc.tells_lines
        else inc.fields
    )
    ours = record.fields if record is not None and not record.is_shell else None
    asked = page.tries.get(record.record_id) if record else None
    held = picture.fields if picture is not None and picture.present else None
    decision = decide(fields, held, ours, owns=page.owns, asked=asked)  # type: ignore[arg-type]  # read back from our own JSON
    if record is not None and asked is not None and decision.refused:
        _wait(page, inc, record)
        return
    returns = record is not None and record.removed and page.owns
    if record is not None and picture is not None and picture.present and not decision.seen and not returns:
        page.report.verdicts["unchanged"] += 1
        if inc.far_order is not None and inc.far_order != picture.far_order:
            _repaint(page, record, inc, picture)
        return
    if (
        page.owns
        and record is not None
        and not record.is_shell
        and page.kind.nature is Nature.HAPPENED
        and decision.accepted
    ):
        event_id = _log(page, inc, Verdict.CONFLICTING, record=record, detail="what happened was told again otherwise")
        _paint(page, record, inc, decision)
        _case(
            page, "event_conflict", inc, f"{page.system} told {record.key} again with other content", event_id, record
        )
        return
    if record is None:
        record = _new_record(page, inc)
    page.report.records.add(record.record_id)
    _decided(page, inc, record, decision, returns=returns)


def _decided(page: _Page, inc: Incoming, record: Record, decision: Decision, *, returns: bool) -> None:
    """Carry a decision out: picture, record, exception, mending."""
    _paint(page, record, inc, decision)
    if page.owns:
        first = record.is_shell
        changes = bool(decision.accepted) or returns or first
        event_id = _log(page, inc, Verdict.ACCEPTED if changes else Verdict.CAUGHT_UP, record=record)
        if changes:
            record.removed = False
            for name, value in (inc.fields if first else decision.accepted).items():
                record.fields[name] = value
                record.origins[name] = (page.system_id, page.now)
            record.fields = without_gone_lines(record.fields)
            _touch(page, record, inc, event_id)
            if first:
                cases.heal(
                    page.db,
                    "unknown_key",
                    company_id=page.routes.company_id,
                    now=page.now,
                    how="its owner told of it",
                    subject=record.key,
                )
        _heal_reading(page, record)
        return
    owner = page.routes.owner(page.kind.name)
    if record.is_shell:
        event_id = _log(page, inc, Verdict.UNKNOWN_KEY, record=record)
        _case(
            page, "unknown_key", inc, f"{page.system} has {record.key}, of which {owner} told nothing", event_id, record
        )
        return
    if not decision.refused:
        _log(page, inc, Verdict.CAUGHT_UP, record=record)
        _heal_reading(page, record)
        return
    caught_up = set(decision.seen) - set(decision.refused)
    names = ", ".join(sorted(decision.refused))
    verdict = Verdict.IN_PART if caught_up else Verdict.REFUSED
    event_id = _log(page, inc, verdict, record=record, detail=f"{owner} owns {names}")
    said = ", ".join(f"{name} {_said(value)}" for name, value in sorted(decision.refused.items()))
    again = _mend(page, record, decision.refused, event_id)
    text = f"{page.system} set {said}: {owner} owns {page.kind.name}" + (
        "; told before, not mended again" if again else ""
    )
    evidence = {name: {"stray": value, "ours": record.fields.get(name)} for name, value in decision.refused.items()}
    _case(page, "ownership_refused", inc, text, event_id, record, fields=evidence)


def _said(value: object) -> str:
    return "nothing" if value is None else f'"{value}"'


def _mend(page: _Page, record: Record, refused: Fields, event_id: int) -> bool:
    """Send the stray system the record's value, once per stray value; True when all of them were mended before."""
    new = books.remember_strays(page.db, record.record_id, page.system_id, refused, event_id=event_id, now=page.now)
    if new and page.routes.reaching(page.system, page.kind.name) is not None:
        page.mends[record.record_id] = Change(record, event_id, None)
    return not new


def _wait(page: _Page, inc: Incoming, record: Record) -> None:
    """An open try of ours concerns the same document there: decided when that is settled."""
    key = f"waits:{inc.number}:{inc.content_hash.hex()[:24]}:{inc.far_revision}"
    if inc.event_id is None and (
        events.seen_before(page.db, page.routes.company_id, page.system_id, [key])
        or any(k == key for k, _, _ in page.seen)
    ):
        page.report.verdicts[Verdict.WAITS] += 1
        return
    event_id = _log(page, inc, Verdict.WAITS, record=record, detail="an open try of ours concerns it")
    page.seen.append((key, inc.content_hash, event_id))


def _new_record(page: _Page, inc: Incoming) -> Record:
    record = Record(record_id=page.next_record, kind=page.kind.name, number=inc.number, changed_at=page.now)
    page.next_record += 1
    page.new_records.append(record)
    page.records[inc.number] = record
    page.by_id[record.record_id] = record
    return record


def _paint(page: _Page, record: Record, inc: Incoming, decision: Decision) -> None:
    """The picture after what was told."""
    picture = page.pictures.get(record.record_id) or Picture()
    if not picture.present:
        picture = Picture()
    picture.fields.update(decision.seen)
    picture.fields = without_gone_lines(picture.fields)
    for name in decision.seen:
        picture.asked.pop(name, None)
    _repaint(page, record, inc, picture)


def _repaint(page: _Page, record: Record, inc: Incoming, picture: Picture) -> None:
    picture.seen_at = max(picture.seen_at, inc.read_at)
    if inc.far_revision is not None:
        picture.far_revision, picture.far_order = inc.far_revision, inc.far_order
    page.pictures[record.record_id] = picture
    page.repainted[record.record_id] = picture
    if inc.far_id and picture.present and page.far.get(record.record_id) != inc.far_id:
        if record.record_id in page.far:
            books.unbind(page.db, page.system_id, record.record_id)
        page.far[record.record_id] = inc.far_id
        page.bound[inc.far_id] = record.record_id
        page.bindings.append((record.record_id, page.kind.name, inc.far_id))


def _touch(page: _Page, record: Record, inc: Incoming, event_id: int) -> None:
    record.revision += 1
    record.changed_at = page.now
    record.event_id = event_id
    page.touched[record.record_id] = record
    page.changes[record.record_id] = Change(record, event_id, inc.at)
    page.report.changed += 1


def _heal_reading(page: _Page, record: Record) -> None:
    if page.report.verdicts:  # cheap: an update through the index of open cases, and only for what was told anew
        cases.heal(
            page.db,
            "contract_violation",
            company_id=page.routes.company_id,
            now=page.now,
            how="a readable one followed",
            subject=record.key,
            system_id=page.system_id,
        )


def _write(page: _Page) -> None:
    company_id = page.routes.company_id
    contents: list[bytes] = []
    for _, inc in page.rows:
        contents += [inc.raw, inc.canonical]
    ids = payloads.put_many(page.db, contents) if contents else []
    if page.new_records:
        books.insert_records(page.db, company_id, page.new_records)
    fresh = {record.record_id for record in page.new_records}
    books.update_records(page.db, [record for record_id, record in page.touched.items() if record_id not in fresh])
    rows = [
        replace(row, raw_id=ids[2 * n], canonical_id=ids[2 * n + 1] if inc.canonical else None)
        for n, (row, inc) in enumerate(page.rows)
    ]
    events.insert_events(
        page.db, rows, company_id=company_id, system_id=page.system_id, landscape_id=page.routes.names.landscape_id
    )
    books.write_pictures(page.db, page.system_id, page.repainted.items())
    books.bind(page.db, company_id, page.system_id, page.bindings, now=page.now)
    events.remember_seen(page.db, company_id, page.system_id, page.seen, now=page.now)
    events.count_repeats(page.db, page.repeats, now=page.now)
