"""The command line: every noun in its place, loaded when it is asked for. Wiring only."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import typer

import erpsync
from erpsync.cli.commands import Command, Commands, workbench
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import run, say
from erpsync.workbench import Workbench


class _Everything(Commands):
    """All commands, each loaded when it is asked for."""

    deferred: ClassVar[Mapping[str, str]] = {
        "audit": "erpsync.cli.audit",
        "check": "erpsync.cli.checking",
        "completion": "erpsync.cli.completion",
        "config": "erpsync.cli.config",
        "demo": "erpsync.cli.demo",
        "dlq": "erpsync.cli.dlq",
        "doctor": "erpsync.cli.doctor",
        "events": "erpsync.cli.events",
        "exceptions": "erpsync.cli.exceptions",
        "find": "erpsync.cli.finding",
        "flows": "erpsync.cli.flows",
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


@app.command(name="help", cls=Command, hidden=True, epilog="Example: erpsync help json dlq.list")
def help_(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]", help="exit-codes, filters, json", show_default=False)
    ] = None,
    *,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Say more about a topic: exit-codes, filters, json; json COMMAND says every key of an answer."""
    if not words:
        from erpsync.cli.front_page import FRONT_PAGE  # noqa: PLC0415  (text that only help shows)

        say(*FRONT_PAGE.splitlines())
        return
    from erpsync.cli.help_topics import topic  # noqa: PLC0415  (as above)

    say(*topic(words, as_schema=output is Answer.JSON), whole=output is Answer.JSON)


def main(argv: Sequence[str] | None = None, *, bench: Workbench | None = None) -> int:
    """Run ``erpsync``; returns the exit code."""
    # pydantic looks through every installed package for plug-ins of its own: we have none, and it takes 15 ms where
    # pydantic is loaded at all (to look at the store it is not).
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    collecting = gc.isenabled()
    gc.disable()  # what starting makes, stays; ``Workbench.wait_for`` collects again, for what may run for days
    words, bench = sys.argv[1:] if argv is None else argv, bench or Workbench()
    try:
        if bench.environ.get("_ERPSYNC_COMPLETE"):
            from erpsync.cli.completion_answer import answer  # noqa: PLC0415  (only where a shell asks)

            told = answer(app, words, bench=bench)
            if argv is None:
                os._exit(told)  # a shell waits for this, and putting everything away takes a tenth of it
            return told
        return run(app, words, bench=bench)
    finally:
        if collecting:
            gc.enable()
