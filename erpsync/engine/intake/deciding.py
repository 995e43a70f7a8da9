"""Deciding about one thing told: which record it is about, whether it is news, and whose.

Ownership is decided by ``domain.ownership.decide`` from picture and record; this module carries the decision out.
"""

from __future__ import annotations

from erpsync.domain.events import Verdict
from erpsync.domain.kinds import Nature
from erpsync.domain.ownership import Decision, decide, whole
from erpsync.engine.intake import refusing
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.page import Page
from erpsync.engine.intake.painting import accept, new_record, paint, repaint, touch
from erpsync.store.books import Picture, Record


def told(page: Page, inc: Incoming) -> None:
    """A document: news to the books, an echo, something refused, or nothing at all."""
    record, why = _find_record(page, inc)
    if why:
        refusing.two_of_one(page, inc, record, why)
        return
    page.report.numbers.add(inc.number)
    page.there_again(inc.number)
    if record is None:  # nothing was known of it: all of it is news
        record = new_record(page, inc)
        page.report.records.add(record.record_id)
        decision = Decision(seen=inc.fields, accepted=inc.fields if page.owns else {})
        _decided(page, inc, record, decision, returns=False)
        return
    page.report.records.add(record.record_id)
    if not record.is_told:
        record.changed_at = page.now
        page.touched[record.record_id] = record
    picture = page.pictures.get(record.record_id)
    if _is_stale(page, inc, record, picture):
        _nothing_new(page, inc, record, Verdict.STALE)
        return
    fields = whole(inc.fields, picture.fields if picture else None, record.fields) if inc.tells_lines else inc.fields
    ours = record.fields if not record.is_shell else None
    asked = page.tries.get(record.record_id)
    held = picture.fields if picture is not None and picture.present else None
    decision = decide(fields, held, ours, owns=page.owns, asked=asked)
    if asked is not None and decision.refused:
        refusing.wait_for_open_try(page, inc, record)
        return
    returns = record.removed and page.owns
    if picture is not None and picture.present and not decision.seen and not returns:
        _nothing_new(page, inc, record, Verdict.CAUGHT_UP)
        mended = ("contract_violation", record.key) in page.troubled
        if mended or (inc.far_order is not None and inc.far_order != picture.far_order):
            repaint(page, record, inc, picture)
        page.heal_reading(record)
        return
    if page.owns and not record.is_shell and page.kind.nature is Nature.HAPPENED and decision.accepted:
        paint(page, record, inc, decision.seen)
        refusing.happened_otherwise(page, inc, record)
        return
    _decided(page, inc, record, decision, returns=returns)


def removed(page: Page, inc: Incoming) -> None:
    """A removal: its owner's word is taken, another's is refused; of what it was not known to hold, nothing follows."""
    record, why = _find_record(page, inc)
    if record is None or why:
        page.report.verdicts["unchanged"] += 1
        return
    picture = page.pictures.get(record.record_id)
    if picture is None or not picture.present:
        _nothing_new(page, inc, record, Verdict.CAUGHT_UP)
        return
    if _is_stale(page, inc, record, picture):
        _nothing_new(page, inc, record, Verdict.STALE)
        return
    repaint(page, record, inc, Picture(present=False, far_revision=inc.far_revision, far_order=inc.far_order))
    if not page.owns:
        refusing.removed_by_another(page, inc, record)
        return
    event_id = page.log(inc, Verdict.ACCEPTED, record=record, detail="removed")
    record.removed = True
    touch(page, record, inc, event_id)


def _decided(page: Page, inc: Incoming, record: Record, decision: Decision, *, returns: bool) -> None:
    """Carry a decision out: picture, record, exception, mending."""
    paint(page, record, inc, decision.seen)
    if page.owns:
        first = record.is_shell
        changes = first or returns or bool(decision.accepted)
        event_id = page.log(inc, Verdict.ACCEPTED if changes else Verdict.CAUGHT_UP, record=record)
        if changes:
            accept(page, record, inc, inc.fields if first else decision.accepted)
            touch(page, record, inc, event_id)
        if first:
            page.heal("unknown_key", record, "its owner told of it")
    elif record.is_shell:
        refusing.unknown_to_owner(page, inc, record)
        return
    elif decision.refused:
        caught_up = len(decision.seen) > len(decision.refused)
        refusing.not_theirs(page, inc, record, decision.refused, caught_up=caught_up)
        return
    else:
        page.log(inc, Verdict.CAUGHT_UP, record=record)
    page.heal_reading(record)


def _find_record(page: Page, inc: Incoming) -> tuple[Record | None, str]:
    """The record it is about, and what speaks against that, if anything."""
    record = page.records.get(inc.number) if inc.number else None
    owner_of_id = page.by_id.get(page.bound[inc.far_id]) if inc.far_id in page.bound else None
    if owner_of_id is not None and inc.number and owner_of_id.number != inc.number:
        page.report.records.add(owner_of_id.record_id)  # it is there, under whatever number
        return record, f"{page.system}'s {inc.far_id} is {owner_of_id.key}, and now says {inc.key}"
    record = record or owner_of_id
    if record is not None and inc.far_id:
        bound = page.far.get(record.record_id)
        picture = page.pictures.get(record.record_id)
        if bound and bound != inc.far_id and (picture is None or picture.present):
            return record, f"{page.system} has {record.key} twice: {bound} and {inc.far_id}"
    return record, ""


def _nothing_new(page: Page, inc: Incoming, record: Record, verdict: Verdict) -> None:
    """It says nothing that the books do not know: counted; a kept event that was brought back gets its verdict."""
    if inc.event_id is not None:
        page.log(inc, verdict, record=record, detail="the books knew it by then")
        return
    page.report.verdicts["unchanged" if verdict is Verdict.CAUGHT_UP else verdict] += 1


def _is_stale(page: Page, inc: Incoming, record: Record, picture: Picture | None) -> bool:
    """Older than what that system told, or read before our last write there was answered.

    Revisions are compared of one far document only: one made anew over there counts from the beginning again.
    """
    if picture is None:
        return False
    same = picture.present and inc.far_id in ("", page.far.get(record.record_id, inc.far_id))
    if same and inc.far_order is not None and picture.far_order is not None and not inc.whole_scan:
        return inc.far_order < picture.far_order
    return inc.read_at < picture.seen_at
