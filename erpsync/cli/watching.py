"""``--watch EVERY``: the same thing again and again, until Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from erpsync.cli.exit_codes import INTERRUPTED, TERMINATED
from erpsync.cli.output import remark
from erpsync.errors import UsageError
from erpsync.terminal import duration as lasting

if TYPE_CHECKING:
    from erpsync.workbench import Workbench


def watch(bench: Workbench, once: Callable[[], int], *, every: timedelta, quiet: bool) -> int:
    """Do ``once`` at this pace; returns the exit code of whatever stopped it. Raises UsageError for less than a second.

    ``once`` gives an exit code; only one that says it was stopped ends the watch. The store is let go in between.
    """
    if every < timedelta(seconds=1):
        raise UsageError("--watch needs a second at least", hint="like 30s or 5m")
    while True:
        begun = time.monotonic()
        if (code := once()) in (INTERRUPTED, TERMINATED):
            return code
        bench.close()
        rest = every.total_seconds() - (time.monotonic() - begun)
        if rest > 0 and (stopped := _sleep(bench, rest, quiet=quiet)) is not None:
            return TERMINATED if stopped == 15 else INTERRUPTED


def _sleep(bench: Workbench, seconds: float, *, quiet: bool) -> int | None:
    """Wait; returns the number of the signal that ended it early."""
    import asyncio  # noqa: PLC0415  (as the engine: only where something runs)

    from erpsync.engine.worker import WorkerReport, stop_on_signals  # noqa: PLC0415  (as above)

    report, stop = WorkerReport(), asyncio.Event()

    async def until_stopped() -> None:
        with stop_on_signals(stop, report):
            if not quiet:
                remark("", f"again in {lasting(ceil(seconds))}; Ctrl-C ends it", "")
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                return

    bench.wait_for(until_stopped)
    return report.signal
