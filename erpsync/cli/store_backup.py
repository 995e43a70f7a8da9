"""``store backup``: a copy of the store while workers write, and how it is brought back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import workbench
from erpsync.cli.options import Answer, AnswerFormat, Reason
from erpsync.cli.output import command_line, emit, envelope, room, say, utc, warn
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.cli.tables import wrapped
from erpsync.errors import StoreError, UsageError
from erpsync.terminal import count, plural, safe, size

if TYPE_CHECKING:
    from erpsync.store.backup import Copy
    from erpsync.workbench import Workbench

EPILOG = """\
Example: erpsync store backup "erpsync-$(date +%F-%H%M%S).db"

To restore one
  1  stop the workers, and all else that has the store open (workers stop --all)
  2  move the store away, with its -wal and -shm where there are any: what is
     left of them would be taken for the copy's own
  3  cp the copy into the store's place
  4  look it over (store verify), then start the workers again
What far systems received since is found there again by our reference; a
system that cannot be asked is not written to without a person."""


def backup(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="where the copy goes; a file that is there is not written over")
    ],
    *,
    reason: Reason = "",
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Copy the store to a file while workers write: of one moment, checked, on disk, and for its owner's eyes only.

    With --read-only too: the store is only read then, and does not remember when it was last copied.
    """
    from erpsync.store.backup import back_up  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    if file == "-":
        raise UsageError("backup - would be stdout: a copy is looked over, and needs a file", hint="name a file")
    target = (bench.folder or Path.cwd()) / Path(file).expanduser()
    with under_way("store backup", quiet=output is Answer.JSON) as told:
        copy = back_up(bench.store, target, now=bench.now, tell=told.bytes_step)
    act = _noted(bench, copy, reason)
    if output is Answer.JSON:
        emit(envelope(bench, "store.backup", **_item(copy), act=f"A-{act}" if act else None))
    else:
        _say(bench, copy)


def _noted(bench: Workbench, copy: Copy, reason: str) -> int | None:
    """The act under which the store remembers it; None where it does not. The copy is good either way."""
    if bench.read_only:
        return None
    from erpsync.engine.upkeep.backup import note  # noqa: PLC0415  (the engine: only for acts)

    try:
        store = bench.open_to_write("store backup")
        return note(store, copy, now=bench.now(), actor=bench.actor, reason=reason, command=bench.command)
    except StoreError as error:
        warn(f"the copy is good, but the store could not note it: {error.message}")
        return None


def _item(copy: Copy) -> dict[str, object]:
    return {
        "file": str(copy.file),
        "moment": utc(copy.at),
        "size": copy.size,
        "events": copy.events,
        "messages": copy.messages,
        "unfinished": copy.unfinished,
    }


def _say(bench: Workbench, copy: Copy) -> None:
    store, times = bench.landscape.store, clock(bench)
    say(
        f"backup {safe(copy.file.name)} is whole: store {safe(store.name)} as it was at {times.whole(copy.at)}.",
        f"size          {size(copy.size)}",
        f"holds         {plural(copy.events, 'event')}, {plural(copy.messages, 'message')}, {count(copy.unfinished)} of them unfinished",
    )
    name = safe(store.name)
    first = f"stop every erpsync process, move {name}, {name}-wal and {name}-shm away, then"
    say(*wrapped(first, room=room(), first="to restore    ", then=" " * 14))
    say(f"{'':14}{command_line('cp', str(copy.file), str(store))}", f"{'':14}erpsync store verify", whole=True)
    say("next: erpsync store info")
