"""Settling what is unknown: a findable system is asked, a person is asked about the rest (promise 3).

*Not found* is believed only ``settle_after`` after the last byte was sent; *found twice* is never a guess.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from erpsync.adapters.protocol import Receipt
from erpsync.domain.document import flatten
from erpsync.domain.flat import Fields
from erpsync.domain.messages import Reason, State
from erpsync.domain.retry import ask_again, backoff, is_overdue
from erpsync.engine.context import Context
from erpsync.engine.deliver.clocks import waited
from erpsync.engine.deliver.ending import NEVER, found_twice, outcome_of
from erpsync.engine.deliver.finishing import Ended, Finisher, Signal
from erpsync.engine.routes import Route
from erpsync.errors import AccessDenied, CallError
from erpsync.store import questions
from erpsync.store.cases import Case
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.connection import moment, ms
from erpsync.store.outcomes import Outcome
from erpsync.store.tries import OpenTry, open_try


def can_be_asked(route: Route, far_id: str) -> bool:
    """Whether the target can say what it holds of a document: by our reference, or by its own id."""
    return route.writes.finds or (bool(far_id) and route.reads.one)


class Settler:
    """Asks about unknown messages, each at growing intervals, until it is known or a person is asked."""

    def __init__(self, context: Context, finisher: Finisher) -> None:
        self._context = context
        self._finisher = finisher

    async def settle_due(self, target: str, *, room: int = 8) -> int:
        """Ask about what is due at one target; returns how many were asked about."""
        context = self._context
        target_id = context.routes.names.systems[target]
        until = context.now_ms + int(2 * context.system(target).limits.deadline.total_seconds() * 1000)
        picked = await context.store.writer.run(
            lambda db: questions.claim_settling(
                db, target_id, room=room, now=context.now_ms, until=until, worker_id=context.worker_id
            )
        )
        await asyncio.gather(*(self.settle(message_id, lease_no) for message_id, lease_no in picked))
        return len(picked)

    async def settle(self, message_id: int, lease_no: int) -> Outcome:
        """Ask about one unknown message; returns what came of it, on record."""
        loaded = await asyncio.to_thread(self._load, message_id)
        claimed, tried = loaded
        claimed.lease_no = lease_no
        ended = await self._ask(claimed, tried)
        await self._finisher.put(ended)
        return ended.outcome

    def _load(self, message_id: int) -> tuple[Claimed, OpenTry | None]:
        with self._context.store.read() as db:
            (claimed,) = load_claimed(db, [message_id])
            return claimed, open_try(db, message_id)

    async def _ask(self, claimed: Claimed, tried: OpenTry | None) -> Ended:
        context = self._context
        route = context.routes.by_flow(claimed.flow_id, claimed.target_id)
        if route is None or tried is None or not can_be_asked(route, tried.far_id or claimed.far_id):
            return Ended(self._for_a_person(claimed, tried, "cannot be asked (blind)", due_at=NEVER))
        far_id = tried.far_id or claimed.far_id
        deadline = context.system(route.target).limits.deadline
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                found = await self._what_it_holds(route, claimed, far_id)
        except TimeoutError:
            return self._ask_later(
                claimed, tried, Signal(failed="timeout", text=f"no answer in {deadline.total_seconds():g} s")
            )
        except AccessDenied as error:
            return self._ask_later(claimed, tried, Signal(denied=True, text=error.message, calls=1))
        except CallError as error:
            return self._ask_later(claimed, tried, Signal(failed=error.code, text=error.message, calls=1))
        if len(found) > 1:
            return Ended(self._found_twice(claimed, found), Signal(answered=True, calls=1))
        if (
            found and not found[0].whole and not tried.removes
        ):  # it stands half way there: the same write looks, and goes on from it
            return Ended(self._again(claimed, route, "half_way"), Signal(answered=True, calls=1))
        arrived = found and (not far_id or _holds(found[0].holds, tried.content))
        if not found if tried.removes else arrived:
            outcome = self._is_gone(claimed, tried) if tried.removes else self._arrived(claimed, tried, found[0])
            return Ended(outcome, Signal(answered=True, calls=1))
        if self._since_sent(tried, route) < context.system(route.target).limits.believes_after:
            return self._ask_later(claimed, tried, Signal(answered=True, calls=1))
        return Ended(self._again(claimed, route, "not_found"), Signal(answered=True, calls=1))

    async def _what_it_holds(self, route: Route, claimed: Claimed, far_id: str) -> list[Receipt]:
        adapter = self._context.adapter(route.target)
        if far_id and route.reads.one:
            told = await adapter.read(route.kind.name, far_id)
            if told.document is None:
                return []
            return [Receipt(far_id=far_id, far_revision=told.revision, holds=flatten(told.document))]
        return list(await adapter.find(route.kind.name, claimed.record.number))

    def _since_sent(self, tried: OpenTry, route: Route) -> timedelta:
        """Since the last byte was sent; where that is not on record, since it must have been at the latest."""
        deadline_ms = int(self._context.system(route.target).limits.deadline.total_seconds() * 1000)
        sent = tried.sent_at if tried.sent_at is not None else tried.begun_at + deadline_ms
        return self._context.now() - moment(sent)

    def _arrived(self, claimed: Claimed, tried: OpenTry, found: Receipt) -> Outcome:
        reason = Reason.UPDATED if tried.far_id else Reason.CREATED
        outcome = unknown_outcome(claimed, State.DONE, reason, "settled")
        outcome.far_id, outcome.present = found.far_id or claimed.far_id, True
        outcome.holds, outcome.asked, outcome.asked_id = found.holds, tried.content, tried.content_id
        if found.far_revision is not None:
            outcome.far_revision, outcome.far_order = found.far_revision.text, found.far_revision.order
        return outcome

    def _again(self, claimed: Claimed, route: Route, outcome: str) -> Outcome:
        """It did not arrive, or not whole: sent again, until its tries or its time have run out."""
        context = self._context
        patience, now = context.patience(route.target), context.now()
        age = waited(context, claimed, since=claimed.accepted_at, limit=patience.expires)
        if claimed.tries >= patience.tries or age >= patience.expires:
            reason = Reason.EXHAUSTED if claimed.tries >= patience.tries else Reason.EXPIRED
            ended = unknown_outcome(claimed, State.DEAD, reason, str(reason))
            ended.error, ended.error_code = (
                f"its answer was lost {claimed.tries} times, and it never arrived",
                "answer_lost",
            )
            return ended
        again = unknown_outcome(claimed, State.READY, Reason.NOT_DELIVERED, outcome)
        again.due_at = ms(now + backoff(claimed.tries, patience, context.rng))
        return again

    def _is_gone(self, claimed: Claimed, tried: OpenTry) -> Outcome:
        """What was to be removed is not there any more: the removal arrived."""
        outcome = unknown_outcome(claimed, State.DONE, Reason.UPDATED, "settled")
        outcome.far_id, outcome.present = tried.far_id, False
        return outcome

    def _ask_later(self, claimed: Claimed, tried: OpenTry, signal: Signal) -> Ended:
        context = self._context
        name = context.system_named(claimed.target_id)
        route = context.routes.by_flow(claimed.flow_id, claimed.target_id)
        assert route is not None  # noqa: S101  (it was asked through this route)
        system = context.system(name)
        wait = ask_again(
            tried.asked_times, since_sent=self._since_sent(tried, route), believes_after=system.limits.believes_after
        )
        outcome = unknown_outcome(claimed, State.UNKNOWN, Reason.ANSWER_LOST, "asked")
        outcome.due_at = ms(context.now() + wait)
        outcome.unknown_since = claimed.unknown_since or tried.begun_at
        outcome.error = signal.text or "not found, too early to believe"
        since, most = outcome.unknown_since, system.retry.unknown_after
        open_for = waited(context, claimed, since=since, limit=most)
        if is_overdue(moment(since), now=moment(since) + open_for, unknown_after=most):
            outcome.cases = [self._case(claimed, tried, f"asked {tried.asked_times} times: {outcome.error}")]
        return Ended(outcome, signal)

    def _for_a_person(self, claimed: Claimed, tried: OpenTry | None, why: str, *, due_at: int) -> Outcome:
        outcome = unknown_outcome(claimed, State.UNKNOWN, Reason.ANSWER_LOST, "asked")
        outcome.due_at = due_at
        outcome.unknown_since = claimed.unknown_since or (tried.begun_at if tried else self._context.now_ms)
        outcome.error = f"{self._context.system_named(claimed.target_id)} {why}"
        outcome.error_code = "blind"
        outcome.cases = [self._case(claimed, tried, why)]
        return outcome

    def _found_twice(self, claimed: Claimed, found: list[Receipt]) -> Outcome:
        ids = ", ".join(receipt.far_id for receipt in found[:5])
        outcome = self._for_a_person(claimed, None, f"has {claimed.record.key} {len(found)} times: {ids}", due_at=NEVER)
        outcome.error_code = "duplicate_far"
        outcome.cases = [found_twice(claimed, outcome.error, found)]
        return outcome

    def _case(self, claimed: Claimed, tried: OpenTry | None, why: str) -> Case:
        name = self._context.system_named(claimed.target_id)
        request = tried.request if tried else "a request"
        return Case(
            "outcome_unknown",
            claimed.record.key,
            f"{claimed.record.key} may be in {name}: the answer to {request} was lost; {name} {why}",
            system_id=claimed.target_id,
            record_id=claimed.record.record_id,
            message_id=claimed.message_id,
            stake=claimed.stake,
            currency=claimed.currency,
            evidence={"request": request},
        )


def _holds(held: Fields | None, asked: Fields) -> bool:
    """Whether everything that was asked is there now."""
    return held is not None and all(
        held.get(name) == value for name, value in asked.items() if name in held or value is not None
    )


def unknown_outcome(claimed: Claimed, after: State, reason: Reason, outcome: str) -> Outcome:
    """What became of a message whose outcome was open."""
    return replace(outcome_of(claimed, after, reason, outcome), settles=True)
