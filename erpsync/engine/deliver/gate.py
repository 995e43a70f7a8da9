"""A gate: so many requests at once to one system, the others wait their turn in order."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """``async with gate`` is one request in flight. ``most`` may change at any time.

    ``is_shut``: the system stopped, went down or asked for quiet; ``doubts``: tries that say so, and are not on record
    yet. Who waited for a turn at a closed gate sends nothing and gives its message back.
    """

    def __init__(self) -> None:
        self.most = 1
        self.is_shut = False
        self.doubts = 0
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_closed(self) -> bool:
        """Whether nothing may leave now."""
        return self.is_shut or self.doubts > 0

    async def __aenter__(self) -> None:
        if self._inside < self.most and not self._waiting:
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._inside -= 1
        while self._waiting and self._inside < self.most:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
