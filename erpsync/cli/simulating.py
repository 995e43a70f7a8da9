"""``sim``: the practice systems of this folder: up until Ctrl-C, and faults on demand."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import INTERRUPTED
from erpsync.cli.options import HOW, Answer, AnswerFormat
from erpsync.cli.output import as_json, emit, envelope_of, flush, remark, say
from erpsync.cli.practice import Control, start, stop, systems_folder
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError
from erpsync.terminal import safe

app = group("sim", "A practice landscape with real HTTP servers and faults on demand.")
_FAULTS = """\
Examples
  erpsync sim fault wms --mode down --for 30
  erpsync sim fault shop --rate lose_answer=0.1 --rate error_before=0.3
  erpsync sim fault all --reset"""
MODES = ("up", "down", "hang", "denied")


@app.command(name="up", cls=Command, epilog="Example: erpsync sim up --detach")
def up(
    ctx: typer.Context,
    *,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="leave them running and come back; sim down stops them", rich_help_panel=HOW),
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="what faults are drawn from (7)", rich_help_panel=HOW)
    ] = 7,
) -> int:
    """Bring the practice systems of this folder up, as they were left, until Ctrl-C."""
    bench = workbench(ctx)
    bench.refuse_change("sim up")
    folder = systems_folder(bench.folder or Path.cwd())
    process = start(folder, seed=seed)
    control = Control(folder)
    say(
        *(
            f"{safe(name):<6} {safe(about['url'])}  {safe(about.get('class', ''))}".rstrip()
            for name, about in control.systems.items()
        )
    )
    if detach:
        say("next: erpsync status", "  or  erpsync sim down")
        return 0
    say("next, in another terminal: erpsync status")
    flush()
    remark("Ctrl-C stops them; their documents stay")
    try:
        code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        _end(process)
        raise
    return INTERRUPTED if code == 130 else code


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        stop(process)


@app.command(name="down", cls=Command, epilog="Example: erpsync sim down")
def down(ctx: typer.Context) -> None:
    """Stop the practice systems of this folder; their documents stay."""
    bench = workbench(ctx)
    control = Control(systems_folder(bench.folder or Path.cwd()))
    control.post("stop", {})
    say("the practice systems are stopped; their documents stay", "next: erpsync sim up")


@app.command(
    name="fault",
    cls=Command,
    epilog=_FAULTS,
)
def fault(
    ctx: typer.Context,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="erp, shop, wms, or all", show_default=False)],
    *,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="up, down, hang or denied", rich_help_panel=HOW)
    ] = "",
    for_seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="then up again", rich_help_panel=HOW)
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            metavar="FAULT=SHARE",
            help="of writes: error_before, throttle, slow, lose_answer, drop, ...",
            rich_help_panel=HOW,
        ),
    ] = None,
    feed: Annotated[
        list[str] | None,
        typer.Option("--feed", metavar="FAULT=SHARE", help="of change feeds: duplicate, reorder", rich_help_panel=HOW),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="put all faults back", rich_help_panel=HOW)] = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Make a practice system misbehave, or behave again; without an option, say how it is."""
    bench = workbench(ctx)
    control = Control(systems_folder(bench.folder or Path.cwd()))
    if system != "all" and system not in control.systems:
        raise UsageError(
            f"system {system} is no practice system",
            hint=f"{meant(system, control.systems)}Systems: all, {', '.join(control.systems)}",
        )
    if mode and mode not in MODES:
        raise UsageError(f"--mode {mode} is no mode", hint=f"{meant(mode, MODES)}Modes: {', '.join(MODES)}")
    wish: dict[str, Any] = {"system": system}
    if reset:
        wish["reset"] = True
    if mode:
        wish["mode"] = mode
    if for_seconds is not None:
        wish["for_seconds"] = for_seconds
    if rate:
        wish["writes"] = _rates(rate, "--rate")
    if feed:
        wish["feed"] = _rates(feed, "--feed")
    if len(wish) == 1:
        answer = control.get("faults")
    else:
        bench.refuse_change("sim fault")
        answer = control.post("faults", wish)
    if output is Answer.JSON:
        emit(envelope_of(None, bench, "sim.fault", faults=answer))
        return
    shown = answer.get("systems", answer) if isinstance(answer.get("systems", answer), dict) else answer
    say(*(f"{safe(name):<6} {safe(as_json(value))}" for name, value in shown.items()), whole=True)


def _rates(pairs: list[str], option: str) -> dict[str, float]:
    found = {}
    for pair in pairs:
        name, _, share = pair.partition("=")
        try:
            found[name] = float(share)
        except ValueError:
            raise UsageError(f"{option} {pair!r} is not like lose_answer=0.1") from None
    return found
