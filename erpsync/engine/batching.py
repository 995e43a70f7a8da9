"""Gathering what many tasks want written into one closure for the writer: the commit is shared, each gets its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from erpsync.store.connection import Connection
from erpsync.store.writer import Writer

_Work = TypeVar("_Work")
_Answer = TypeVar("_Answer")


class Batch(Generic[_Work, _Answer]):
    """``await put(work)`` gives ``write``'s answer for it, once it is on disk.

    ``write`` gets the gathered work and returns an answer for each, in order; it runs inside the writer's transaction.
    """

    def __init__(
        self,
        writer: Writer,
        write: Callable[[Connection, Sequence[_Work]], Sequence[_Answer]],
        *,
        most: int = 128,
        wait_seconds: float = 0.004,
    ) -> None:
        self._writer = writer
        self._write = write
        self._most = most
        self._wait = wait_seconds
        self._waiting: list[tuple[_Work, asyncio.Future[_Answer]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, work: _Work) -> _Answer:
        """The answer for this work, once its transaction is on disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Answer] = loop.create_future()
        self._waiting.append((work, future))
        if len(self._waiting) >= self._most:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(self._wait, self._flush)
        return await future

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            batch, self._waiting = self._waiting, []
            task = asyncio.get_running_loop().create_task(self._commit(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _commit(self, batch: list[tuple[_Work, asyncio.Future[_Answer]]]) -> None:
        works = [work for work, _ in batch]
        try:
            answers = await self._writer.run(lambda db: self._write(db, works))
        except Exception as error:  # noqa: BLE001  (each of those who wait must hear of it)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
