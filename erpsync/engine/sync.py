"""``sync``: read along the flows, apply, deliver, and wait until nothing more can move by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from erpsync.config.landscape import Flow
from erpsync.domain.keys import parse_key
from erpsync.domain.kinds import kind_named, kind_words
from erpsync.domain.nearest import meant
from erpsync.engine.context import Bench, Context
from erpsync.engine.crew import Crew, at_work
from erpsync.engine.elsewhere import elsewhere
from erpsync.engine.intake.narrowing import Narrow, pull_some
from erpsync.engine.intake.reading import Puller, PullReport
from erpsync.engine.routes import Route
from erpsync.engine.worker import WorkerReport, in_order_of_parents, stop_on_signals
from erpsync.errors import UsageError
from erpsync.store import results, systems
from erpsync.store.connection import Connection
from erpsync.store.flows import paused as paused_flows
from erpsync.store.results import Mark
from erpsync.store.workers import Elsewhere


@dataclass
class SyncRow:
    """What a flow did to one target."""

    kind: str
    source: str
    target: str
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    held: int = 0
    unknown: int = 0
    waiting: int = 0
    dead: int = 0


@dataclass
class Progress:
    """How far it is: what each pull has read, and each target been given, and what is in other workers' hands."""

    pulls: list[PullReport]
    rows: list[SyncRow]
    seconds: float
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class StoodStill:
    """What a person has paused: a system, from which ``kind`` was not read (empty: for which messages wait), or a flow."""

    system: str
    flow: str
    kind: str
    by: str


@dataclass
class SyncReport:
    """What a sync came to. ``failures``: (key, system, message id, error); ``unread``: (system, kind, why)."""

    read: int = 0
    reached: bool = False  # something could be read, were it only that nothing has changed
    seconds: float = 0.0
    rows: list[SyncRow] = field(default_factory=list)
    failures: list[tuple[str, str, int, str]] = field(default_factory=list)
    held: list[tuple[str, str, int, str]] = field(default_factory=list)
    unread: list[tuple[str, str, str]] = field(default_factory=list)
    paused: list[StoodStill] = field(default_factory=list)
    refused: int = 0
    timed_out: bool = False
    signal: int | None = None

    @property
    def written(self) -> int:
        """Documents created or updated."""
        return sum(row.created + row.updated for row in self.rows)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 something died or was refused, 8 something can still move, 3 nothing could be reached."""
        if self.unread and not self.reached:
            return 3
        if any(row.dead for row in self.rows) or self.refused or self.unread:
            return 1
        if any(row.waiting or row.unknown for row in self.rows):
            return 8
        return 0


@dataclass(frozen=True)
class Wish:
    """What a sync is asked for: kinds, narrowed to targets, keys, or what changed since so long ago."""

    kinds: Sequence[str]
    to: Sequence[str] = ()
    full: bool = False
    keys: Sequence[str] = ()
    since: timedelta | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether only some documents of the kinds are meant."""
        return bool(self.keys) or self.since is not None

    def narrow(self, kind: str, company: str, now: datetime) -> Narrow | None:
        """Which documents of a kind are meant; None when none of them is."""
        numbers = None
        if self.keys:
            keys = [parse_key(key, kinds=kind_words(), company=company) for key in self.keys]
            numbers = frozenset(key.number for key in keys if key.kind == kind)
            if not numbers:
                return None
        return Narrow(numbers, now - self.since if self.since is not None else None)


