"""``sync``: documents carried now, with progress on stderr and counts per target at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import INTERRUPTED, TERMINATED
from erpsync.cli.options import HOW, WHAT, Answer, AnswerFormat, DryRun, duration
from erpsync.cli.output import command_line, emit, envelope, room, say
from erpsync.cli.progress import ProgressLines, under_way
from erpsync.cli.tables import Column, table
from erpsync.errors import UsageError
from erpsync.terminal import duration as lasting
from erpsync.terminal import plural, safe

if TYPE_CHECKING:
    from erpsync.engine.sync import StoodStill, SyncReport, SyncRow
    from erpsync.workbench import Workbench

_NAMED = 10


app = alone()


@app.command(
    name="sync",
    cls=Command,
    epilog="Examples\n  erpsync sync item customer order\n  erpsync sync item --full --dry-run",
)
def sync(
    ctx: typer.Context,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND...]", help="item, customer, ...; none: every kind that flows", show_default=False
        ),
    ] = None,
    *,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="SYSTEM", help="only to this target; may be repeated", rich_help_panel=WHAT),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEY", help="only this document; may be repeated", rich_help_panel=WHAT),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="what changed since so long ago", rich_help_panel=WHAT)
    ] = "",
    full: Annotated[
        bool, typer.Option("--full", help="read everything, not only what changed", rich_help_panel=WHAT)
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="AGE", help="wait at most so long (2m)", rich_help_panel=HOW)
    ] = "2m",
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="read and enqueue, do not wait for deliveries", rich_help_panel=HOW)
    ] = False,
    watch: Annotated[
        str, typer.Option("--watch", metavar="AGE", help="again and again, begun so often", rich_help_panel=HOW)
    ] = "",
    dry_run: DryRun = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Carry documents now along the flows, and wait until nothing more can move by itself."""
    from erpsync.domain.kinds import kind_named  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    if not dry_run:
        bench.refuse_change("sync")
    names = [kind_named(word).name for word in kinds or ()] or list(
        dict.fromkeys(flow.kind for flow in bench.landscape.flows)
    )
    if not names:
        raise UsageError("the landscape has no flows: nothing is carried", hint="erpsync check")
    more: dict[str, Any] = {}
    if since:
        more["since"] = duration(since, option="--since")
    if key:
        more["keys"] = key
    if dry_run and watch:
        raise UsageError("--watch and --dry-run do not go together", hint="one of them")
    if dry_run:
        from erpsync.cli import dry_run as dry  # noqa: PLC0415  (only for it)

        words = [*(["--full"] if full else []), *(["--since", since] if since else [])]
        for option, values in (("--to", to), ("--key", key)):
            words += [word for value in values or () for word in (option, value)]
        return dry.show(
            bench, names, output=output, again=["sync", *(kinds or ()), *words], to=to or (), full=full, **more
        )
    quiet = output is not Answer.TABLE

    def once() -> int:
        report = run_sync(bench, names, to=to or (), full=full, timeout=timeout, wait=not no_wait, quiet=quiet, **more)
        if output is Answer.JSON:
            emit(envelope(bench, "sync", **_answer(report)))
        else:
            say(*lines(report, words=names))
        if report.signal is not None:
            return TERMINATED if report.signal == 15 else INTERRUPTED
        return report.exit_code

    if not watch:
        return once()
    from erpsync.cli.watching import watch as again_and_again  # noqa: PLC0415  (only for it)

    return again_and_again(bench, once, every=duration(watch, option="--watch"), quiet=quiet)


def run_sync(
    bench: Workbench, names: list[str], *, to: Any, full: bool, timeout: str, wait: bool, quiet: bool, **more: Any
) -> SyncReport:
    """Run a sync with its progress on stderr; returns what it came to."""
    from erpsync.engine.sync import sync as sync_kinds  # noqa: PLC0415  (the engine: only where it works)

    limit = duration(timeout, option="--timeout")
    with under_way("sync: opening the store", quiet=quiet):
        bench.open_to_write("sync", create=True)
    shown = ProgressLines(bench)
    try:
        return bench.wait_for(
            lambda: sync_kinds(
                bench,
                kinds=names,
                to=tuple(to),
                full=full,
                timeout=limit,
                wait=wait,
                progress=None if quiet else shown.show,
                **more,
            )
        )
    finally:
        shown.clear()


