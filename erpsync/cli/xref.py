"""``xref``: what each system calls our documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import Format, Limit, Output, Raw, Sort, Where
from erpsync.cli.output import command_line, utc
from erpsync.cli.selecting import clock, count_line, selection
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.cli.wording import waiting_seconds
from erpsync.terminal import Clock, safe

if TYPE_CHECKING:
    from erpsync.store.reading.xrefs import XrefRow

app = group("xref", "What each system calls our documents.")


@app.command(name="list", cls=Command, epilog="Example: erpsync xref list --where 'system = erp and far ~ 7711'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Cross-references, system by system; as ids the systems' own."""
    from erpsync.store.reading.xrefs import xrefs  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        page = xrefs(db, selection(bench, where, limit=limit, sort=sort, output=output))
    times, now = clock(bench), bench.now()
    remarks = [count_line(len(page.items), page.total, page.everything, "cross-reference", times=times)]
    if page.items:
        remarks.append(f"next: {command_line('erpsync', 'trace', page.items[0].key)}")
    listing(
        bench,
        "xref.list",
        page.items,
        total=page.total,
        columns=_columns(times),
        item=lambda row: {
            "system": row.system,
            "key": row.key,
            "kind": row.kind,
            "far_id": row.far_id,
            "bound": utc(row.bound_at),
            "age_seconds": waiting_seconds(now, row.bound_at),
        },
        identity=lambda row: row.far_id,
        output=output,
        raw=raw,
        remarks=remarks,
    )


def _columns(times: Clock) -> list[Column[XrefRow]]:
    return [
        Column("SYSTEM", lambda row: safe(row.system)),
        Column("KEY", lambda row: safe(row.key), most=KEY_ROOM),
        Column("CALLED", lambda row: safe(row.far_id), most=KEY_ROOM),
        Column("SINCE", lambda row: times.since(row.bound_at), rank=2),
        Column("FOR", lambda row: times.lasting(row.bound_at), right=True, rank=1),
    ]
