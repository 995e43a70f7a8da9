"""The command line: every noun in its place. Wiring only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import erpsync
from erpsync.cli import (
    checking,
    demo,
    dlq,
    events,
    exceptions,
    lanes,
    messages,
    replay,
    running,
    simulating,
    status,
    store,
    syncing,
    tracing,
)
from erpsync.cli import systems as systems_commands
from erpsync.cli.commands import Command, Commands, workbench
from erpsync.cli.front_page import EXIT_CODES
from erpsync.cli.output import run, say
from erpsync.errors import UsageError
from erpsync.workbench import Workbench

app = typer.Typer(
    name="erpsync",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"erpsync {erpsync.__version__}")
        raise typer.Exit(0)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    landscape: Annotated[str | None, typer.Option("--landscape", metavar="FILE", help="the landscape file")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="refuse every change")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the trace of an error")] = False,
    version: Annotated[  # noqa: ARG001  (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Carry documents between an ERP and the systems around it."""
    bench = workbench(ctx)
    if landscape is not None:
        bench.landscape_file = landscape
    bench.read_only = bench.read_only or read_only
    bench.debug = debug


@app.command(name="help", cls=Command, hidden=True)
def help_(topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="exit-codes")] = "") -> None:
    """Say more about a topic: exit-codes."""
    if topic == "exit-codes":
        say(*EXIT_CODES.splitlines())
        return
    if topic:
        raise UsageError(f"help has no topic {topic}", hint="exit-codes; for a command: erpsync COMMAND --help")
    from erpsync.cli.front_page import FRONT_PAGE  # noqa: PLC0415  (text that only help shows)

    say(*FRONT_PAGE.splitlines())


for room in (status, syncing, running, replay, tracing, checking, demo):
    room.register(app)
for room in (messages, events, exceptions, lanes, dlq, systems_commands, store, simulating):
    app.add_typer(room.app)


def main(argv: Sequence[str] | None = None, *, bench: Workbench | None = None) -> int:
    """Run ``erpsync``; returns the exit code."""
    return run(app, sys.argv[1:] if argv is None else argv, bench=bench or Workbench())
