"""``messages``: what is on its way, one of them, and settling a lost answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli import evidence
from erpsync.cli.asking import ask
from erpsync.cli.classes import once_of
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.options import HOW, Answer, AnswerFormat, Format, Full, Limit, Output, Reason, Sort, Where, Yes, one_id
from erpsync.cli.output import command_line, emit, envelope, listing, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, count_line, one_currency, selection, stake_json, stake_text
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.cli.wording import message_item, next_lines, next_of_message, state_words, waits_for
from erpsync.errors import UsageError
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

app = group("messages", "What is on its way to each system, and what became of it.")
_WHY_ROOM = 60


@app.command(
    name="list", cls=Command, epilog="Example: erpsync messages list --where 'state = unknown or waiting > 1h'"
)
def list_(
    ctx: typer.Context, *, where: Where = "", limit: Limit = None, sort: Sort = "", output: Format = Output.TABLE
) -> None:
    """Messages, the newest first."""
    from erpsync.store.reading.messages import messages  # noqa: PLC0415  (not for help)
    from erpsync.store.systems import systems  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    with bench.store.read() as db:
        page = messages(db, selection(bench, where, limit=limit, sort=sort, output=output))
        states = {name: row.state for name, row in systems(db).items()}
    times, usual = clock(bench), bench.landscape.currency
    remarks = [count_line(len(page.items), page.total, page.everything, "message", times=times)]
    if page.items:
        remarks.append(f"next: erpsync messages show {page.items[0].message_id}")
    listing(
        bench,
        "messages.list",
        page.items,
        total=page.total,
        columns=_columns(page.items, times, usual, states),
        item=lambda row: message_item(row, now=bench.now(), usual=usual),
        identity=lambda row: str(row.message_id),
        output=output,
        remarks=remarks,
    )


def _columns(
    rows: tuple[MessageRow, ...], times: Clock, usual: str, states: dict[str, str]
) -> list[Column[MessageRow]]:
    currency = one_currency((row.currency for row in rows), usual=usual)
    return [
        Column("ID", lambda row: str(row.message_id), right=True),
        Column("KEY", lambda row: safe(row.key), most=KEY_ROOM),
        Column("SYSTEM", lambda row: safe(row.system)),
        Column("STATE", lambda row: row.state),
        Column("WHY", lambda row: _why(row, times, states.get(row.system, "up")), rank=2, most=_WHY_ROOM),
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


def _why(row: MessageRow, times: Clock, system_state: str) -> str:
    if row.state in ("held", "ready"):
        return f"for {waits_for(row, times, system_state=system_state)}"
    return state_words(row).partition(": ")[2] or "-"


@app.command(name="show", cls=Command, epilog="Example: erpsync messages show 42790")
def show(
    ctx: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="a message", show_default=False)],
    *,
    full: Full = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One message: its state and why, its tries, what it says."""
    from erpsync.store.reading.attempts import attempts  # noqa: PLC0415  (as above)
    from erpsync.store.reading.letters import around  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.line import line_behind  # noqa: PLC0415  (as above)
    from erpsync.store.reading.messages import message as message_of  # noqa: PLC0415  (as above)
    from erpsync.store.systems import systems  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    with bench.store.read() as db:
        row = message_of(db, bench.landscape.company, one_id(message))
        line = line_behind(db, [row.message_id]) if row.state not in ("done", "skipped") else None
        tries = attempts(db, [row.message_id])
        found = around(db, row.message_id)
        standing = systems(db).get(row.system)
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
                run=run[0],
            )
        )
        return
    say(
        f"message {row.message_id} is {_stands(row)}: {safe(row.key)} to {safe(row.system)}, since {times.both(row.state_at)}.",
        "",
    )
    if row.state not in ("done", "skipped"):
        say(f"waits   for {waits_for(row, times, system_state=standing.state if standing else 'up')}")
    if row.error:
        say(f"cause   {safe(row.error, limit=None if full else 300)}")
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


def _stands(row: MessageRow) -> str:
    state, _, reason = state_words(row).partition(": ")
    return f"{state} ({reason})" if reason else state


def _stake(row: MessageRow, line: Line | None) -> str:
    own = stake_text(row.stake, row.currency, beside=True)
    return own if line is None or not line.count else f"{own}; {line.text} wait behind it, {amounts(line.stakes)}"


