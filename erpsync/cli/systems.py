"""``systems``: how each stands; asking one whether it is back; letting a stopped one be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.asking import ask
from erpsync.cli.classes import classes, writes
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import UNREACHABLE
from erpsync.cli.options import Answer, AnswerFormat, Format, Limit, Output, Reason, Sort, Where, Yes
from erpsync.cli.output import command_line, emit, envelope, listing, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, filtered
from erpsync.cli.status import state_text
from erpsync.cli.tables import Column
from erpsync.cli.wording import waiting_seconds
from erpsync.errors import CallError, UsageError
from erpsync.terminal import Clock, plural, safe, took

if TYPE_CHECKING:
    from erpsync.config.landscape import System
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.workbench import Workbench

app = group("systems", "The connected systems: state, probe, resume.")
Name = Annotated[str, typer.Argument(metavar="SYSTEM", help="a system of the landscape", show_default=False)]


@dataclass(frozen=True)
class _Row:
    standing: SystemStanding
    system: System | None


@app.command(name="list", cls=Command, epilog="Example: erpsync systems list --where 'state != up'")
def list_(
    ctx: typer.Context, *, where: Where = "", limit: Limit = None, sort: Sort = "", output: Format = Output.TABLE
) -> None:
    """Every system of the landscape, by name."""
    from erpsync.store.connection import ms  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.systems import standings  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    times, landscape = clock(bench), bench.landscape
    with bench.store.read() as db:
        found = standings(db, landscape.company, now_ms=ms(bench.now()), names=landscape.systems)
    every = [_Row(standing, landscape.systems.get(standing.name)) for standing in found]
    rows = filtered(
        bench, every, lambda row: _values(row, times), where=where, sort=sort, subject="systems", fields=FIELDS
    )
    total = len(rows)
    rows = rows[:limit] if limit else rows
    unwell = [row for row in rows if row.standing.state in ("down", "stopped", "paused")]
    remarks = [f"{plural(len(every), 'system')}" + "".join(f"; {_unwell(row, times)}" for row in unwell)]
    if unwell:
        remarks.append(f"next: {command_line('erpsync', 'systems', 'probe', unwell[0].standing.name)}")
    listing(
        bench,
        "systems.list",
        rows,
        total=total,
        columns=_columns(times),
        item=lambda row: _item(bench, row),
        identity=lambda row: row.standing.name,
        output=output,
        remarks=remarks,
    )


FIELDS = (
    "adapter",
    "dead",
    "due",
    "error",
    "held",
    "role",
    "since",
    "state",
    "system",
    "unknown",
    "waiting",
    "writes",
)


def _values(row: _Row, times: Clock) -> dict[str, object]:
    standing = row.standing
    return {
        "adapter": row.system.adapter if row.system else "",
        "dead": standing.counts.get("dead", 0),
        "due": standing.due,
        "error": standing.last_error or "",
        "held": standing.counts.get("held", 0),
        "role": row.system.role if row.system else "",
        "since": standing.since,
        "state": standing.shown_state,
        "system": standing.name,
        "unknown": standing.counts.get("unknown", 0),
        "waiting": times.now - standing.since,
        "writes": classes(row.system) if row.system else "",
    }


def _unwell(row: _Row, times: Clock) -> str:
    standing = row.standing
    failures = f", {plural(standing.failures, 'failure')} in a row" if standing.failures else ""
    return (
        f"{state_text(standing, times).replace(standing.state, f'{safe(standing.name)} {standing.state}', 1)}{failures}"
    )


def _columns(times: Clock) -> list[Column[_Row]]:
    return [
        Column("SYSTEM", lambda row: safe(row.standing.name)),
        Column("ROLE", lambda row: row.system.role if row.system else "-", rank=3),
        Column("ADAPTER", lambda row: row.system.adapter if row.system else "-", rank=4),
        Column("WRITES", lambda row: safe(classes(row.system), limit=40) if row.system else "-", rank=1),
        Column("STATE", lambda row: row.standing.shown_state),
        Column("SINCE", lambda row: times.since(row.standing.since), rank=2),
        Column("FOR", lambda row: times.lasting(row.standing.since), right=True),
        Column("DUE", lambda row: f"{row.standing.due:,}", right=True),
        Column("P95", lambda row: _p95(row.standing), right=True, rank=6),
        Column("RATE", _rate, right=True, rank=5),
        Column("LAST ERROR", lambda row: safe(row.standing.last_error or "-"), free=True, wide=120),
    ]


def _p95(standing: SystemStanding) -> str:
    match standing.p95:
        case None:
            return "-"
        case "":
            return ">10.0s"
        case bound if float(bound) < 1:
            return f"{round(float(bound) * 1000)}ms"
        case bound:
            return f"{bound}s"


def _rate(row: _Row) -> str:
    used = f"{row.standing.per_second:.0f}"
    limit = row.system.limits.rate if row.system else None
    return f"{used}/{limit:g}" if limit is not None else f"{used}/-"


def _item(bench: Workbench, row: _Row) -> dict[str, object]:
    standing, system = row.standing, row.system
    limit = system.limits.rate if system else None
    return {
        "system": standing.name,
        "role": system.role if system else None,
        "adapter": system.adapter if system else None,
        "writes": writes(system) if system else None,
        "state": standing.shown_state,
        "breaker": {
            "state": "open" if standing.state == "down" else "closed",
            "since": utc(standing.since),
            "failures": standing.failures,
            "next_probe_at": utc(standing.probe_at),
        },
        "since": utc(standing.since),
        "waiting_seconds": waiting_seconds(bench.now(), standing.since),
        "due": standing.due,
        "held": standing.counts.get("held", 0),
        "unknown": standing.counts.get("unknown", 0),
        "dead": standing.counts.get("dead", 0),
        "p95_seconds": standing.p95 or None,
        "rate": {"used": f"{standing.per_second:.1f}", "limit": None if limit is None else f"{limit:g}", "per": "s"},
        "concurrency": system.limits.concurrency if system else None,
        "paused_by": standing.stopped_by if standing.state == "paused" else None,
        "stopped_by": standing.stopped_by,
        "run_by": (system.run_by if system else "") or None,
        "last_ok": utc(standing.last_ok_at),
        "last_error": None
        if standing.last_error is None
        else {"at": utc(standing.last_error_at), "kind": standing.last_error_code, "text": standing.last_error},
    }


@app.command(name="probe", cls=Command, epilog="Example: erpsync systems probe tax")
def probe(ctx: typer.Context, system: Name, *, output: AnswerFormat = Answer.TABLE) -> int:
    """Ask a system whether it is up and lets us in; when it does, its breaker closes."""
    bench = workbench(ctx)
    bench.system(system)
    from erpsync.engine.upkeep.systems import probe as probe_system  # noqa: PLC0415  (the engine: only for acts)

    try:
        with under_way(f"asking {safe(system)}", quiet=output is Answer.JSON):
            bench.open_to_write("systems probe", create=True)
            result = bench.wait_for(lambda: probe_system(bench, system))
    except CallError as error:
        ok, seconds, text, waiting = False, None, error.message, 0
    else:
        ok, seconds, text, waiting = result.ok, result.seconds, result.text, result.waiting
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "systems.probe",
                system=system,
                up=ok,
                seconds=None if seconds is None else f"{seconds:.3f}",
                text=text or None,
                waiting=waiting,
            )
        )
    elif ok:
        go = f"; {plural(waiting, 'message')} go{'es' if waiting == 1 else ''} now" if waiting else ""
        said = f" ({safe(text, limit=100)})" if text else ""
        say(f"{safe(system)} is up: answered in {took(seconds)}{said}{go}")
        if waiting:
            say("next: erpsync run --until-idle")
    else:
        after = f" in {took(seconds)}" if seconds is not None else ""
        say(f"{safe(system)} did not answer well{after}: {safe(text, limit=200)}")
        say(f"next: erpsync systems list --where {command_line(f'system = {system}')}")
    return 0 if ok else UNREACHABLE


@app.command(name="resume", cls=Command, epilog="Example: erpsync systems resume shop --reason 'new token set'")
def resume(
    ctx: typer.Context, system: Name, *, reason: Reason = "", yes: Yes = False, output: AnswerFormat = Answer.TABLE
) -> None:
    """Let a stopped, paused or down system be tried again, one message first."""
    from erpsync.store.connection import ms  # noqa: PLC0415  (as above)
    from erpsync.store.reading.systems import standings  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("systems resume")
    bench.system(system)
    with bench.store.read() as db:
        rows = standings(db, bench.landscape.company, now_ms=ms(bench.now()), names=[system])
    if not rows or rows[0].state == "up":
        raise UsageError(f"system {system} is up: there is nothing to resume", hint="erpsync systems list")
    standing = rows[0]
    if output is Answer.TABLE:
        since = clock(bench)
        say(
            f"{safe(system)} is {standing.state} since {since.both(standing.since)}; {plural(standing.due, 'message')} wait."
        )
        if standing.last_error:
            say(f"last error  {safe(standing.last_error, limit=200)}")
    ask(bench, "resume", what=safe(system), answer=safe(system), yes=yes)
    from erpsync.engine.upkeep.systems import resume as resume_system  # noqa: PLC0415  (the engine: only for acts)

    bench.open_to_write("systems resume")
    resume_system(bench, system, actor=bench.actor, reason=reason, command=bench.command)
    if output is Answer.JSON:
        emit(envelope(bench, "systems.resume", system=system, from_state=standing.state, state="up"))
    else:
        say(f"{safe(system)} is up again, one message first.", "next: erpsync run --until-idle")
