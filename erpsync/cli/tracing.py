"""``trace``: all that happened to a key, technical and business, on one line of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.listings import passed_on
from erpsync.cli.options import WHAT, Format, Limit, Output, Raw, Where, duration
from erpsync.cli.output import command_line, emit, envelope, room, say, utc
from erpsync.cli.selecting import clock, stake_text, stakes_json
from erpsync.cli.tables import wrapped
from erpsync.cli.timeline import Entry, entries_of
from erpsync.cli.wording import waits_for
from erpsync.terminal import Clock, padded, safe, width

if TYPE_CHECKING:
    from erpsync.store.reading.messages import MessageRow
    from erpsync.store.reading.trace import History
    from erpsync.workbench import Workbench

_FIELDS = ("act", "actor", "at", "event", "exception", "kind", "message", "outcome", "system", "text")


app = alone()


@app.command(name="trace", cls=Command, epilog="Example: erpsync trace order:SO-1001")
def trace(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="like order:SO-1001; a system's own number is taken too", show_default=False
        ),
    ],
    *,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="AGE", help="only from so long ago on", rich_help_panel=WHAT, show_default=False
        ),
    ] = "",
    where: Where = "",
    limit: Limit = None,
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """All that happened to a key, oldest first: what was told, sent, answered, decided and done by hand."""
    from erpsync.cli.naming import key_typed  # noqa: PLC0415  (not for help)
    from erpsync.domain.filters import check_fields, matches, parse  # noqa: PLC0415  (as above)
    from erpsync.store.reading.trace import find_subject, history  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    times, node = clock(bench), parse(where)
    check_fields(node, _FIELDS, subject="trace")
    parsed = key_typed(bench, key)
    with bench.store.read() as db:
        subject = find_subject(db, parsed.company, parsed.kind, parsed.number)
        found = history(db, parsed.company, subject)
    entries = sorted(entries_of(found, times), key=lambda entry: entry.at)
    total = len(entries)
    first = bench.now() - duration(since, option="--since") if since else None
    entries = [
        entry
        for entry in entries
        if (first is None or entry.at >= first) and matches(node, _values(entry), now=bench.now(), zone=times.zone)
    ]
    matching = len(entries)
    shown = entries[-limit:] if limit else entries
    rows = _one_a_message(shown) if output is Output.IDS else shown
    left = len(rows) + matching - len(shown)
    if not passed_on(
        "trace", rows, total=left, item=_item, identity=lambda entry: str(entry.message), output=output, raw=raw
    ):
        _show(bench, found, shown, matching, total, times, output)


def _one_a_message(entries: list[Entry]) -> list[Entry]:
    first: dict[int, Entry] = {}
    for entry in entries:
        if entry.message is not None:
            first.setdefault(entry.message, entry)
    return list(first.values())


def _show(
    bench: Workbench, found: History, entries: list[Entry], matching: int, total: int, times: Clock, output: Output
) -> None:
    open_ones = [row for row in found.messages if row.state not in ("done", "skipped")]
    if output is not Output.JSON:
        _lines(found, entries, total, times, open_ones)
        return
    emit(
        envelope(
            bench,
            "trace",
            key=found.subject.key,
            answer=_answer(found, times),
            references=dict(found.subject.far_ids),
            at_stake=stakes_json(_stakes(open_ones), usual=bench.landscape.currency),
            total=matching,
            shown=len(entries),
            items=[_item(entry) for entry in entries],
            run=_next(found, open_ones)[0],
        )
    )


def _lines(found: History, entries: list[Entry], total: int, times: Clock, open_ones: list[MessageRow]) -> None:
    say(_answer(found, times), "")
    columns = room()
    systems = max((width(safe(entry.system)) for entry in entries), default=0)
    whats = max((width(entry.what) for entry in entries), default=0)
    day = ""
    for entry in entries:
        local = entry.at.astimezone(times.zone)
        if (today := times.day(entry.at)) != day:
            day = today
            say(f"{day} ({local.tzname()})")
        start = f"  {local:%H:%M:%S}  {padded(safe(entry.system), systems)}  {padded(entry.what, whats)}  "
        limit = None if columns is None else 300
        text = safe(entry.text, limit=limit)
        say(*wrapped(text, room=columns, first=start, then=" " * width(start), whole_words=False))
    if not entries:
        say("nothing of it matches")
    if len(entries) < total:
        say(f"  {len(entries):,} of {total:,}")
    say("")
    if stakes := _stakes(open_ones):
        since = min(row.accepted_at for row in open_ones)
        say(*(f"stake: {stake_text(stake, code, beside=True)} for {times.lasting(since)}" for code, stake in stakes))
    runs = _next(found, open_ones)
    say(f"next: {runs[0]}", *(f"  or  {other}" for other in runs[1:]))


def _stakes(rows: list[MessageRow]) -> list[tuple[str, int]]:
    """The document's money, once, where any message of it is unfinished."""
    most: dict[str, int] = {}
    for row in rows:
        if row.stake:
            most[row.currency] = max(row.stake, most.get(row.currency, 0))
    return list(most.items())


