"""What a worker waits for that is in other workers' hands: looked up now and then, and told when it is something new."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from erpsync.engine.context import Context
from erpsync.store import workers
from erpsync.store.workers import Elsewhere

_EVERY_SECONDS = 2.0


async def elsewhere(context: Context, targets: Collection[int]) -> Elsewhere | None:
    """What other workers have in their hands for these targets; None when they have nothing."""

    def look() -> Elsewhere | None:
        with context.store.read() as db:
            return workers.elsewhere(db, context.worker_id, targets, now=context.now_ms)

    return await asyncio.to_thread(look)


class Waiting:
    """Tells what a worker with nothing to do waits for, when it has been so for a while; each thing once."""

    def __init__(self, context: Context, tell: Callable[[Elsewhere], None] | None) -> None:
        self._context = context
        self._tell = tell
        self._targets = {route.target_id for route in context.routes.all}
        self._looked_at = time.monotonic()
        self._told: Elsewhere | None = None

    async def look(self, *, only_silent: bool) -> None:
        """Look, if it is time to; ``only_silent``: what workers that show themselves have in hand is not waited for."""
        if self._tell is None or time.monotonic() - self._looked_at < _EVERY_SECONDS:
            return
        self._looked_at = time.monotonic()
        found = await elsewhere(self._context, self._targets)
        if found is not None and found != self._told and (found.silent or not only_silent):
            self._told = found
            self._tell(found)
