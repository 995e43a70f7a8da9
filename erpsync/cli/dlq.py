"""``dlq``: dead letters, the most money first; one of them with its evidence; discard and restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from erpsync.cli.acting import FateOfLine, LineFate, done_keys, fate_text, letters_named, show_letters
from erpsync.cli.asking import ask
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.letter import show
from erpsync.cli.listings import listing
from erpsync.cli.options import (
    Answer,
    AnswerFormat,
    DryRun,
    Format,
    Ids,
    Limit,
    Output,
    Raw,
    Reason,
    Sort,
    Where,
    Yes,
    from_stdin,
)
from erpsync.cli.output import command_line, emit, envelope, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, count_line, one_currency, selection, stake_text, stakes_json, sums_text
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.cli.wording import cause_text, message_item
from erpsync.terminal import Clock, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from erpsync.engine.replay.hand import Done
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

_DONE_TO = {"discard": "discarded", "restore": "restored"}

app = group("dlq", "Dead letters: the list, one with its evidence, discard, restore.")


@dataclass(frozen=True)
class _Letter:
    row: MessageRow
    line: Line


@app.command(name="list", cls=Command, epilog="Example: erpsync dlq list --where 'system = wms and age > 1h' -o ids")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Dead letters, those with most money at stake first, then those longest dead."""
    from erpsync.store.reading.line import lines_behind  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.messages import dead_letters  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    asked = selection(bench, where, limit=limit, sort=sort, output=output)
    with bench.store.read() as db:
        page = dead_letters(db, asked)
        if output is Output.IDS:
            letters = [_Letter(row, _NO_LINE) for row in page.items]
        else:
            lines = lines_behind(db, [row.message_id for row in page.items])
            letters = [_Letter(row, line) for row, line in zip(page.items, lines, strict=True)]
    times, usual = clock(bench), bench.landscape.currency
    remarks = [count_line(len(letters), page.total, page.everything, "dead letter", times=times)]
    if letters:
        remarks.append(f"next: erpsync dlq show {letters[0].row.message_id}")
    listing(
        bench,
        "dlq.list",
        letters,
        total=page.total,
        columns=_columns(letters, times, usual),
        item=lambda letter: _item(bench, letter),
        identity=lambda letter: str(letter.row.message_id),
        output=output,
        raw=raw,
        remarks=remarks,
    )


class _NoLine:
    count, more, stakes, text = 0, False, (), "-"


_NO_LINE: Line = _NoLine()  # type: ignore[assignment]  # ids need no line, and the store is not loaded for it


def _columns(letters: list[_Letter], times: Clock, usual: str) -> list[Column[_Letter]]:
    currency = one_currency((letter.row.currency for letter in letters), usual=usual)
    behind = one_currency((code for letter in letters for code, _ in letter.line.stakes), usual=currency or usual)
    columns: list[Column[_Letter]] = [
        Column("ID", lambda letter: str(letter.row.message_id), right=True),
        Column("KEY", lambda letter: safe(letter.row.key), most=KEY_ROOM),
        Column("SYSTEM", lambda letter: safe(letter.row.system), rank=1),
        Column("DIED", lambda letter: times.since(letter.row.state_at), rank=3),
        Column("FOR", lambda letter: times.lasting(letter.row.state_at), right=True, rank=2),
        Column("TRIES", lambda letter: str(letter.row.tries), right=True, rank=4),
        Column("LINE", lambda letter: letter.line.text, right=True),
        Column(
            f"STAKE {currency}" if currency else "STAKE",
            lambda letter: stake_text(letter.row.stake, letter.row.currency, beside=currency is None),
            right=True,
        ),
    ]
    if any(letter.line.stakes for letter in letters):
        columns.append(
            Column(
                f"BEHIND {behind}" if behind else "BEHIND",
                lambda letter: sums_text(letter.line.stakes, heading=behind),
                right=True,
                rank=5,
            )
        )
    columns.append(Column("CAUSE", lambda letter: cause_text(letter.row), free=True, wide=100))
    return columns


def _item(bench: Workbench, letter: _Letter) -> dict[str, object]:
    usual = bench.landscape.currency
    return {
        **message_item(letter.row, now=bench.now(), usual=usual),
        "died": utc(letter.row.state_at),
        "line_behind": letter.line.count,
        "line_more": letter.line.more,
        "line_at_stake": stakes_json(letter.line.stakes, usual=usual),
        "run": f"erpsync dlq show {letter.row.message_id}",
    }


