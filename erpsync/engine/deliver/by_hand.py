"""Settling by hand: a person says what became of an unknown message, or has the target asked now."""

from __future__ import annotations

import json
from dataclasses import dataclass

from erpsync.domain.messages import Reason, State
from erpsync.engine.context import Bench
from erpsync.engine.deliver.finishing import Finisher
from erpsync.engine.deliver.settling import Settler, can_be_asked, unknown_outcome
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit, finishing, questions
from erpsync.store.cases import open_of_message
from erpsync.store.claimed import load_claimed
from erpsync.store.connection import Connection, moment
from erpsync.store.messages import standings
from erpsync.store.totals import Tally
from erpsync.store.tries import open_try


@dataclass(frozen=True)
class Settled:
    """What settling came to. ``act`` is the audit entry's number, None when the target was asked and nothing is known yet."""

    message_id: int
    state: str
    key: str
    system: str
    far_id: str
    act: int | None
    closed: list[int]
    stake: int
    currency: str


def settle(
    bench: Bench,
    message_id: int,
    *,
    delivered: str | None,
    not_delivered: bool,
    actor: str,
    reason: str,
    command: str,
) -> Settled:
    """A person says what became of an unknown message: it is there as ``delivered``, or it did not arrive and goes again.

    Raises NotFound for an unknown id, UsageError when the outcome of that message is not open.
    """
    context = bench.context()
    now = context.now_ms

    def act(db: Connection) -> Settled:
        standing = standings(db, context.routes.company_id, [message_id]).get(message_id)
        if standing is None:
            raise NotFound(f"message {message_id} is not in the store (pruned, or never was)")
        if standing.state != State.UNKNOWN:
            raise UsageError(
                f"message {message_id} is not unknown, it is {standing.state}",
                hint=f"erpsync messages show {message_id}",
            )
        (claimed,) = load_claimed(db, [message_id])
        tried = open_try(db, message_id)
        tally = Tally(context.routes.company_id)
        outcome = unknown_outcome(claimed, State.DONE if delivered else State.READY, Reason.SETTLED, "settled")
        if delivered:
            outcome.far_id = delivered
            if tried:
                outcome.asked, outcome.asked_id = tried.content, tried.content_id
            outcome.present = not (tried and tried.removes)
            outcome.outcome = "settled_delivered"
        else:
            outcome.reason, outcome.outcome, outcome.due_at = Reason.NOT_DELIVERED, "settled_not_delivered", now
            outcome.generation = claimed.generation + 1 if claimed.pinned is not None else None
        closed_before = open_of_message(db, message_id)
        finishing.finish(db, [outcome], tally, now=now)
        tally.write(db)
        number = audit.append(
            db,
            chain="main",
            company_id=context.routes.company_id,
            at=moment(now),
            actor=actor,
            what="message.settle",
            subject=str(message_id),
            reason=reason,
            command=command,
            before=b'{"state":"unknown"}',
            after=json.dumps({"state": str(outcome.after), "far_id": delivered}).encode(),
        )
        still = open_of_message(db, message_id)
        return Settled(
            message_id,
            str(outcome.after),
            standing.key,
            context.system_named(standing.target_id),
            delivered or "",
            number,
            sorted(closed_before - still),
            standing.stake,
            standing.currency,
        )

    if delivered is None and not not_delivered:
        raise UsageError(
            "messages settle needs --delivered FAR_ID or --not-delivered", hint="a findable system can be asked instead"
        )
    return context.store.writer.call(act)


async def ask_now(bench: Bench, message_id: int) -> Settled:
    """Ask a findable target about one unknown message now; raises UsageError where it cannot be asked (blind)."""
    context = bench.context()
    with context.store.read() as db:
        standing = standings(db, context.routes.company_id, [message_id]).get(message_id)
    if standing is None:
        raise NotFound(f"message {message_id} is not in the store (pruned, or never was)")
    if standing.state != State.UNKNOWN:
        raise UsageError(
            f"message {message_id} is not unknown, it is {standing.state}", hint=f"erpsync messages show {message_id}"
        )
    route = context.routes.by_flow(standing.flow_id, standing.target_id)
    with context.store.read() as db:
        tried = open_try(db, message_id)
    name = context.system_named(standing.target_id)
    if route is None or not can_be_asked(route, tried.far_id if tried else ""):
        raise UsageError(
            f"{name} cannot be asked (blind): look there, then say what you saw",
            hint=f"erpsync messages settle {message_id} --delivered ITS_NUMBER, or --not-delivered --reason WHY",
        )
    lease = await context.store.writer.run(
        lambda db: questions.claim_settling_one(
            db, message_id, now=context.now_ms, until=context.now_ms + 60_000, worker_id=context.worker_id
        )
    )
    settler = Settler(context, Finisher(context))
    outcome = await settler.settle(message_id, lease)
    return Settled(
        message_id, str(outcome.after), standing.key, name, outcome.far_id, None, [], standing.stake, standing.currency
    )
