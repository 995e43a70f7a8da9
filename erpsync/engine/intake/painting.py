"""What a decision changes of a page: the new record, the picture of the system that told, the record itself."""

from __future__ import annotations

from erpsync.domain.flat import Fields
from erpsync.domain.ownership import without_gone_lines
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.offering import Change
from erpsync.engine.intake.page import Page
from erpsync.store import xrefs
from erpsync.store.books import Picture, Record
from erpsync.store.xrefs import Binding


def new_record(page: Page, inc: Incoming) -> Record:
    """A shell for a key of which nothing was known."""
    record = Record(record_id=page.next_record, kind=page.kind.name, number=inc.number, changed_at=page.now)
    page.next_record += 1
    page.fresh[record.record_id] = record
    page.records[inc.number] = record
    page.by_id[record.record_id] = record
    return record


def paint(page: Page, record: Record, inc: Incoming, seen: Fields) -> None:
    """The picture after what was told: ``seen`` are the fields that differ from it."""
    picture = page.pictures.get(record.record_id)
    if picture is None or not picture.present:
        picture = Picture()
    _hold(picture, seen, inc)
    if picture.asked:
        for name in seen:
            picture.asked.pop(name, None)
    repaint(page, record, inc, picture)


def repaint(page: Page, record: Record, inc: Incoming, picture: Picture) -> None:
    """Take this for what the system holds; its own id for the record is bound with it."""
    record_id = record.record_id
    picture.seen_at = max(picture.seen_at, inc.read_at)
    if inc.far_revision is not None:
        picture.far_revision, picture.far_order = inc.far_revision, inc.far_order
    page.pictures[record_id] = picture
    page.repainted[record_id] = picture
    if inc.far_id and picture.present and page.far.get(record_id) != inc.far_id:
        if record_id in page.far:
            xrefs.unbind(page.db, page.system_id, record_id)
        page.far[record_id] = inc.far_id
        page.bound[inc.far_id] = record_id
        page.bindings.append(Binding(page.system_id, record_id, page.kind.name, inc.far_id))


def accept(page: Page, record: Record, inc: Incoming, told: Fields) -> None:
    """Take these fields of what was told into the record, told by this page's system now."""
    record.removed = False
    if not record.fields:
        record.origins = {"": (page.system_id, page.now)}
    else:
        record.origins.update(dict.fromkeys(told, (page.system_id, page.now)))
    if _hold(record, told, inc):
        record.origins = {name: origin for name, origin in record.origins.items() if not name or name in record.fields}


def _hold(holder: Record | Picture, told: Fields, inc: Incoming) -> bool:
    """Have what was told besides what is held already; true where lines are gone with it."""
    fields = {**holder.fields, **told} if holder.fields else told
    whole = without_gone_lines(fields) if None in fields.values() else fields
    # Where all of it was told just now, its content is that of the event.
    as_told = whole is inc.fields or (len(whole) == len(inc.fields) and whole == inc.fields)
    holder.hold(whole, unstored=(inc.content_hash, inc.canonical) if as_told else None)
    return whole is not fields


def touch(page: Page, record: Record, inc: Incoming, event_id: int) -> None:
    """The record changed: a new revision, to be written and offered."""
    key_is_new = record.record_id in page.fresh
    record.revision += 1
    record.changed_at = page.now
    record.event_id = event_id
    logged = page.rows[-1][0] if page.rows else None
    if logged is not None and logged.event_id == event_id:  # not one that was kept back before
        logged.previous_id, record.newest_id = record.newest_id, event_id
    page.touched[record.record_id] = record
    page.changes[record.record_id] = Change(
        record, event_id, inc.at, is_new=key_is_new or record.record_id in page.untold, key_is_new=key_is_new
    )
    page.report.changed += 1
