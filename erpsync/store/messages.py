"""Messages where they stand: moved by people's acts, freed from their waits, looked up; each lane's one head kept true.

A lane with unfinished messages has exactly one head, and it is the oldest. Only done and skipped leave the lane.
Every function here runs inside the caller's transaction and tells its ``Tally`` what moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.domain.flat import Fields, fields_of
from erpsync.domain.messages import State
from erpsync.store import cases
from erpsync.store.connection import Connection
from erpsync.store.lanes import open_messages_of
from erpsync.store.rows import listed
from erpsync.store.schema import place
from erpsync.store.totals import Tally

PROMOTE = (
    "UPDATE OR FAIL messages SET is_head = 1 WHERE is_head = 0 AND message_id IN (SELECT (SELECT m.message_id FROM messages m "
    f"WHERE m.lane_id = j.value AND {place('m.')} = 1 ORDER BY m.message_id LIMIT 1) FROM json_each(?) j)"
)


def promote(db: Connection, lane_ids: Iterable[int]) -> None:
    """Hand these lanes on to their oldest unfinished message."""
    db.execute(PROMOTE, (listed(lane_ids),))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a message stands, for acts of people."""

    message_id: int
    state: str
    target_id: int
    flow_id: int
    lane_id: int
    record_id: int
    stake: int
    currency: str
    is_head: bool
    kind: str
    number: str
    pinned_id: int | None
    generation: int
    reason: str

    @property
    def key(self) -> str:
        """Its document's key, short form."""
        return f"{self.kind}:{self.number}"


_STANDING = tuple(Standing.__dataclass_fields__)


def standings(db: Connection, company_id: int, message_ids: Sequence[int]) -> dict[int, Standing]:
    """Where these messages stand; unknown ids are left out."""
    rows = db.execute(
        "SELECT m.message_id, m.state, m.target_id, m.flow_id, m.lane_id, m.record_id, m.stake, m.currency, m.is_head, r.kind, "
        "r.number, m.pinned_id, m.generation, m.reason FROM json_each(?) j JOIN messages m ON m.message_id = j.value "
        "JOIN records r USING (record_id) WHERE m.company_id = ?",
        (listed(message_ids), company_id),
    )
    return {int(row[0]): Standing(**dict(zip(_STANDING, row, strict=True))) for row in rows}


def shift(
    db: Connection,
    standing: Standing,
    after: State,
    tally: Tally,
    *,
    now: int,
    reason: str,
    due_at: int | None = None,
    generation: int | None = None,
) -> None:
    """Move one message that is not leased to another state by a person's act, and keep its lane's head true."""
    finished = after in (State.DONE, State.SKIPPED)
    db.execute(
        "UPDATE messages SET state = ?, reason = ?, state_at = ?, due_at = ?, is_head = CASE WHEN ? THEN 0 ELSE is_head END, "
        "generation = ?, pinned_id = NULL, unknown_since = NULL, lease_no = lease_no + 1 WHERE message_id = ?",
        (
            *(after, reason, now, due_at if due_at is not None else now, finished),
            *(generation if generation is not None else standing.generation, standing.message_id),
        ),
    )
    db.execute("DELETE FROM waits WHERE message_id = ?", (standing.message_id,))
    tally.move(
        flow_id=standing.flow_id,
        target_id=standing.target_id,
        before=standing.state,
        after=after,
        stake=standing.stake,
        currency=standing.currency,
    )
    if standing.state == State.SKIPPED or finished:
        db.execute(
            f"UPDATE messages SET is_head = 0 WHERE lane_id = ? AND {place()} = 1 AND is_head = 1", (standing.lane_id,)
        )
        promote(db, [standing.lane_id])


def release_waits(db: Connection, target_id: int, waits_on: str, tally: Tally, *, now: int) -> list[int]:
    """A target has got the document of a key: messages held for it, and for nothing else, are ready; returns their ids."""
    freed = [
        int(row[0])
        for row in db.execute(
            "DELETE FROM waits WHERE target_id = ? AND reason = 'parent' AND waits_on = ? RETURNING message_id",
            (target_id, waits_on),
        ).fetchall()
    ]
    ready = []
    for message_id in freed:
        if db.execute("SELECT 1 FROM waits WHERE message_id = ? LIMIT 1", (message_id,)).fetchone():
            continue
        row = db.execute(
            "UPDATE messages SET state = 'ready', reason = 'released', due_at = ?, state_at = ? WHERE message_id = ? AND state = 'held' "
            "RETURNING flow_id, target_id, stake, currency",
            (now, now, message_id),
        ).fetchone()
        if row is None:
            continue
        tally.move(
            flow_id=row[0], target_id=row[1], before=State.HELD, after=State.READY, stake=row[2], currency=row[3]
        )
        cases.heal(
            db,
            "parent_missing",
            company_id=tally.company_id,
            now=now,
            how=f"the target has {waits_on}",
            message_id=message_id,
        )
        ready.append(message_id)
    return ready