def _answer(found: History, times: Clock) -> str:
    key = safe(found.subject.key)
    latest: dict[str, MessageRow] = {}
    for row in found.messages:
        latest[row.system] = row
    unfinished = [row for row in found.messages if row.state not in ("done", "skipped")]
    for state, text in (
        ("unknown", "whether {system} has it is unknown ({ago})"),
        ("dead", "it did not reach {system}: message {id} is dead ({ago})"),
        ("held", "it waits for {waits} before it goes to {system} ({ago})"),
    ):
        for row in unfinished:
            if row.state == state:
                words = text.format(
                    system=safe(row.system),
                    ago=times.lasting(row.state_at),
                    id=row.message_id,
                    waits=waits_for(row, times),
                )
                return f"{key}: {words}."
    if unfinished:
        return f"{key} is on its way to {', '.join(dict.fromkeys(safe(row.system) for row in unfinished))}."
    if found.subject.removed:
        return f"{key} was removed by its owner; nothing is on its way."
    reached = [safe(name) for name, row in latest.items() if row.state == "done"]
    if reached:
        return f"{key} is in {' and '.join(reached)}; nothing is on its way."
    if not found.subject.told:
        return f"{key} is known only by name: its owner has not told of it."
    return f"{key} is on record; nothing is on its way."


def _next(found: History, open_ones: list[MessageRow]) -> list[str]:
    for row in open_ones:
        if row.state == "unknown":
            return [
                f"erpsync messages show {row.message_id}",
                f"erpsync messages settle {row.message_id} --delivered ITS_NUMBER",
                f"erpsync messages settle {row.message_id} --not-delivered --reason WHY",
            ]
    for row in open_ones:
        if row.state == "dead":
            return [f"erpsync dlq show {row.message_id}"]
    for row in open_ones:
        return [command_line("erpsync", "lanes", "show", row.system, row.lane)]
    for case in found.exceptions:
        if case.state == "open":
            return [f"erpsync exceptions show E-{case.exception_id}"]
    if found.messages:
        return [f"erpsync messages show {found.messages[-1].message_id}"]
    return [f"erpsync events show {found.events[-1].event_id}"] if found.events else ["erpsync status"]


def _values(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in _FIELDS}


def _item(entry: Entry) -> dict[str, object]:
    return {
        "at": utc(entry.at),
        "kind": entry.kind,
        "system": entry.system or None,
        "message": entry.message,
        "event": entry.event,
        "act": entry.act,
        "exception": entry.exception,
        "actor": entry.actor,
        "outcome": entry.outcome,
        "seconds": None if entry.seconds is None else f"{entry.seconds:.3f}",
        "text": entry.text,
    }
