"""``flows pause`` and ``flows resume``: what is along a flow waits, and reading goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.asking import ask
from erpsync.cli.commands import workbench
from erpsync.cli.options import Answer, AnswerFormat, Reason, Yes, from_stdin
from erpsync.cli.output import command_line, emit, envelope, say, utc
from erpsync.cli.pausing import pause_text, waiting_text
from erpsync.cli.selecting import clock
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError
from erpsync.terminal import plural, quoted, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.engine.upkeep.flows import FlowAct
    from erpsync.store.names import Names
    from erpsync.workbench import Workbench

Flows = Annotated[
    list[str], typer.Argument(metavar="FLOW...", help="flows by name; - reads names from stdin", show_default=False)
]


def pause(
    ctx: typer.Context,
    flows: Flows,
    *,
    reason: Reason = "",
    yes: Yes = False,  # noqa: ARG001  (it never asks; scripts say it everywhere)
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Send nothing along these flows until somebody resumes them; workers on every machine obey within seconds.

    What is along them waits, and spends no try; its time limit stands still. Calls in flight come to their end, and
    answers that were lost are still asked about. Reading goes on, so that nothing is missed and pictures stay true:
    systems pause --in stops that.
    """
    from erpsync.engine.upkeep.flows import pause as pause_flows  # noqa: PLC0415  (the engine: only for acts)

    bench = workbench(ctx)
    bench.refuse_change("flows pause")
    wanted, names = _named(bench, "flows pause", flows)
    done = pause_flows(
        bench.store, names, wanted, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command
    )
    if output is Answer.JSON:
        _emit(bench, "flows.pause", done)
        return
    for act in done:
        if act.changed:
            say(
                f"flow {safe(act.flow)} is paused: nothing is sent along it, reading goes on.",
                waiting_text(act.waiting),
            )
        else:
            say(f"flow {safe(act.flow)} is {_since(bench, act)} already.")
    say(f"next: {command_line('erpsync', 'flows', 'resume', *wanted)}")


def resume(
    ctx: typer.Context, flows: Flows, *, reason: Reason = "", yes: Yes = False, output: AnswerFormat = Answer.TABLE
) -> None:
    """Let what waits along these flows go."""
    from erpsync.engine.upkeep.flows import resume as resume_flows  # noqa: PLC0415  (the engine: only for acts)
    from erpsync.store.flows import paused  # noqa: PLC0415  (not for help)
    from erpsync.store.messages import waiting_along  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    bench.refuse_change("flows resume")
    wanted, names = _named(bench, "flows resume", flows)
    with bench.store.read() as db:
        still = {flow.name for flow in paused(db).values()}
        due = sum(waiting_along(db, names.company_id, names.flows[name]) for name in wanted if name in still)
    if not any(name in still for name in wanted):
        raise UsageError(f"flow {wanted[0]} is not paused: there is nothing to resume", hint="erpsync flows list")
    what = plural(len([name for name in wanted if name in still]), "flow")
    if output is Answer.TABLE:
        verb = "goes" if due == 1 else "go"
        say(
            f"{', '.join(safe(name) for name in wanted if name in still)}: {plural(due, 'message')} {verb} when resumed."
        )
    ask(
        bench,
        "resume",
        what=what,
        answer="resume",
        yes=yes,
        stdin_taken=from_stdin(flows),
        left="left; nothing was changed",
    )
    done = resume_flows(
        bench.store, names, wanted, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command
    )
    if output is Answer.JSON:
        _emit(bench, "flows.resume", done)
        return
    for act in done:
        if act.changed:
            verb = "goes" if act.waiting == 1 else "go"
            go = f": {plural(act.waiting, 'message')} {verb} now" if act.waiting else ""
            say(f"flow {safe(act.flow)} is not paused any more{go}.")
        else:
            say(f"flow {safe(act.flow)} was not paused.")
    say("next: erpsync run --until-idle")


def _named(bench: Workbench, what: str, words: Sequence[str]) -> tuple[list[str], Names]:
    """The flows meant, each once, in the store opened for writing; raises UsageError naming the nearest."""
    from erpsync.engine.routes import names_of  # noqa: PLC0415  (the engine: only for acts)

    wanted: dict[str, None] = {}
    for word in words:
        named = [word]
        if from_stdin(named):
            named = [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
        wanted.update(dict.fromkeys(named))
    store = bench.open_to_write(what, create=what == "flows pause")
    names = names_of(store, bench.landscape, now=bench.now())
    for name in wanted:
        if name not in names.flows:
            known = [flow.name for flow in bench.landscape.flows]
            raise UsageError(
                f"flow {quoted(name, limit=60)} does not exist",
                hint=f"{meant(name, known)}Flows: {', '.join(known) or 'none'}",
            )
    if not wanted:
        raise UsageError("there are no flows to act on", hint="name them, or pass them on stdin with -")
    return list(wanted), names


def _since(bench: Workbench, act: FlowAct) -> str:
    from erpsync.store.connection import moment  # noqa: PLC0415  (not for help)

    if act.after is None:
        return "not paused"
    return f"{pause_text('both', act.after.paused_by)} since {clock(bench).both(moment(act.after.paused_at))}"


def _emit(bench: Workbench, schema: str, done: Sequence[FlowAct]) -> None:
    from erpsync.store.connection import moment  # noqa: PLC0415  (not for help)

    items = [
        {
            "flow": act.flow,
            "changed": act.changed,
            "waiting": act.waiting,
            "paused": act.after is not None,
            "paused_by": act.after.paused_by if act.after else None,
            "paused_at": utc(moment(act.after.paused_at)) if act.after else None,
            "pause_reason": (act.after.pause_reason or None) if act.after else None,
        }
        for act in done
    ]
    emit(envelope(bench, schema, total=len(items), shown=len(items), items=items))
