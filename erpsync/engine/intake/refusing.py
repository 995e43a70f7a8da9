"""What is not taken as it was told: unreadable, told before, in conflict, not theirs to change. Kept, and said.

Rule: nothing told is dropped. Each has its event with a verdict that can be brought back, and its exception; told again
unchanged it is the same one.
"""

from __future__ import annotations

from erpsync.domain.document import plain
from erpsync.domain.events import Verdict
from erpsync.domain.flat import Fields, Scalar
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.offering import Change
from erpsync.engine.intake.page import Page
from erpsync.store import books
from erpsync.store.before import seen_before
from erpsync.store.books import Record


def unreadable(page: Page, inc: Incoming) -> None:
    """Kept raw, with an exception; told again unchanged, it is the same one."""
    record = page.records.get(inc.number) or page.by_id.get(page.bound.get(inc.far_id, 0))
    if record is not None:
        page.report.records.add(record.record_id)
    if inc.number:
        page.report.numbers.add(inc.number)
        page.there_again(inc.number)
    page.report.nameless |= record is None and not inc.number
    key = f"bad:{inc.number}:{inc.content_hash.hex()[:24]}"
    before = seen_before(page.db, page.routes.company_id, page.system_id, [key])
    if before and inc.event_id is None:
        page.repeats.append(before[key][1])
        page.report.verdicts[Verdict.UNREADABLE] += 1
        return
    where = f"{inc.error_place}: " if inc.error_place else ""
    event_id = page.log(inc, Verdict.UNREADABLE, record=record, detail=where + inc.error)
    page.seen.append((key, inc.content_hash, event_id))
    text = f"{page.system} told {inc.key}: {where}{inc.error}"
    page.open_case("contract_violation", inc, text, event_id, place=inc.error_place)


def told_again(page: Page, inc: Incoming, before: tuple[bytes, int]) -> None:
    """The same event id: a duplicate, or, with other content, a conflict."""
    content, event_id = before
    if inc.number and (record := page.records.get(inc.number)) is not None:
        page.report.records.add(record.record_id)
    key = f"{inc.dup_key}:{inc.content_hash.hex()[:24]}"
    if content in (inc.content_hash, inc.raw_hash) or page.was_seen(key):
        page.repeats.append(event_id)
        page.report.verdicts["duplicate"] += 1
        return
    detail = f"event id {inc.source_event_id} was told before as event {event_id}"
    conflict = page.log(inc, Verdict.CONFLICTING, detail=detail)
    page.seen.append((key, inc.content_hash, conflict))
    text = f"{page.system} told event {inc.source_event_id} again with other content"
    page.open_case("event_conflict", inc, text, conflict, before=event_id)


def two_of_one(page: Page, inc: Incoming, record: Record | None, why: str) -> None:
    """One key with two far documents, or one far document under two keys: a person says which it is."""
    key = f"far:{inc.far_id}:{inc.number}"
    if record is not None:
        page.report.records.add(record.record_id)
    if inc.event_id is None and page.was_seen(key):
        page.report.verdicts[Verdict.CONFLICTING] += 1
        return
    event_id = page.log(inc, Verdict.CONFLICTING, record=record, detail=why)
    page.seen.append((key, inc.content_hash, event_id))
    page.open_case("duplicate_far", inc, why, event_id, record)


def happened_otherwise(page: Page, inc: Incoming, record: Record) -> None:
    """What happened once was told again with other content."""
    event_id = page.log(inc, Verdict.CONFLICTING, record=record, detail="what happened was told again otherwise")
    text = f"{page.system} told {record.key} again with other content"
    page.open_case("event_conflict", inc, text, event_id, record)


def unknown_to_owner(page: Page, inc: Incoming, record: Record) -> None:
    """A key of which its owner has told nothing yet."""
    event_id = page.log(inc, Verdict.UNKNOWN_KEY, record=record)
    text = f"{page.system} has {record.key}, of which {page.owner} told nothing"
    page.open_case("unknown_key", inc, text, event_id, record)


def removed_by_another(page: Page, inc: Incoming, record: Record) -> None:
    """A document is gone from a system that does not own it."""
    detail = f"removed in {page.system}, which does not own it"
    event_id = page.log(inc, Verdict.REFUSED, record=record, detail=detail)
    text = f"{page.system} removed {record.key}, which {page.owner} owns"
    page.open_case("ownership_refused", inc, text, event_id, record)


def not_theirs(page: Page, inc: Incoming, record: Record, refused: Fields, *, caught_up: bool) -> None:
    """Fields that this system changed and another one owns: refused, shown, and mended once per stray value."""
    names = ", ".join(sorted(refused))
    verdict = Verdict.IN_PART if caught_up else Verdict.REFUSED
    event_id = page.log(inc, verdict, record=record, detail=f"{page.owner} owns {names}")
    currency = str(record.fields.get("currency") or "USD")

    def plainly(name: str, value: Scalar) -> str | bool | None:
        return plain(page.kind.model, name, value, currency)

    said = ", ".join(f"{name} {_said(plainly(name, value))}" for name, value in sorted(refused.items()))
    again = _mend(page, record, refused, event_id)
    text = f"{page.system} set {said}: {page.owner} owns {page.kind.name}" + (
        "; told before, not mended again" if again else ""
    )
    evidence = {
        name: {"stray": plainly(name, value), "ours": plainly(name, record.fields.get(name))}
        for name, value in refused.items()
    }
    page.open_case("ownership_refused", inc, text, event_id, record, fields=evidence)


def wait_for_open_try(page: Page, inc: Incoming, record: Record) -> None:
    """An open try of ours concerns the same document there: decided when that is settled."""
    key = f"waits:{inc.number}:{inc.content_hash.hex()[:24]}:{inc.far_revision}"
    if inc.event_id is None and page.was_seen(key):
        page.report.verdicts[Verdict.WAITS] += 1
        return
    event_id = page.log(inc, Verdict.WAITS, record=record, detail="an open try of ours concerns it")
    page.seen.append((key, inc.content_hash, event_id))


def _mend(page: Page, record: Record, refused: Fields, event_id: int) -> bool:
    """Send the stray system the record's value, once per stray value; True when all of them were mended before."""
    new = books.remember_strays(page.db, record.record_id, page.system_id, refused, event_id=event_id, now=page.now)
    if new and page.routes.reaching(page.system, page.kind.name) is not None:
        page.mends[record.record_id] = Change(record, event_id, None)
    return not new


def _said(value: object) -> str:
    return "nothing" if value is None else f'"{value}"'
