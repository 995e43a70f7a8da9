"""``check --online``: whether each system of the landscape is there and lets us in."""

from __future__ import annotations

import asyncio

from erpsync.engine.context import Bench
from erpsync.engine.upkeep.systems import ask
from erpsync.errors import CallError


async def check_online(bench: Bench) -> list[tuple[str, bool, float, str]]:
    """(system, whether it answered, seconds, what it said) for each system, by name; nothing is kept of it."""
    context = bench.context()

    async def one(name: str) -> tuple[str, bool, float, str]:
        before = context.now()
        try:
            health = await ask(context, name)
        except CallError as error:
            return name, False, (context.now() - before).total_seconds(), error.message
        return name, True, health.seconds, health.text

    return list(await asyncio.gather(*(one(name) for name in sorted(context.routes.landscape.systems))))
