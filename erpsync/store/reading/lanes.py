"""Lanes as people read them: those that do not move by themselves, and one with all that stands behind its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.nearest import meant
from erpsync.errors import NotFound, UsageError
from erpsync.store.connection import Connection
from erpsync.store.lanes import lane_id
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.line import Line, line_behind, lines_behind, members_behind
from erpsync.store.reading.messages import COLUMNS, TABLES, MessageRow, currencies, message_row, with_waits
from erpsync.store.reading.messages import FIELDS as MESSAGE_FIELDS
from erpsync.store.reading.selecting import (
    Page,
    all_kind_words,
    company_id,
    order_sql,
    total_of,
    where_sql,
)
from erpsync.store.schema import place, stuck

_STUCK = stuck("m.")
_UNCOUNTED = Line(0, False, ())


@dataclass(frozen=True)
class LaneView:
    """One lane: its head (None when nothing waits), the first of what stands behind, and how much that is in all.

    ``is_told``: somebody told of its key, so there is something to trace; otherwise others only queue under it.
    """

    system: str
    lane_key: str
    head: MessageRow | None
    behind: tuple[MessageRow, ...]
    line: Line
    is_told: bool = True


def lane(db: Connection, company: str, system: str, lane_key: str, *, limit: int) -> LaneView:
    """The lane of messages to ``system`` for ``lane_key``; raises NotFound for a key that is not known, UsageError for a system."""
    own = company_id(db, company)
    target = db.execute("SELECT system_id FROM systems WHERE name = ?", (system,)).fetchone()
    if target is None:
        names = [str(row[0]) for row in db.execute("SELECT name FROM systems ORDER BY name")]
        raise UsageError(
            f"system {system} does not exist",
            hint=f"{meant(system, names)}Systems: {', '.join(names)}" if names else "",
        )
    kind, _, number = lane_key.partition(":")
    record = db.execute(
        "SELECT record_id, changed_at > 0 FROM records WHERE company_id = ? AND kind = ? AND number = ?",
        (own, kind, number),
    ).fetchone()
    if record is None:
        raise NotFound(
            f"lane {system}, {lane_key} does not exist: nothing was ever on its way to {system} for that key",
            hint=f"what goes there: erpsync messages list --where 'system = {system}'",
        )
    first = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE m.lane_id = ? AND {place('m.')} = 1 ORDER BY m.message_id LIMIT 1",
        (lane_id(record[0], target[0]),),
    ).fetchone()
    if first is None:
        return LaneView(system, lane_key, None, (), Line(0, False, ()), is_told=bool(record[1]))
    head = with_waits(db, [message_row(first)])[0]
    return LaneView(
        system,
        lane_key,
        head,
        tuple(members_behind(db, head.message_id, limit=limit)),
        line_behind(db, [head.message_id]),
        is_told=bool(record[1]),
    )


FIELDS: dict[str, Field] = {
    "age": Field("m.accepted_at", Sort.AGE),
    "cause": Field("m.reason"),
    "error": Field("m.error"),
    "flow": Field("f.name"),
    "head": Field("m.message_id", Sort.NUMBER),
    "key": MESSAGE_FIELDS["key"],
    "kind": Field("l.kind", words=all_kind_words),
    "lane": MESSAGE_FIELDS["lane"],
    "stake": Field("m.stake", Sort.MONEY, currency="m.currency"),
    "state": Field("m.state", words=lambda: {state: state for state in ("dead", "held", "unknown")}),
    "system": MESSAGE_FIELDS["system"],
    "target": MESSAGE_FIELDS["system"],
    "waiting": Field("m.state_at", Sort.AGE),
}
WEIGHED = 200


@dataclass(frozen=True)
class StuckLane:
    """A lane that does not move by itself: its head, and the line behind it (with the money of both)."""

    head: MessageRow
    line: Line


@dataclass(frozen=True)
class StuckLanes:
    """A page of them. ``weighed``: they come by the money of head and line; otherwise by the head's own."""

    page: Page[StuckLane]
    weighed: bool


def stuck_lanes(db: Connection, selection: Selection, *, lines: bool = True) -> StuckLanes:
    """Lanes whose head is dead, unknown or held: most money first, then those that stand still the longest.

    By the money of all that stands there, where no more than ``WEIGHED`` lanes match; of more, or without ``lines``, by that
    of their heads, which is on record. Stake in a filter, and in an order asked for, is the head's.
    """
    company = company_id(db, selection.company)
    where, values = where_sql(selection, FIELDS, subject="lanes", currencies=currencies(db, company))
    order = order_sql(selection, FIELDS, usual="m.stake DESC, m.state_at, m.message_id", last="m.message_id")
    base = f"m.company_id = {int(company)} AND {_STUCK}"
    weighs = lines and not selection.sort
    least = WEIGHED + 1 if weighs else 0
    limit = f"LIMIT {max(selection.limit, least)}" if selection.limit else ""
    rows = db.execute(f"SELECT {COLUMNS} FROM {TABLES} WHERE {base} AND {where} {order} {limit}", values).fetchall()
    weighed = weighs and len(rows) <= WEIGHED
    found = rows if weighed or not selection.limit else rows[: selection.limit]
    heads = [message_row(row) for row in found]
    behind = lines_behind(db, [head.message_id for head in heads]) if lines else [_UNCOUNTED] * len(heads)
    lanes = [StuckLane(head, line) for head, line in zip(heads, behind, strict=True)]
    if weighed:
        lanes.sort(
            key=lambda lane: (-sum(stake for _, stake in lane.line.whole), lane.head.state_at, lane.head.message_id)
        )
    shown = lanes[: selection.limit] if selection.limit else lanes
    counting = f"{TABLES} WHERE {base} AND {where}"
    (everything,) = db.execute(f"SELECT count(*) FROM messages m WHERE {base}").fetchone()
    total = len(rows) if weighed else total_of(db, selection, counting, values, shown=len(rows), everything=everything)
    return StuckLanes(Page(_with_waits(db, shown), total, int(everything)), weighed)


def _with_waits(db: Connection, lanes: Sequence[StuckLane]) -> tuple[StuckLane, ...]:
    heads = with_waits(db, [lane.head for lane in lanes])
    return tuple(StuckLane(head, lane.line) for head, lane in zip(heads, lanes, strict=True))
