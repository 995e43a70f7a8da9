"""``messages hold``, ``release``, ``skip``: what waits is stopped, let go, or not delivered at all, on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from erpsync.cli.acting import FateOfLine, LineFate, fate_text
from erpsync.cli.commands import workbench
from erpsync.cli.frozen import SHOWN, carry_out, frozen, preview
from erpsync.cli.options import Answer, AnswerFormat, DryRun, Ids, Reason, Yes
from erpsync.cli.output import say
from erpsync.cli.selecting import clock
from erpsync.cli.wording import waits_for
from erpsync.domain.by_hand import Act
from erpsync.errors import UsageError
from erpsync.terminal import amounts, plural, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.engine.replay.hand import Done
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow


def hold(
    ctx: typer.Context,
    ids: Ids,
    *,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Have messages wait until they are released; what stands behind them in their lanes waits too.

    A newer revision of a kept document takes a held one's place, and goes.
    """
    bench = workbench(ctx)
    found = frozen(bench, Act.HOLD, ids, dry_run=dry_run)
    if output is Answer.TABLE:
        times = clock(bench)
        preview(found, lambda row: f"waits for {waits_for(row, times)}")
        say(_behind(found.behind, "waits until they are released"))
        if any(_gives_way(row) for row in found.rows):
            say("newer        a newer revision of a held document takes its place, and goes")

    def act(numbers: list[int]) -> Done:
        from erpsync.engine.replay import holding  # noqa: PLC0415  (the engine: only for acts)

        return holding.hold(bench, numbers, actor=bench.actor, reason=reason, command=bench.command)

    def afterwards(done: Done) -> list[str]:
        if len(done.done) > SHOWN:
            return ["next: erpsync messages list --where 'state = held'"]
        return [f"next: erpsync messages release {_numbers(done.done)}"]

    return carry_out(bench, found, act, dry_run=dry_run, yes=yes, output=output, afterwards=afterwards)


def release(
    ctx: typer.Context,
    ids: Ids,
    *,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Let go what waits for a person; it is due now. What else it waits for (a parent, say), it still waits for.

    The exceptions that asked close. Where nothing was mended, the next try may hold it again.
    """
    bench = workbench(ctx)
    found = frozen(bench, Act.RELEASE, ids, dry_run=dry_run)
    if output is Answer.TABLE:
        times = clock(bench)
        preview(found, lambda row: f"waits for {waits_for(row, times)}")
        say(_behind(found.behind, "follows when these are delivered"), "undo         no: what a system accepts stays")

    def act(numbers: list[int]) -> Done:
        from erpsync.engine.replay import holding  # noqa: PLC0415  (the engine: only for acts)

        return holding.release(bench, numbers, actor=bench.actor, reason=reason, command=bench.command)

    return carry_out(
        bench,
        found,
        act,
        dry_run=dry_run,
        yes=yes,
        output=output,
        afterwards=_after_release,
    )


def skip(
    ctx: typer.Context,
    ids: Ids,
    *,
    line: FateOfLine = LineFate.HOLD,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Do not deliver messages that wait, ready or held; needs --reason. dlq restore brings them back.

    Dead letters are given up with dlq discard; a lost answer is settled first.
    """
    bench = workbench(ctx)
    found = frozen(bench, Act.SKIP, ids, dry_run=dry_run)
    if not dry_run and not reason.strip():
        raise UsageError(
            "messages skip needs --reason: a document is not delivered", hint="--reason 'entered there by hand'"
        )
    if output is Answer.TABLE:
        preview(found, _without)
        say(fate_text(line, found.behind))
        say(f"undo         erpsync dlq restore {_numbers([row.message_id for row in found.rows])}")

    def act(numbers: list[int]) -> Done:
        from erpsync.engine.replay import letters  # noqa: PLC0415  (the engine: only for acts)

        return letters.skip(bench, numbers, line=line.value, actor=bench.actor, reason=reason, command=bench.command)

    def afterwards(done: Done) -> list[str]:
        lines = [f"next: erpsync messages show {done.done[0]}" if len(done.done) == 1 else "next: erpsync lanes list"]
        if done.line:
            verb = "is" if len(done.line) == 1 else "are"
            became = "held" if line is LineFate.HOLD else "discarded"
            lines.insert(0, f"{plural(len(done.line), 'message')} of the line {verb} {became}.")
        return lines

    return carry_out(bench, found, act, dry_run=dry_run, yes=yes, output=output, afterwards=afterwards)


def _behind(line: Line, becomes: str) -> str:
    return f"line behind  {line.text}, {amounts(line.stakes)}: {becomes}"


def _after_release(done: Done) -> list[str]:
    """What moves them now: a worker; where all wait on for something else, what that is."""
    if done.stays and len(done.stays) == len(done.done):
        return [f"next: erpsync messages show {done.stays[0][0]}"]
    return ["next: erpsync run --until-idle"]


def _numbers(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids[:SHOWN])) + (" ..." if len(ids) > SHOWN else "")


def _without(row: MessageRow) -> str:
    """What its target will then not have, and whether something else will bring it."""
    from erpsync.domain.kinds import Nature, kind_or_none  # noqa: PLC0415  (not for help)

    system, kind = safe(row.system), kind_or_none(row.kind)
    lacks = f"{system} keeps what it has of it" if row.far_id else f"{system} will not have it"
    if kind is not None and kind.nature is Nature.HAPPENED:
        return f"{lacks}; it happened once, nothing else tells {system} of it"
    return f"{lacks}, until it changes again: the next change carries this one too"


def _gives_way(row: MessageRow) -> bool:
    """Whether a newer revision clears it where it stands, held or not."""
    from erpsync.domain.kinds import Supersedes, kind_or_none  # noqa: PLC0415  (not for help)

    kind = kind_or_none(row.kind)
    if kind is None or kind.supersedes is Supersedes.NEVER:
        return False
    return kind.supersedes is Supersedes.ALWAYS or not row.far_id
