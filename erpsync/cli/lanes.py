"""``lanes``: those that do not move by themselves; and one, what stands in it and why it does not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import Answer, AnswerFormat, Format, Limit, Output, Raw, Sort, Where
from erpsync.cli.output import command_line, emit, envelope, remark, room, say, utc
from erpsync.cli.selecting import (
    clock,
    count_line,
    one_currency,
    selection,
    stake_json,
    stakes_json,
    sums_text,
)
from erpsync.cli.tables import KEY_ROOM, Column, table
from erpsync.cli.wording import cause_text, waiting_seconds, waits_for
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.store.reading.lanes import LaneView, StuckLane
    from erpsync.store.reading.messages import MessageRow
    from erpsync.store.reading.stops import Stops
    from erpsync.workbench import Workbench

app = group("lanes", "Who waits behind whom.")
_SHOWN = 50


@app.command(name="list", cls=Command, epilog="Example: erpsync lanes list --where 'system = erp and waiting > 1h'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Lanes that do not move by themselves: their head is dead, unknown or held. The most money first.

    A lane whose head waits for a system that is down moves when that is up again: systems list. Stake in a filter
    is the head's own; ids are those of the heads.
    """
    from erpsync.store.reading.lanes import WEIGHED, stuck_lanes  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        asked = selection(bench, where, limit=limit, sort=sort, output=output)
        found = stuck_lanes(db, asked, lines=output is not Output.IDS or bool(limit))
    times, usual, page = clock(bench), bench.landscape.currency, found.page
    remarks = [count_line(len(page.items), page.total, page.everything, "lane", times=times)]
    if not (found.weighed or sort):
        remarks.append(f"more than {WEIGHED}: they come by the money of their heads, not of what waits behind")
    if page.items:
        head = page.items[0].head
        remarks.append(f"next: {command_line('erpsync', 'lanes', 'show', head.system, head.lane)}")
    listing(
        bench,
        "lanes.list",
        page.items,
        total=page.total,
        columns=_list_columns(page.items, times, usual),
        item=lambda lane: _list_item(bench, lane),
        identity=lambda lane: str(lane.head.message_id),
        output=output,
        raw=raw,
        remarks=remarks,
    )


def _list_columns(lanes: Sequence[StuckLane], times: Clock, usual: str) -> list[Column[StuckLane]]:
    currency = one_currency((code for lane in lanes for code, _ in lane.line.whole), usual=usual)
    return [
        Column("TARGET", lambda lane: safe(lane.head.system)),
        Column("LANE", lambda lane: safe(lane.head.lane), most=KEY_ROOM),
        Column("HEAD", lambda lane: str(lane.head.message_id), right=True),
        Column("STATE", lambda lane: lane.head.state),
        Column("SINCE", lambda lane: times.since(lane.head.state_at), rank=2),
        Column("FOR", lambda lane: times.lasting(lane.head.state_at), right=True),
        Column("LINE", lambda lane: lane.line.text, right=True),
        Column(
            f"STAKE {currency}" if currency else "STAKE",
            lambda lane: sums_text(lane.line.whole, heading=currency),
            right=True,
        ),
        Column("WAITS FOR", lambda lane: waits_for(lane.head, times), free=True, rank=1),
        Column("CAUSE", lambda lane: cause_text(lane.head), free=True, wide=120),
    ]


def _list_item(bench: Workbench, lane: StuckLane) -> dict[str, object]:
    head, usual = lane.head, bench.landscape.currency
    return {
        "system": head.system,
        "lane": head.lane,
        "head": head.message_id,
        "key": head.key,
        "state": head.state,
        "cause": head.reason or None,
        "error": head.error or None,
        "since": utc(head.state_at),
        "waiting_seconds": waiting_seconds(bench.now(), head.state_at),
        "waits": [wait.waits_on or wait.reason for wait in head.waits],
        "line": lane.line.count,
        "line_more": lane.line.more,
        "line_at_stake": stakes_json(lane.line.stakes, usual=usual),
        "at_stake": stakes_json(lane.line.whole, usual=usual),
        "run": command_line("erpsync", "lanes", "show", head.system, head.lane),
    }


