"""``init``: a landscape to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import command_line, emit, envelope_of, say
from erpsync.errors import UsageError
from erpsync.terminal import safe

app = alone()


@app.command(name="init", cls=Command, epilog="Example: erpsync init acme")
def init(
    ctx: typer.Context,
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="where it is written (here)", show_default=False)
    ] = ".",
    *,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Write a landscape to begin with, and two practice systems beside it."""
    from erpsync.config.template import write_template  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("init")
    if "\0" in folder:
        raise UsageError("the folder's name holds a NUL character")
    target = (bench.folder or Path.cwd()) / folder
    written = write_template(target)
    names = [str(path.relative_to(target)) for path in written]
    if output is Answer.JSON:
        emit(envelope_of(None, bench, "init", folder=str(target), written=names))
        return
    say(f"written to {safe(folder)}: {', '.join(map(safe, names))}")
    go = "" if folder == "." else f"{command_line('cd', folder)} && "
    say(f"next: {go}erpsync check")
