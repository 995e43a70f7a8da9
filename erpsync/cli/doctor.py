"""``doctor``: whether this machine, its store and its workers are as they should be, and what to run where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import emit, envelope_of, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.tables import wrapped
from erpsync.errors import ErpsyncError
from erpsync.terminal import plural, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.cli.checks.examine import Checked
    from erpsync.workbench import Workbench

_EXAMPLES = """\
Examples
  erpsync doctor
  the systems too:  erpsync doctor --online

Exit codes: 0 well, also with warnings; 1 something is bad or could not be
looked at; 2 usage"""
_SHOWN = {"ok": "ok", "warn": "warn", "bad": "BAD", "unknown": "?"}


app = alone()


@app.command(name="doctor", cls=Command, epilog=_EXAMPLES)
def doctor(
    ctx: typer.Context,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="ask each system whether it is there and lets us in")
    ] = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Whether machine, store, clock, landscape, workers and systems are well, and what to run where not.

    It changes nothing and makes nothing. A warning alone leaves 0.
    """
    from erpsync.cli.checks.examine import examine  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with under_way("doctor", quiet=output is Answer.JSON) as told:
        found = examine(bench, online=online, told=told.step)
    well = all(one.finding.state in ("ok", "warn") for one in found)
    if output is Answer.JSON:
        emit(_answer(bench, found, well=well))
    else:
        say(*lines(found))
    return 0 if well else NO


def _answer(bench: Workbench, found: Sequence[Checked], *, well: bool) -> dict[str, object]:
    items = [
        {
            "check": one.check,
            "state": str(one.finding.state),
            "text": one.finding.text,
            "run": one.finding.run or None,
        }
        for one in found
    ]
    return envelope_of(_name(bench), bench, "doctor", well=well, total=len(items), shown=len(items), items=items)


def _name(bench: Workbench) -> str | None:
    try:
        return bench.landscape.name
    except (ErpsyncError, OSError):
        return None


def lines(found: Sequence[Checked]) -> list[str]:
    """The answer as people read it: the verdict, a line a check, and the next command."""
    column = max(len(one.check) for one in found)
    said = [_verdict(found), ""]
    for one in found:
        first = f"{_SHOWN[one.finding.state]:<4} {one.check:<{column}}  "
        indent = " " * len(first)
        text = f"unknown: {one.finding.text}" if one.finding.state == "unknown" else one.finding.text
        said += wrapped(safe(text), room=room(), first=first, then=indent, whole_words=False)
        if one.finding.run and one.finding.state != "ok":
            said.append(f"     run: {safe(one.finding.run)}")
    return [*said, "", f"next: {_next(found)}"]


def _verdict(found: Sequence[Checked]) -> str:
    names = {state: [one.check for one in found if one.finding.state == state] for state in _SHOWN}
    warned = f"{plural(len(names['warn']), 'warning')}: {', '.join(names['warn'])}." if names["warn"] else ""
    if not names["bad"] and not names["unknown"]:
        return f"WELL: {plural(len(found), 'check')}{f', {warned}' if warned else '.'}"
    parts = []
    if names["bad"]:
        parts.append(f"{len(names['bad'])} of {plural(len(found), 'check')}: {', '.join(names['bad'])}")
    if names["unknown"]:
        parts.append(f"{len(names['unknown'])} could not be made: {', '.join(names['unknown'])}")
    return f"NOT WELL: {'; '.join(parts)}."


def _next(found: Sequence[Checked]) -> str:
    for state in ("bad", "unknown", "warn"):
        for one in found:
            if one.finding.state == state and one.finding.run:
                return safe(one.finding.run)
    return "erpsync status"
