"""Asking each system of the landscape whether it is there and lets us in. Nothing is kept of what they say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from erpsync.adapters.protocol import Adapter
from erpsync.config.landscape import System
from erpsync.engine.context import Bench
from erpsync.engine.upkeep.systems import answer_of
from erpsync.errors import CallError, UsageError

Reached = tuple[str, bool, float, str]  # system, whether it answered, seconds, what it said


async def check_online(bench: Bench) -> list[Reached]:
    """What each system of the landscape came to, by name."""
    context = bench.context()
    return await ask_each(context.routes.landscape.systems, context.adapter)


async def ask_each(systems: Mapping[str, System], adapter_of: Callable[[str], Adapter]) -> list[Reached]:
    """What each of these systems came to, by name, all asked at once, each within its own time-out."""

    async def one(name: str) -> Reached:
        before = time.monotonic()
        try:
            health = await answer_of(adapter_of(name), name, timeout=systems[name].limits.timeout.total_seconds())
        except (CallError, UsageError) as error:
            return name, False, time.monotonic() - before, error.message
        return name, True, health.seconds, health.text

    return list(await asyncio.gather(*(one(name) for name in sorted(systems))))
