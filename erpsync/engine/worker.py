"""The worker: reads what is due, delivers what is due, settles, probes; until stopped, or until nothing can move."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from erpsync.domain.kinds import kind_named
from erpsync.engine.context import Bench, Context
from erpsync.engine.crew import Crew, at_work
from erpsync.engine.elsewhere import Waiting
from erpsync.engine.intake.reading import PullReport
from erpsync.store.wal import PIECES, lengthen
from erpsync.store.workers import Elsewhere

_TURN_SECONDS = 0.25


@dataclass
class WorkerReport:
    """What a worker did. ``signal`` is the one that stopped it, ``stopped_by`` the person who asked it to, if any did."""

    delivered: int = 0
    late: int = 0
    pulled: int = 0
    signal: int | None = None
    stopped_by: str | None = None
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def stop_on_signals(stop: asyncio.Event, report: WorkerReport) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask for a clean stop; a second one of them is the usual death."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def stopped(number: int) -> None:
        report.signal = number
        stop.set()
        for each in signals:
            loop.remove_signal_handler(each)

    try:
        for number in signals:
            loop.add_signal_handler(number, stopped, number)
    except (ValueError, NotImplementedError):  # not in the main thread: whoever started us stops us
        yield
        return
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def in_order_of_parents(pulls: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The (system, kind) pairs in stages: a kind comes after the kinds its documents name."""
    stages: dict[int, list[tuple[str, str]]] = {}
    for system, kind in pulls:
        stages.setdefault(_depth(kind), []).append((system, kind))
    return [stages[depth] for depth in sorted(stages)]


def _depth(kind: str) -> int:
    return 1 + max((_depth(parent) for parent in kind_named(kind).parent_kinds), default=0)


async def run_worker(
    bench: Bench,
    *,
    once: bool = False,
    until_idle: bool = False,
    waits: Callable[[Elsewhere], None] | None = None,
    did: Callable[[int, int], None] | None = None,
) -> WorkerReport:
    """Run a worker; ``once``: one turn of reading and delivering what is due now, ``until_idle``: until nothing can move.

    ``waits`` hears what it waits for that is in other workers' hands, ``did`` each turn how many documents it has read and
    delivered.
    Raises StoreError when the store fails while it runs; what was acknowledged is on disk.
    """
    report = WorkerReport()
    stop = asyncio.Event()
    async with at_work(bench.context(), "run") as context:
        for _ in range(0 if once or until_idle else PIECES):
            if not await context.store.writer.run(lambda _: lengthen(context.store.path)):
                break
        with stop_on_signals(stop, report):
            async with Crew(context, asked_to_stop=stop.set) as crew:
                waiting = Waiting(context, waits)
                await _work(context, crew, report, stop, waiting, once=once, until_idle=until_idle, did=did)
            report.delivered, report.late, report.stopped_by = crew.feeder.delivered, crew.late, crew.stop_asked_by
    if crew.defects:
        raise crew.defects[0]
    return report


async def _work(
    context: Context,
    crew: Crew,
    report: WorkerReport,
    stop: asyncio.Event,
    waiting: Waiting,
    *,
    once: bool,
    until_idle: bool,
    did: Callable[[int, int], None] | None,
) -> None:
    flows = {(system, kind): flow for system, kind, flow in context.routes.pulls()}
    stages = in_order_of_parents(list(flows))
    while not stop.is_set() and not crew.stopping:
        read = 0
        for stage in stages:
            with context.store.read() as db:
                due = [
                    (system, kind)
                    for system, kind in stage
                    if crew.puller.is_due(db, system, kind, flows[system, kind])
                ]
            if stop.is_set() or not due:
                continue
            done = await _unless(stop, *(crew.pull(PullReport(*pair), force=True, full=False) for pair in due))
            read += sum(pulled.read for pulled in done if not pulled.skipped)
            report.pulled += sum(pulled.read for pulled in done)
        if did is not None:
            did(report.pulled, crew.feeder.delivered)
        if once and not crew.due_now():
            await crew.look_once()
            if not crew.due_now():
                return
        if until_idle and not read and not crew.moving():
            return
        if crew.feeder.idle:
            await waiting.look(only_silent=not until_idle)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TURN_SECONDS if not (once or until_idle) else 0.05):
                await stop.wait()


async def _unless(stop: asyncio.Event, *pulls: Coroutine[Any, Any, PullReport]) -> list[PullReport]:
    """What the pulls come to, or what is done of them when it is time to stop."""
    tasks = [asyncio.create_task(pull) for pull in pulls]
    stopped = asyncio.create_task(stop.wait())
    pending = set(tasks)
    while pending and not stop.is_set():
        done, _ = await asyncio.wait({*pending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        pending = {task for task in pending if task not in done}
    stopped.cancel()
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return [task.result() for task in tasks if not task.cancelled() and task.exception() is None]
