"""Acts on one system: asking it whether it is back, pausing it, letting a paused, stopped or down one go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.asking import ask
from erpsync.cli.commands import workbench
from erpsync.cli.exit_codes import UNREACHABLE
from erpsync.cli.options import WHAT, Answer, AnswerFormat, Reason, Yes
from erpsync.cli.output import command_line, emit, envelope, say, utc
from erpsync.cli.pausing import in_hand_text, pause_text, waiting_text
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.errors import CallError, UsageError
from erpsync.terminal import plural, safe, took

if TYPE_CHECKING:
    from erpsync.engine.upkeep.systems import Paused, ProbeResult
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.workbench import Workbench

Name = Annotated[str, typer.Argument(metavar="SYSTEM", help="a system of the landscape", show_default=False)]
_STOPS = {
    "in": "nothing is read from it",
    "out": "nothing is sent to it",
    "both": "nothing is read from it or sent to it",
}


def probe(ctx: typer.Context, system: Name, *, output: AnswerFormat = Answer.TABLE) -> int:
    """Ask a system whether it is up and lets us in; when it does, its breaker closes. A pause stays."""
    bench = workbench(ctx)
    bench.system(system)
    from erpsync.engine.upkeep.systems import ProbeResult  # noqa: PLC0415  (the engine: only for acts)
    from erpsync.engine.upkeep.systems import probe as probe_system  # noqa: PLC0415  (as above)

    try:
        with under_way(f"asking {safe(system)}", quiet=output is Answer.JSON):
            bench.open_to_write("systems probe", create=True)
            result = bench.wait_for(lambda: probe_system(bench, system))
    except CallError as error:
        result = ProbeResult(system, False, None, error.message, 0)
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "systems.probe",
                system=system,
                up=result.ok,
                seconds=None if result.seconds is None else f"{result.seconds:.3f}",
                text=result.text or None,
                waiting=result.waiting,
                pause=result.pause or None,
            )
        )
    else:
        say(*_probed(result))
    return 0 if result.ok else UNREACHABLE


def _probed(result: ProbeResult) -> list[str]:
    system = safe(result.system)
    if not result.ok:
        after = f" in {took(result.seconds)}" if result.seconds is not None else ""
        return [
            f"{system} did not answer well{after}: {safe(result.text, limit=200)}",
            f"next: erpsync systems list --where {command_line(f'system = {result.system}')}",
        ]
    said = f" ({safe(result.text, limit=100)})" if result.text else ""
    first = f"{system} is up: answered in {took(result.seconds)}{said}"
    if result.pause:
        return [f"{first}; it is still paused", f"next: {command_line('erpsync', 'systems', 'resume', result.system)}"]
    if not result.waiting:
        return [first]
    go = f"{plural(result.waiting, 'message')} go{'es' if result.waiting == 1 else ''} now"
    return [f"{first}; {go}", "next: erpsync run --until-idle"]


def pause(
    ctx: typer.Context,
    system: Name,
    *,
    only_in: Annotated[
        bool,
        typer.Option(
            "--in", help="read no changes from it; what a write must look up is still asked", rich_help_panel=WHAT
        ),
    ] = False,
    only_out: Annotated[bool, typer.Option("--out", help="send nothing to it", rich_help_panel=WHAT)] = False,
    both: Annotated[
        bool, typer.Option("--both", help="neither, and no probes; unless said", rich_help_panel=WHAT)
    ] = False,
    reason: Reason = "",
    yes: Yes = False,  # noqa: ARG001  (it never asks; scripts say it everywhere)
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Leave a system alone until somebody resumes it; workers on every machine obey within seconds.

    What comes for it waits, and spends no try; its time limit stands still. Calls in flight come to their end. What
    is paused already stays so: --out after --in is both.
    """
    from erpsync.engine.routes import names_of  # noqa: PLC0415  (the engine: only for acts)
    from erpsync.engine.upkeep.systems import pause as pause_system  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    bench.refuse_change("systems pause")
    bench.system(system)
    if only_in + only_out + both > 1:
        raise UsageError("--in, --out and --both do not go together", hint="one of them; --both is meant unless said")
    what = "in" if only_in else "out" if only_out else "both"
    store = bench.open_to_write("systems pause", create=True)
    names = names_of(store, bench.landscape, now=bench.now())
    done = pause_system(
        store, names, system, what=what, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command
    )
    if output is Answer.JSON:
        emit(envelope(bench, "systems.pause", **_answer(done)))
    else:
        say(*_paused(bench, done))


