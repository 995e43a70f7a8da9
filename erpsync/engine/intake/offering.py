"""Who is told of a change: each flow's targets, in their lanes, where their picture differs from the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.kinds import Kind, Supersedes
from erpsync.domain.ownership import differs
from erpsync.engine.routes import Route, Routes
from erpsync.store import books, xrefs
from erpsync.store.books import Picture, Record
from erpsync.store.connection import Connection, moment
from erpsync.store.lanes import lane_id, lane_records
from erpsync.store.offers import Offer, offer
from erpsync.store.totals import Tally

AFTER_RESTORE = "the store was restored from a backup, and this may have been sent before"


@dataclass(slots=True)
class Change:
    """A record that changed, the event that changed it, and the source's time of it (milliseconds).

    ``is_new``: no system but the one that told it can have anything of it yet; ``key_is_new``: not even its key was known.
    """

    record: Record
    event_id: int | None
    at: int | None
    is_new: bool = False
    key_is_new: bool = False


def offer_changes(
    db: Connection,
    routes: Routes,
    source: str,
    changes: Sequence[Change],
    mends: Sequence[Change],
    tally: Tally,
    *,
    now: int,
    next_message: int | None = None,
    restored_at: int | None = None,
) -> list[int]:
    """Offer changed records to the targets of their flows, and records that must be mended back to ``source``."""
    offers: list[Offer] = []
    if changes:
        leaving = routes.leaving(source, changes[0].record.kind)
        offers += _for_routes(db, routes, leaving, changes, now=now, restored_at=restored_at)
    if mends:
        back = routes.reaching(source, mends[0].record.kind)
        if back is not None:
            offers += _for_routes(db, routes, [back], mends, now=now, restored_at=None, mending=True)
    return offer(db, offers, tally, now=now, next_message=next_message)


def offer_changes_to(
    db: Connection, routes: Routes, route: Route, changes: Sequence[Change], tally: Tally, *, now: int
) -> list[int]:
    """Offer records to one target."""
    return offer(db, _for_routes(db, routes, [route], changes, now=now, restored_at=None), tally, now=now)


def _for_routes(
    db: Connection,
    routes: Routes,
    among: Sequence[Route],
    changes: Sequence[Change],
    *,
    now: int,
    restored_at: int | None,
    mending: bool = False,
) -> list[Offer]:
    """The offers of records of one kind, route by route."""
    if not among:
        return []
    kind, at = among[0].kind, moment(now)
    known = [change.record.record_id for change in changes if not change.is_new]
    facts = [
        (
            change,
            change.record,
            queue,
            kind.stake(change.record.fields) or (0, ""),
            change.record.removed or kind.cancelled(change.record.fields),
        )
        for change, queue in zip(changes, _queues(db, routes.company_id, kind, changes), strict=True)
    ]
    always, until_there = kind.supersedes is Supersedes.ALWAYS, kind.supersedes is Supersedes.UNTIL_THERE
    offers = []
    for route in among:
        held = books.pictures(db, route.target_id, known) if known else {}
        bound = xrefs.far_ids(db, route.target_id, known) if known else {}
        for change, record, queue, (stake, currency), is_off in facts:
            record_id = record.record_id
            if not _needs(route, record, held.get(record_id)):
                continue
            there = record_id in bound
            one = Offer(
                *(change.event_id, route.target_id, route.flow_id, record_id, lane_id(queue, route.target_id)),
                *(always or (until_there and not there), stake, currency, is_off and not there),
            )
            one.opens_lane = change.key_is_new and queue == record_id
            if route.where is not None and not record.removed:
                one.filtered = not route.lets_through(record.fields, now=at)
            if mending:
                one.mends = True
            if restored_at is not None:
                one.waits_for_person = _after_restore(route, change, there=there, restored_at=restored_at)
            offers.append(one)
    return offers


def _queues(db: Connection, company_id: int, kind: Kind, changes: Sequence[Change]) -> list[int]:
    """The record under whose key each change queues: its own, or for some kinds another's."""
    if kind.lane_key is None:
        return [change.record.record_id for change in changes]
    keys = [kind.lane_key(change.record.key, change.record.fields) for change in changes]
    ids = lane_records(db, company_id, keys)
    return [ids[key] for key in keys]


def _needs(route: Route, record: Record, picture: Picture | None) -> bool:
    """Whether the target does not hold yet what the record says."""
    if record.removed:
        return picture is None or picture.present
    if picture is None or not picture.present:
        return True
    return bool(differs(record.fields, picture.fields, asked=picture.asked, carries=route.carries))


def _after_restore(route: Route, change: Change, *, there: bool, restored_at: int) -> str:
    """A store opened from a backup does not know what it sent since: what cannot be looked for asks a person."""
    if there or route.writes.finds or route.writes.upsert:
        return ""
    if change.at is not None and change.at >= restored_at:
        return ""
    return AFTER_RESTORE
