"""``config``: every setting that is in force, and where it comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import Format, Limit, Output, Raw, Sort, Where
from erpsync.cli.selecting import count_line, filtered
from erpsync.cli.tables import Column
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.config.origins import Setting
    from erpsync.workbench import Workbench

app = group("config", "The settings in force, and where each comes from.")
FIELDS = ("from", "line", "setting", "value")


@app.command(
    name="show", cls=Command, epilog="Example: erpsync config show --where 'setting ~ timeout and from != default'"
)
def show(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Every setting, in the order of the landscape file: from its line, from a spec file, or by default.

    Secrets are shown by where they are found. Nothing is asked of any system, and no store is needed.
    """
    bench = workbench(ctx)
    every = _settings(bench)
    rows = filtered(bench, every, _values, where=where, sort=sort, subject="settings", fields=FIELDS)
    shown = rows[:limit] if limit else rows
    file = bench.landscape_path
    listing(
        bench,
        "config.show",
        shown,
        total=len(rows),
        columns=_columns(file.name),
        item=lambda row: {"setting": row.name, "value": row.value, "from": row.origin, "line": row.line},
        identity=lambda row: row.name,
        output=output,
        raw=raw,
        remarks=[
            count_line(len(shown), len(rows), len(every), "setting"),
            f"file: {safe(file)}",
            "next: erpsync check",
        ],
        more={"file": str(file)},
    )


def _settings(bench: Workbench) -> list[Setting]:
    from erpsync.adapters.opening import with_limits_of_spec  # noqa: PLC0415  (not for help)
    from erpsync.config.origins import settings  # noqa: PLC0415  (as above)
    from erpsync.config.reading import places_of  # noqa: PLC0415  (as above)

    written = bench.landscape
    systems = {name: with_limits_of_spec(system) for name, system in written.systems.items()}
    return list(settings(replace(written, systems=systems), written, places_of(bench.landscape_path)))


def _values(row: Setting) -> dict[str, object]:
    return {"from": row.origin, "line": row.line or 0, "setting": row.name, "value": _text(row)}


def _text(row: Setting) -> str:
    match row.value:
        case None | "":
            return ""
        case bool():
            return "true" if row.value else "false"
        case value:
            return str(value)


def _columns(file: str) -> list[Column[Setting]]:
    return [
        Column("SETTING", lambda row: safe(row.name)),
        Column("VALUE", lambda row: safe(_text(row)) or "-", free=True),
        Column("FROM", lambda row: f"{safe(file)}:{row.line}" if row.line else row.origin),
    ]