@app.command(name="show", cls=Command, epilog="Example: erpsync lanes show erp order:SO-1001")
def show(
    ctx: typer.Context,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="the target", show_default=False)],
    key: Annotated[str, typer.Argument(metavar="KEY", help="the key it queues under", show_default=False)],
    *,
    limit: Limit = None,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One lane: its head, and all that waits behind it at any depth, with the money."""
    from erpsync.cli.naming import key_typed  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.lanes import lane  # noqa: PLC0415  (as above)
    from erpsync.store.reading.stops import stops  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    parsed = key_typed(bench, key)
    most = _SHOWN if limit is None else limit or 10_000
    with bench.store.read() as db:
        view = lane(db, parsed.company, system, f"{parsed.kind}:{parsed.number}", limit=most)
        still = stops(db)
    times, usual = clock(bench), bench.landscape.currency
    if output is Answer.JSON:
        head = view.head
        emit(
            envelope(
                bench,
                "lanes.show",
                system=view.system,
                lane=view.lane_key,
                head=head and head.message_id,
                state=head and head.state,
                since=utc(head.state_at) if head else None,
                waiting_seconds=waiting_seconds(bench.now(), head.state_at) if head else None,
                line=view.line.count,
                line_more=view.line.more,
                at_stake=stakes_json(view.line.stakes, usual=usual),
                messages=[
                    {
                        "id": row.message_id,
                        "key": row.key,
                        "system": row.system,
                        "step": None,
                        "state": row.state,
                        "since": utc(row.state_at),
                        "waits": [wait.waits_on or wait.reason for wait in row.waits],
                        "at_stake": stake_json(row.stake, row.currency, usual=usual),
                    }
                    for row in ([head] if head else []) + list(view.behind)
                ],
            )
        )
        return
    if view.head is None:
        say(f"lane {safe(view.system)}, {safe(view.lane_key)} is empty: nothing waits.")
        if view.is_told:
            say(f"next: {command_line('erpsync', 'trace', view.lane_key)}")
        return
    say(*_first_lines(view, times, still), "")
    rows = [(n, row) for n, row in enumerate([view.head, *view.behind])]
    columns: list[Column[tuple[int, MessageRow]]] = [
        Column("    ", lambda pair: f"{pair[0]:,}" if pair[0] else "head"),
        Column("ID", lambda pair: str(pair[1].message_id), right=True),
        Column("WHAT", lambda pair: safe(pair[1].key), most=KEY_ROOM),
        Column("STATE", lambda pair: pair[1].state),
        Column("SINCE", lambda pair: times.since(pair[1].state_at), rank=1),
        Column("FOR", lambda pair: times.lasting(pair[1].state_at), right=True),
        Column(
            "WAITS FOR",
            lambda pair: waits_for(pair[1], times, still),
            free=True,
        ),
    ]
    say(*table(columns, rows, room=room()))
    if len(view.behind) < view.line.count:
        remark(f"{len(view.behind):,} of {view.line.text} behind the head; more: --limit 0")
    head = view.head
    run = f"erpsync dlq show {head.message_id}" if head.state == "dead" else f"erpsync messages show {head.message_id}"
    say("", f"next: {run}")


def _first_lines(view: LaneView, times: Clock, stops: Stops) -> list[str]:
    head = view.head
    if head is None:
        return []
    name = f"lane {safe(view.system)}, {safe(view.lane_key)}"
    since = f"({times.since(head.state_at)}, {times.lasting(head.state_at)})"
    if head.state in ("dead", "unknown", "held"):
        first = f"{name} stands still: its head {head.message_id} is {head.state} {since}."
    elif state := stops.state_of(view.system):
        first = f"{name} waits: {safe(view.system)} is {state}; its head {head.message_id} is {head.state} {since}."
    elif head.flow in stops.flows:
        first = f"{name} waits: flow {safe(head.flow)} is paused; its head {head.message_id} is {head.state} {since}."
    else:
        first = f"{name} moves: its head {head.message_id} is {head.state} {since}."
    if not view.line.count:
        return [first, "Nothing waits behind it."]
    verb = "waits" if view.line.count == 1 else "wait"
    return [first, f"{view.line.text} {verb} behind it, {amounts(view.line.stakes)}."]
