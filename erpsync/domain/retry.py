"""What a failed try comes to: the next state, when, and whether the try counts (DESIGN 11, rulings S16).

Waits grow exponentially to a cap (tenacity's ``wait_exponential``); the jitter comes from the caller's seeded generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from tenacity import wait_exponential

from erpsync.domain.messages import Once, Reason, State
from erpsync.errors import (
    AccessDenied,
    CallError,
    Conflict,
    OutcomeUnknown,
    ParentMissing,
    Refused,
    RetryLater,
    SystemDown,
    Unmappable,
)

MOST_CONFLICTS = 5
LONGEST_RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Patience:
    """How long a message is tried."""

    first: timedelta
    longest: timedelta
    tries: int
    expires: timedelta


@dataclass(frozen=True)
class Verdict:
    """Where a message goes after a failed try. ``burn`` False: the try is given back."""

    after: State
    reason: Reason
    due: timedelta = timedelta()
    burn: bool = True
    outcome: str = ""


def backoff(tries: int, patience: Patience, rng: Random) -> timedelta:
    """How long to wait after the n-th try: doubling from ``first`` to ``longest``, of which the upper half is jitter."""
    wait = wait_exponential(multiplier=patience.first.total_seconds(), max=patience.longest.total_seconds())
    seconds = wait(cast("Any", SimpleNamespace(attempt_number=min(max(tries, 1), 60))))
    return timedelta(seconds=seconds * (0.5 + rng.random() / 2))


def verdict(  # noqa: PLR0911  (one case an error: the table of DESIGN 11)
    error: CallError,
    *,
    tries: int,
    conflicts: int,
    age: timedelta,
    once: Once,
    patience: Patience,
    rng: Random,
) -> Verdict:
    """What follows from ``error``, for a message tried ``tries`` times and accepted ``age`` ago."""
    again = backoff(tries, patience, rng)
    match error:
        case Refused():
            return Verdict(State.DEAD, Reason.REFUSED, outcome="refused")
        case Unmappable():
            return Verdict(State.DEAD, Reason.UNMAPPABLE, outcome="unmappable")
        case AccessDenied():
            return Verdict(State.READY, Reason.ACCESS_DENIED, burn=False, outcome="denied")
        case SystemDown():
            return Verdict(State.READY, Reason.SYSTEM_DOWN, due=backoff(1, patience, rng), burn=False, outcome="down")
        case ParentMissing():  # said by the target itself: it is sent what it lacks, but not for ever
            return _ended(tries, age, patience) or Verdict(State.HELD, Reason.REFUSED, outcome="parent_missing")
        case Conflict():
            if conflicts + 1 >= MOST_CONFLICTS:
                return Verdict(State.DEAD, Reason.CONFLICT, outcome="conflict")
            return Verdict(
                State.READY, Reason.CONFLICT, due=min(again, timedelta(seconds=1)), burn=False, outcome="conflict"
            )
        case RetryLater(after=after):
            if ended := _ended(tries, age, patience):
                return ended
            wait = min(after, LONGEST_RETRY_AFTER) if after is not None and after > timedelta() else again
            return Verdict(State.READY, Reason.THROTTLED, due=wait, outcome="throttled")
        case OutcomeUnknown() if once is Once.IDEMPOTENT:
            if _ended(tries, age, patience):
                return Verdict(State.UNKNOWN, Reason.ANSWER_LOST, outcome="unknown")
            return Verdict(State.READY, Reason.ANSWER_LOST, due=again, outcome="unknown")
        case OutcomeUnknown():
            return Verdict(State.UNKNOWN, Reason.ANSWER_LOST, outcome="unknown")
        case _:
            return _ended(tries, age, patience) or Verdict(State.READY, Reason.RETRY, due=again, outcome="retry")


def _ended(tries: int, age: timedelta, patience: Patience) -> Verdict | None:
    if tries >= patience.tries:
        return Verdict(State.DEAD, Reason.EXHAUSTED, outcome="exhausted")
    if age >= patience.expires:
        return Verdict(State.DEAD, Reason.EXPIRED, outcome="expired")
    return None


def ask_again(times: int, *, since_sent: timedelta, believes_after: timedelta) -> timedelta:
    """When an unknown outcome is asked about next: not before *not found* is believed, then at growing intervals."""
    if since_sent < believes_after:
        return min(believes_after - since_sent, timedelta(seconds=2 ** min(times, 8)))
    return min(timedelta(minutes=5), timedelta(seconds=5 * 2 ** min(times, 8)))


def is_overdue(since: datetime, *, now: datetime, unknown_after: timedelta) -> bool:
    """Whether an open outcome has been open so long that a person is asked."""
    return now - since >= unknown_after
