"""How long something has waited. Time in which nothing could go does not count: paused by a person, or its system down."""

from __future__ import annotations

from datetime import timedelta

from erpsync.engine.context import Context
from erpsync.store import standstills
from erpsync.store.claimed import Claimed
from erpsync.store.connection import moment


def waited(context: Context, claimed: Claimed, *, since: int, limit: timedelta) -> timedelta:
    """How long a message has waited since a moment (milliseconds); where that is less than ``limit`` anyway, all of it."""
    now = context.now()
    passed = now - moment(since)
    if passed < limit:
        return passed
    with context.store.read() as db:
        still = standstills.stood_still(db, claimed.target_id, claimed.flow_id, since=since, now=context.now_ms)
    return passed - timedelta(milliseconds=still)
