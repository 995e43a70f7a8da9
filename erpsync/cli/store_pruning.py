"""``store prune``: what was finished long ago goes, after it was shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import workbench
from erpsync.cli.options import WHAT, Answer, AnswerFormat, DryRun, Reason, Yes, duration
from erpsync.cli.output import emit, envelope, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.errors import UsageError
from erpsync.terminal import plural, safe, size

if TYPE_CHECKING:
    from erpsync.engine.upkeep.pruning import Pruned
    from erpsync.store.pruning import Counts
    from erpsync.workbench import Workbench

EPILOG = """\
Examples
  what would go:     erpsync store prune --dry-run
  by night, alone:   erpsync store prune --yes --reason "the monthly tidying"

What stays, whatever its age: what is unfinished or dead, open exceptions, the
audit log, records, pictures and cross-references, every event with what was
read of it, what came and was kept back, and the last delivery of each item,
customer and stock level. It may be stopped at any moment and run again."""


def prune(
    ctx: typer.Context,
    *,
    keep: Annotated[
        str,
        typer.Option(
            "--keep", metavar="AGE", help="what was finished for longer goes ([store] keep)", rich_help_panel=WHAT
        ),
    ] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Remove what was finished long ago: messages with their tries, closed exceptions, old contents and counts.

    Beside workers, in small steps that let them write between. The file does not shrink: what becomes free in it is used first.
    """
    from erpsync.cli.asking import ask  # noqa: PLC0415  (not for help)
    from erpsync.engine.upkeep import pruning  # noqa: PLC0415  (the engine: only for acts)

    bench = workbench(ctx)
    if not dry_run:
        bench.refuse_change("store prune")
    span = _span(bench, keep)
    before = bench.now() - span
    with under_way("store prune: looking for what may go", quiet=output is Answer.JSON) as told:
        found = pruning.survey(bench.store, before=before, tell=told.step)
    if output is Answer.TABLE:
        _show(bench, found.counts, before, dry_run=dry_run)
    if dry_run or not found.counts.any:
        if output is Answer.JSON:
            emit(envelope(bench, "store.prune", **_item(found.counts, span, before)))
        return
    what = f"{plural(found.counts.messages, 'message')} and all that goes with them"
    ask(
        bench,
        "prune",
        what=what,
        answer="yes",
        yes=yes,
        left="left; nothing was removed",
        hint="--yes if that is right",
    )
    with under_way("store prune", quiet=output is Answer.JSON) as told:
        done = pruning.prune(
            bench.open_to_write("store prune"),
            found,
            now=bench.now,
            actor=bench.actor,
            reason=reason,
            command=bench.command,
            tell=told.step,
        )
    if output is Answer.JSON:
        emit(envelope(bench, "store.prune", **_item(done.gone, span, before, done)))
    else:
        _say_done(done)


def _span(bench: Workbench, keep: str) -> timedelta:
    from erpsync.config.landscape import LEAST_KEEP  # noqa: PLC0415  (not for help)

    if not keep:
        return bench.landscape.keep
    span = duration(keep, option="--keep")
    if span < LEAST_KEEP:
        raise UsageError("--keep is less than an hour", hint="what is just finished may still be in somebody's hands")
    return span


def _show(bench: Workbench, counts: Counts, before: datetime, *, dry_run: bool) -> None:
    name, since = safe(bench.landscape.store.name), clock(bench).whole(before)
    if not counts.any:
        say(f"nothing to prune: store {name} has nothing that was finished before {since}.", "next: erpsync store info")
        return
    say(
        f"finished before {since}, and {'would go' if dry_run else 'to go'} from store {name}:", "", *_lines(counts), ""
    )
    if dry_run:
        say("next: erpsync store prune")


def _lines(counts: Counts) -> list[str]:
    rows = (
        (counts.messages, "messages", f"with {plural(counts.attempts, 'try', 'tries')}"),
        (counts.exceptions, "exceptions", "closed ones"),
        (counts.raws, "events", "forget what came; what was read of it stays"),
        (counts.minutes, "counts", "of single minutes"),
        (counts.contents, "contents", f"that nothing else names, {size(counts.bytes)}"),
    )
    return [f"{name:<12}{number:>12,}  {text}" for number, name, text in rows]


def _say_done(done: Pruned) -> None:
    say(f"pruned      {done.gone.messages:>12,}  messages, on record as A-{done.act}")
    if done.in_hands:
        say(
            f"contents stay until the next time: {plural(done.in_hands, 'message')} in workers' hands may still name some."
        )
    else:
        say(f"contents    {done.gone.contents:>12,}  removed, {size(done.gone.bytes)}")
    say(f"free        {size(done.free):>12}  of the file, used before it grows", "next: erpsync store verify")


def _item(counts: Counts, span: timedelta, before: datetime, done: Pruned | None = None) -> dict[str, object]:
    return {
        "dry_run": done is None,
        "keep_seconds": int(span.total_seconds()),
        "before": utc(before),
        "messages": counts.messages,
        "attempts": counts.attempts,
        "exceptions": counts.exceptions,
        "events_forgotten": counts.raws,
        "minutes": counts.minutes,
        "contents": counts.contents,
        "bytes": counts.bytes,
        "reusable": done.free if done else None,
        "in_hands": done.in_hands if done else None,
        "act": f"A-{done.act}" if done else None,
    }
