"""A listing in the format asked for: a table with its remarks beside it, or JSON, JSON lines, CSV, ids for another program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from erpsync.cli.options import Output
from erpsync.cli.output import as_json, emit, envelope, flush, remark, room, say, warn
from erpsync.cli.tables import Column, table
from erpsync.errors import UsageError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

Row = TypeVar("Row")


def listing(
    bench: Workbench,
    schema: str,
    rows: Sequence[Row],
    *,
    total: int | None,
    columns: Sequence[Column[Row]],
    item: Callable[[Row], Mapping[str, object]],
    identity: Callable[[Row], str],
    output: Output,
    raw: bool = False,
    remarks: Iterable[str] = (),
    more: Mapping[str, object] | None = None,
) -> None:
    """Say these rows. ``more`` stands beside the items in JSON; ``total`` None: how many there are is not known.

    Raises UsageError for ``raw`` with another format than CSV.
    """
    if passed_on(schema, rows, total=total, item=item, identity=identity, output=output, raw=raw):
        return
    if output is Output.JSON:
        items = [item(row) for row in rows]
        emit(envelope(bench, schema, total=total, shown=len(rows), **(more or {}), items=items))
        return
    say(*table(columns, rows, room=room()))
    flush()
    remark(*remarks)


def passed_on(
    schema: str,
    rows: Sequence[Row],
    *,
    total: int | None,
    item: Callable[[Row], Mapping[str, object]],
    identity: Callable[[Row], str],
    output: Output,
    raw: bool,
) -> bool:
    """Say the rows one a line, for another program; False when the format is not one of those. Warns when there are more;
    where that is not known (``total`` None) whoever asks says so.

    Raises UsageError for ``raw`` with another format than CSV.
    """
    refuse_raw(output, raw=raw)
    match output:
        case Output.JSONL:
            say(*(as_json(item(row)) for row in rows), whole=True)
        case Output.CSV:
            from erpsync.cli.csv_text import csv_lines  # noqa: PLC0415  (only for it)
            from erpsync.cli.shapes import items_of  # noqa: PLC0415  (as above)

            say(*csv_lines(items_of(schema), map(item, rows), raw=raw), whole=True)
        case Output.IDS:
            say(*(safe(identity(row)) for row in rows), whole=True)
        case _:
            return False
    if total is not None and len(rows) < total:
        noun = "ids" if output is Output.IDS else "rows" if output is Output.CSV else "lines"
        warn(f"{len(rows):,} of {total:,} {noun}; leave --limit out to pass them all")
    return True


def refuse_raw(output: Output, *, raw: bool) -> None:
    """Raises UsageError for ``raw`` with another format than CSV."""
    if raw and output is not Output.CSV:
        raise UsageError("--raw is about cells of CSV", hint="with -o csv, or without --raw")