def lines(report: SyncReport, *, words: list[str]) -> list[str]:
    """The result as the operator reads it."""
    written = sum(row.created + row.updated for row in report.rows)
    dead = sum(row.dead for row in report.rows)
    parts = [
        f"{plural(report.read, 'document')} read from {_sources(report)}",
        f"{written:,} written",
    ]
    parts += [f"{dead:,} dead"] if dead else []
    parts += [f"{report.refused:,} refused on reading"] if report.refused else []
    first = f"{', '.join(parts)}, in {lasting(report.seconds)}."
    found = [first, "", *table(_columns(report.rows), report.rows, room=room())]
    notes = [
        f"dead     {message} {safe(name)} to {safe(system)}: {safe(error, limit=160)}"
        for name, system, message, error in report.failures[:_NAMED]
    ]
    if dead > _NAMED:
        notes.append(f"         {min(len(report.failures), _NAMED)} of {dead:,}")
    notes += [
        f"held     {message} {safe(name)} to {safe(system)}: {safe(why, limit=160) or 'waits'}"
        for name, system, message, why in getattr(report, "held", [])[:_NAMED]
    ]
    notes += [
        f"unread   {safe(kind)} from {safe(system)}: {safe(why, limit=160)}"
        for system, kind, why in getattr(report, "unread", [])
    ]
    notes += [_paused(stood) for stood in report.paused]
    unknown, waiting = sum(row.unknown for row in report.rows), sum(row.waiting for row in report.rows)
    if unknown:
        notes.append(f"unknown  {plural(unknown, 'answer')} lost: whether they arrived is not known")
    if waiting:
        notes.append(f"waiting  {plural(waiting, 'message')} still on {'its' if waiting == 1 else 'their'} way")
    if notes:
        found += ["", *notes]
    return [*found, f"next: {_next(report, words)}"]


def _paused(stood: StoodStill) -> str:
    what = safe(stood.system) if stood.system else f"flow {safe(stood.flow)}"
    by = f"{safe(stood.by, limit=20)} has paused it" if stood.by else "it is paused"
    if stood.kind:
        return f"paused   {safe(stood.kind)} is not read from {what}: {by}"
    return f"paused   what is for {what} waits: {by}" if stood.system else f"paused   what is along {what} waits: {by}"


def _sources(report: SyncReport) -> str:
    return ", ".join(dict.fromkeys(safe(row.source) for row in report.rows)) or "nowhere"


def _columns(rows: list[SyncRow]) -> list[Column[SyncRow]]:
    columns: list[Column[SyncRow]] = [
        Column("KIND", lambda row: safe(row.kind)),
        Column("TO", lambda row: safe(row.target)),
    ]
    for name in ("read", "created", "updated", "unchanged", "skipped", "held", "unknown", "waiting", "dead"):
        if name in ("skipped", "unknown", "waiting") and not any(getattr(row, name) for row in rows):
            continue
        columns.append(Column(name.upper(), lambda row, name=name: f"{getattr(row, name):,}", right=True))  # type: ignore[misc]  # the default binds the name
    return columns


def _next(report: SyncReport, words: list[str]) -> str:
    if report.failures:
        return f"erpsync dlq show {report.failures[0][2]}" if len(report.failures) == 1 else "erpsync dlq list"
    if report.refused:
        return "erpsync events list --where 'verdict = unreadable'"
    if unread := getattr(report, "unread", []):
        return command_line("erpsync", "systems", "probe", unread[0][0])
    if report.paused:
        first = report.paused[0]
        return command_line("erpsync", "systems" if first.system else "flows", "resume", first.system or first.flow)
    if any(row.unknown for row in report.rows):
        return "erpsync messages list --where 'state = unknown'"
    if any(row.waiting for row in report.rows):
        return command_line("erpsync", "sync", *words)
    if any(row.held for row in report.rows):
        return "erpsync messages list --where 'state = held'"
    return "erpsync status"


def _answer(report: SyncReport) -> dict[str, object]:
    items = [
        {
            "kind": row.kind,
            "from": row.source,
            "to": row.target,
            "read": row.read,
            "created": row.created,
            "updated": row.updated,
            "unchanged": row.unchanged,
            "skipped": row.skipped,
            "held": row.held,
            "unknown": row.unknown,
            "waiting": row.waiting,
            "dead": row.dead,
        }
        for row in report.rows
    ]
    return {
        "read": report.read,
        "written": sum(row.created + row.updated for row in report.rows),
        "dead": sum(row.dead for row in report.rows),
        "held": sum(row.held for row in report.rows),
        "unknown": sum(row.unknown for row in report.rows),
        "waiting": sum(row.waiting for row in report.rows),
        "refused": report.refused,
        "timed_out": getattr(report, "timed_out", False),
        "seconds": f"{report.seconds:.1f}",
        "total": len(items),
        "shown": len(items),
        "items": items,
        "failures": [
            {"key": key, "system": system, "message": message, "error": error}
            for key, system, message, error in report.failures
        ],
        "unread": [
            {"system": system, "kind": kind, "error": why} for system, kind, why in getattr(report, "unread", [])
        ],
        "paused": [
            {"system": stood.system or None, "flow": stood.flow or None, "kind": stood.kind or None, "by": stood.by}
            for stood in report.paused
        ],
    }
