"""The command line: every noun in its place, loaded when it is asked for. Wiring only."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, ClassVar

import typer

import erpsync
from erpsync.cli.commands import Command, Commands, workbench
from erpsync.cli.output import run, say
from erpsync.errors import UsageError
from erpsync.workbench import Workbench


class _Everything(Commands):
    """All commands, each loaded when it is asked for."""

    deferred: ClassVar[Mapping[str, str]] = {
        "audit": "erpsync.cli.audit",
        "check": "erpsync.cli.checking",
        "config": "erpsync.cli.config",
        "demo": "erpsync.cli.demo",
        "dlq": "erpsync.cli.dlq",
        "events": "erpsync.cli.events",
        "exceptions": "erpsync.cli.exceptions",
        "find": "erpsync.cli.finding",
        "init": "erpsync.cli.beginning",
        "lanes": "erpsync.cli.lanes",
        "messages": "erpsync.cli.messages",
        "replay": "erpsync.cli.replay",
        "run": "erpsync.cli.running",
        "sim": "erpsync.cli.simulating",
        "status": "erpsync.cli.status",
        "store": "erpsync.cli.store",
        "sync": "erpsync.cli.syncing",
        "systems": "erpsync.cli.systems",
        "tail": "erpsync.cli.tailing",
        "trace": "erpsync.cli.tracing",
        "workers": "erpsync.cli.workers",
        "xref": "erpsync.cli.xref",
    }


app = typer.Typer(
    name="erpsync", cls=_Everything, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
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
def help_(topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="exit-codes, filters")] = "") -> None:
    """Say more about a topic: exit-codes, filters."""
    if not topic:
        from erpsync.cli.front_page import FRONT_PAGE  # noqa: PLC0415  (text that only help shows)

        say(*FRONT_PAGE.splitlines())
        return
    from erpsync.cli.help_topics import topics  # noqa: PLC0415  (as above)

    known = topics()
    if topic not in known:
        near = get_close_matches(topic, known, n=1)
        raise UsageError(
            f"help has no topic {topic}",
            hint=f"{near[0] + '? ' if near else ''}Topics: {', '.join(known)}; a command: erpsync COMMAND --help",
        )
    say(*known[topic]())


def main(argv: Sequence[str] | None = None, *, bench: Workbench | None = None) -> int:
    """Run ``erpsync``; returns the exit code."""
    # pydantic looks through every installed package for plug-ins of its own: we have none, and it takes 15 ms where
    # pydantic is loaded at all (to look at the store it is not).
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    collecting = gc.isenabled()
    gc.disable()  # what starting makes, stays; ``Workbench.wait_for`` collects again, for what may run for days
    try:
        return run(app, sys.argv[1:] if argv is None else argv, bench=bench or Workbench())
    finally:
        if collecting:
            gc.enable()
