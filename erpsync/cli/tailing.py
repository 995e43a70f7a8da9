"""``tail``: what happens, as it happens, one line each; goes on until somebody ends it."""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.happening_lines import Lines, text_of, what_of
from erpsync.cli.listings import refuse_raw
from erpsync.cli.options import HOW, WHAT, Format, Output, Raw, Where, duration
from erpsync.cli.output import utc
from erpsync.cli.selecting import clock
from erpsync.errors import FilterError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erpsync.domain.filter_nodes import Node
    from erpsync.store.reading.happening import Happening
    from erpsync.workbench import Workbench

app = alone()
FIELDS = (
    *("act", "actor", "at", "event", "exception", "far", "flow", "from", "id", "key", "kind", "message"),
    *("outcome", "system", "text", "took", "what"),
)
_KINDS = ("act", "attempt", "event", "exception", "message")
_LOOK_SECONDS = 0.1
_BEGINS_WITH, _LOOKS_BACK = 10, 2_000


@app.command(
    name="tail",
    cls=Command,
    epilog="Examples\n  what just happened, and no more:  erpsync tail --since 10m --no-wait\n"
    "  what went wrong in the last day:  erpsync tail --since 1d --where 'what = dead or what = unknown' --no-wait",
)
def tail(
    ctx: typer.Context,
    *,
    where: Where = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="AGE",
            help="begin so long ago (else with the last 10); 0s: now",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = "",
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="what has happened, and no more", rich_help_panel=HOW)
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            max=1_000_000_000,
            help="end after so many; 0: no limit",
            rich_help_panel=WHAT,
        ),
    ] = None,
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """What happens, as it happens: documents delivered or not, what systems told, what people did. Ctrl-C ends it."""
    from erpsync.domain.filters import check_fields, matches, parse  # noqa: PLC0415  (not for help)
    from erpsync.store.connection import ms  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    refuse_raw(output, raw=raw)
    node, zone = parse(where), clock(bench).zone
    check_fields(node, FIELDS, subject="tail")
    _check_kinds(node)
    begin = ms(bench.now() - duration(since, option="--since")) if since else None
    if output is Output.JSON and not (limit or no_wait):
        raise UsageError("tail -o json has no end", hint="--limit N, --no-wait, or -o jsonl: an object a line")
    told = Lines(bench, output, raw=raw, limit=limit or 0, item=_item)
    first = begin is None
    try:
        for happened in _happenings(bench, begin, waits=not no_wait):
            wanted = [one for one in happened if matches(node, _values(one), now=bench.now(), zone=zone)]
            if first:
                wanted, first = wanted[-min(_BEGINS_WITH, limit or _BEGINS_WITH) :], False
            if told.tell(wanted):
                break
    finally:
        told.end()


def _happenings(bench: Workbench, begin: int | None, *, waits: bool) -> Iterator[list[Happening]]:
    """Everything that happens, as long as somebody reads it. Without ``begin`` the last few come first."""
    from erpsync.store.reading.happenings import tail_of, version_of  # noqa: PLC0415  (not for help)

    store, company = bench.store, bench.landscape.company
    with store.read() as db:
        first = db
        position = tail_of(db, company, since_ms=begin, lately=0 if begin is not None else _LOOKS_BACK)
    seen, more = -1, True
    while True:
        found: list[Happening] = []
        with store.read() as db:
            if db is not first:
                another = f"store {store.path.name} was replaced by another file"
                raise StoreError(another, hint="erpsync tail again, to see what is there now")
            if (version := version_of(db)) != seen or more:
                found, more = position.look(db)
                seen = version
        yield found
        if not more and not (waits and _rest()):
            return


def _rest() -> bool:
    """Until the next look; False when whoever read our output has gone."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):  # caught by whoever started us
        time.sleep(_LOOK_SECONDS)
        return True
    watched = select.poll()
    watched.register(output, 0)
    return not watched.poll(_LOOK_SECONDS * 1000)


def _check_kinds(node: Node) -> None:
    """Kinds here are of what happened; whoever asks for one of documents would be shown nothing, and believe it."""
    from erpsync.domain.filter_nodes import Compare, leaves  # noqa: PLC0415  (not for help)

    for leaf in leaves(node):
        asks = isinstance(leaf, Compare) and (leaf.field, leaf.op, leaf.glob) == ("kind", "=", False)
        if isinstance(leaf, Compare) and asks and leaf.value not in ("", *_KINDS):
            raise FilterError(
                f"filter value {leaf.value[:60]}, at column {leaf.at}, is no kind of what happens",
                hint=f"Kinds: {', '.join(_KINDS)}. Documents go by their key, like: key = order:*",
            )


def _values(one: Happening) -> dict[str, object]:
    return {
        **_item(one),
        "far": one.far_id,
        "id": one.message if one.message is not None else one.event,
        "at": one.at,
        "took": one.seconds,
    }


def _item(one: Happening) -> dict[str, object]:
    return {
        "at": utc(one.at),
        "kind": one.kind,
        "key": one.key,
        "system": one.system,
        "from": one.source,
        "flow": one.flow,
        "message": one.message,
        "event": one.event,
        "act": one.act,
        "exception": one.exception,
        "actor": one.actor,
        "what": what_of(one),
        "outcome": one.outcome,
        "seconds": None if one.seconds is None else f"{one.seconds:.3f}",
        "far_id": one.far_id or None,
        "text": text_of(one),
    }
