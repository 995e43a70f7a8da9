"""``replay``: dead letters sent again, frozen to ids, shown, then confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from erpsync.cli.acting import MOST, by_system, ids_or_where, named, refuse_too_many, sums
from erpsync.cli.asking import ask
from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, AnswerFormat, DryRun, MaybeIds, Output, Reason, Where, Yes, from_stdin
from erpsync.cli.output import emit, envelope, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import selection, stakes_json
from erpsync.cli.tables import wrapped
from erpsync.cli.wording import key_text
from erpsync.errors import UsageError
from erpsync.terminal import amounts, plural, safe

if TYPE_CHECKING:
    from erpsync.engine.replay.hand import Done
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

_SHOWN = 5
_EXAMPLES = """\
Examples
  see what it would do:   erpsync replay 42790 42801 --dry-run
  from a filter:          erpsync replay --where 'system = wms'
  from a listing:         erpsync dlq list -o ids --where 'system = wms' \\
                            | erpsync replay - --yes

Exit codes: 0 all ready again, 1 a part not, 2 usage, 4 store"""


app = alone()


@app.command(name="replay", cls=Command, epilog=_EXAMPLES)
def replay(
    ctx: typer.Context,
    ids: MaybeIds = None,
    *,
    where: Where = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Send dead letters again: shown first, frozen to what is shown, at most 1,000 at a time."""
    bench = workbench(ctx)
    if not dry_run:
        bench.refuse_change("replay")
    ids_or_where("replay", ids, where, hint="erpsync replay --where 'system = wms' --dry-run")
    with under_way("replay: looking for the letters", quiet=output is Answer.JSON):
        send, left_out, line = _frozen(bench, ids, where)
    if not send and not left_out:
        if output is Answer.JSON:
            emit(envelope(bench, "replay", **_answer(bench, send, left_out, line)))
        else:
            say("Nothing to replay: no dead letter matches.")
        return 0
    if not send:
        first = left_out[0]
        raise UsageError(
            f"message {first[0]} is {first[1]}"
            + (f", nor are {len(left_out) - 1:,} others" if len(left_out) > 1 else ""),
            hint=f"erpsync messages show {first[0]}",
        )
    if output is Answer.TABLE:
        say(*_preview(send, left_out, line))
    if dry_run:
        if output is Answer.JSON:
            emit(envelope(bench, "replay", **_answer(bench, send, left_out, line)))
        return 0
    what = f"{plural(len(send), 'message')} to {', '.join(sorted({safe(row.system) for row in send}))}"
    ask(
        bench,
        "replay",
        what=what,
        answer=str(len(send)),
        yes=yes,
        stdin_taken=from_stdin(ids),
        hint="--yes if the preview is right",
    )
    from erpsync.engine.replay import letters  # noqa: PLC0415  (the engine: only for acts)

    ids_of = [row.message_id for row in send]
    with under_way("replay", quiet=output is Answer.JSON):
        bench.open_to_write("replay")
        result = letters.replay(bench, ids_of, actor=bench.actor, reason=reason, command=bench.command)
    return _say_done(bench, send, left_out, line, result, output)


def _frozen(
    bench: Workbench, ids: list[str] | None, where: str
) -> tuple[list[MessageRow], list[tuple[int, str]], Line]:
    """The letters that would go, those that cannot and why, and what waits behind them: all of one moment."""
    from erpsync.store.reading.line import line_behind  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.messages import dead_letters  # noqa: PLC0415  (as above)

    with bench.store.read() as db:
        if where:
            page = dead_letters(db, selection(bench, where, limit=MOST + 1, sort="id", output=Output.IDS))
            refuse_too_many(page.total, "messages")
            rows = list(page.items)
        else:
            rows = named(bench, db, ids or ())
        left_out = [(row.message_id, f"not dead, it is {row.state}") for row in rows if row.state != "dead"]
        send = sorted((row for row in rows if row.state == "dead"), key=lambda row: row.message_id)
        return send, left_out, line_behind(db, [row.message_id for row in send])


def _preview(send: list[MessageRow], left_out: list[tuple[int, str]], line: Line) -> list[str]:
    total = len(send) + len(left_out)
    lanes = len({row.lane_id for row in send})
    stake = sums(send)
    money = f"; {amounts(stake)} {'is' if len(stake) == 1 else 'are'} at stake in them" if stake else ""
    digits = len(f"{max(total, line.count):,}") + (1 if line.more else 0)
    lines = [
        f"Would send {len(send):,} of {plural(total, 'letter')} to {', '.join(sorted({safe(row.system) for row in send}))}{money}.",
        "",
    ]
    lines.append(f"letters      {total:>{digits},}   {by_system(row.system for row in send)}")
    indent = " " * (16 + digits)
    for row in send[:_SHOWN]:
        text = f"{row.message_id} {key_text(row.key)}: {safe(row.error or row.reason, limit=100)}"
        lines += wrapped(text, room=room(), first=indent, then=indent + "  ", whole_words=False)
    if len(send) > _SHOWN:
        lines.append(f"{indent}{_SHOWN} of {len(send):,}")
    if left_out:
        number, why = left_out[0]
        lines.append(
            f"left out     {len(left_out):>{digits},}   {number}: {why}{f' and {len(left_out) - 1:,} more' if len(left_out) > 1 else ''}"
        )
    behind = f"   {amounts(line.stakes)}: they follow when these are delivered" if line.count else ""
    lines.append(f"line behind  {line.text:>{digits}}{behind}")
    lines += ["", f"order        oldest first; one at a time per lane; {plural(lanes, 'lane')}"]
    lines.append("undo         no: what a system accepts stays")
    return lines


def _answer(
    bench: Workbench,
    send: list[MessageRow],
    left_out: list[tuple[int, str]],
    line: Line,
    *,
    result: dict[str, object] | None = None,
) -> dict[str, object]:
    usual = bench.landscape.currency
    targets: dict[str, int] = {}
    for row in send:
        targets[row.system] = targets.get(row.system, 0) + 1
    return {
        "kind": "replay",
        "plan": None,
        "send": [row.message_id for row in send],
        "targets": {name: {"letters": n, "send": n} for name, n in sorted(targets.items())},
        "at_stake": stakes_json(sums(send), usual=usual),
        "line_behind": line.count,
        "line_more": line.more,
        "line_at_stake": stakes_json(line.stakes, usual=usual),
        "left_out": [{"message": number, "why": why} for number, why in left_out],
        "stock": None,
        "invoices": None,
        "undo": False,
        "result": result,
    }


def _say_done(
    bench: Workbench,
    send: list[MessageRow],
    left_out: list[tuple[int, str]],
    line: Line,
    result: Done,
    output: Answer,
) -> int:
    if output is Answer.JSON:
        failed = [{"message": number, "why": why} for number, why in result.left_out]
        told = {"replayed": result.done, "failed": failed}
        emit(envelope(bench, "replay", **_answer(bench, send, left_out, line, result=told)))
    else:
        done = set(result.done)
        targets = by_system(row.system for row in send if row.message_id in done)
        say("", f"{len(done):,} of {plural(len(send), 'letter')} ready again{f': {targets}' if targets else ''}.")
        say(*(f"left out     {number}: {safe(why)}" for number, why in result.left_out))
        say("next: erpsync run --until-idle")
    return NO if result.left_out else 0
