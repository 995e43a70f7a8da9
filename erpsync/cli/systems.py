"""``systems list``: how each stands; what can be done with one is in ``systems_acts``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from erpsync.cli.classes import classes, writes
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import Format, Limit, Output, Raw, Sort, Where
from erpsync.cli.output import command_line, utc
from erpsync.cli.selecting import clock, filtered
from erpsync.cli.status import state_text
from erpsync.cli.systems_acts import pause, probe, resume
from erpsync.cli.tables import Column
from erpsync.cli.wording import waiting_seconds
from erpsync.terminal import Clock, plural, safe

if TYPE_CHECKING:
    from erpsync.config.landscape import System
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.workbench import Workbench

app = group("systems", "The connected systems: state, probe, pause, resume.")


@dataclass(frozen=True)
class _Row:
    standing: SystemStanding
    system: System | None


@app.command(name="list", cls=Command, epilog="Example: erpsync systems list --where 'state != up'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
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
    unwell = [row for row in rows if row.standing.shown_state in ("down", "stopped", "paused")]
    remarks = [f"{plural(len(every), 'system')}" + "".join(f"; {_unwell(row, times)}" for row in unwell)]
    if unwell:
        act = "resume" if unwell[0].standing.shown_state == "paused" else "probe"
        remarks.append(f"next: {command_line('erpsync', 'systems', act, unwell[0].standing.name)}")
    listing(
        bench,
        "systems.list",
        rows,
        total=total,
        columns=_columns(times, paused=any(row.standing.pause for row in rows)),
        item=lambda row: _item(bench, row),
        identity=lambda row: row.standing.name,
        output=output,
        raw=raw,
        remarks=remarks,
    )


FIELDS = (
    "adapter",
    "dead",
    "due",
    "error",
    "held",
    "pause",
    "paused_by",
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
        "pause": standing.pause,
        "paused_by": standing.paused_by or "",
        "role": row.system.role if row.system else "",
        "since": standing.shown_since,
        "state": standing.shown_state,
        "system": standing.name,
        "unknown": standing.counts.get("unknown", 0),
        "waiting": times.now - standing.shown_since,
        "writes": classes(row.system) if row.system else "",
    }


def _unwell(row: _Row, times: Clock) -> str:
    standing = row.standing
    failures = f", {plural(standing.failures, 'failure')} in a row" if standing.failures else ""
    return f"{safe(standing.name)} {state_text(standing, times)}{failures}"


def _columns(times: Clock, *, paused: bool) -> list[Column[_Row]]:
    by = [Column[_Row]("PAUSED BY", lambda row: safe(row.standing.paused_by or "-", limit=20), wide=120)]
    return [
        Column("SYSTEM", lambda row: safe(row.standing.name)),
        Column("ROLE", lambda row: row.system.role if row.system else "-", rank=3),
        Column("ADAPTER", lambda row: row.system.adapter if row.system else "-", rank=4),
        Column("WRITES", lambda row: safe(classes(row.system), limit=40) if row.system else "-", rank=1),
        Column("STATE", lambda row: _state(row.standing)),
        *(by if paused else ()),
        Column("SINCE", lambda row: times.since(row.standing.shown_since), rank=2),
        Column("FOR", lambda row: times.lasting(row.standing.shown_since), right=True),
        Column("DUE", lambda row: f"{row.standing.due:,}", right=True),
        Column("P95", lambda row: _p95(row.standing), right=True, rank=6),
        Column("RATE", _rate, right=True, rank=5),
        Column("LAST ERROR", lambda row: safe(row.standing.last_error or "-"), free=True, wide=120),
    ]


def _state(standing: SystemStanding) -> str:
    """``paused``, ``paused out``; what else it is stands behind it."""
    if not standing.pause:
        return standing.shown_state
    paused = "paused" if standing.pause == "both" else f"paused {standing.pause}"
    return paused if standing.state == "up" else f"{paused}, {standing.state}"


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
        "since": utc(standing.shown_since),
        "waiting_seconds": waiting_seconds(bench.now(), standing.shown_since),
        "due": standing.due,
        "held": standing.counts.get("held", 0),
        "unknown": standing.counts.get("unknown", 0),
        "dead": standing.counts.get("dead", 0),
        "p95_seconds": standing.p95 or None,
        "rate": {"used": f"{standing.per_second:.1f}", "limit": None if limit is None else f"{limit:g}", "per": "s"},
        "concurrency": system.limits.concurrency if system else None,
        "pause": standing.pause or None,
        "paused_by": standing.paused_by,
        "paused_at": utc(standing.paused_at),
        "pause_reason": standing.pause_reason or None,
        "stopped_by": standing.stopped_by,
        "run_by": (system.run_by if system else "") or None,
        "last_ok": utc(standing.last_ok_at),
        "last_error": None
        if standing.last_error is None
        else {"at": utc(standing.last_error_at), "kind": standing.last_error_code, "text": standing.last_error},
    }


app.command(name="probe", cls=Command, epilog="Example: erpsync systems probe tax")(probe)
app.command(
    name="pause",
    cls=Command,
    epilog="Examples\n  leave it alone altogether:     erpsync systems pause shop --reason 'their release'\n"
    "  send nothing, go on reading:   erpsync systems pause shop --out",
)(pause)
app.command(name="resume", cls=Command, epilog="Example: erpsync systems resume shop --reason 'new token set'")(resume)
