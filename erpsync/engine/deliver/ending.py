"""How a try ends: outcomes and signals, made of what was found, refused, lost or not sent at all.

Pure, but for one look at how long it was paused when a message seems to have been on its way for too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from erpsync.adapters.protocol import Prepared, Receipt
from erpsync.domain.flat import Fields
from erpsync.domain.messages import Once, Reason, State, Wait
from erpsync.domain.retry import verdict
from erpsync.engine.context import Context
from erpsync.engine.deliver.clocks import waited
from erpsync.engine.deliver.finishing import Ended, Signal
from erpsync.engine.routes import Route
from erpsync.errors import (
    AccessDenied,
    CallError,
    Conflict,
    OutcomeUnknown,
    ParentMissing,
    RetryLater,
    SystemDown,
    Unmappable,
)
from erpsync.store.cases import Case
from erpsync.store.claimed import Claimed
from erpsync.store.connection import ms
from erpsync.store.outcomes import Outcome

NEVER = 9_999_999_999_999  # milliseconds; only a person moves it on


@dataclass
class Found:
    """What looking found: nothing, one document, or what speaks against going on."""

    claimed: Claimed
    holds: Fields | None = None
    calls: int = 0


def nothing(found: Found, reason: Reason) -> Ended:
    delivered = reason in (Reason.UNCHANGED, Reason.CREATED, Reason.UPDATED)
    outcome = outcome_of(found.claimed, State.DONE if delivered else State.SKIPPED, reason, reason)
    keep_found(outcome, found)
    return Ended(outcome, Signal(answered=found.calls > 0, calls=found.calls))


def duplicate(context: Context, claimed: Claimed, receipts: Sequence[Receipt]) -> Ended:
    """Found twice: never a guess, a person says which one it is."""
    ids = [receipt.far_id for receipt in receipts]
    target = context.system_named(claimed.target_id)
    outcome = outcome_of(claimed, State.HELD, Reason.RETRY, "duplicate_far")
    outcome.error, outcome.error_code = (
        f"{target} has {claimed.record.key} {len(ids)} times: {', '.join(ids[:5])}",
        "duplicate_far",
    )
    outcome.waits = [(Wait.PERSON, "which of them it is")]
    outcome.cases = [found_twice(claimed, outcome.error, receipts)]
    return Ended(outcome, Signal(answered=True, calls=1))


def found_twice(claimed: Claimed, text: str, receipts: Sequence[Receipt]) -> Case:
    """The exception for several far documents: duplicates under our reference, or only the same natural key."""
    by_reference = any(receipt.number == claimed.record.number for receipt in receipts)
    return Case(
        "duplicate_far" if by_reference else "ambiguous",
        claimed.record.key,
        text,
        system_id=claimed.target_id,
        record_id=claimed.record.record_id,
        message_id=claimed.message_id,
        stake=claimed.stake,
        currency=claimed.currency,
        evidence={"far_ids": [receipt.far_id for receipt in receipts]},
    )


def failed(
    context: Context,
    claimed: Claimed,
    route: Route,
    error: CallError,
    *,
    calls: int,
    receipt: Receipt | None = None,
) -> Ended:
    """Where the message goes after ``error``, and what that says of the system."""
    now, patience = context.now(), context.patience(route.target)
    once = route.writes.once
    judged = verdict(
        error,
        tries=claimed.tries,
        conflicts=claimed.conflicts,
        age=waited(context, claimed, since=claimed.accepted_at, limit=patience.expires),
        once=once,
        patience=patience,
        rng=context.rng,
    )
    if (
        claimed.pinned is not None
        and judged.after is State.DEAD
        and judged.reason in (Reason.EXHAUSTED, Reason.EXPIRED)
    ):
        judged = replace(judged, after=State.UNKNOWN, reason=Reason.ANSWER_LOST)  # its try is still open
    outcome = outcome_of(claimed, judged.after, judged.reason, judged.outcome)
    outcome.error, outcome.error_code, outcome.error_field = error.message, error.code, error.field
    outcome.due_at, outcome.burn = ms(now + judged.due), judged.burn
    open_at_idempotent = isinstance(error, OutcomeUnknown) and once is Once.IDEMPOTENT and not route.writes.upsert
    if judged.after is State.READY:
        outcome.pin = open_at_idempotent
        if claimed.pinned is not None and not open_at_idempotent and not isinstance(error, Conflict):
            outcome.pinned_id = claimed.pinned.attempt_id
    if judged.after is State.UNKNOWN:
        outcome.unknown_since = claimed.unknown_since or ms(now)
    outcome.conflict = isinstance(error, Conflict)
    lacks: tuple[str, ...] = ()
    if isinstance(error, ParentMissing) and judged.after is State.HELD:
        lacks = (error.key,)
        outcome.waits = [(Wait.PARENT, error.key)]
    if receipt is not None:
        evidence(outcome, receipt)
    return Ended(outcome, signal_of(error, calls=calls, now=now), lacks)


def signal_of(error: CallError, *, calls: int, now: datetime) -> Signal:
    match error:
        case AccessDenied():
            return Signal(denied=True, text=error.message, calls=calls)
        case SystemDown():
            return Signal(failed=error.code, text=error.message, calls=calls)
        case OutcomeUnknown():
            return Signal(failed=error.code, text=error.message, calls=calls)
        case RetryLater(after=after) if error.throttled:
            until = ms(now + min(after, timedelta(hours=1))) if after is not None and after > timedelta() else 0
            return Signal(answered=calls > 0, limited_until=until, calls=calls)
        case Unmappable():
            return Signal(answered=calls > 0, calls=calls)
        case _:
            return Signal(answered=True, calls=calls)


def outcome_of(claimed: Claimed, after: State, reason: Reason, outcome: str) -> Outcome:
    record = claimed.record
    return Outcome(  # by position: with names it costs three times as much
        claimed.message_id,
        claimed.lease_no,
        claimed.target_id,
        claimed.flow_id,
        claimed.lane_id,
        record.record_id,
        record.kind,
        record.number,
        claimed.stake,
        claimed.currency,
        after,
        reason,
        outcome,
        claimed.tries,
        claimed.generation,
        claimed.worker_id,
        claimed.claimed_at,
    )


def evidence(outcome: Outcome, receipt: Receipt) -> None:
    seen = receipt.evidence
    outcome.status, outcome.answer, outcome.answer_cut = seen.status, seen.answer, seen.answer_cut
    outcome.took_us = int(seen.seconds * 1_000_000)
    outcome.sent_at = ms(seen.sent_at) if seen.sent_at is not None else None


def keep_found(outcome: Outcome, found: Found) -> None:
    """What looking found is bound and painted, whatever became of the write after it."""
    if found.holds is None:
        return
    outcome.far_id, outcome.present, outcome.holds = found.claimed.far_id, True, found.holds
    picture = found.claimed.picture
    if picture is not None and picture.far_revision is not None:
        outcome.far_revision, outcome.far_order = picture.far_revision, picture.far_order


def held_for_parents(claimed: Claimed, keys: Sequence[str]) -> Ended:
    outcome = outcome_of(claimed, State.HELD, Reason.RETRY, "parent_missing")
    outcome.error = f"the target has not got {', '.join(keys[:5])}" + (
        f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    )
    outcome.error_code, outcome.burn = "parent_missing", False
    outcome.waits = [(Wait.PARENT, key) for key in keys]
    return Ended(outcome)


def orphan(claimed: Claimed) -> Outcome:
    outcome = outcome_of(claimed, State.HELD, Reason.RETRY, "no_flow")
    outcome.error, outcome.error_code, outcome.burn = "the landscape has no flow for it any more", "no_flow", False
    outcome.waits = [(Wait.PERSON, "the landscape has no flow for it any more")]
    return outcome


def no_answer(deadline: timedelta, prepared: Prepared) -> str:
    return f"no answer in {deadline.total_seconds():g} s: {prepared.request}"