def release_waits_for(db: Connection, target_id: int, keys: Sequence[str], tally: Tally, *, now: int) -> list[int]:
    """A target has got the documents of these keys: what was held for them is ready; returns the messages' ids."""
    if not keys:
        return []
    rows = db.execute(
        "SELECT DISTINCT waits_on FROM waits WHERE target_id = ? AND reason = 'parent' "
        "AND waits_on IN (SELECT value FROM json_each(?))",
        (target_id, listed(keys)),
    ).fetchall()
    return [freed for (key,) in rows for freed in release_waits(db, target_id, key, tally, now=now)]


def open_tries(db: Connection, target_id: int, record_ids: Iterable[int]) -> dict[int, Fields]:
    """For records with an open try at a target (leased, unknown, or pinned): what it asked for, as far as it is on record."""
    rows = db.execute(
        "SELECT m.record_id, (SELECT content FROM attempts a LEFT JOIN payloads ON payload_id = content_id "
        "WHERE a.message_id = m.message_id AND a.what = 'write' AND a.begun_at IS NOT NULL ORDER BY a.attempt_id DESC LIMIT 1) "
        f"FROM json_each(?1) j CROSS JOIN messages m ON m.message_id IN {open_messages_of('j.value', '?2')} "
        "AND (m.state IN ('leased', 'unknown') OR m.pinned_id IS NOT NULL)",
        (listed(record_ids), target_id),
    )
    return {int(record_id): (fields_of(content) if content else {}) for record_id, content in rows}


def has_open_message(db: Connection, target_id: int, record_id: int) -> bool:
    """Whether something of this record is on its way to a target, in whatever unfinished state."""
    return (
        db.execute(
            f"SELECT 1 FROM {open_messages_of('?1', '?2')} LIMIT 1",
            (record_id, target_id),
        ).fetchone()
        is not None
    )


_WAITING = (
    "SELECT COALESCE(sum(n), 0) FROM totals WHERE company_id = ? AND {whose} = ? AND state IN ('ready', 'leased')"
)


def waiting_for(db: Connection, company_id: int, target_id: int, *, paused_too: bool = False) -> int:
    """How many messages can go to a target, sooner or later: ready ones and those in workers' hands.

    ``paused_too``: also those of flows that are paused, which cannot.
    """
    sql = _WAITING.format(whose="target_id")
    if not paused_too:
        sql += " AND flow_id NOT IN (SELECT flow_id FROM flows WHERE paused_at IS NOT NULL)"
    return int(db.execute(sql, (company_id, target_id)).fetchone()[0])


def waiting_along(db: Connection, company_id: int, flow_id: int, *, paused_too: bool = False) -> int:
    """How many messages can go along a flow, sooner or later; ``paused_too``: also those to systems that are paused."""
    sql = _WAITING.format(whose="flow_id")
    if not paused_too:
        sql += " AND target_id NOT IN (SELECT system_id FROM systems WHERE pause IN ('out', 'both'))"
    return int(db.execute(sql, (company_id, flow_id)).fetchone()[0])


def lonely_waits(db: Connection, *, limit: int) -> list[tuple[int, str]]:
    """(target, key) that messages are held for though nothing of it is on its way there, and no exception says so yet."""
    rows = db.execute(
        "SELECT DISTINCT w.target_id, w.waits_on FROM waits w LEFT JOIN records r ON r.number = substr(w.waits_on, "
        "instr(w.waits_on, ':') + 1) AND r.kind = substr(w.waits_on, 1, instr(w.waits_on, ':') - 1) WHERE w.reason = 'parent' "
        f"AND NOT EXISTS {open_messages_of('r.record_id', 'w.target_id')} "
        "AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.message_id = w.message_id AND (e.state = 'open' OR (e.closed_by <> 'engine' "
        "AND e.closed_at >= w.since))) LIMIT ?",
        (limit,),
    )
    return [(int(target_id), str(key)) for target_id, key in rows]
