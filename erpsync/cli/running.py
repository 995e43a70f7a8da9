"""``run``: the worker, until it is told to stop, has nothing to do, or made one turn."""

from __future__ import annotations

from typing import Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import INTERRUPTED, TERMINATED
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import emit, envelope, remark, say, warn
from erpsync.cli.progress import under_way, waits_text
from erpsync.cli.selecting import clock
from erpsync.errors import UsageError
from erpsync.terminal import plural, safe

app = alone()


@app.command(
    name="run",
    cls=Command,
    epilog="Examples\n  erpsync run                the worker, until Ctrl-C\n  erpsync run --until-idle   until nothing more can move",
)
def run(
    ctx: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="one turn: read and deliver what is due now")] = False,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="until nothing more can move by itself")] = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """The worker: read what is due, deliver what is ready, settle what is unknown."""
    from erpsync.engine.worker import run_worker  # noqa: PLC0415  (the engine: only where it works)

    bench = workbench(ctx)
    bench.refuse_change("run")
    if once and until_idle:
        raise UsageError("--once and --until-idle are two ways to end", hint="one of them")
    store = bench.open_to_write("run", create=True)
    if store.advice:
        warn(store.advice)
    if output is Answer.TABLE and not (once or until_idle):
        landscape = bench.landscape
        remark(
            f"{safe(landscape.name)}: a worker runs, {plural(len(landscape.flows), 'flow')}; Ctrl-C stops it after what is in flight"
        )
    quiet = output is Answer.JSON
    ends = "run --once" if once else "run --until-idle"
    with under_way(ends, quiet=quiet or not (once or until_idle)) as told:
        waits = None if quiet else lambda found: told.remark(waits_text(found, clock(bench)))
        report = bench.wait_for(
            lambda: run_worker(
                bench,
                once=once,
                until_idle=until_idle,
                waits=waits,
                did=lambda read, delivered: told.step(f"{read:,} read, {delivered:,} delivered"),
            )
        )
    died = int(getattr(report, "died", 0))
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "run",
                delivered=report.delivered,
                read=getattr(report, "pulled", None),
                died=died,
                signal=report.signal,
                stopped_by=report.stopped_by,
            )
        )
    else:
        read = f"{report.pulled:,} read, " if hasattr(report, "pulled") else ""
        if report.stopped_by:
            remark(f"{safe(report.stopped_by)} asked it to stop")
        say(f"{read}{report.delivered:,} delivered{f', {died:,} died' if died else ''}.", "next: erpsync status")
    if report.signal is not None:
        return TERMINATED if report.signal == 15 else INTERRUPTED
    return 0
