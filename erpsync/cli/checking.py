"""``check``: every mistake in the landscape file; with ``--online`` the systems are asked too."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import UNREACHABLE, USAGE
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import command_line, emit, envelope, envelope_of, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.tables import wrapped
from erpsync.errors import LandscapeError, UsageError
from erpsync.terminal import plural, safe, took

if TYPE_CHECKING:
    from erpsync.workbench import Workbench


app = alone()


@app.command(name="check", cls=Command, epilog="Examples\n  erpsync check\n  erpsync check --online")
def check(
    ctx: typer.Context,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="ask each system whether it is there and lets us in")
    ] = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Every mistake in the landscape file, with its line; --online asks the systems too."""
    from erpsync.config.reading import all_mistakes  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    file = bench.landscape_path
    mistakes = all_mistakes(file, environ=bench.environ)
    if not mistakes:
        mistakes = mistakes_of_adapters(bench)
    if mistakes:
        return _bad(bench, file, mistakes, output)
    landscape = bench.landscape
    owners = {flow.kind for flow in landscape.flows if landscape.owner(flow.kind)} | set(landscape.owners)
    counted = f"{plural(len(landscape.systems), 'system')}, {plural(len(landscape.flows), 'flow')}, {plural(len(owners), 'owner')}"
    reached: list[tuple[str, bool, float | None, str]] = []
    if online:
        with under_way(f"asking {safe(', '.join(landscape.systems))}", quiet=output is Answer.JSON):
            reached = _online(bench)
    bad = [one for one in reached if not one[1]]
    if output is Answer.JSON:
        systems = [
            {"system": name, "up": ok, "seconds": None if seconds is None else f"{seconds:.3f}", "text": text or None}
            for name, ok, seconds, text in reached
        ]
        emit(
            envelope(
                bench,
                "check",
                file=file.name,
                good=True,
                total=0,
                shown=0,
                items=[],
                systems=systems if online else None,
            )
        )
    else:
        say(f"{safe(file.name)} is good: {counted}")
        column = max((len(safe(name)) for name, *_ in reached), default=0)
        for name, ok, seconds, text in reached:
            after = f" in {took(seconds)}" if seconds is not None else ""
            say(
                f"  {safe(name):<{column}}  {f'answered{after}' if ok else f'failed{after}'}{f': {safe(text, limit=160)}' if text else ''}"
            )
        if bad:
            say(f"next: {command_line('erpsync', 'systems', 'probe', bad[0][0])}")
    return UNREACHABLE if bad else 0


def mistakes_of_adapters(bench: Workbench) -> list[LandscapeError]:
    """What the adapters find wrong with their options and spec files; secrets are not asked for here."""
    from erpsync.adapters.opening import open_adapter, with_limits_of_spec  # noqa: PLC0415  (loads what only talking needs)
    from erpsync.config.reading import placed  # noqa: PLC0415  (as above)

    landscape, found = bench.landscape, []
    opened = []
    for system in landscape.systems.values():
        try:
            opened.append(
                open_adapter(
                    with_limits_of_spec(system),
                    secret="unread" if system.secret else None,
                    currency=landscape.currency,
                    now=bench.now,
                    company_zone=landscape.timezone,
                )
            )
        except LandscapeError as error:
            found.append(placed(error, landscape.file))

    async def close() -> None:
        for adapter in opened:
            await adapter.close()

    bench.wait_for(close)
    return found


def _online(bench: Workbench) -> list[tuple[str, bool, float | None, str]]:
    from erpsync.engine.checking import check_online  # noqa: PLC0415  (the engine: only where systems are asked)

    return list(bench.wait_for(lambda: check_online(bench)))


def _bad(bench: Workbench, file: Path, mistakes: list[LandscapeError], output: Answer) -> int:
    if output is Answer.JSON:
        items = [
            {
                "file": mistake.file.name if mistake.file else file.name,
                "line": mistake.line or None,
                "column": mistake.column or None,
                "where": mistake.where or None,
                "text": getattr(mistake, "text", "") or mistake.message,
                "found": mistake.found,
                "nearest": mistake.nearest,
                "valid": list(mistake.valid) or None,
            }
            for mistake in mistakes
        ]
        emit(
            envelope_of(
                None,
                bench,
                "check",
                file=file.name,
                good=False,
                total=len(items),
                shown=len(items),
                items=items,
                systems=None,
            )
        )
        return USAGE
    columns = room()
    for mistake in mistakes:
        say(*wrapped(safe(f"{mistake.place}: {mistake.message}"), room=columns, then="    "))
        if mistake.hint:
            say(*wrapped(safe(mistake.hint), room=columns, first="    hint: ", then="          "))
    lines = 0
    with suppress(OSError, ValueError):  # a file that may not be read, or is none, has been told as a mistake
        lines = len(file.read_bytes().splitlines()) if file.is_file() else 0
    raise UsageError(
        f"{file.name}, {plural(len(mistakes), 'mistake')}" + (f" in {plural(lines, 'line')}" if lines else "")
    )
