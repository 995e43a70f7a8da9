"""``events``: what systems told us, with the verdict; and reading again what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli import evidence
from erpsync.cli.acting import ids_or_where, refuse_too_many, show_first
from erpsync.cli.asking import ask
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.listings import listing
from erpsync.cli.options import (
    Answer,
    AnswerFormat,
    DryRun,
    Format,
    Full,
    Limit,
    MaybeIds,
    Output,
    Raw,
    Reason,
    Sort,
    Where,
    Yes,
    from_stdin,
    many_ids,
    one_id,
)
from erpsync.cli.output import command_line, emit, envelope, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, count_line, selection
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.cli.wording import key_text, waiting_seconds
from erpsync.errors import UsageError
from erpsync.terminal import Clock, plural, safe

if TYPE_CHECKING:
    from erpsync.store.reading.events import EventRow
    from erpsync.workbench import Workbench

app = group("events", "What systems told us, with the verdict on it.")
_SHOWN = 10


@app.command(
    name="list", cls=Command, epilog="Example: erpsync events list --where 'verdict = unreadable and from = shop'"
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
    """Events, the newest first."""
    from erpsync.store.reading.events import events  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        page = events(db, selection(bench, where, limit=limit, sort=sort, output=output))
    times = clock(bench)
    remarks = [count_line(len(page.items), page.total, page.everything, "event", times=times)]
    if page.items:
        remarks.append(f"next: erpsync events show {page.items[0].event_id}")
    listing(
        bench,
        "events.list",
        page.items,
        total=page.total,
        columns=_columns(times),
        item=lambda row: event_item(bench, row),
        identity=lambda row: str(row.event_id),
        output=output,
        raw=raw,
        remarks=remarks,
    )


def _columns(times: Clock) -> list[Column[EventRow]]:
    return [
        Column("ID", lambda row: str(row.event_id), right=True),
        Column("AT", lambda row: times.since(row.received_at)),
        Column("AGO", lambda row: times.lasting(row.received_at), right=True, rank=3),
        Column("FROM", lambda row: safe(row.system), rank=1),
        Column("KEY", lambda row: safe(row.key), most=KEY_ROOM),
        Column("VERDICT", lambda row: row.verdict.replace("_", " ") + (" (removed)" if row.removed else "")),
        Column("AGAIN", lambda row: f"{row.repeats:,}", right=True, rank=4),
        Column("DETAIL", lambda row: safe(row.detail) or "-", free=True, rank=2),
    ]


def event_item(bench: Workbench, row: EventRow) -> dict[str, object]:
    """An event in JSON."""
    return {
        "id": row.event_id,
        "key": row.key,
        "kind": row.kind,
        "from": row.system,
        "verdict": row.verdict,
        "detail": row.detail or None,
        "removed": row.removed,
        "far_id": row.far_id or None,
        "far_revision": row.far_revision,
        "source_event_id": row.source_event_id,
        "at": utc(row.at),
        "received": utc(row.received_at),
        "age_seconds": waiting_seconds(bench.now(), row.received_at),
        "repeats": row.repeats,
        "repeated": utc(row.repeated_at),
        "caused_by": row.caused_by,
    }


@app.command(name="show", cls=Command, epilog="Example: erpsync events show 28451 --full")
def show(
    ctx: typer.Context,
    event: Annotated[str, typer.Argument(metavar="ID", help="an event", show_default=False)],
    *,
    full: Full = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One event: what was told, how it was read, what became of it."""
    from erpsync.store.reading.events import event as event_of  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.events import event_contents  # noqa: PLC0415  (as above)
    from erpsync.store.reading.messages import messages_of_event  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    with bench.store.read() as db:
        row = event_of(db, bench.landscape.company, one_id(event))
        contents = event_contents(db, row.event_id)
        messages = messages_of_event(db, row.event_id)
    told = evidence.flat_of(contents.canonical)
    brought_back = row.verdict in _kept_verdicts()
    run = f"erpsync events apply {row.event_id}" if brought_back else command_line("erpsync", "trace", row.key)
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "events.show",
                event=event_item(bench, row),
                raw=evidence.text_of(contents.raw),
                canonical=None if told is None else evidence.exact_fields(told, evidence.currency_of(told)),
                messages=[
                    {"id": message.message_id, "system": message.system, "state": message.state} for message in messages
                ],
                run=run,
            )
        )
        return
    times = clock(bench)
    verdict = row.verdict.replace("_", " ")
    say(
        f"event {row.event_id} is {verdict}: {safe(row.system)} told of {safe(row.key)} at {times.both(row.received_at)}.",
        "",
    )
    if row.detail:
        say(f"detail    {safe(row.detail, limit=None if full else 300)}")
    if row.removed:
        say("removed   that system has it no more")
    if row.far_id:
        say(f"far id    {safe(row.far_id)}{f', revision {safe(row.far_revision)}' if row.far_revision else ''}")
    if row.at:
        say(f"its time  {times.exact(row.at)}")
    if row.repeats:
        say(f"again     {plural(row.repeats, 'time')}, last {times.exact(row.repeated_at)}: duplicates, dropped")
    for message in messages:
        say(f"message   {message.message_id} to {safe(message.system)}, {message.state}")
    if contents.raw:
        say("", "what was told", *evidence.content(contents.raw, mark="  < ", full=full))
    if told:
        say("", "as it was read", *evidence.fields(told, evidence.currency_of(told), full=full))
    say("", f"next: {run}")


