"""Claiming: leasing due heads to a worker. Each counts a try; what is sent goes on record before it leaves (``tries``).

An expired lease is not simply due again (DESIGN 4): where its call had begun the message is unknown, at an idempotent
target it is pinned to the bytes of that try, and where nothing had begun it is ready as before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from erpsync.domain.messages import Once, State
from erpsync.store.connection import Connection
from erpsync.store.rows import listed
from erpsync.store.schema import DUE
from erpsync.store.totals import Tally

# One row with all of them: each row of an answer is a wait for the interpreter while another thread has it.
PICK = (
    "SELECT json_group_array(json_array(message_id, state, lease_no, tries, generation, flow_id, stake, currency)) FROM ("
    f"SELECT * FROM messages WHERE is_head = 1 AND state {DUE} "
    "AND target_id = ? AND flow_id = ? AND due_at <= ? ORDER BY due_at{order} LIMIT ?)"
)
PICK_OLDEST = PICK.format(order="")
PICK_NEWEST = PICK.format(order=" DESC")
_LOST = (
    "INSERT INTO attempts (message_id, lease_no, try_no, generation, worker_id, claimed_at, ended_at, outcome) "
    "SELECT message_id, lease_no, tries, generation, leased_by, state_at, ?, ? FROM messages WHERE message_id = ? "
    "ON CONFLICT DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome"
)
ANY_DUE = f"SELECT 1 FROM messages WHERE is_head = 1 AND state {DUE} AND target_id = ? AND flow_id = ? AND due_at <= ? LIMIT 1"


class _Head(NamedTuple):
    """A due head as it stands; ``state`` leased: its lease has expired."""

    message_id: int
    state: str
    lease_no: int
    tries: int
    generation: int
    flow_id: int
    stake: int
    currency: str


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
    return db.execute(ANY_DUE, (target_id, flow_id, now)).fetchone() is not None


def leased(db: Connection, target_id: int, *, now: int) -> int:
    """How many messages are in workers' hands for a target; an expired lease is in nobody's."""
    row = db.execute(
        "SELECT count(*) FROM messages WHERE target_id = ? AND state = 'leased' AND due_at > ?", (target_id, now)
    ).fetchone()
    return int(row[0])


def claim(db: Connection, wanted: Wanted, tally: Tally, *, worker_id: int, now: int) -> list[int]:
    """Lease due heads of one target; returns their message ids. The try is counted with it."""
    picked = _pick(db, wanted, now=now)
    expired = [head.message_id for head in picked if head.state == State.LEASED]
    lost = _take_back(db, expired, wanted, tally, now=now) if expired else set()
    heads = [head for head in picked if head.message_id not in lost][: wanted.room]
    ids = [head.message_id for head in heads]
    if not ids:
        return []
    db.execute(
        "UPDATE OR FAIL messages SET state = 'leased', due_at = ?, lease_no = lease_no + 1, tries = tries + 1, leased_by = ?, state_at = ? "
        "WHERE message_id IN (SELECT value FROM json_each(?))",
        (now + wanted.lease_ms, worker_id, now, listed(ids)),
    )
    for head in heads:
        tally.move(
            flow_id=head.flow_id,
            target_id=wanted.target_id,
            before=State.READY,
            after=State.LEASED,
            stake=head.stake,
            currency=head.currency,
        )
    return ids


def _pick(db: Connection, wanted: Wanted, *, now: int) -> list[_Head]:
    """Four of five from the oldest and one from the newest of each flow; the flows share the room by weight, turn by turn."""
    picked: dict[int, _Head] = {}
    shares = _in_turn(wanted)
    weights = sum(share.weight for share in shares)

    def take(query: str, share: Share, most: int) -> None:
        if most <= 0:
            return
        (found,) = db.execute(query, (wanted.target_id, share.flow_id, now, most + len(picked))).fetchone()
        new = [_Head(*head) for head in json.loads(found) if head[0] not in picked]
        picked.update((head.message_id, head) for head in new[: min(most, wanted.room - len(picked))])

    for share in shares:
        part = max(1, wanted.room * share.weight // max(1, weights))
        newest = (
            wanted.turn + 1
        ) * part // 5 - wanted.turn * part // 5  # one of five over the turns, whatever the part
        take(PICK_OLDEST, share, part - newest)
        take(PICK_NEWEST, share, newest)
    for share in shares:  # what other flows left over
        take(PICK_OLDEST, share, wanted.room - len(picked))
    return list(picked.values())


def _in_turn(wanted: Wanted) -> list[Share]:
    """The flows with the one whose turn it is first, so that a room of one goes round by weight."""
    slots = [n for n, share in enumerate(wanted.shares) for _ in range(max(1, share.weight))]
    first = slots[wanted.turn % len(slots)] if slots else 0
    return [*wanted.shares[first:], *wanted.shares[:first]]


def _take_back(db: Connection, expired: Sequence[int], wanted: Wanted, tally: Tally, *, now: int) -> set[int]:
    """Decide what expired leases come to; returns those that may not be leased again now."""
    rows = db.execute(
        "SELECT m.message_id, m.flow_id, m.stake, m.currency, m.tries, m.pinned_id, a.attempt_id, a.begun_at FROM json_each(?) j "
        "JOIN messages m ON m.message_id = j.value LEFT JOIN attempts a ON a.message_id = m.message_id AND a.lease_no = m.lease_no",
        (listed(expired),),
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
        db.execute(_LOST, (now, reason, message_id))
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
