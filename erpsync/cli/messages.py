"""``messages``: what is on its way, and one of them with its tries; the acts on them are at home in rooms of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli import evidence
from erpsync.cli.classes import once_of
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.messages_acts import hold, release, skip
from erpsync.cli.options import OUTPUT, Answer, AnswerFormat, Format, Full, Limit, Output, Raw, Sort, Where, one_id
from erpsync.cli.output import emit, envelope, say, utc, warn
from erpsync.cli.selecting import clock, count_line, one_currency, selection, stake_text
from erpsync.cli.settling import settle
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.cli.wording import message_item, next_lines, next_of_message, state_words, waits_for
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.store.reading.attempts import Attempt
    from erpsync.store.reading.audit import Act
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.store.reading.stops import Stops
    from erpsync.workbench import Workbench

app = group("messages", "What is on its way to each system, and what became of it.")
_WHY_ROOM = 60


@app.command(
    name="list", cls=Command, epilog="Example: erpsync messages list --where 'state = unknown or waiting > 1h'"
)
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Messages, the newest first."""
    from erpsync.store.reading.messages import messages  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.stops import stops  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    with bench.store.read() as db:
        page = messages(db, selection(bench, where, limit=limit, sort=sort, output=output))
        still = stops(db)
    times, usual = clock(bench), bench.landscape.currency
    remarks = [count_line(len(page.items), page.total, page.everything, "message", times=times)]
    if page.items:
        remarks.append(f"next: erpsync messages show {page.items[0].message_id}")
    listing(
        bench,
        "messages.list",
        page.items,
        total=page.total,
        columns=_columns(page.items, times, usual, still),
        item=lambda row: message_item(row, now=bench.now(), usual=usual),
        identity=lambda row: str(row.message_id),
        output=output,
        raw=raw,
        remarks=remarks,
    )


def _columns(rows: tuple[MessageRow, ...], times: Clock, usual: str, still: Stops) -> list[Column[MessageRow]]:
    currency = one_currency((row.currency for row in rows), usual=usual)
    return [
        Column("ID", lambda row: str(row.message_id), right=True),
        Column("KEY", lambda row: safe(row.key), most=KEY_ROOM),
        Column("SYSTEM", lambda row: safe(row.system)),
        Column("STATE", lambda row: row.state),
        Column("WHY", lambda row: _why(row, times, still), rank=2, most=_WHY_ROOM),
        Column("SINCE", lambda row: times.since(row.state_at), rank=3),
        Column("FOR", lambda row: times.lasting(row.state_at), right=True, rank=1),
        Column("TRIES", lambda row: str(row.tries), right=True, rank=4),
        Column(
            f"STAKE {currency}" if currency else "STAKE",
            lambda row: stake_text(row.stake, row.currency, beside=currency is None),
            right=True,
        ),
        Column("ERROR", lambda row: safe(row.error) or "-", free=True, wide=120),
    ]


def _why(row: MessageRow, times: Clock, still: Stops) -> str:
    if row.state in ("held", "ready"):
        return f"for {waits_for(row, times, still)}"
    return state_words(row).partition(": ")[2] or "-"


@app.command(name="show", cls=Command, epilog="Example: erpsync messages show 42790")
def show(
    ctx: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="a message", show_default=False)],
    *,
    full: Full = False,
    curl: Annotated[
        bool,
        typer.Option("--curl", help="its last try as a curl command for bash, without secrets", rich_help_panel=OUTPUT),
    ] = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One message: its state and why, its tries, what it says."""
    from erpsync.store.reading.attempts import attempts  # noqa: PLC0415  (as above)
    from erpsync.store.reading.audit import act_of_message  # noqa: PLC0415  (as above)
    from erpsync.store.reading.letters import around  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.line import line_behind  # noqa: PLC0415  (as above)
    from erpsync.store.reading.messages import message as message_of  # noqa: PLC0415  (as above)
    from erpsync.store.reading.stops import stops  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    with bench.store.read() as db:
        row = message_of(db, bench.landscape.company, one_id(message))
        line = line_behind(db, [row.message_id]) if row.state not in ("done", "skipped") else None
        tries = attempts(db, [row.message_id])
        found = around(db, row.message_id)
        still = stops(db)
        act = act_of_message(db, bench.landscape.company, row)
    command = _curl(bench, row, tries) if curl else None
    if command is not None and output is Answer.TABLE:
        say(command, whole=True)
        return
    times, usual = clock(bench), bench.landscape.currency
    content = found.sent or found.record
    currency = evidence.currency_of(found.record)
    run = next_of_message(row, once=once_of(bench, row.system, row.kind))
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "messages.show",
                message=message_item(row, now=bench.now(), usual=usual),
                attempts=[evidence.attempt_item(attempt) for attempt in tries],
                payload=evidence.exact_fields(content, currency),
                line_behind=None if line is None else line.count,
                by=None if act is None else _by_item(act),
                curl=command,
                run=run[0],
            )
        )
        return
    say(
        f"message {row.message_id} is {_stands(row)}: {safe(row.key)} to {safe(row.system)}, since {times.both(row.state_at)}.",
        "",
    )
    if row.state not in ("done", "skipped"):
        say(f"waits   for {waits_for(row, times, still)}")
    if row.error:
        say(f"cause   {safe(row.error, limit=None if full else 300)}")
    if act is not None:
        said = f": {safe(act.reason, limit=None if full else 200)}" if act.reason else ""
        say(f"by      {safe(act.actor)}, {safe(act.what)}{said} ({safe(act.act_id)})")
    say(f"stake   {_stake(row, line)}")
    if row.event_id is not None:
        say(f"event   {row.event_id} from {safe(row.source or '-')}")
    say(f"lane    {safe(row.system)}, {safe(row.lane)}{', at its head' if row.is_head else ''}")
    if row.far_id:
        say(f"far id  {safe(row.far_id)}")
    say(
        "",
        *evidence.tries(tries, row.system, times, full=full, known=row.error),
        "",
        "what it says",
        *evidence.fields(content, currency, full=full),
        "",
    )
    say(*next_lines(row, run))


def _curl(bench: Workbench, row: MessageRow, tries: Sequence[Attempt]) -> str:
    from erpsync.cli.curl import curl_command  # noqa: PLC0415  (seldom asked for)

    command = curl_command(bench, row, tries)
    for text in command.warnings:
        warn(text)
    return command.text


def _by_item(act: Act) -> dict[str, object]:
    told = {"act": act.act_id, "actor": act.actor, "what": act.what, "at": utc(act.at), "reason": act.reason or None}
    return dict(told)


def _stands(row: MessageRow) -> str:
    state, _, reason = state_words(row).partition(": ")
    return f"{state} ({reason})" if reason else state


def _stake(row: MessageRow, line: Line | None) -> str:
    own = stake_text(row.stake, row.currency, beside=True)
    return (
        own
        if line is None or not line.count
        else f"{own}; {line.text} wait{'s' if line.count == 1 else ''} behind it, {amounts(line.stakes)}"
    )


app.command(
    name="settle",
    cls=Command,
    epilog="Example: erpsync messages settle 46480 --delivered BI-55310 --reason 'seen in billing'",
)(settle)
app.command(name="hold", cls=Command, epilog="Example: erpsync messages hold 42790 --reason 'price in question'")(hold)
app.command(name="release", cls=Command, epilog="Example: erpsync messages release 42790")(release)
app.command(
    name="skip", cls=Command, epilog="Example: erpsync messages skip 42790 --line go --reason 'entered by hand'"
)(skip)
