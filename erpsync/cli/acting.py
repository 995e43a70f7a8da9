"""What acts on messages have in common: the ids named, frozen before anything is asked, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.options import Answer, many_ids
from erpsync.cli.output import say
from erpsync.errors import NotFound, UsageError
from erpsync.terminal import amounts, plural, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

MOST = 1_000
_NAMED = 5


def letters_named(bench: Workbench, words: Sequence[str], *, state: str) -> list[MessageRow]:
    """The messages named by ids, each in ``state``; raises UsageError for the first that is not, or when there are none."""
    from erpsync.store.reading.messages import message, messages_with_ids  # noqa: PLC0415  (not for help)

    ids = many_ids(words)
    refuse_too_many(len(ids))
    if not ids:
        raise UsageError("there are no ids to act on", hint="name them, or pass them on stdin with -")
    with bench.store.read() as db:
        rows = messages_with_ids(db, bench.landscape.company, ids)
        missing = set(ids) - {row.message_id for row in rows}
        if missing:
            message(db, bench.landscape.company, min(missing))
            raise NotFound(f"message {min(missing)} is not in the store")
    for row in rows:
        if row.state != state:
            raise UsageError(
                f"message {row.message_id} is not {state}, it is {row.state}",
                hint=f"erpsync messages show {row.message_id}",
            )
    return rows


def refuse_too_many(count: int) -> None:
    """Raise UsageError above what one act may touch."""
    if count > MOST:
        raise UsageError(
            f"{count:,} messages are more than one act takes: {MOST:,}", hint="fewer at a time, with --where or --limit"
        )


def show_left_out(what: str, rows: Sequence[MessageRow], output: Answer) -> None:
    """The first lines of a preview: how many, to whom, their money, and the first of them by name."""
    if output is not Answer.TABLE:
        return
    say(f"{what} {plural(len(rows), 'letter')}: {by_system(row.system for row in rows)}.", "")
    for row in rows[:_NAMED]:
        say(
            f"  {row.message_id}  {safe(row.key)} to {safe(row.system)}  {safe(row.error or row.reason, limit=60)}".rstrip()
        )
    if len(rows) > _NAMED:
        say(f"  {_NAMED} of {len(rows):,}")
    say("", f"stake        {amounts(sums(rows))}")


def by_system(systems: Iterable[str]) -> str:
    """``erp 36, shop 1``, the most first."""
    counts: dict[str, int] = {}
    for system in systems:
        counts[system] = counts.get(system, 0) + 1
    return ", ".join(
        f"{safe(name)} {count:,}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def sums(rows: Iterable[MessageRow]) -> list[tuple[str, int]]:
    """The money of these messages by currency, each document once, the most first."""
    most: dict[tuple[int, str], int] = {}
    for row in rows:
        most[row.record_id, row.currency] = max(row.stake, most.get((row.record_id, row.currency), 0))
    found: dict[str, int] = {}
    for (_, currency), stake in most.items():
        if stake:
            found[currency] = found.get(currency, 0) + stake
    return sorted(found.items(), key=lambda pair: -pair[1])
