"""Events as people read them: what systems told us, and the verdict on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from erpsync.domain.events import Verdict
from erpsync.errors import NotFound
from erpsync.store.connection import Connection
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.selecting import (
    Page,
    all_kind_words,
    company_id,
    in_their_order,
    is_own,
    limit_sql,
    moment_or_none,
    order_sql,
    total_of,
    where_sql,
)


@dataclass(frozen=True)
class EventRow:
    """One event. ``at`` is the source's own time, ``received_at`` ours; ``repeats`` how often it was told again."""

    event_id: int
    system: str
    kind: str
    number: str
    record_number: str | None
    far_id: str
    far_revision: str | None
    source_event_id: str | None
    removed: bool
    verdict: str
    detail: str
    repeats: int
    caused_by: int | None
    at: datetime | None
    received_at: datetime
    repeated_at: datetime | None
    record_id: int | None

    @property
    def key(self) -> str:
        """The key it is about, as far as it could be read: of the record, else the number told, else the far id."""
        return f"{self.kind}:{self.record_number or self.number or self.far_id or '?'}"


@dataclass(frozen=True)
class EventContents:
    """What was told, as it came and as it was read; None where it is not kept."""

    raw: bytes | None
    canonical: bytes | None


_COLUMNS = """e.event_id, s.name, e.kind, e.number, r.number, e.far_id, e.far_revision, e.source_event_id, e.removed, e.verdict,
    e.detail, e.repeats, e.caused_by, e.at, e.received_at, e.repeated_at, e.record_id"""
_TABLES = (
    """events e CROSS JOIN systems s ON s.system_id = e.system_id LEFT JOIN records r ON r.record_id = e.record_id"""
)


def _of_record(record: str) -> str:
    """SQL for the ids of a record's events: those that changed it as they were logged, from the newest to the one before; all others."""
    return f"""WITH RECURSIVE changing (event_id) AS (
        SELECT newest_id FROM records WHERE record_id = {record}
        UNION SELECT e.previous_id FROM changing c CROSS JOIN events e ON e.event_id = c.event_id
    ) SELECT event_id FROM changing
    UNION ALL SELECT event_id FROM events WHERE record_id = {record} AND previous_id IS NULL"""


_OF_KEY = (  # and those that told of the key without reaching a record
    f"e.event_id IN ({_of_record('{record}')} UNION ALL SELECT event_id FROM events "
    "WHERE record_id IS NULL AND previous_id IS NULL AND number = {number} AND kind = {kind})"
)

_OF_SYSTEM = "e.system_id IN (SELECT s.system_id FROM systems s WHERE {names})"

FIELDS: dict[str, Field] = {
    "age": Field("e.received_at", Sort.AGE),
    "at": Field("e.at", Sort.MOMENT),
    "detail": Field("e.detail"),
    "far": Field("e.far_id"),
    "from": Field("s.name", among=_OF_SYSTEM),
    "id": Field("e.event_id", Sort.NUMBER),
    "key": Field("e.kind || ':' || COALESCE(r.number, e.number)", exact=_OF_KEY),
    "kind": Field("e.kind", words=all_kind_words),
    "received": Field("e.received_at", Sort.MOMENT),
    "removed": Field("e.removed", Sort.FLAG),
    "repeats": Field("e.repeats", Sort.NUMBER),
    "system": Field("s.name", among=_OF_SYSTEM),
    "verdict": Field("e.verdict", words=lambda: {str(verdict): str(verdict) for verdict in Verdict}),
}


def _event_row(row: Sequence[object]) -> EventRow:
    values: list[object] = list(row)
    values[8] = bool(values[8])
    for place in (13, 14, 15):
        values[place] = moment_or_none(values[place])  # type: ignore[arg-type]  # columns are typed by the schema (STRICT)
    return EventRow(*values)  # type: ignore[arg-type]  # as above


def events(db: Connection, selection: Selection) -> Page[EventRow]:
    """Events, the newest first."""
    company = company_id(db, selection.company)
    condition, values = where_sql(selection, FIELDS, subject="events")
    order = order_sql(selection, FIELDS, usual="e.event_id DESC", last="e.event_id")
    base = f"e.company_id = {int(company)}"
    own = "events e" if is_own(selection, FIELDS, "e") else _TABLES
    wanted = f"WHERE {base} AND {condition} {order} {limit_sql(selection)}"
    if selection.sort and selection.limit:
        by_id = f"SELECT {_COLUMNS} FROM {_TABLES} WHERE e.event_id IN (SELECT value FROM json_each(?))"
        rows = in_their_order(db, f"SELECT e.event_id FROM {own} {wanted}", by_id, values)
    else:
        rows = db.execute(f"SELECT {_COLUMNS} FROM {_TABLES} {wanted}", values).fetchall()
    everything = int(db.execute("SELECT count(*) FROM events").fetchone()[0])
    counting = f"{own} WHERE {base} AND {condition}"
    total = total_of(db, selection, counting, values, shown=len(rows), everything=everything)
    return Page(tuple(_event_row(row) for row in rows), total, everything)


def event(db: Connection, company: str, event_id: int) -> EventRow:
    """One event; raises NotFound."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE e.company_id = ? AND e.event_id = ?",
        (company_id(db, company), event_id),
    ).fetchone()
    if row is None:
        raise NotFound(
            f"event {event_id} is not in the store (pruned, or never was)", hint="those there are: erpsync events list"
        )
    return _event_row(row)


def events_with_ids(db: Connection, company: str, ids: Iterable[int]) -> list[EventRow]:
    """These events, as far as they are there, by id."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE e.company_id = ? AND e.event_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY e.event_id",
        (company_id(db, company), json.dumps(list(ids))),
    )
    return [_event_row(row) for row in rows.fetchall()]


def events_of(db: Connection, record_id: int) -> list[EventRow]:
    """Every event about one record, oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE e.event_id IN ({_of_record('?1')}) ORDER BY e.event_id", (record_id,)
    )
    return [_event_row(row) for row in rows.fetchall()]


def event_contents(db: Connection, event_id: int) -> EventContents:
    """What an event said, raw and canonical."""
    row = db.execute(
        "SELECT raw.content, canonical.content FROM events e LEFT JOIN payloads raw ON raw.payload_id = e.raw_id "
        "LEFT JOIN payloads canonical ON canonical.payload_id = e.canonical_id WHERE e.event_id = ?",
        (event_id,),
    ).fetchone()
    if row is None:
        return EventContents(None, None)
    return EventContents(*(None if part is None else bytes(part) for part in row))
