"""``workers``: who carries documents now, on which machine, and asking some to stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import PENDING
from erpsync.cli.listings import listing
from erpsync.cli.options import (
    HOW,
    WHAT,
    Answer,
    AnswerFormat,
    Format,
    Limit,
    MaybeIds,
    Output,
    Raw,
    Reason,
    Sort,
    Where,
    duration,
    many_ids,
)
from erpsync.cli.output import emit, envelope, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, filtered
from erpsync.cli.tables import Column
from erpsync.cli.wording import waiting_seconds
from erpsync.errors import NotFound, UsageError
from erpsync.terminal import Clock, count, plural, safe

if TYPE_CHECKING:
    from datetime import datetime

    from erpsync.store.reading.workers import WorkerRow
    from erpsync.workbench import Workbench

app = group("workers", "Who carries documents now, and asking some to stop.")
_LOOK_SECONDS = 0.2


@app.command(name="list", cls=Command, epilog="Example: erpsync workers list --where 'state = silent'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Every worker that has not left, on whichever machine; the oldest first."""
    from erpsync.store.reading.workers import at_work  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        found = at_work(db)
    times, now = clock(bench), bench.now()
    rows = filtered(
        bench, found, lambda row: _values(row, now), where=where, sort=sort, subject="workers", fields=FIELDS
    )
    shown = rows[:limit] if limit else rows
    silent = [row for row in rows if row.state(now) == "silent"]
    remarks = [plural(len(found), "worker") + (f"; {plural(len(silent), 'silent one')}" if silent else "")]
    if not found:
        remarks.append("next: erpsync run")
    elif shown:
        remarks.append("next: erpsync status")
    listing(
        bench,
        "workers.list",
        shown,
        total=len(rows),
        columns=_columns(times),
        item=lambda row: _item(row, now),
        identity=lambda row: str(row.worker_id),
        output=output,
        raw=raw,
        remarks=remarks,
    )


FIELDS = ("age", "host", "id", "in_hand", "pid", "runs", "seen", "started", "state")


def _values(row: WorkerRow, now: datetime) -> dict[str, object]:
    return {
        "age": now - row.started_at,
        "host": row.host,
        "id": row.worker_id,
        "in_hand": row.in_hand,
        "pid": row.pid,
        "runs": row.command,
        "seen": row.seen_at,
        "started": row.started_at,
        "state": row.state(now),
    }


def _columns(times: Clock) -> list[Column[WorkerRow]]:
    return [
        Column("WORKER", lambda row: str(row.worker_id), right=True),
        Column("HOST", lambda row: safe(row.host, limit=40)),
        Column("PROCESS", lambda row: str(row.pid), right=True),
        Column("RUNS", lambda row: safe(row.command, limit=20), rank=1),
        Column("STATE", lambda row: _state(row, times)),
        Column("SINCE", lambda row: times.since(row.started_at), rank=2),
        Column("FOR", lambda row: times.lasting(row.started_at), right=True),
        Column("SEEN", lambda row: times.lasting(row.seen_at), right=True),
        Column("IN HAND", lambda row: count(row.in_hand), right=True),
    ]


def _state(row: WorkerRow, times: Clock) -> str:
    state = row.state(times.now)
    return f"stopping, for {safe(row.stop_asked_by, limit=20)}" if state == "stopping" else state


def _item(row: WorkerRow, now: datetime) -> dict[str, object]:
    return {
        "worker": row.worker_id,
        "host": row.host,
        "pid": row.pid,
        "runs": row.command,
        "state": row.state(now),
        "started": utc(row.started_at),
        "age_seconds": waiting_seconds(now, row.started_at),
        "seen": utc(row.seen_at),
        "stop_asked_by": row.stop_asked_by,
        "stopped": utc(row.stopped_at),
        "in_hand": row.in_hand,
        "version": row.version or None,
    }


@app.command(
    name="stop",
    cls=Command,
    epilog="Examples\n  one of them, and wait for it:  erpsync workers stop 3\n"
    "  before a release:              erpsync workers stop --all --timeout 2m",
)
def stop(
    ctx: typer.Context,
    ids: MaybeIds = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="all that run now", rich_help_panel=WHAT)] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="AGE", help="wait at most so long for them (30s)", rich_help_panel=HOW)
    ] = "30s",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="ask them, and do not wait", rich_help_panel=HOW)] = False,
    reason: Reason = "",
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Ask workers to bring what is in flight to its end and stop, on whichever machine they run.

    Nothing is lost by it: what waits goes on with the next worker. 8 when one still runs at the time limit.
    """
    from erpsync.engine.upkeep.workers import stop as ask_them  # noqa: PLC0415  (the engine: only for acts)
    from erpsync.store.reading.selecting import company_id  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.workers import at_work, workers_with_ids  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    bench.refuse_change("workers stop")
    if bool(ids) == every:
        raise UsageError("workers stop needs ids, or --all", hint="erpsync workers list")
    most = duration(timeout, option="--timeout").total_seconds()
    store = bench.open_to_write("workers stop")
    with store.read() as db:
        company = company_id(db, bench.landscape.company)
        wanted = [row.worker_id for row in at_work(db)] if every else many_ids(ids or ())
        known = {row.worker_id: row for row in workers_with_ids(db, wanted)}
    for worker_id in wanted:
        if worker_id not in known:
            raise NotFound(f"worker {worker_id} is not in the store", hint="erpsync workers list")
        if known[worker_id].stopped_at is not None:
            raise UsageError(f"worker {worker_id} has stopped already", hint="erpsync workers list")
    asked = ask_them(
        store, wanted, company_id=company, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command
    )
    with under_way(f"waiting for {plural(len(asked), 'worker')} to stop", quiet=output is Answer.JSON):
        rows = _until_stopped(bench, asked, seconds=0 if no_wait else most)
    running = [row for row in rows if row.stopped_at is None]
    if output is Answer.JSON:
        items = [_item(row, bench.now()) for row in rows]
        emit(envelope(bench, "workers.stop", total=len(items), shown=len(items), items=items))
    else:
        _say_stopped(bench, rows, running, no_wait=no_wait)
    return PENDING if running and not no_wait else 0


def _until_stopped(bench: Workbench, ids: list[int], *, seconds: float) -> list[WorkerRow]:
    """How these workers stand once all have stopped, or the time is over."""
    from erpsync.store.reading.workers import workers_with_ids  # noqa: PLC0415  (not for help)

    until = time.monotonic() + seconds
    while True:
        with bench.store.read() as db:
            rows = workers_with_ids(db, ids)
        if all(row.stopped_at is not None for row in rows) or time.monotonic() >= until:
            return rows
        time.sleep(_LOOK_SECONDS)


def _say_stopped(bench: Workbench, rows: list[WorkerRow], running: list[WorkerRow], *, no_wait: bool) -> None:
    if not rows:
        say("no worker runs.", "next: erpsync status")
        return
    if no_wait:
        say(f"{plural(len(rows), 'worker')} asked to stop after what is in flight.", "next: erpsync workers list")
        return
    times = clock(bench)
    stopped = len(rows) - len(running)
    if stopped:
        say(f"{plural(stopped, 'worker')} stopped.")
    for row in running:
        seen = f"seen {times.lasting(row.seen_at)} ago, {plural(row.in_hand, 'message')} in hand"
        dead = "; if it died, what it has in hand falls back by itself" if row.state(bench.now()) == "silent" else ""
        say(f"worker {row.worker_id}, process {row.pid} on {safe(row.host)}, has not stopped yet: {seen}{dead}.")
    say("next: erpsync workers list" if running else "next: erpsync status")