app.command(name="show", cls=Command, epilog="Example: erpsync dlq show 42790 --full")(show)


@app.command(
    name="discard", cls=Command, epilog="Example: erpsync dlq discard 42790 --line go --reason 'entered by hand'"
)
def discard(
    ctx: typer.Context,
    ids: Ids,
    *,
    line: FateOfLine = LineFate.HOLD,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Give up dead letters: they are not sent. restore brings them back."""
    bench = workbench(ctx)
    bench.refuse_change("dlq discard")
    rows = letters_named(bench, ids, state="dead")
    from erpsync.store.reading.line import line_behind  # noqa: PLC0415  (not for help)

    with bench.store.read() as db:
        behind = line_behind(db, [row.message_id for row in rows])
    show_letters("Would discard", rows, output)
    if output is Answer.TABLE:
        say(fate_text(line, behind))

    def act(numbers: list[int]) -> Done:
        from erpsync.engine.replay import letters  # noqa: PLC0415  (the engine: only for acts)

        return letters.discard(bench, numbers, line=line.value, actor=bench.actor, reason=reason, command=bench.command)

    return _carry_out(bench, "discard", rows, act, dry_run=dry_run, yes=yes, stdin_taken=from_stdin(ids), output=output)


@app.command(name="restore", cls=Command, epilog="Example: erpsync dlq restore 42790")
def restore(
    ctx: typer.Context,
    ids: Ids,
    *,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Bring discarded letters back: they are sent again, in their place in the lane."""
    bench = workbench(ctx)
    bench.refuse_change("dlq restore")
    rows = letters_named(bench, ids, state="skipped")
    show_letters("Would restore", rows, output)

    def act(numbers: list[int]) -> Done:
        from erpsync.engine.replay import letters  # noqa: PLC0415  (the engine: only for acts)

        return letters.restore(bench, numbers, actor=bench.actor, reason=reason, command=bench.command)

    return _carry_out(bench, "restore", rows, act, dry_run=dry_run, yes=yes, stdin_taken=from_stdin(ids), output=output)


def _carry_out(
    bench: Workbench,
    verb: str,
    rows: list[MessageRow],
    act: Callable[[list[int]], Done],
    *,
    dry_run: bool,
    yes: bool,
    stdin_taken: bool,
    output: Answer,
) -> int:
    """Ask about the letters that were shown, do it, and say what was done."""
    done_to = _DONE_TO[verb]
    if dry_run:
        if output is Answer.JSON:
            emit(_done_answer(bench, verb, rows, None))
        return 0
    what = plural(len(rows), "dead letter" if verb == "discard" else "letter")
    left = f"left; nothing was {done_to}"
    ask(bench, verb, what=what, answer=str(len(rows)), yes=yes, stdin_taken=stdin_taken, left=left)
    with under_way(f"dlq {verb}", quiet=output is Answer.JSON):
        bench.open_to_write(f"dlq {verb}")
        result = act([row.message_id for row in rows])
    if output is Answer.JSON:
        emit(_done_answer(bench, verb, rows, result))
    else:
        one = f"message {result.done[0]} is" if len(result.done) == 1 else f"{len(result.done):,} letters are"
        say(f"{one} {done_to}{' and ready to go' if verb == 'restore' else ''}.")
        say(*(f"left out     {number}: {safe(why)}" for number, why in result.left_out))
        target = command_line("erpsync", "trace", rows[0].key) if len(rows) == 1 else "erpsync dlq list"
        say(f"next: {'erpsync run --until-idle' if verb == 'restore' else target}")
    return NO if result.left_out else 0


def _done_answer(bench: Workbench, verb: str, rows: list[MessageRow], result: Done | None) -> dict[str, object]:
    """What was done, in JSON; None: it was only shown."""
    items = [message_item(row, now=bench.now(), usual=bench.landscape.currency) for row in rows]
    return envelope(
        bench,
        f"dlq.{verb}",
        dry_run=result is None,
        total=len(items),
        shown=len(items),
        items=items,
        **done_keys(_DONE_TO[verb], result, result.left_out if result else ()),
    )
