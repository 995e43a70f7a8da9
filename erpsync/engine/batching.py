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
    """``await put(work)`` gives what ``write`` answers to the batch it went with, once that is on disk.

    ``write`` gets the gathered work; it runs inside the writer's transaction. One batch is written at a time: what comes
    meanwhile is the next one, so that batches grow with the load.
    """

    def __init__(
        self,
        writer: Writer,
        write: Callable[[Connection, Sequence[_Work]], _Answer],
        *,
        written: Callable[[Sequence[_Work], _Answer], None] = lambda *_: None,
        broke: Callable[[Exception], None] = lambda _: None,
        most: int = 400,
        wait_seconds: float = 0.004,
    ) -> None:
        """``written`` hears of each batch that is on disk, ``broke`` of an error that nobody waits for."""
        self._writer = writer
        self._write = write
        self._written = written
        self._broke = broke
        self._most = most
        self._wait = wait_seconds
        self._waiting: list[tuple[_Work, asyncio.Future[_Answer] | None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def add(self, work: _Work, future: asyncio.Future[_Answer] | None = None) -> None:
        """Have this written soon; nobody waits for it."""
        self._waiting.append((work, future))
        if self._writing is None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self._flush)

    async def put(self, work: _Work) -> _Answer:
        """The answer to the batch this work is in, once its transaction is on disk."""
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self.add(work, future)
        return await future

    async def drain(self) -> None:
        """Wait until everything added so far is on disk, or has failed."""
        self._flush()
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._commit_all())

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._commit(batch)
        finally:
            self._writing = None

    async def _commit(self, batch: list[tuple[_Work, asyncio.Future[_Answer] | None]]) -> None:
        works = [work for work, _ in batch]
        try:
            answer = await self._writer.run(lambda db: self._write(db, works))
        except Exception as error:  # noqa: BLE001  (those who wait must hear of it; where nobody does, the worker)
            for _, future in batch:
                if future is not None and not future.done():
                    future.set_exception(error)
            if any(future is None for _, future in batch):
                self._broke(error)
            return
        self._written(works, answer)
        for _, future in batch:
            if future is not None and not future.done():
                future.set_result(answer)
