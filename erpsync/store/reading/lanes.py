"""A lane as people read it: its head, and what stands behind it in order."""

from __future__ import annotations

from dataclasses import dataclass

from erpsync.domain.nearest import meant
from erpsync.errors import NotFound, UsageError
from erpsync.store.connection import Connection
from erpsync.store.lanes import lane_id
from erpsync.store.reading.line import Line, line_behind, members_behind
from erpsync.store.reading.messages import COLUMNS, TABLES, MessageRow, message_row, with_waits
from erpsync.store.reading.selecting import company_id
from erpsync.store.schema import place


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
    """The lane of messages to ``system`` for ``lane_key``; raises NotFound when the key is not known."""
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
