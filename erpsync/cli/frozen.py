"""An act on messages named by ids: frozen as they stand, shown, asked about, done, and told.

Rule: what is shown is what is acted on. Each is judged again as it stands when the act is done, and left out if it moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erpsync.cli.acting import by_system, done_keys, named, show_first, sums
from erpsync.cli.asking import ask
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, from_stdin
from erpsync.cli.output import emit, envelope, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import stakes_json
from erpsync.cli.wording import key_text, message_item
from erpsync.domain.by_hand import Act, Stands, refusal
from erpsync.errors import UsageError
from erpsync.terminal import amounts, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from erpsync.engine.replay.hand import Done
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

SHOWN = 5
_PAST = {Act.HOLD: "held", Act.RELEASE: "released", Act.SKIP: "skipped"}
_AND_SO = {Act.HOLD: "until released", Act.RELEASE: "and due now", Act.SKIP: "and not delivered"}


@dataclass(frozen=True)
class Frozen:
    """What an act would be done to, what it cannot be done to and why, and what waits behind: all of one moment."""

    act: Act
    rows: list[MessageRow]
    left_out: list[tuple[int, str]]
    behind: Line
    stdin_taken: bool


def frozen(bench: Workbench, act: Act, ids: list[str], *, dry_run: bool) -> Frozen:
    """What the ids come to; raises ReadOnly, NotFound, and UsageError where the act can be done to none of them."""
    from erpsync.store.reading.line import line_behind  # noqa: PLC0415  (not for help)

    if not dry_run:
        bench.refuse_change(f"messages {act}")
    with bench.store.read() as db:
        rows = named(bench, db, ids)
        refused = {row.message_id: why for row in rows if (why := refusal(act, _stands(row)))}
        can = [row for row in rows if row.message_id not in refused]
        behind = line_behind(db, [row.message_id for row in can])
    if not rows:
        raise UsageError("there are no ids to act on", hint="name them, or pass them on stdin with -")
    if not can:
        number, first = next(iter(refused.items()))
        others = f"; nor can {plural(len(refused) - 1, 'other')} be {_PAST[act]}" if len(refused) > 1 else ""
        raise UsageError(f"message {number} is {first.why}{others}", hint=first.instead)
    left_out = [(number, why.why) for number, why in refused.items()]
    return Frozen(act, can, left_out, behind, stdin_taken=from_stdin(ids))


def _stands(row: MessageRow) -> Stands:
    waits = tuple((wait.reason, wait.waits_on) for wait in row.waits)
    return Stands(row.message_id, row.system, row.state, row.reason, row.is_pinned, waits)


def preview(found: Frozen, line: Callable[[MessageRow], str]) -> None:
    """Show what would be done to which messages, the first of them by name, each ending in ``line``."""

    def named_row(row: MessageRow) -> str:
        place = "" if row.is_head else ", not the head of its lane"
        return f"{row.message_id}  {key_text(row.key)} to {safe(row.system)}{place}: {line(row)}"

    rows = found.rows
    say(f"Would {found.act} {plural(len(rows), 'message')}: {by_system(row.system for row in rows)}.", "")
    show_first(rows, named_row, most=SHOWN)
    say("", f"stake        {amounts(sums(rows))}")
    say(*_left_out(found.left_out))


def carry_out(
    bench: Workbench,
    found: Frozen,
    do: Callable[[list[int]], Done],
    *,
    dry_run: bool,
    yes: bool,
    output: Answer,
    afterwards: Callable[[Done], list[str]],
) -> int:
    """Ask about what was shown, do it, and say what was done; ``afterwards`` has the last lines. 1 when some were left out."""
    past = _PAST[found.act]
    if dry_run:
        if output is Answer.JSON:
            emit(_answer(bench, found, None, found.left_out))
        return 0
    ask(
        bench,
        found.act,
        what=f"{plural(len(found.rows), 'message')} to {', '.join(sorted({safe(row.system) for row in found.rows}))}",
        answer=str(len(found.rows)),
        yes=yes,
        stdin_taken=found.stdin_taken,
        left=f"left; nothing was {past}",
    )
    with under_way(f"messages {found.act}", quiet=output is Answer.JSON):
        bench.open_to_write(f"messages {found.act}")
        done = do([row.message_id for row in found.rows])
    left_out = [*found.left_out, *done.left_out]
    if output is Answer.JSON:
        emit(_answer(bench, found, done, left_out))
    else:
        say(*_told(bench, found, done), *_left_out(done.left_out), *afterwards(done))
    return NO if left_out else 0


def _answer(bench: Workbench, found: Frozen, done: Done | None, left_out: list[tuple[int, str]]) -> dict[str, object]:
    """What was done, in JSON; None: it was only shown."""
    usual = bench.landscape.currency
    items = [message_item(row, now=bench.now(), usual=usual) for row in found.rows]
    return envelope(
        bench,
        f"messages.{found.act}",
        dry_run=done is None,
        total=len(items),
        shown=len(items),
        items=items,
        line_behind=found.behind.count,
        line_more=found.behind.more,
        line_at_stake=stakes_json(found.behind.stakes, usual=usual),
        **done_keys(_PAST[found.act], done, left_out),
    )


def _left_out(left_out: list[tuple[int, str]]) -> list[str]:
    lines = [f"left out     {number}: {safe(why, limit=200)}" for number, why in left_out[:SHOWN]]
    return [*lines, f"left out     {SHOWN} of {len(left_out):,}"] if len(left_out) > SHOWN else lines


def _told(bench: Workbench, found: Frozen, done: Done) -> list[str]:
    past, stays = _PAST[found.act], dict(done.stays)
    who = f" (A-{done.act}, {safe(bench.actor)})" if done.act is not None else ""
    moved = [number for number in done.done if number not in stays]
    lines = []
    if moved or not done.done:
        one = f"message {moved[0]} is" if len(moved) == 1 else f"{len(moved):,} messages are"
        lines.append(f"{one} {past}, {_AND_SO[found.act]}{who}.")
    for number, on in done.stays[:SHOWN]:
        lines.append(f"message {number} waits for no person any more, but stays held for {safe(on, limit=200)}{who}.")
    if len(stays) > SHOWN:
        lines.append(f"so do {len(stays) - SHOWN:,} others.")
    if done.closed:
        closed = ", ".join(f"E-{number}" for number in done.closed[:SHOWN])
        more = f" and {len(done.closed) - SHOWN:,} more" if len(done.closed) > SHOWN else ""
        lines.append(f"{closed}{more} {'is' if len(done.closed) == 1 else 'are'} closed.")
    return lines
