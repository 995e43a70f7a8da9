"""The line behind a message: its lane's later ones and whatever waits on it, at any depth, with their money.

Bounded: no more than ``MOST`` of a line are looked at, and then the count says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.store.connection import Connection
from erpsync.store.reading.cause import summed
from erpsync.store.reading.messages import COLUMNS, TABLES, MessageRow, message_row, with_waits
from erpsync.store.schema import place

MOST = 10_000
TOGETHER = 100_000  # of many lines shown at once: a third of a second
_FEWEST = 10  # of each, however many they are


def _behind(most: int) -> str:
    """From one message to the next of its lane, and to what waits for its document at the same target.

    The next of a lane is one seek in its index, so a long lane is walked, never joined with itself.
    """
    return f"""WITH RECURSIVE behind (id) AS (
        SELECT value FROM json_each(?1)
        UNION
        SELECT (SELECT min(n.message_id) FROM messages n WHERE n.lane_id = h.lane_id AND {place("n.")} = 1
            AND n.message_id > h.message_id)
        FROM behind b JOIN messages h ON h.message_id = b.id
        UNION
        SELECT w.message_id FROM behind b JOIN messages h ON h.message_id = b.id JOIN records r ON r.record_id = h.record_id
            JOIN waits w ON w.target_id = h.target_id AND w.reason = 'parent' AND w.waits_on = r.kind || ':' || r.number
        LIMIT {int(most) + 1000}
    )"""


@dataclass(frozen=True)
class Line:
    """How many wait behind, as far as they were counted (``more``: there are others), and the sums at stake by currency, largest first.

    ``whole``: the sums with the messages in front counted in, each document once.
    """

    count: int
    more: bool
    stakes: tuple[tuple[str, int], ...]
    whole: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """``40``, or ``10,000+`` where counting stopped."""
        return f"{self.count:,}" + ("+" if self.more else "")


def line_behind(db: Connection, message_ids: Iterable[int], *, most: int = MOST) -> Line:
    """What waits behind these messages together, themselves not counted; each document's money once."""
    own = list(message_ids)
    rows = db.execute(
        f"{_behind(most)}, shown AS (SELECT id, id IN (SELECT value FROM json_each(?1)) AS own FROM behind WHERE id IS NOT NULL "
        f"LIMIT {int(most) + 1 + len(own)}) "
        "SELECT currency, sum(behind), sum(n), sum(whole) FROM (SELECT m.currency, max(CASE WHEN own THEN 0 ELSE m.stake END) AS behind, "
        "sum(NOT own) AS n, max(m.stake) AS whole "
        "FROM shown CROSS JOIN messages m ON m.message_id = shown.id GROUP BY m.record_id, m.currency) GROUP BY currency",
        (json.dumps(own),),
    ).fetchall()
    counted = sum(int(n) for _, _, n, _ in rows)
    behind = [(str(currency), int(stake)) for currency, stake, _, _ in rows]
    whole = [(str(currency), int(stake)) for currency, _, _, stake in rows]
    return Line(min(counted, most), counted > most, summed(behind), summed(whole))


def lines_behind(db: Connection, message_ids: Sequence[int]) -> list[Line]:
    """The line behind each of these by itself, in their order. Together no more than ``TOGETHER`` are looked at.

    Short lines are counted first, and the long ones share what is left.
    """
    if not message_ids:
        return []
    first = max(_FEWEST, min(MOST, TOGETHER // 2 // len(message_ids)))
    lines = [line_behind(db, [message_id], most=first) for message_id in message_ids]
    long = [n for n, line in enumerate(lines) if line.more]
    share = min(MOST, (TOGETHER - sum(line.count for line in lines)) // len(long)) if long else 0
    if share > first:
        for n in long:
            lines[n] = line_behind(db, [message_ids[n]], most=share)
    return lines


def members_behind(db: Connection, message_id: int, *, limit: int) -> list[MessageRow]:
    """The first ``limit`` messages of the line behind one, nearest first."""
    rows = db.execute(
        f"{_behind(MOST)} SELECT {COLUMNS} FROM (SELECT id FROM behind WHERE id IS NOT NULL AND id <> ?2 LIMIT {int(limit)}) shown "
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
        f"{_behind(MOST)} SELECT m.record_id, m.currency, m.stake FROM (SELECT id FROM behind WHERE id IS NOT NULL "
        f"AND id NOT IN (SELECT value FROM json_each(?1)) LIMIT {int(most) + 1}) shown CROSS JOIN messages m ON m.message_id = shown.id",
        (own,),
    ).fetchall()
    documents = [(int(record), str(currency), int(stake)) for record, currency, stake in rows]
    return min(len(rows), most), len(rows) > most, documents[:most]
