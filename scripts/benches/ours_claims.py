"""Our side of claiming, at both sizes: picking what is due, and claiming and finishing it with two commits.

A round goes from target to target as a worker does. What it finished it offers again afterwards, unmeasured, so each
round finds the store as large as the one before.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from backlog import TARGETS, fill
from rounds import Measured, Side

from erpsync.domain.messages import Once, Reason, State
from erpsync.store import claims
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.claims import Share, Wanted
from erpsync.store.connection import Connection, ms
from erpsync.store.finishing import finish
from erpsync.store.offers import Offer, offer
from erpsync.store.outcomes import Outcome
from erpsync.store.store import Store
from erpsync.store.totals import Tally

ROOM = 200
DEAD_HEADS = 400
_PICKS, _BATCHES = 400, 5
_COMPANY, _FLOW, _WORKER = 1, 1, 1


def filled(path: Path, *, messages: int, behind_dead_heads: int) -> Path:
    """A new store with so many messages due."""
    dead = DEAD_HEADS if behind_dead_heads else 0
    return fill(path, messages=messages, behind_dead_heads=behind_dead_heads, dead_heads=dead)


def claim(store: Path) -> Side:
    """A side that picks batches from ``store``; nothing is leased."""

    def side(_folder: Path) -> Measured:
        now, picked = datetime.now(UTC), 0
        with Store.open(store, now=now, write=False) as opened, opened.read() as db:
            for target in _targets():
                claims._pick(db, _wanted(target), now=ms(now))  # the caches are warm in a worker
            begun = time.perf_counter()
            for number in range(_PICKS):
                picked += len(claims._pick(db, _wanted(_targets()[number % len(TARGETS)]), now=ms(now)))
            seconds = time.perf_counter() - begun
        return Measured(count=picked, seconds=seconds)

    return side


def claim_and_finish(store: Path) -> Side:
    """A side that claims batches from ``store``, loads them and finishes them, each with its commit."""

    def side(_folder: Path) -> Measured:
        now = datetime.now(UTC)
        with Store.open(store, now=now) as opened:
            _turn(opened, _targets()[-1], now=ms(now))
            finished = 0
            begun = time.perf_counter()
            for number in range(_BATCHES):
                finished += _turn(opened, _targets()[number % len(TARGETS)], now=ms(now))
            seconds = time.perf_counter() - begun
            opened.writer.call(lambda db: _offer_again(db, now=ms(now)))
        return Measured(count=finished, seconds=seconds)

    return side


def _targets() -> list[int]:
    return list(range(2, 2 + len(TARGETS)))


def _wanted(target_id: int) -> Wanted:
    return Wanted(
        target_id=target_id,
        room=ROOM,
        shares=[Share(_FLOW, 1)],
        lease_ms=60_000,
        once={_FLOW: Once.IDEMPOTENT},
        upserts=frozenset(),
        most_tries=12,
    )


def _turn(store: Store, target_id: int, *, now: int) -> int:
    ids = store.writer.call(lambda db: _claim(db, target_id, now=now))
    with store.read() as db:
        outcomes = [_delivered(message) for message in load_claimed(db, ids)]
    return len(store.writer.call(lambda db: _finish(db, outcomes, now=now)))


def _claim(db: Connection, target_id: int, *, now: int) -> list[int]:
    tally = Tally(_COMPANY)
    ids = claims.claim(db, _wanted(target_id), tally, worker_id=_WORKER, now=now)
    tally.write(db)
    return ids


def _finish(db: Connection, outcomes: list[Outcome], *, now: int) -> set[int]:
    tally = Tally(_COMPANY)
    ours = finish(db, outcomes, tally, now=now).ours
    tally.write(db)
    return ours


def _delivered(message: Claimed) -> Outcome:
    return Outcome(
        message_id=message.message_id,
        lease_no=message.lease_no,
        target_id=message.target_id,
        flow_id=message.flow_id,
        lane_id=message.lane_id,
        record_id=message.record.record_id,
        kind=message.record.kind,
        number=message.record.number,
        stake=message.stake,
        currency=message.currency,
        after=State.DONE,
        reason=Reason.CREATED,
        outcome=Reason.CREATED,
        far_id=f"far-{message.record.record_id}",
        present=True,
        asked=message.record.fields,
        asked_id=message.record.content_id,
        status=201,
        answer=b'{"id":"1"}',
        took_us=900,
    )


def _offer_again(db: Connection, *, now: int) -> None:
    done = db.execute(
        "SELECT message_id, target_id, record_id, lane_id FROM messages WHERE message_id IN "
        "(SELECT message_id FROM attempts)"
    ).fetchall()
    tally = Tally(_COMPANY)
    offer(
        db,
        [Offer(None, target_id, _FLOW, record_id, lane, supersedes=False) for _, target_id, record_id, lane in done],
        tally,
        now=now,
    )
    ids = json.dumps([row[0] for row in done])
    db.execute("DELETE FROM attempts")
    db.execute("DELETE FROM messages WHERE message_id IN (SELECT value FROM json_each(?))", (ids,))
    for _, target_id, _, _ in done:
        tally.move(flow_id=_FLOW, target_id=target_id, before=State.DONE, after=None, stake=0, currency="")
    tally.write(db)
