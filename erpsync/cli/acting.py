"""What acts on messages have in common: the ids named, frozen before anything is asked, and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from erpsync.cli.options import HOW, Answer, many_ids
from erpsync.cli.output import room, say
from erpsync.cli.tables import wrapped
from erpsync.cli.wording import key_text
from erpsync.errors import UsageError
from erpsync.terminal import amounts, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from erpsync.engine.replay.hand import Done
    from erpsync.store.connection import Connection
    from erpsync.store.reading.line import Line
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

Row = TypeVar("Row")
MOST = 1_000
_NAMED = 5


class LineFate(StrEnum):
    """What becomes of the line behind a message that is put aside."""

    GO = "go"
    DISCARD = "discard"
    HOLD = "hold"


FateOfLine = Annotated[
    LineFate,
    typer.Option(
        "--line", metavar="FATE", help="what becomes of its line: go, discard or hold (hold)", rich_help_panel=HOW
    ),
]
_FATES = {"go": "goes on without them", "discard": "is discarded too", "hold": "stays held until it is decided"}


def fate_text(fate: LineFate, behind: Line) -> str:
    """How much waits behind what is put aside, and what becomes of that."""
    return f"line behind  {behind.text}, {amounts(behind.stakes)}: {_FATES[fate]}"


def ids_or_where(act: str, ids: Sequence[str] | None, where: str, *, hint: str) -> None:
    """Raise UsageError unless an act is told what it is about in one way: by ids, or by a filter."""
    if bool(ids) == bool(where):
        raise UsageError(f"{act} needs ids, - for ids on stdin, or --where", hint=hint)


def named(bench: Workbench, db: Connection, words: Sequence[str]) -> list[MessageRow]:
    """The messages named by ids; raises NotFound for the first that is not there, UsageError for too many."""
    from erpsync.store.reading.messages import message, messages_with_ids  # noqa: PLC0415  (not for help)

    ids = many_ids(words)
    refuse_too_many(len(ids), "messages")
    rows = messages_with_ids(db, bench.landscape.company, ids)
    for missing in sorted(set(ids) - {row.message_id for row in rows})[:1]:
        message(db, bench.landscape.company, missing)  # raises, and says which id may have been meant
    return rows


def letters_named(bench: Workbench, words: Sequence[str], *, state: str) -> list[MessageRow]:
    """The messages named by ids, each in ``state``; raises UsageError for the first that is not, or when there are none."""
    with bench.store.read() as db:
        rows = named(bench, db, words)
    if not rows:
        raise UsageError("there are no ids to act on", hint="name them, or pass them on stdin with -")
    for row in rows:
        if row.state != state:
            raise UsageError(
                f"message {row.message_id} is not {state}, it is {row.state}",
                hint=f"erpsync messages show {row.message_id}",
            )
    return rows


def refuse_too_many(count: int, noun: str) -> None:
    """Raise UsageError above what one act may touch."""
    if count > MOST:
        raise UsageError(
            f"{count:,} {noun} are more than one act takes: {MOST:,}", hint="fewer at a time, with --where or --limit"
        )


def show_letters(what: str, rows: Sequence[MessageRow], output: Answer) -> None:
    """The first lines of a preview: how many, to whom, their money, and the first of them by name."""
    if output is not Answer.TABLE:
        return
    say(f"{what} {plural(len(rows), 'letter')}: {by_system(row.system for row in rows)}.", "")
    show_first(
        rows,
        lambda row: (
            f"{row.message_id}  {key_text(row.key)} to {safe(row.system)}  {safe(row.error or row.reason, limit=60)}"
        ),
        most=_NAMED,
    )
    say("", f"stake        {amounts(sums(rows))}")


def show_first(rows: Sequence[Row], line: Callable[[Row], str], *, most: int) -> None:
    """The first of what an act is about, a line each, and how many that are of how many."""
    for row in rows[:most]:
        say(*wrapped(line(row), room=room(), first="  ", then="      ", whole_words=False))
    if len(rows) > most:
        say(f"  {most} of {len(rows):,}")


def by_system(systems: Iterable[str]) -> str:
    """``erp 36, shop 1``, the most first."""
    counts: dict[str, int] = {}
    for system in systems:
        counts[system] = counts.get(system, 0) + 1
    return ", ".join(
        f"{safe(name)} {count:,}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def sums(rows: Iterable[MessageRow]) -> tuple[tuple[str, int], ...]:
    """The money of these messages by currency, each document once, the most first."""
    from erpsync.store.reading.cause import money  # noqa: PLC0415  (not for help)

    return money((row.record_id, row.currency, row.stake) for row in rows)


def done_keys(past: str, done: Done | None, left_out: Sequence[tuple[int, str]]) -> dict[str, object]:
    """What an act on messages came to, in JSON; None: it was only shown. ``past`` is its verb: ``held``, ``discarded``."""
    return {
        past: done.done if done else [],
        "line": done.line if done else [],
        "stays": [{"message": number, "for": on} for number, on in done.stays] if done else [],
        "left_out": [{"message": number, "why": why} for number, why in left_out],
        "closed": [f"E-{number}" for number in done.closed] if done else [],
        "act": f"A-{done.act}" if done and done.act is not None else None,
    }