async def sync(
    bench: Bench,
    *,
    kinds: Sequence[str],
    to: Sequence[str] = (),
    full: bool = False,
    since: timedelta | None = None,
    keys: Sequence[str] = (),
    timeout: timedelta = timedelta(minutes=2),  # noqa: ASYNC109  (it ends the waiting, not the work)
    wait: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> SyncReport:
    """Carry documents of these kinds now. Raises UsageError when no flow carries one of them."""
    wish = Wish(tuple(kind_named(kind).name for kind in kinds), to, full, keys, since)
    async with at_work(bench.context(), "sync") as context:
        return await _sync(context, wish, limit=timeout, wait=wait, progress=progress)


async def _sync(
    context: Context, wish: Wish, *, limit: timedelta, wait: bool, progress: Callable[[Progress], None] | None
) -> SyncReport:
    routes = chosen(context, wish)
    report, started = SyncReport(), time.monotonic()
    with context.store.read() as db:
        mark = results.mark(db)
    pulls = pulls_of(context, routes)
    stop, stopped = asyncio.Event(), WorkerReport()
    with stop_on_signals(stop, stopped):
        async with Crew(context, only=wish.to, asked_to_stop=stop.set) as crew:
            show = asyncio.create_task(_show(context, routes, pulls, progress, started, mark))
            try:
                async with asyncio.timeout(limit.total_seconds()):
                    for stage in in_order_of_parents(sorted(pulls)):
                        await asyncio.gather(*(_pull(crew, pulls[pair], wish, stop=stop) for pair in stage))
                    await crew.until_still(stop) if wait else None
            except TimeoutError:
                report.timed_out = True
            finally:
                show.cancel()
        if crew.defects:
            raise crew.defects[0]
    report.signal = stopped.signal
    report.seconds = time.monotonic() - started
    _tell(context, report, routes, pulls, mark)
    return report


def _tell(
    context: Context, report: SyncReport, routes: Sequence[Route], pulls: dict[tuple[str, str], PullReport], mark: Mark
) -> None:
    """Fill in what came of it."""
    report.rows = _rows(context, routes, pulls, mark)
    report.read = sum(pull.read for pull in pulls.values())
    report.refused = sum(pull.verdicts["unreadable"] for pull in pulls.values())
    report.unread = [
        (pull.system, pull.kind, pull.error.message if pull.error else f"it is {pull.skipped}")
        for pull in pulls.values()
        if pull.error is not None or pull.skipped in ("down", "stopped", "limited")
    ]
    flows = sorted({route.flow_id for route in routes})
    report.reached = len(report.unread) < len(pulls)
    with context.store.read() as db:
        report.failures = results.open_messages(db, context.routes.company_id, flows, "dead", limit=20)
        report.held = results.open_messages(db, context.routes.company_id, flows, "held", limit=20)
        report.paused = list(_paused(db, routes, report.rows, pulls))


def _paused(
    db: Connection, routes: Sequence[Route], rows: Sequence[SyncRow], pulls: dict[tuple[str, str], PullReport]
) -> Iterator[StoodStill]:
    """Why something was not read, or waits, that nobody is to blame for: somebody has paused it."""
    standing, still = systems.systems(db), paused_flows(db)
    for pull in pulls.values():
        if pull.skipped == "paused":
            yield StoodStill(pull.system, "", pull.kind, standing[pull.system].paused_by or "")
    waiting = [route for route, row in zip(routes, rows, strict=True) if row.waiting]
    for target in dict.fromkeys(route.target for route in waiting):
        if standing[target].outward == "paused":
            yield StoodStill(target, "", "", standing[target].paused_by or "")
    for flow_id in dict.fromkeys(route.flow_id for route in waiting):
        if flow_id in still:
            yield StoodStill("", still[flow_id].name, "", still[flow_id].paused_by)


def chosen(context: Context, wish: Wish) -> list[Route]:
    """The routes a wish is about. Raises UsageError for a kind or target that no flow has."""
    carried = sorted({route.kind.name for route in context.routes.all})
    for kind in wish.kinds:
        if kind not in carried:
            raise UsageError(f"no flow carries {kind}", hint=f"flows carry: {', '.join(carried) or 'nothing'}")
    for target in wish.to:
        if target not in context.routes.targets:
            raise UsageError(
                f"no flow leads to {target}",
                hint=f"{meant(target, context.routes.targets)}Targets: {', '.join(context.routes.targets)}",
            )
    for key in wish.keys:
        kind = parse_key(key, kinds=kind_words()).kind
        if kind not in wish.kinds:
            raise UsageError(f"{key} is no {' or '.join(wish.kinds)}", hint=f"erpsync sync {kind} --key {key}")
    return [r for r in context.routes.all if r.kind.name in wish.kinds and (not wish.to or r.target in wish.to)]


def pulls_of(context: Context, routes: Sequence[Route]) -> dict[tuple[str, str], PullReport]:
    """What these routes read: their sources, and their targets where they are watched."""
    wanted = {(route.source, route.kind.name) for route in routes}
    wanted |= {(route.target, route.kind.name) for route in routes if route.flow.watch}
    known = {(system, kind) for system, kind, _ in context.routes.pulls()}
    return {pair: PullReport(*pair) for pair in sorted(wanted & known)}


async def _pull(crew: Crew, report: PullReport, wish: Wish, *, stop: asyncio.Event) -> None:
    """Read it now; where another worker is reading, or the first call is another's, wait for that."""
    if wish.is_narrow:
        context = crew.context
        narrow = wish.narrow(report.kind, context.routes.landscape.company, context.now())
        if narrow is not None:
            await pull_some(context, report, narrow)
            crew.wake()
        return
    flow = next(f for system, kind, f in crew.context.routes.pulls() if (system, kind) == (report.system, report.kind))
    await pull_when_free(crew.puller, report, flow, full=wish.full, stop=stop)
    crew.wake()


async def pull_when_free(
    puller: Puller, report: PullReport, flow: Flow, *, full: bool, stop: asyncio.Event | None = None
) -> None:
    """Read it now; where another worker is reading it, or the first call to a system in doubt is another's, after that."""
    while stop is None or not stop.is_set():
        report.skipped = ""
        await puller.pull(report.system, report.kind, flow, force=True, full=full, progress=report)
        if report.skipped not in ("proving", "not due, or read by another worker"):
            return
        await asyncio.sleep(0.1)


def _rows(
    context: Context, routes: Sequence[Route], pulls: dict[tuple[str, str], PullReport], since: Mark
) -> list[SyncRow]:
    rows = []
    with context.store.read() as db:
        for route in routes:
            counted = results.of_flow(db, context.routes.company_id, route.flow_id, route.target_id, since=since)
            read = pulls.get((route.source, route.kind.name))
            row = SyncRow(route.kind.name, route.source, route.target, read=read.read if read else 0, **counted)
            touched = row.created + row.updated + row.skipped + row.held + row.unknown + row.waiting + row.dead
            refused = read.verdicts["unreadable"] + read.verdicts["conflicting"] if read else 0
            row.unchanged = max(row.unchanged, row.read - touched - refused) if read else row.unchanged
            rows.append(row)
    return rows


async def _show(
    context: Context,
    routes: Sequence[Route],
    pulls: dict[tuple[str, str], PullReport],
    progress: Callable[[Progress], None] | None,
    started: float,
    since: Mark,
) -> None:
    while progress is not None:
        await asyncio.sleep(0.5)
        rows = await asyncio.to_thread(_rows, context, routes, pulls, since)
        others = await elsewhere(context, {route.target_id for route in routes})
        progress(Progress(list(pulls.values()), rows, time.monotonic() - started, others))