def _paused(bench: Workbench, done: Paused) -> list[str]:
    row, system = done.after, safe(done.after.name)
    resume = f"next: {command_line('erpsync', 'systems', 'resume', row.name)}"
    if done.act is None:
        return [f"{system} is {pause_text(row.pause, row.paused_by)} already, {_since(bench, row.paused_at)}.", resume]
    lines = [f"{system} is paused: {_STOPS[row.pause]} until it is resumed."]
    if row.outward == "paused" and done.before.outward != "paused":
        lines += [in_hand_text(done.in_hand)] if done.in_hand else []
        lines += [waiting_text(done.waiting)]
    if row.state != "up":
        lines.append(f"It is {row.state} as well, and stays so.")
    return [*lines, resume]


def _since(bench: Workbench, at: int | None) -> str:
    from erpsync.store.connection import moment  # noqa: PLC0415  (not for help)

    return f"since {clock(bench).both(moment(at))}" if at is not None else "since long"


def _answer(done: Paused) -> dict[str, object]:
    from erpsync.store.connection import moment  # noqa: PLC0415  (not for help)

    row = done.after
    return {
        "system": row.name,
        "changed": done.act is not None,
        "pause": row.pause or None,
        "pause_before": done.before.pause or None,
        "paused_by": row.paused_by,
        "paused_at": utc(moment(row.paused_at)) if row.paused_at is not None else None,
        "pause_reason": row.pause_reason or None,
        "state": row.state,
        "in_hand": done.in_hand,
        "waiting": done.waiting,
    }


def resume(
    ctx: typer.Context, system: Name, *, reason: Reason = "", yes: Yes = False, output: AnswerFormat = Answer.TABLE
) -> None:
    """Let a paused system go on, or a stopped or down one be tried again, one message first.

    Of a paused one only the pause is lifted: when it is down or stopped as well it stays so, and is resumed once more.
    """
    from erpsync.store.connection import ms  # noqa: PLC0415  (as above)
    from erpsync.store.reading.systems import standings  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("systems resume")
    bench.system(system)
    with bench.store.read() as db:
        rows = standings(db, bench.landscape.company, now_ms=ms(bench.now()), names=[system])
    if not rows or (rows[0].state == "up" and not rows[0].pause):
        raise UsageError(f"system {system} is up: there is nothing to resume", hint="erpsync systems list")
    standing = rows[0]
    if output is Answer.TABLE:
        say(*_stands(bench, standing))
    ask(bench, "resume", what=safe(system), answer=safe(system), yes=yes)
    bench.open_to_write("systems resume")
    if standing.pause:
        _lift(bench, system, reason=reason, output=output)
        return
    from erpsync.engine.upkeep.systems import resume as resume_system  # noqa: PLC0415  (the engine: only for acts)

    done = resume_system(bench, system, actor=bench.actor, reason=reason, command=bench.command)
    if output is Answer.JSON:
        answer = {"from_state": standing.state, "state": "up", "waiting": done.waiting}
        emit(envelope(bench, "systems.resume", system=system, **answer))
    else:
        go = f", then {done.waiting - 1:,} more" if done.waiting > 1 else ""
        say(f"{safe(system)} is up again, one message first{go}.", "next: erpsync run --until-idle")


def _stands(bench: Workbench, standing: SystemStanding) -> list[str]:
    """What is shown before it is asked."""
    times, system = clock(bench), safe(standing.name)
    waits = f"{plural(standing.due, 'message')} wait{'s' if standing.due == 1 else ''}."
    if standing.pause and standing.paused_at is not None:
        lines = [
            f"{system} is {pause_text(standing.pause, standing.paused_by)} since {times.both(standing.paused_at)}; {waits}"
        ]
        return lines + ([f"reason      {safe(standing.pause_reason, limit=200)}"] if standing.pause_reason else [])
    lines = [f"{system} is {standing.state} since {times.both(standing.since)}; {waits}"]
    return lines + ([f"last error  {safe(standing.last_error, limit=200)}"] if standing.last_error else [])


def _lift(bench: Workbench, system: str, *, reason: str, output: Answer) -> None:
    from erpsync.engine.routes import names_of  # noqa: PLC0415  (the engine: only for acts)
    from erpsync.engine.upkeep.systems import lift  # noqa: PLC0415  (as above)

    names = names_of(bench.store, bench.landscape, now=bench.now())
    done = lift(bench.store, names, system, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command)
    if output is Answer.JSON:
        after = done.after
        answer = {"from_state": "paused", "state": after.state, "waiting": done.waiting}
        emit(envelope(bench, "systems.resume", system=after.name, **answer))
        return
    first = f"{safe(system)} is not paused any more"
    if done.after.state != "up":
        act = "probe" if done.after.state == "down" else "resume"
        say(f"{first}, but {done.after.state}, as it was.", f"next: {command_line('erpsync', 'systems', act, system)}")
        return
    go = f"; {plural(done.waiting, 'message')} go{'es' if done.waiting == 1 else ''} now" if done.waiting else ""
    say(f"{first}{go}.", "next: erpsync run --until-idle")
