"""``lanes``: what stands in one line to one system, and why it does not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.options import Answer, AnswerFormat, Limit
from erpsync.cli.output import command_line, emit, envelope, remark, room, say, utc
from erpsync.cli.selecting import clock, stake_json, stakes_json
from erpsync.cli.tables import KEY_ROOM, Column, table
from erpsync.cli.wording import waiting_seconds, waits_for
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from erpsync.store.reading.lanes import LaneView
    from erpsync.store.reading.messages import MessageRow

app = group("lanes", "Who waits behind whom.")
_SHOWN = 50


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
    from erpsync.store.systems import systems  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    parsed = key_typed(bench, key)
    most = _SHOWN if limit is None else limit or 10_000
    with bench.store.read() as db:
        view = lane(db, parsed.company, system, f"{parsed.kind}:{parsed.number}", limit=most)
        states = {name: row.state for name, row in systems(db).items()}
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
    say(*_first_lines(view, times, states), "")
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
            lambda pair: waits_for(pair[1], times, system_state=states.get(pair[1].system, "up")),
            free=True,
        ),
    ]
    say(*table(columns, rows, room=room()))
    if len(view.behind) < view.line.count:
        remark(f"{len(view.behind):,} of {view.line.text} behind the head; more: --limit 0")
    head = view.head
    run = f"erpsync dlq show {head.message_id}" if head.state == "dead" else f"erpsync messages show {head.message_id}"
    say("", f"next: {run}")


def _first_lines(view: LaneView, times: Clock, states: dict[str, str]) -> list[str]:
    head = view.head
    if head is None:
        return []
    name = f"lane {safe(view.system)}, {safe(view.lane_key)}"
    since = f"({times.since(head.state_at)}, {times.lasting(head.state_at)})"
    if head.state in ("dead", "unknown", "held"):
        first = f"{name} stands still: its head {head.message_id} is {head.state} {since}."
    elif states.get(view.system, "up") in ("down", "stopped", "paused"):
        first = f"{name} waits: {safe(view.system)} is {states[view.system]}; its head {head.message_id} is {head.state} {since}."
    else:
        first = f"{name} moves: its head {head.message_id} is {head.state} {since}."
    if not view.line.count:
        return [first, "Nothing waits behind it."]
    verb = "waits" if view.line.count == 1 else "wait"
    return [first, f"{view.line.text} {verb} behind it, {amounts(view.line.stakes)}."]
