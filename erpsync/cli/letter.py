"""One dead letter, whole: why it died, what was asked and answered, what it would change, what waits behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli import evidence
from erpsync.cli.commands import workbench
from erpsync.cli.options import Answer, AnswerFormat, Full, one_id
from erpsync.cli.output import emit, envelope, room, say, utc
from erpsync.cli.selecting import clock, stake_text, stakes_json
from erpsync.cli.tables import KEY_ROOM, Column, table
from erpsync.cli.wording import dead_sentence, key_text, message_item, wait_text, waits_for
from erpsync.errors import UsageError
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow

_IN_SHOW = 20


def show(
    ctx: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="a dead letter", show_default=False)],
    *,
    full: Full = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One dead letter: why it died, what was asked and answered, what waits behind it."""
    from erpsync.store.reading import letters as around  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.attempts import attempts  # noqa: PLC0415  (as above)
    from erpsync.store.reading.events import event as event_of  # noqa: PLC0415  (as above)
    from erpsync.store.reading.line import line_behind, members_behind  # noqa: PLC0415  (as above)
    from erpsync.store.reading.messages import message as message_of  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    message_id, company = one_id(message), bench.landscape.company
    with bench.store.read() as db:
        row = message_of(db, company, message_id)
        if row.state != "dead":
            raise UsageError(
                f"message {message_id} is not dead, it is {row.state}", hint=f"erpsync messages show {message_id}"
            )
        event = event_of(db, company, row.event_id) if row.event_id is not None else None
        line = line_behind(db, [message_id])
        members = members_behind(db, message_id, limit=10_000 if full else _IN_SHOW)
        tries = attempts(db, [message_id])
        found = around.around(db, message_id)
    changes = around.changes(found, refused_field=row.error_field)
    times, usual = clock(bench), bench.landscape.currency
    currency = evidence.currency_of(found.record)
    again = f"erpsync replay {message_id} --dry-run"
    if output is Answer.JSON:
        item = message_item(row, now=bench.now(), usual=usual)
        emit(
            envelope(
                bench,
                "dlq.show",
                message=item,
                event=None
                if event is None
                else {"id": event.event_id, "from": event.system, "at": utc(event.received_at), "mapping": None},
                attempts=[evidence.attempt_item(attempt) for attempt in tries],
                payload=evidence.exact_fields(found.sent or found.record, currency),
                last_delivered=None if found.held is None else evidence.exact_fields(found.held, currency),
                changes=[
                    {
                        "field": change.field,
                        "from": evidence.exact(change.field, change.before, currency),
                        "to": evidence.exact(change.field, change.after, currency),
                        "refused": change.refused,
                    }
                    for change in changes
                ],
                line_behind=[
                    {
                        "id": member.message_id,
                        "step": None,
                        "key": member.key,
                        "system": member.system,
                        "state": member.state,
                        "since": utc(member.state_at),
                        "waits": [wait.waits_on or wait.reason for wait in member.waits],
                    }
                    for member in members
                ],
                line_total=line.count,
                line_more=line.more,
                line_at_stake=stakes_json(line.stakes, usual=usual),
                stops=None,
                run=again,
            )
        )
        return
    say(dead_sentence(row, times), "")
    say(f"cause   {safe(row.error or row.reason, limit=None if full else 300)}")
    if row.error_field:
        say(f"field   {safe(row.error_field)}")
    say(f"stake   {_stake_line(row, line)}")
    if event is not None:
        say(f"event   {event.event_id} from {safe(event.system)} at {times.exact(event.received_at)}")
    say(f"lane    {safe(row.system)}, {safe(row.lane)}", "")
    say(*evidence.tries(tries, row.system, times, full=full, known=row.error), "")
    if changes:
        has = (
            f"it knows it as {safe(found.far_id)}"
            if found.far_id
            else f"it has no {key_text(row.key)} yet"
            if found.held is None
            else "it has it"
        )
        shown = changes if full else changes[:_IN_SHOW]
        say(f"what would change in {safe(row.system)} ({has})", *evidence.changes(shown, currency))
        if len(changes) > len(shown):
            say(f"  {len(shown)} of {len(changes)} fields; all: erpsync dlq show {message_id} --full")
        say("")
    if members:
        say("the line behind, in order", *table(_member_columns(times), members, room=None if full else room()))
        if len(members) < line.count:
            say(f"  {len(members)} of {line.text}; all: erpsync dlq show {message_id} --full")
        say("")
    say(_next(row, message_id))


def _stake_line(row: MessageRow, line: Line) -> str:
    own = stake_text(row.stake, row.currency, beside=True)
    if not line.count:
        return f"{own}; nothing waits behind it"
    return f"{own}; {line.text} {'message waits' if line.count == 1 else 'messages wait'} behind it, {amounts(line.stakes)}"


def _member_columns(times: Clock) -> list[Column[MessageRow]]:
    return [
        Column(" ", lambda _: ""),
        Column("ID", lambda member: str(member.message_id), right=True),
        Column("WHAT", lambda member: safe(member.key), most=KEY_ROOM),
        Column("STATE", lambda member: member.state),
        Column("SINCE", lambda member: times.since(member.state_at)),
        Column("FOR", lambda member: times.lasting(member.state_at), right=True),
        Column(
            "WAITS FOR", lambda member: ", ".join(map(wait_text, member.waits)) or waits_for(member, times), free=True
        ),
    ]


def _next(row: MessageRow, message_id: int) -> str:
    again = f"erpsync replay {message_id} --dry-run"
    if row.reason in ("refused", "unmappable"):
        return f"next: mend the cause, then\n      {again}"
    if row.reason == "poison":
        return f"next: look why the workers named ended, since the next one may too, then\n      {again}"
    return f"next: {again}"
