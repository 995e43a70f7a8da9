"""Reads documents page by page. One rule: every page says from where to go on, and none is told without its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from erpsync.adapters.protocol import Page, Told
from erpsync.adapters.tryton.cursor import Cursor, Place, read_cursor
from erpsync.adapters.tryton.envelope import decode
from erpsync.adapters.tryton.errand import Errand
from erpsync.adapters.tryton.shelf import STAMP, Shelf

_BY_STAMP = [[STAMP, "ASC"], ["id", "ASC"]]


async def changes(errand: Errand, shelf: Shelf, cursor: str) -> AsyncIterator[Page]:
    """What changed in the shelf's model, then in those that follow it, until there is no more."""
    place = read_cursor(cursor, models=1 + len(shelf.follows))
    more = True
    while more:
        read_at, calls = errand.trail.now(), errand.trail.calls
        page = errand.options.page
        if place.turn == 0:
            rows = await _changed(errand, shelf.model, place.places[0], list(shelf.fields), extra=list(shelf.domain))
            told = rows
        else:
            follows = shelf.follows[place.turn - 1]
            fields = [STAMP, *([follows.up] if follows.up else [])]
            rows = await _changed(errand, follows.model, place.places[place.turn], fields)
            ids = sorted({row[follows.up or "id"] for row in rows})
            domain = [*shelf.domain, [follows.by, "in", ids]]
            told = await errand.raw(shelf.model, domain, list(shelf.fields)) if ids else []
        if place.began is None:
            place = place.begin(errand.trail.far_time or read_at, overlap=errand.options.overlap)
        stamps = [(decode(row[STAMP]), row["id"]) for row in rows]
        finished = place.turn + 1 == len(place.places)
        last = len(rows) < page
        place = place.passed(stamps, last=last, overlap=errand.options.overlap)
        more = not (last and finished)
        if told or not more:
            yield _page(errand, shelf, told, cursor=place, more=more, read_at=read_at, calls=errand.trail.calls - calls)


async def scan(errand: Errand, shelf: Shelf) -> AsyncIterator[Page]:
    """Every document, in order of the record's id."""
    after, more = 0, True
    total = None
    while more:
        read_at, calls = errand.trail.now(), errand.trail.calls
        domain = [*shelf.domain, ["id", ">", after]]
        if total is None:
            total = await errand.rpc.call(
                f"model.{shelf.model}.search_count", domain, 0, None, errand.footing.everything, trail=errand.trail
            )
        rows = await errand.raw(shelf.model, domain, list(shelf.fields), limit=errand.options.page)
        more = len(rows) == errand.options.page
        after = rows[-1]["id"] if rows else after
        tolds = [shelf.told(row, errand.about, errand.options) for row in rows]
        yield Page(tolds, str(after), more, read_at, total=total, calls=errand.trail.calls - calls)


async def read(errand: Errand, shelf: Shelf, far_id: str) -> Told:
    """One document as it is now; a record that is no more is told as removed."""
    known = far_id.isascii() and far_id.isdigit() and len(far_id) < 19
    rows = await errand.raw(shelf.model, [["id", "=", int(far_id)]], list(shelf.fields)) if known else []
    if not rows:
        return Told(shelf.kind, b"", far_id=far_id, removed=True)
    return shelf.told(rows[0], errand.about, errand.options)


async def _changed(
    errand: Errand, model: str, place: Place | None, fields: list[str], *, extra: list[Any] | None = None
) -> list[dict[str, Any]]:
    domain = [*(extra or []), *([place.domain()] if place else [])]
    rows: list[dict[str, Any]] = await errand.rpc.call(
        f"model.{model}.search_read",
        domain,
        0,
        errand.options.page,
        _BY_STAMP,
        fields,
        errand.footing.everything,
        trail=errand.trail,
    )
    return rows


def _page(
    errand: Errand,
    shelf: Shelf,
    rows: list[dict[str, Any]],
    *,
    cursor: Cursor,
    more: bool,
    read_at: datetime,
    calls: int,
) -> Page:
    tolds = [shelf.told(row, errand.about, errand.options) for row in rows]
    return Page(tolds, cursor.text(), more, read_at, calls=calls)
