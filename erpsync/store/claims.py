"""Claiming: leasing due heads to a worker, with a try on record for each.

An expired lease is not simply due again (DESIGN 4): where its call had begun the message is unknown, at an idempotent
target it is pinned to the bytes of that try, and where nothing had begun it is ready as before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.messages import Once, State
from erpsync.store.connection import Connection
from erpsync.store.rows import insert_rows
from erpsync.store.schema import DUE
from erpsync.store.totals import Tally

PICK = (
    f"SELECT message_id, state FROM messages WHERE is_head = 1 AND state IN {DUE} "
    "AND target_id = ? AND flow_id = ? AND due_at <= ? ORDER BY due_at{order} LIMIT ?"
)
PICK_OLDEST = PICK.format(order="")
PICK_NEWEST = PICK.format(order=" DESC")


@dataclass(frozen=True)
class Share:
    """How many messages of one flow may be claimed for one target."""

    flow_id: int
    weight: int


@dataclass(frozen=True)
class Wanted:
    """What a worker asks of one target. ``once``: how each kind's write is made once, by flow id."""

    target_id: int
    room: int
    shares: Sequence[Share]
    lease_ms: int
    once: dict[int, Once]
    upserts: frozenset[int]  # flow ids whose writes may be rebuilt at once
    most_tries: int
    turn: int = 0  # counts this worker's claims of the target


def anything_due(db: Connection, target_id: int, flow_id: int, *, now: int) -> bool:
    """Whether a head of this flow is due at this target; a look into the index."""
    return db.execute(PICK_OLDEST, (target_id, flow_id, now, 1)).fetchone() is not None


def leased(db: Connection, target_id: int, *, now: int) -> int:
    """How many messages are in workers' hands for a target; an expired lease is in nobody's."""
    row = db.execute(
        "SELECT count(*) FROM messages WHERE target_id = ? AND state = 'leased' AND due_at > ?", (target_id, now)
    ).fetchone()
    return int(row[0])


def claim(db: Connection, wanted: Wanted, tally: Tally, *, worker_id: int, now: int) -> list[int]:
    """Lease due heads of one target; returns their message ids. The try is counted and on record with it."""
    picked = _pick(db, wanted, now=now)
    expired = [message_id for message_id, state in picked if state == State.LEASED]
    lost = _take_back(db, expired, wanted, tally, now=now) if expired else set()
    ids = [message_id for message_id, _ in picked if message_id not in lost][: wanted.room]
    if not ids:
        return []
    rows = db.execute(
        "UPDATE messages SET state = 'leased', due_at = ?, lease_no = lease_no + 1, tries = tries + 1, leased_by = ?, state_at = ? "
        "WHERE message_id IN (SELECT value FROM json_each(?)) "
        "RETURNING message_id, lease_no, tries, generation, flow_id, stake, currency",
        (now + wanted.lease_ms, worker_id, now, json.dumps(ids)),
    ).fetchall()
    for _, _, _, _, flow_id, stake, currency in rows:
        tally.move(
            flow_id=flow_id,
            target_id=wanted.target_id,
            before=State.READY,
            after=State.LEASED,
            stake=stake,
            currency=currency,
        )
    insert_rows(
        db,
        "attempts (message_id, lease_no, try_no, generation, worker_id, claimed_at)",
        [
            (message_id, lease_no, tries, generation, worker_id, now)
            for message_id, lease_no, tries, generation, *_ in rows
        ],
    )
    return ids


def _pick(db: Connection, wanted: Wanted, *, now: int) -> list[tuple[int, str]]:
    """Four of five from the oldest and one from the newest of each flow; the flows share the room by weight, turn by turn."""
    picked: dict[int, str] = {}
    shares = _in_turn(wanted)
    weights = sum(share.weight for share in shares)

    def take(query: str, share: Share, most: int) -> None:
        rows = (
            db.execute(query, (wanted.target_id, share.flow_id, now, most + len(picked))).fetchall() if most > 0 else []
        )
        new = [(message_id, state) for message_id, state in rows if message_id not in picked]
        picked.update(new[: min(most, wanted.room - len(picked))])

    for share in shares:
        part = max(1, wanted.room * share.weight // max(1, weights))
        newest = (
            wanted.turn + 1
        ) * part // 5 - wanted.turn * part // 5  # one of five over the turns, whatever the part
        take(PICK_OLDEST, share, part - newest)
        take(PICK_NEWEST, share, newest)
    for share in shares:  # what other flows left over
        take(PICK_OLDEST, share, wanted.room - len(picked))
    return list(picked.items())


def _in_turn(wanted: Wanted) -> list[Share]:
    """The flows with the one whose turn it is first, so that a room of one goes round by weight."""
    slots = [n for n, share in enumerate(wanted.shares) for _ in range(max(1, share.weight))]
    first = slots[wanted.turn % len(slots)] if slots else 0
    return [*wanted.shares[first:], *wanted.shares[:first]]


def _take_back(db: Connection, expired: Sequence[int], wanted: Wanted, tally: Tally, *, now: int) -> set[int]:
    """Decide what expired leases come to; returns those that may not be leased again now."""
    rows = db.execute(
        "SELECT m.message_id, m.flow_id, m.stake, m.currency, m.tries, m.pinned_id, a.attempt_id, a.begun_at FROM json_each(?) j "
        "JOIN messages m ON m.message_id = j.value JOIN attempts a ON a.message_id = m.message_id AND a.lease_no = m.lease_no",
        (json.dumps(list(expired)),),
    ).fetchall()
    not_now = set()
    for message_id, flow_id, stake, currency, tries, pinned_id, attempt_id, begun_at in rows:
        begun = begun_at is not None
        once = wanted.once.get(flow_id, Once.BLIND)
        is_open = begun or pinned_id is not None
        if (begun and once is not Once.IDEMPOTENT) or (is_open and tries >= wanted.most_tries):
            after, reason = State.UNKNOWN, "worker_lost"
        elif tries >= wanted.most_tries:
            after, reason = State.DEAD, "poison"
        else:
            after, reason = State.READY, "worker_lost"
        pin = (
            (attempt_id if begun else pinned_id) if once is Once.IDEMPOTENT and flow_id not in wanted.upserts else None
        )
        db.execute("UPDATE attempts SET ended_at = ?, outcome = ? WHERE attempt_id = ?", (now, reason, attempt_id))
        db.execute(
            "UPDATE messages SET state = ?, reason = ?, state_at = ?, due_at = ?, pinned_id = ?, unknown_since = ?, "
            "error = CASE WHEN ? = 'poison' THEN 'the worker died of it each time' ELSE error END WHERE message_id = ?",
            (
                *(after, reason, now, now),
                *(
                    pin if after is State.READY else None,
                    (begun_at or now) if after is State.UNKNOWN else None,
                    reason,
                    message_id,
                ),
            ),
        )
        tally.move(
            flow_id=flow_id,
            target_id=wanted.target_id,
            before=State.LEASED,
            after=after,
            stake=stake,
            currency=currency,
        )
        tally.happened(at=now, flow_id=flow_id, system_id=wanted.target_id, outcome=reason)
        if after is not State.READY:
            not_now.add(message_id)
    return not_now
