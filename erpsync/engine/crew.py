"""The parts of a worker put together, and the loops that keep them going until asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from erpsync.engine.context import Context
from erpsync.engine.deliver.feeding import Feeder
from erpsync.engine.deliver.finishing import Ended, Finisher
from erpsync.engine.deliver.leaving import Planner
from erpsync.engine.deliver.parents import sweep
from erpsync.engine.deliver.sending import Sender
from erpsync.engine.deliver.settling import Settler
from erpsync.engine.intake.again import apply_waiting
from erpsync.engine.intake.reading import Puller, PullReport, read_again
from erpsync.engine.moving import anything_is_due, anything_moves
from erpsync.engine.pauses import Pauses
from erpsync.engine.routes import must_be_read_first
from erpsync.engine.upkeep.restored import see_to_restore
from erpsync.engine.upkeep.systems import probe_due
from erpsync.engine.upkeep.words import LOOK_SECONDS, WordKeeper
from erpsync.store import cursors, events, messages, questions, systems, workers
from erpsync.store.connection import Connection
from erpsync.store.outcomes import Finished

_BEAT = timedelta(seconds=2)


class Crew:
    """One worker's parts. ``wake`` makes the feeder look at once instead of at its next turn."""

    def __init__(
        self, context: Context, *, only: Collection[str] = (), asked_to_stop: Callable[[], None] | None = None
    ) -> None:
        """``only``: deliver to these targets alone; empty: to all. ``asked_to_stop`` hears that somebody wants this worker to end."""
        self.context = context
        self._asked_to_stop = asked_to_stop or self.stop
        self.stop_asked_by: str | None = None
        self._targets = [name for name in context.routes.targets if not only or name in only]
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._rereads: set[asyncio.Task[None]] = set()
        self._pauses = Pauses()
        self.finisher = Finisher(context, moved=self._moved, broke=self._broke)
        planner = Planner(context)
        self.sender = Sender(context, planner, self.finisher, reread=self._reread)
        self.feeder = Feeder(
            context,
            planner,
            self.sender,
            self.finisher,
            self._pauses,
            targets=self._targets,
            hungry=self.wake,
            broke=self._broke,
        )
        self.settler = Settler(context, self.finisher)
        self.puller = Puller(context, self._pauses)
        self._words = WordKeeper(context.store)
        self.late = 0
        self.defects: list[BaseException] = []

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    def stop(self) -> None:
        """Begin no more; what is in flight is brought to its end."""
        self._stopping.set()
        self._woken.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    async def __aenter__(self) -> Crew:
        await see_to_restore(self.context)
        self._find_unread()
        with self.context.store.read() as db:
            self._count_workers(db)
            self._pauses.look(db)
        self._loops = [
            asyncio.create_task(self._feed()),
            asyncio.create_task(self._every(0.5, self._heed_pauses)),
            asyncio.create_task(self._every(0.5, self._read_first)),
            asyncio.create_task(self._every(0.25, self._settle)),
            asyncio.create_task(self._every(0.5, self._probe)),
            asyncio.create_task(self._every(0.5, self._apply_waiting)),
            asyncio.create_task(self._every(_BEAT.total_seconds(), self._beat)),
            asyncio.create_task(self._every(LOOK_SECONDS, self._words.look)),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await self.feeder.drain()
        for loop in self._loops[1:]:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.to_thread(self._words.close)
        await self.feeder.drain()
        await asyncio.gather(*self._rereads, return_exceptions=True)
        if not self.defects:
            await self._sweep()

    def moving(self) -> bool:
        """Whether anything can still move by itself, here or in another worker's hands."""
        if not self.feeder.idle or self._rereads:
            return True
        with self.context.store.read() as db:
            return anything_moves(db, self.context, self._targets, self._pauses)

    async def look_once(self) -> None:
        """Probe what is down and ask about what is unknown, where that is due now."""
        await self._probe()
        await self._settle()

    async def until_still(self, stop: asyncio.Event) -> None:
        """Until nothing can move by itself, or it is time to stop. Other workers are seen by looking into the store."""
        while not (stop.is_set() or self.stopping) and self.moving():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stop.wait()

    def due_now(self) -> bool:
        """Whether anything is due this moment, or in flight."""
        if not self.feeder.idle:
            return True
        with self.context.store.read() as db:
            return anything_is_due(db, self.context, self._pauses)

    async def pull(self, report: PullReport, *, force: bool, full: bool) -> PullReport:
        """Read one kind from one system, then look for what that made due."""
        flow = next(f for s, k, f in self.context.routes.pulls() if (s, k) == (report.system, report.kind))
        done = await self.puller.pull(report.system, report.kind, flow, force=force, full=full, progress=report)
        self.wake()
        return done

    async def _feed(self) -> None:
        while not self.stopping:
            self._woken.clear()
            try:
                claimed = await self.feeder.feed()
            except Exception as error:  # noqa: BLE001  (a locked or full store: said by the worker, tried again)
                self.defects.append(error)
                self.stop()
                return
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._woken.wait()

    async def _every(self, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        while not self.stopping:
            try:
                await act()
            except Exception as error:  # noqa: BLE001  (as above)
                self.defects.append(error)
                self.stop()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    def _broke(self, error: Exception) -> None:
        self.defects.append(error)
        self.stop()

    def _find_unread(self) -> None:
        """Which targets must be read before anything is created there, and have not been yet."""
        context = self.context
        with context.store.read() as db:
            self.feeder.unread = {
                (route.target_id, route.flow_id)
                for route in context.routes.all
                if must_be_read_first(route)
                and not cursors.was_read(db, context.routes.company_id, route.target_id, route.kind.name)
            }

    async def _read_first(self) -> None:
        """Read targets that cannot be searched once, so that what they have is bound and not created again."""
        for route in self.context.routes.all:
            if (route.target_id, route.flow_id) not in self.feeder.unread or route.target not in self._targets:
                continue
            kind = route.kind.name
            await self.puller.pull(route.target, kind, route.flow, full=route.reads.scan)  # failed: again in its time
            self._find_unread()
            self.wake()

    async def _settle(self) -> None:
        context = self.context
        with context.store.read() as db:
            rows = systems.systems(db)
            due = [
                target
                for target in self._targets
                if rows[target].outward == "up"
                and rows[target].limited_until <= context.now_ms
                and questions.anything_to_ask(db, rows[target].system_id, before=context.now_ms + 1)
            ]
        for target in due:
            await self.settler.settle_due(target)

    async def _heed_pauses(self) -> None:
        """What a person has paused stays; a call in flight comes to its end, what waits here unsent is given back."""
        with self.context.store.read() as db:
            self._pauses.look(db)
        self.feeder.heed_pauses()

    async def _probe(self) -> None:
        if await probe_due(self.context):
            self.wake()

    async def _apply_waiting(self) -> None:
        context = self.context
        with context.store.read() as db:
            if not events.anything_waits(db, context.routes.company_id):
                return
        await context.store.writer.run(lambda db: apply_waiting(db, context))
        self.wake()

    async def _beat(self) -> None:
        context = self.context
        if context.worker_id:
            asked = await context.store.writer.run(lambda db: workers.beat(db, context.worker_id, now=context.now_ms))
            if asked is not None and self.stop_asked_by is None:
                self.stop_asked_by = asked
                self._asked_to_stop()
        with context.store.read() as db:
            self._count_workers(db)
            gone = [worker for worker, pid in workers.of_host(db, socket.gethostname()) if not _runs(pid)]
        await self._sweep()
        if gone:
            await context.store.writer.run(lambda db: [workers.bury(db, worker, now=context.now_ms) for worker in gone])
            self.wake()

    def _count_workers(self, db: Connection) -> None:
        self.feeder.workers = max(1, workers.alive(db, now=self.context.now_ms))

    async def _sweep(self) -> None:
        """What is held for a parent that is not on its way any more does not sleep."""
        with self.context.store.read() as db:
            lonely = messages.lonely_waits(db, limit=100)
        if lonely:
            await self.context.store.writer.run(lambda db: sweep(db, self.context, lonely))
            self.wake()

    def _moved(self, batch: Sequence[Ended], report: Finished) -> None:
        self.late += report.late
        self.feeder.finished(batch)
        self.wake()

    def _reread(self, system: str, kind: str, far_id: str) -> None:
        """Read one document again; a system that is left alone altogether is asked by the next try, once it is resumed."""
        if system in self._pauses.unread and system in self._pauses.unsent:
            return

        async def again() -> None:
            await read_again(self.context, system, kind, far_id)

        task = asyncio.create_task(again())
        self._rereads.add(task)
        task.add_done_callback(self._rereads.discard)


def _runs(pid: int) -> bool:
    """Whether there is a process with this id; one that is not ours to signal runs too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.asynccontextmanager
async def at_work(context: Context, command: str) -> AsyncIterator[Context]:
    """The same context in the name of a worker that is on record while it works."""
    store = context.store
    host, pid, landscape_id = socket.gethostname(), os.getpid(), context.routes.names.landscape_id
    worker_id = await store.writer.run(
        lambda db: workers.arrive(
            db, host=host, pid=pid, command=command, now=context.now_ms, landscape_id=landscape_id
        )
    )
    yield replace(context, worker_id=worker_id)
    await store.writer.run(lambda db: workers.leave(db, worker_id, now=context.now_ms))
