"""``flows``: what each carries, what waits along it, and pausing some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.flows_acts import pause, resume
from erpsync.cli.listings import listing
from erpsync.cli.options import Format, Limit, Output, Raw, Sort, Where
from erpsync.cli.output import command_line, utc
from erpsync.cli.pausing import pause_text
from erpsync.cli.selecting import clock, filtered
from erpsync.cli.tables import Column
from erpsync.cli.wording import waiting_seconds
from erpsync.terminal import Clock, count, duration, plural, safe

if TYPE_CHECKING:
    from datetime import datetime

    from erpsync.config.landscape import Flow
    from erpsync.store.reading.flows import FlowStanding, Reading
    from erpsync.store.reading.stops import Stops
    from erpsync.workbench import Workbench

app = group("flows", "What is carried from where to where: list, pause, resume.")


@dataclass(frozen=True)
class _Row:
    """One flow; ``flow`` None: the landscape does not have it any more. ``reading`` None: its source was never read."""

    standing: FlowStanding
    flow: Flow | None
    reading: Reading | None
    still: Stops

    @property
    def name(self) -> str:
        return self.standing.name

    @property
    def targets(self) -> list[str]:
        return list(self.flow.targets) if self.flow is not None else sorted(self.standing.counts)

    @property
    def state(self) -> str:
        """active, paused, off (by the landscape), or gone from it."""
        if self.flow is None:
            return "gone"
        return "paused" if self.standing.paused_at is not None else self.flow.mode


@app.command(name="list", cls=Command, epilog="Example: erpsync flows list --where 'due > 0 or state = paused'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Every flow, as the landscape has them: whether it moves, when its source was last read, what waits along it.

    One that the landscape no longer has is ``gone``, and shown as long as something along it is not done with.
    """
    bench = workbench(ctx)
    every = _rows(bench)
    times = clock(bench)
    rows = filtered(
        bench, every, lambda row: _values(row, times), where=where, sort=sort, subject="flows", fields=FIELDS
    )
    paused = [row for row in rows if row.standing.paused_at is not None]
    remarks = [plural(len(every), "flow") + "".join(f"; {safe(row.name)} {_by(row)}" for row in paused)]
    shown = rows[:limit] if limit else rows
    if paused:
        remarks.append(f"next: {command_line('erpsync', 'flows', 'resume', paused[0].name)}")
    elif shown:
        remarks.append("next: erpsync status")
    listing(
        bench,
        "flows.list",
        shown,
        total=len(rows),
        columns=_columns(times),
        item=lambda row: _item(row, bench.now()),
        identity=lambda row: row.name,
        output=output,
        raw=raw,
        remarks=remarks,
    )


FIELDS = (
    "dead",
    "due",
    "every",
    "flow",
    "from",
    "held",
    "kind",
    "mode",
    "paused_by",
    "read",
    "state",
    "to",
    "unknown",
    "waiting",
)


def _rows(bench: Workbench) -> list[_Row]:
    from erpsync.store.reading.flows import FlowStanding, flow_standings, readings  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.stops import stops  # noqa: PLC0415  (as above)

    landscape = bench.landscape
    with bench.store.read() as db:
        known, read, still = flow_standings(db, landscape.company), readings(db, landscape.company), stops(db)
    rows = [
        _Row(known.pop(flow.name, FlowStanding(flow.name)), flow, read.get((flow.source, flow.kind)), still)
        for flow in landscape.flows
    ]
    return rows + [_Row(standing, None, None, still) for standing in known.values() if standing.is_open]


def _values(row: _Row, times: Clock) -> dict[str, object]:
    flow, standing = row.flow, row.standing
    return {
        "dead": standing.counted("dead"),
        "due": standing.due,
        "every": flow.every if flow else None,
        "flow": row.name,
        "from": flow.source if flow else "",
        "held": standing.counted("held"),
        "kind": flow.kind if flow else "",
        "mode": flow.mode if flow else "",
        "paused_by": standing.paused_by or "",
        "read": row.reading.read_at if row.reading else None,
        "state": row.state,
        "to": ",".join(row.targets),
        "unknown": standing.counted("unknown"),
        "waiting": times.now - standing.oldest if standing.oldest else None,
    }