def _kept_verdicts() -> tuple[str, ...]:
    from erpsync.domain.events import BROUGHT_BACK  # noqa: PLC0415  (not for help)

    return tuple(str(verdict) for verdict in BROUGHT_BACK)


@app.command(
    name="apply",
    cls=Command,
    epilog="Example: erpsync events apply --where 'verdict = unreadable and from = shop' --yes",
)
def apply(
    ctx: typer.Context,
    ids: MaybeIds = None,
    *,
    where: Where = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Read kept events again, with the mapping and the owners of now."""
    bench = workbench(ctx)
    bench.refuse_change("events apply")
    ids_or_where("events apply", ids, where, hint="erpsync events apply --where 'verdict = unreadable'")
    rows = _frozen(bench, ids, where)
    if output is Answer.TABLE:
        count = plural(len(rows), "event")
        say(f"Would read {count} again." if rows else "Nothing to read again: no kept event matches.")
        show_first(
            rows,
            lambda row: f"{row.event_id}  {key_text(row.key)} from {safe(row.system)}, {row.verdict.replace('_', ' ')}",
            most=_SHOWN,
        )
    if not rows or dry_run:
        if output is Answer.JSON:
            emit(_applied(bench, rows, [(row.event_id, row.verdict, row.detail) for row in rows], dry_run=dry_run))
        return 0
    ask(
        bench,
        "apply",
        what=plural(len(rows), "event"),
        answer=str(len(rows)),
        yes=yes,
        stdin_taken=from_stdin(ids),
        left="left; nothing was applied",
    )
    from erpsync.engine.intake.again import apply_events  # noqa: PLC0415  (the engine: only for acts)

    wanted = [row.event_id for row in rows]
    with under_way("events apply", quiet=output is Answer.JSON):
        bench.open_to_write("events apply")
        done = apply_events(bench, wanted, actor=bench.actor, reason=reason, command=bench.command)
    return _say_applied(bench, rows, done, output)


def _frozen(bench: Workbench, ids: list[str] | None, where: str) -> list[EventRow]:
    """The kept events that are named, or that match; raises UsageError for a named one that is not kept."""
    from erpsync.store.reading.events import event as event_of  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.events import events, events_with_ids  # noqa: PLC0415  (as above)

    kept, company = _kept_verdicts(), bench.landscape.company
    with bench.store.read() as db:
        if where:
            page = events(db, selection(bench, where, limit=0, sort="id", output=Output.IDS))
            rows = [row for row in page.items if row.verdict in kept]
        else:
            wanted = many_ids(ids or ())
            refuse_too_many(len(wanted), "events")
            rows = events_with_ids(db, company, wanted)
            for missing in sorted(set(wanted) - {row.event_id for row in rows})[:1]:
                event_of(db, company, missing)  # raises
    for row in rows:
        if row.verdict not in kept:
            raise UsageError(
                f"event {row.event_id} needs no second reading: it is {row.verdict.replace('_', ' ')}",
                hint=f"erpsync events show {row.event_id}",
            )
    refuse_too_many(len(rows), "events")
    return rows


def _applied(
    bench: Workbench, rows: list[EventRow], done: list[tuple[int, str, str]], *, dry_run: bool
) -> dict[str, object]:
    """What became of these events, in JSON."""
    known = {row.event_id: row for row in rows}
    items = [
        {
            "id": number,
            "key": known[number].key,
            "from": known[number].system,
            "verdict": verdict,
            "detail": detail or None,
        }
        for number, verdict, detail in done
    ]
    return envelope(bench, "events.apply", dry_run=dry_run, total=len(items), shown=len(items), items=items)


def _say_applied(bench: Workbench, rows: list[EventRow], done: list[tuple[int, str, str]], output: Answer) -> int:
    kept = _kept_verdicts()
    still = [one for one in done if one[1] in kept]
    if output is Answer.JSON:
        emit(_applied(bench, rows, done, dry_run=False))
    else:
        say(f"{len(done) - len(still):,} of {plural(len(done), 'event')} applied.")
        say(
            *(
                f"  {number}  {verdict.replace('_', ' ')}{f': {safe(detail, limit=100)}' if detail else ''}"
                for number, verdict, detail in done[:50]
            )
        )
        say("next: erpsync run --until-idle" if len(still) < len(done) else f"next: erpsync events show {done[0][0]}")
    return NO if still else 0