@app.command(
    name="settle",
    cls=Command,
    epilog="Example: erpsync messages settle 46480 --delivered BI-55310 --reason 'seen in billing'",
)
def settle(
    ctx: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="a message whose answer was lost", show_default=False)],
    *,
    delivered: Annotated[
        str | None,
        typer.Option("--delivered", metavar="FAR_ID", help="it arrived: what the system calls it", rich_help_panel=HOW),
    ] = None,
    not_delivered: Annotated[
        bool,
        typer.Option("--not-delivered", help="it did not arrive: send it again; needs --reason", rich_help_panel=HOW),
    ] = False,
    reason: Reason = "",
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Say what became of a lost answer; without a flag a system that can be asked is asked now."""
    from erpsync.store.reading.messages import message as message_of  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("messages settle")
    message_id = one_id(message)
    if delivered is not None and not_delivered:
        raise UsageError(
            "--delivered and --not-delivered say opposite things", hint="one of them; neither: the system is asked"
        )
    if not_delivered and not reason.strip():
        raise UsageError(
            "--not-delivered needs --reason: the document is sent again", hint="--reason 'looked in billing, not there'"
        )
    if delivered is not None and not delivered.strip():
        raise UsageError("--delivered needs the system's own number", hint="--delivered BI-55310")
    with bench.store.read() as db:
        row = message_of(db, bench.landscape.company, message_id)
    if row.state != "unknown":
        raise UsageError(
            f"message {message_id} is not unknown, it is {row.state}", hint=f"erpsync messages show {message_id}"
        )
    from erpsync.engine.deliver import by_hand  # noqa: PLC0415  (the engine: only for acts)

    if delivered is None and not not_delivered:
        with under_way(f"asking {safe(row.system)}", quiet=output is Answer.JSON):
            bench.open_to_write("messages settle")
            settled = bench.wait_for(lambda: by_hand.ask_now(bench, message_id))
    else:
        belief = (
            f"delivered as {safe(delivered, limit=40)}" if delivered is not None else "not delivered: it is sent again"
        )
        if output is Answer.TABLE:
            say(f"Would settle message {message_id}, {safe(row.key)} to {safe(row.system)}: {belief}.")
            say(
                f"stake  {stake_text(row.stake, row.currency, beside=True)}",
                "undo   no: what is believed of a system is not taken back",
            )
        ask(
            bench,
            "settle",
            what=f"message {message_id} as {'delivered' if delivered is not None else 'not delivered'}",
            answer=str(message_id),
            yes=yes,
            left="left; nothing was settled",
        )
        bench.open_to_write("messages settle")
        settled = by_hand.settle(
            bench,
            message_id,
            delivered=delivered,
            not_delivered=not_delivered,
            actor=bench.actor,
            reason=reason,
            command=bench.command,
        )
    _say_settled(bench, row, settled, output)


def _say_settled(bench: Workbench, row: MessageRow, settled: object, output: Answer) -> None:
    state, far_id = str(getattr(settled, "state", "")), getattr(settled, "far_id", None)
    closed = [f"E-{number}" for number in getattr(settled, "closed", ())]
    act = getattr(settled, "act", None)
    act_id = None if act is None else str(act) if str(act).startswith("A-") else f"A-{act}"
    usual = bench.landscape.currency
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "messages.settle",
                message=row.message_id,
                from_state=row.state,
                state=state,
                key=row.key,
                far_id=far_id or None,
                at_stake=stake_json(0 if state == "done" else row.stake, row.currency, usual=usual),
                act=act_id,
                closed=closed,
                undo={"possible": False, "why": "what is believed of a far system is not taken back"},
            )
        )
        return
    who = f" ({act_id}, {safe(bench.actor)})" if act_id else ""
    match state:
        case "done":
            known = (
                f"{safe(row.key)} is {safe(far_id)} in {safe(row.system)}"
                if far_id
                else f"{safe(row.key)} is in {safe(row.system)}"
            )
            say(f"{row.message_id} is done: {known}{who}.")
            if row.stake:
                say(f"{stake_text(row.stake, row.currency, beside=True)} is no longer at stake.")
        case "unknown":
            say(
                f"{row.message_id} is still unknown: {safe(row.system)} was asked, and the answer is not to be believed yet{who}."
            )
        case _:
            say(f"{row.message_id} is {state}: {safe(row.key)} was not in {safe(row.system)}, it is sent again{who}.")
    if closed:
        say(f"{', '.join(closed)} {'is' if len(closed) == 1 else 'are'} closed.")
    say(f"next: {command_line('erpsync', 'trace', row.key)}" if state == "done" else "next: erpsync run --until-idle")
