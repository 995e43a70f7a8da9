"""The line behind a message: its lane's later ones and whatever waits on it, at any depth, with their money.

Bounded: no more than ``MOST`` are looked at, and then the count says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from erpsync.store.connection import Connection
from erpsync.store.reading.messages import COLUMNS, TABLES, MessageRow, message_row, with_waits
from erpsync.store.schema import place

MOST = 10_000

# From one message to the next of its lane, and to what waits for its document at the same target. The next of a lane
# is one seek in its index, so a long lane is walked, never joined with itself.
_BEHIND = f"""WITH RECURSIVE behind (id) AS (
        SELECT value FROM json_each(?)
        UNION
        SELECT (SELECT min(n.message_id) FROM messages n WHERE n.lane_id = h.lane_id AND {place("n.")} = 1
            AND n.message_id > h.message_id)
        FROM behind b JOIN messages h ON h.message_id = b.id
        UNION
        SELECT w.message_id FROM behind b JOIN messages h ON h.message_id = b.id JOIN records r ON r.record_id = h.record_id
            JOIN waits w ON w.target_id = h.target_id AND w.reason = 'parent' AND w.waits_on = r.kind || ':' || r.number
        LIMIT {MOST + 1000}
    )"""


@dataclass(frozen=True)
class Line:
    """How many wait behind, at most ``MOST`` (then ``more`` is true), and the sums at stake by currency, largest first."""

    count: int
    more: bool
    stakes: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """``40``, or ``10,000+`` where counting stopped."""
        return f"{self.count:,}" + ("+" if self.more else "")


def line_behind(db: Connection, message_ids: Iterable[int]) -> Line:
    """What waits behind these messages together, themselves not counted; each document's money once."""
    own = json.dumps(list(message_ids))
    rows = db.execute(
        f"{_BEHIND}, shown AS (SELECT id FROM behind WHERE id IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?)) LIMIT {MOST + 1}) "
        "SELECT currency, sum(stake), sum(n) FROM (SELECT m.currency, max(m.stake) AS stake, count(*) AS n "
        "FROM shown CROSS JOIN messages m ON m.message_id = shown.id GROUP BY m.record_id, m.currency) GROUP BY currency",
        (own, own),
    ).fetchall()
    counted = sum(int(n) for _, _, n in rows)
    stakes = sorted(((str(currency), int(stake)) for currency, stake, _ in rows if stake), key=lambda pair: -pair[1])
    return Line(min(counted, MOST), counted > MOST, tuple(stakes))


def members_behind(db: Connection, message_id: int, *, limit: int) -> list[MessageRow]:
    """The first ``limit`` messages of the line behind one, nearest first."""
    rows = db.execute(
        f"{_BEHIND} SELECT {COLUMNS} FROM (SELECT id FROM behind WHERE id IS NOT NULL AND id <> ? LIMIT {int(limit)}) shown "
        f"CROSS JOIN {TABLES.replace('messages m', 'messages m ON m.message_id = shown.id', 1)}",
        (json.dumps([message_id]), message_id),
    ).fetchall()
    return with_waits(db, [message_row(row) for row in rows])


def documents_behind(
    db: Connection, message_ids: Iterable[int], *, most: int
) -> tuple[int, bool, list[tuple[int, str, int]]]:
    """How many messages wait behind these (at most ``most``; true: there are more), and their (record id, currency, stake)."""
    own = json.dumps(list(message_ids))
    rows = db.execute(
        f"{_BEHIND} SELECT m.record_id, m.currency, m.stake FROM (SELECT id FROM behind WHERE id IS NOT NULL "
        f"AND id NOT IN (SELECT value FROM json_each(?)) LIMIT {int(most) + 1}) shown CROSS JOIN messages m ON m.message_id = shown.id",
        (own, own),
    ).fetchall()
    documents = [(int(record), str(currency), int(stake)) for record, currency, stake in rows]
    return min(len(rows), most), len(rows) > most, documents[:most]
