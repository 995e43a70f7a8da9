"""``find``: any number or name a caller reads out, wherever it is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import DEFAULT_LIMIT, FOR_PROGRAMS, Format, Limit, Output, Raw
from erpsync.cli.output import command_line, utc, warn
from erpsync.cli.selecting import clock
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.errors import UsageError
from erpsync.terminal import Clock, safe

if TYPE_CHECKING:
    from erpsync.domain.keys import Key
    from erpsync.store.reading.found import Findings, Found, Looked

app = alone()
_SECONDS, _SECONDS_FOR_ALL = 0.5, 30.0


@app.command(
    name="find",
    cls=Command,
    epilog="Examples\n  a number, as it is said:  erpsync find 1001\n  whoever wrote:            erpsync find mira.okafor@",
)
def find(
    ctx: typer.Context,
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="any number or name: of an order, a parcel, an invoice, a system's own, an e-mail",
            show_default=False,
        ),
    ],
    *,
    limit: Limit = None,
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Where a number or a name is on record: in keys, in what systems call them, in what was told, sent and answered."""
    from erpsync.domain.kinds import kinds  # noqa: PLC0415  (not for help)
    from erpsync.domain.sought import sought  # noqa: PLC0415  (as above)
    from erpsync.store.reading.finding import Wanted  # noqa: PLC0415  (as above)
    from erpsync.store.reading.finding import find as find_in  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    typed = " ".join(text)
    asked = sought(typed)
    key = _key(asked.text, company=bench.landscape.company)
    if key is not None:
        asked = sought(key.number)
    if limit is None:
        limit = 0 if output in FOR_PROGRAMS else DEFAULT_LIMIT
    wanted = Wanted(
        asked,
        key.company if key else bench.landscape.company,
        list(kinds()),
        key=key,
        limit=limit,
        seconds=_SECONDS if limit else _SECONDS_FOR_ALL,
    )
    found = find_in(bench.store, wanted, may_discard=not bench.read_only)
    _show(ctx, found, output, raw=raw)


def _show(ctx: typer.Context, found: Findings, output: Output, *, raw: bool) -> None:
    bench = workbench(ctx)
    times, looked = clock(bench), found.looked
    rows = list(found.items)
    if output is Output.IDS:
        rows = list({_identity(hit): hit for hit in reversed(rows)}.values())[::-1]
    listing(
        bench,
        "find",
        rows,
        total=len(rows) if looked.whole else None,
        columns=_columns(times),
        item=_item,
        identity=_identity,
        output=output,
        raw=raw,
        remarks=[_count_line(len(rows), looked, times), f"next: {_next(found)}"],
        more={
            "looked": {
                "in": ["keys", "xref", "contents"],
                "contents": looked.contents,
                "missed": looked.missed,
                "since": utc(looked.reaches),
                "whole": looked.whole,
            },
            "run": _next(found),
        },
    )
    if output in FOR_PROGRAMS and not looked.whole:
        warn(_count_line(len(rows), looked, times))


def _key(text: str, *, company: str) -> Key | None:
    """The key that was typed, if it is one."""
    from erpsync.domain.keys import parse_key  # noqa: PLC0415  (as above)
    from erpsync.domain.kinds import kind_words  # noqa: PLC0415  (as above)

    if ":" not in text:
        return None
    try:
        return parse_key(text, kinds=kind_words(), company=company)
    except UsageError:
        return None


def _columns(times: Clock) -> list[Column[Found]]:
    return [
        Column("FOUND", lambda hit: safe(hit.name), most=KEY_ROOM),
        Column("IN", lambda hit: hit.where),
        Column("WHAT", lambda hit: _what(hit, times), free=True),
    ]


def _what(hit: Found, times: Clock) -> str:
    when = f" ({times.since(hit.at)}, {times.lasting(hit.at)})" if hit.at.timestamp() > 0 else ""
    return safe(hit.says) + when + (f": {safe(hit.excerpt)}" if hit.excerpt else "")


def _count_line(shown: int, looked: Looked, times: Clock) -> str:
    """How many were found, and how much was looked through: never more than is true."""
    so_far = f"{shown:,} of {shown:,}" if looked.whole else f"{shown:,} so far"
    first = f"{shown:,} shown, there are more" if looked.more else so_far
    parts = [f"{first}, in keys, xref, {_contents(looked, times)}"]
    if looked.missed:
        parts.append(f"{looked.missed:,} older ones are not in the index of words yet, which workers make")
    if looked.hurried:
        parts.append("of what may have it not all was read in time: say more of it")
    return "; ".join([*parts, f"times are {times.zone_name}"] if shown else parts)


def _contents(looked: Looked, times: Clock) -> str:
    if looked.reaches is None:
        return "no contents" if looked.missed else "contents: there are none yet"
    if looked.missed:
        return f"contents since {times.exact(looked.reaches)} ({times.lasting(looked.reaches)})"
    days = (times.now - looked.reaches).days
    return f"contents of {f'{days:,} days' if days > 1 else times.lasting(looked.reaches)}"


def _next(found: Findings) -> str:
    for hit in found.items[:1]:
        if hit.exception is not None:
            return f"erpsync exceptions show {hit.exception}"
        if hit.act is not None:
            return f"erpsync audit list --where 'id = {hit.act.rpartition('-')[2]}'"
        if hit.key is not None and hit.is_kept:
            return command_line("erpsync", "trace", hit.key)
        if hit.event is not None:
            return f"erpsync events show {hit.event}"
    return "erpsync status"


def _identity(hit: Found) -> str:
    return hit.key or hit.name


def _item(hit: Found) -> dict[str, object]:
    return {
        "key": hit.key,
        "message": hit.message,
        "event": hit.event,
        "exception": hit.exception,
        "act": hit.act,
        "in": hit.where,
        "system": hit.system,
        "at": utc(hit.at),
        "text": hit.says,
        "excerpt": hit.excerpt or None,
    }
