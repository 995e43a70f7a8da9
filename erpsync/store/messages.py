"""Messages and lanes: offering, and keeping each lane's one head true.

A lane with unfinished messages has exactly one head, and it is the oldest. Only done and skipped leave the lane.
Every function here runs inside the caller's transaction and tells its ``Tally`` what moved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.domain.messages import Reason, State
from erpsync.store import cases
from erpsync.store.connection import Connection
from erpsync.store.schema import OPEN
from erpsync.store.totals import Tally


@dataclass(frozen=True, slots=True)
class Offer:
    """A message to be put into a lane.

    ``supersedes``: it clears older ones of its record that still wait. ``cancels``: the document is cancelled and the
    target has none of it, so it and what waits cancel out. ``filtered``: the flow's ``where`` says no.
    """

    event_id: int | None
    target_id: int
    flow_id: int
    record_id: int
    lane_key: str
    supersedes: bool
    stake: int = 0
    currency: str = ""
    cancels: bool = False
    filtered: bool = False
    mends: bool = False
    waits_for_person: str = ""  # why it may not go without one


@dataclass(slots=True)
class _Open:
    message_id: int
    record_id: int
    state: str
    is_head: bool
    pinned: bool
    flow_id: int
    stake: int
    currency: str
    due_at: int = 0


def _lanes(db: Connection, company_id: int, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
    pairs = list(dict.fromkeys(wanted))
    query = (
        "SELECT l.target_id, l.lane_key, l.lane_id FROM json_each(?) j "
        "JOIN lanes l ON l.company_id = ? AND l.target_id = j.value ->> 0 AND l.lane_key = j.value ->> 1"
    )
    found = {(int(t), str(k)): int(i) for t, k, i in db.execute(query, (json.dumps(pairs), company_id))}
    missing = [pair for pair in pairs if pair not in found]
    if missing:
        first = int(db.execute("SELECT COALESCE(max(lane_id), 0) + 1 FROM lanes").fetchone()[0])
        rows = [(first + n, company_id, target, key) for n, (target, key) in enumerate(missing)]
        db.executemany("INSERT INTO lanes (lane_id, company_id, target_id, lane_key) VALUES (?, ?, ?, ?)", rows)
        found.update({(target, key): lane_id for lane_id, _, target, key in rows})
    return found


def _open_messages(db: Connection, lane_ids: Iterable[int]) -> dict[int, list[_Open]]:
    by_lane: dict[int, list[_Open]] = {lane_id: [] for lane_id in lane_ids}
    rows = db.execute(
        f"SELECT m.lane_id, m.message_id, m.record_id, m.state, m.is_head, m.pinned_id IS NOT NULL, m.flow_id, m.stake, m.currency "
        f"FROM json_each(?) j JOIN messages m ON m.lane_id = j.value AND m.state IN {OPEN} ORDER BY m.message_id",
        (json.dumps(list(by_lane)),),
    )
    for lane_id, message_id, record_id, state, is_head, pinned, flow_id, stake, currency in rows:
        by_lane[lane_id].append(
            _Open(message_id, record_id, state, bool(is_head), bool(pinned), flow_id, stake, currency)
        )
    return by_lane


def offer(db: Connection, offers: Sequence[Offer], tally: Tally, *, now: int) -> list[int]:
    """Put messages into their lanes, in order; returns their ids. Newer ones clear older ones that may be cleared."""
    if not offers:
        return []
    lanes = _lanes(db, tally.company_id, ((o.target_id, o.lane_key) for o in offers))
    by_lane = _open_messages(db, set(lanes.values()))
    next_id = int(db.execute("SELECT COALESCE(max(message_id), 0) + 1 FROM messages").fetchone()[0])
    cleared: list[tuple[str, int, int, int]] = []
    new: list[tuple[Offer, int, int, str, str, int | None]] = []
    held: list[tuple[int, int, str]] = []
    for n, o in enumerate(offers):
        message_id, lane_id = next_id + n, lanes[o.target_id, o.lane_key]
        line = by_lane[lane_id]
        mine = [m for m in line if m.record_id == o.record_id]
        waiting = [m for m in mine if m.state in (State.READY, State.HELD, State.DEAD) and not m.pinned]
        if o.cancels and len(waiting) == len(mine):
            cleared += [(Reason.CANCELLED, message_id, now, m.message_id) for m in waiting]
            new.append(
                (o, message_id, lane_id, State.SKIPPED, Reason.CANCELLED, waiting[-1].message_id if waiting else None)
            )
        else:
            clears = waiting if o.supersedes else []
            cleared += [(Reason.SUPERSEDED, message_id, now, m.message_id) for m in clears]
            waiting = clears
            if o.filtered:
                new.append((o, message_id, lane_id, State.SKIPPED, Reason.FILTERED, None))
            else:
                state = State.HELD if o.waits_for_person else State.READY
                new.append((o, message_id, lane_id, state, "", None))
                if o.waits_for_person:
                    held.append((message_id, o.target_id, o.waits_for_person))
        gone = {m.message_id for m in waiting} if (o.cancels or o.supersedes) else set()
        if gone:
            by_lane[lane_id] = line = [m for m in line if m.message_id not in gone]
        if new[-1][3] != State.SKIPPED:
            line.append(_Open(message_id, o.record_id, new[-1][3], False, False, o.flow_id, o.stake, o.currency))
    heads = [line[0] for line in by_lane.values() if line]
    _write_offers(db, new, cleared, held, tally, now=now, heads={m.message_id for m in heads})
    promoted = [(m.message_id,) for m in heads if m.message_id < next_id and not m.is_head]
    db.executemany("UPDATE messages SET is_head = 1 WHERE message_id = ?", promoted)
    return [row[1] for row in new]


def _write_offers(
    db: Connection,
    new: Sequence[tuple[Offer, int, int, str, str, int | None]],
    cleared: Sequence[tuple[str, int, int, int]],
    held: Sequence[tuple[int, int, str]],
    tally: Tally,
    *,
    now: int,
    heads: set[int],
) -> None:
    fresh = {row[1] for row in new}
    rewritten: dict[int, tuple[str, int | None]] = {
        message_id: (reason, by) for reason, by, _, message_id in cleared if message_id in fresh
    }
    old = [row for row in cleared if row[3] not in fresh]
    if old:
        ids = json.dumps([row[3] for row in old])
        for flow, target, state, stake, currency in db.execute(
            "SELECT flow_id, target_id, state, stake, currency FROM messages WHERE message_id IN (SELECT value FROM json_each(?))",
            (ids,),
        ):
            tally.move(
                flow_id=flow, target_id=target, before=state, after=State.SKIPPED, stake=stake, currency=currency
            )
        db.executemany(
            "UPDATE messages SET state = 'skipped', is_head = 0, reason = ?, superseded_by = ?, state_at = ? WHERE message_id = ?",
            old,
        )
        db.execute("DELETE FROM waits WHERE message_id IN (SELECT value FROM json_each(?))", (ids,))
        for _, newer, _, message_id in old:
            cases.heal_message(db, message_id, now=now, how=f"superseded by message {newer}")
    rows = []
    for o, message_id, lane_id, offered, why, named in new:
        cleared_by = rewritten.get(message_id)  # by a later one of this very batch
        state = offered if cleared_by is None else State.SKIPPED
        reason, by = cleared_by if cleared_by is not None else (why, named)
        tally.move(
            flow_id=o.flow_id, target_id=o.target_id, before=None, after=state, stake=o.stake, currency=o.currency
        )
        if o.filtered:
            tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome="filtered")
        rows.append(
            (
                *(
                    message_id,
                    tally.company_id,
                    o.event_id,
                    o.target_id,
                    lane_id,
                    o.flow_id,
                    o.record_id,
                    state,
                    int(message_id in heads),
                    now,
                    reason,
                    by,
                ),
                *(o.stake, o.currency, int(o.mends), now, now),
            )
        )
    db.executemany(
        "INSERT INTO messages (message_id, company_id, event_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, reason, "
        "superseded_by, stake, currency, mends, accepted_at, state_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    db.executemany(
        "INSERT INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, 'person', ?, ?, ?)",
        [(message_id, target, why, now) for message_id, target, why in held if message_id not in rewritten],
    )


PROMOTE = (
    "UPDATE messages SET is_head = 1 WHERE message_id = (SELECT message_id FROM messages WHERE lane_id = ? "
    f"AND state IN {OPEN} ORDER BY message_id LIMIT 1) AND is_head = 0"
)


def promote(db: Connection, lane_ids: Iterable[int]) -> None:
    """Hand these lanes on to their oldest unfinished message."""
    db.executemany(PROMOTE, [(lane_id,) for lane_id in lane_ids])


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
        (json.dumps(list(message_ids)), company_id),
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
        db.execute("UPDATE messages SET is_head = 0 WHERE lane_id = ? AND is_head = 1", (standing.lane_id,))
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


def open_tries(db: Connection, target_id: int, record_ids: Iterable[int]) -> dict[int, dict[str, object]]:
    """For records with a leased or unknown message at a target: what the open try asked for, as far as it is on record."""
    rows = db.execute(
        "SELECT m.record_id, (SELECT a.content FROM attempts a WHERE a.message_id = m.message_id AND a.what = 'write' "
        "ORDER BY a.attempt_id DESC LIMIT 1) FROM messages m WHERE m.target_id = ? AND m.state IN ('leased', 'unknown') "
        "AND m.record_id IN (SELECT value FROM json_each(?))",
        (target_id, json.dumps(list(record_ids))),
    )
    return {int(record_id): (json.loads(content) if content else {}) for record_id, content in rows}


def has_open_message(db: Connection, target_id: int, record_id: int) -> bool:
    """Whether something of this record is on its way to a target, in whatever unfinished state."""
    return (
        db.execute(
            f"SELECT 1 FROM messages WHERE record_id = ? AND target_id = ? AND state IN {OPEN} LIMIT 1",
            (record_id, target_id),
        ).fetchone()
        is not None
    )


def waiting_for(db: Connection, company_id: int, target_id: int) -> int:
    """How many messages are due to a target, sooner or later: ready ones and those in workers' hands."""
    row = db.execute(
        "SELECT COALESCE(sum(n), 0) FROM totals WHERE company_id = ? AND target_id = ? AND state IN ('ready', 'leased')",
        (company_id, target_id),
    ).fetchone()
    return int(row[0])