def _by(row: _Row) -> str:
    return pause_text("both", row.standing.paused_by)


def _columns(times: Clock) -> list[Column[_Row]]:
    return [
        Column("FLOW", lambda row: safe(row.name)),
        Column("KIND", lambda row: safe(row.flow.kind) if row.flow else "-", rank=5),
        Column("FROM", lambda row: safe(row.flow.source) if row.flow else "-"),
        Column("TO", lambda row: safe(", ".join(row.targets)) or "-", most=40),
        Column("STATE", lambda row: row.state),
        Column("EVERY", lambda row: duration(row.flow.every.total_seconds()) if row.flow else "-", right=True, rank=4),
        Column("READ", lambda row: times.lasting(row.reading.read_at) if row.reading else "-", right=True),
        Column("DUE", lambda row: count(row.standing.due), right=True),
        Column("OLDEST", lambda row: times.lasting(row.standing.oldest), right=True, rank=2),
        Column("HELD", lambda row: count(row.standing.counted("held")), right=True, rank=1),
        Column("UNKNOWN", lambda row: count(row.standing.counted("unknown")), right=True, rank=3),
        Column("DEAD", lambda row: count(row.standing.counted("dead")), right=True),
        Column("NOTE", lambda row: _note(row, times), free=True),
    ]


def _note(row: _Row, times: Clock) -> str:
    """Why it does not move, as far as that is known: who paused it, what stands still, what reading met."""
    notes = []
    standing, flow = row.standing, row.flow
    if standing.paused_at is not None:
        why = f": {safe(standing.pause_reason, limit=80)}" if standing.pause_reason else ""
        notes.append(f"{_by(row)}, {times.lasting(standing.paused_at)}{why}")
    if flow is None:
        notes.append("the landscape has no such flow any more")
    elif flow.mode == "active":
        if state := row.still.unread.get(flow.source, ""):
            notes.append(f"{safe(flow.source)} is not read: {state}")
        notes += [f"{safe(name)} is {state}" for name in row.targets if (state := row.still.state_of(name))]
        if row.reading is None or row.reading.read_at is None:
            notes.append("never read")
        if row.reading is not None and row.reading.error:
            notes.append(f"reading fails: {safe(row.reading.error, limit=80)}")
    return "; ".join(notes) or "-"


def _item(row: _Row, now: datetime) -> dict[str, object]:
    flow, standing, reading = row.flow, row.standing, row.reading
    return {
        "flow": row.name,
        "kind": flow.kind if flow else None,
        "from": flow.source if flow else None,
        "to": row.targets,
        "mode": flow.mode if flow else None,
        "state": row.state,
        "every_seconds": int(flow.every.total_seconds()) if flow else None,
        "due": standing.due,
        "held": standing.counted("held"),
        "unknown": standing.counted("unknown"),
        "dead": standing.counted("dead"),
        "oldest_due_seconds": waiting_seconds(now, standing.oldest) if standing.oldest else None,
        "read": utc(reading.read_at) if reading else None,
        "full_read": utc(reading.full_read_at) if reading else None,
        "read_due": utc(reading.due_at) if reading else None,
        "read_error": (reading.error or None) if reading else None,
        "paused_by": standing.paused_by,
        "paused_at": utc(standing.paused_at),
        "pause_reason": standing.pause_reason or None,
        "targets": [
            {
                "system": name,
                "state": row.still.state_of(name) or "up",
                "due": counts.get("ready", 0) + counts.get("leased", 0),
                "held": counts.get("held", 0),
                "unknown": counts.get("unknown", 0),
                "dead": counts.get("dead", 0),
            }
            for name in row.targets
            for counts in (standing.counts.get(name, {}),)
        ],
    }


app.command(
    name="pause",
    cls=Command,
    epilog="Examples\n  a wrong mapping is out:   erpsync flows pause items --reason 'prices are wrong'\n"
    "  all of them:              erpsync flows list -o ids --where 'state = active' | erpsync flows pause -",
)(pause)
app.command(name="resume", cls=Command, epilog="Example: erpsync flows resume items --reason 'prices are mended'")(
    resume
)
