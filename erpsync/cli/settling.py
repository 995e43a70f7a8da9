"""``messages settle``: a person says what became of a lost answer, or has the system asked now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.asking import ask
from erpsync.cli.commands import workbench
from erpsync.cli.options import HOW, Answer, AnswerFormat, Reason, Yes, one_id
from erpsync.cli.output import command_line, emit, envelope, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import stake_json, stake_text
from erpsync.errors import UsageError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.engine.deliver.by_hand import Settled
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench


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


def _say_settled(bench: Workbench, row: MessageRow, settled: Settled, output: Answer) -> None:
    state, far_id = settled.state, settled.far_id
    closed = [f"E-{number}" for number in settled.closed]
    act_id = None if settled.act is None else f"A-{settled.act}"
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
