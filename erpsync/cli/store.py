"""``store``: what is in it, whether it is whole, a copy of it, and looking after it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, AnswerFormat, Yes
from erpsync.cli.output import emit, envelope, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.cli.store_backup import EPILOG as BACKUP_EPILOG
from erpsync.cli.store_backup import backup
from erpsync.cli.store_info import info
from erpsync.cli.store_pruning import EPILOG as PRUNE_EPILOG
from erpsync.cli.store_pruning import prune
from erpsync.errors import StoreError
from erpsync.terminal import plural, safe

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

app = group("store", "The store: what it is, whether it is whole, backup, retention.")


app.command(name="info", cls=Command, epilog="Example: erpsync store info")(info)


@app.command(name="verify", cls=Command, epilog="Example: erpsync store verify --quick")
def verify(
    ctx: typer.Context,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="leave out what reads everything")] = False,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Whether the store is whole: the file, lanes, totals, contents and the audit chain."""
    from erpsync.store.checking import verify as verify_store  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with under_way("store verify", quiet=output is Answer.JSON) as told, bench.store.read() as db:
        problems = verify_store(db, quick=quick, told=told.step)
    if output is Answer.JSON:
        items = [{"where": problem.check, "text": problem.text} for problem in problems]
        emit(envelope(bench, "store.verify", whole=not problems, total=len(items), shown=len(items), items=items))
    elif problems:
        say(f"store {safe(bench.landscape.store.name)} is not whole: {plural(len(problems), 'problem')}.", "")
        say(*(f"{problem.check:<10}  {safe(problem.text)}" for problem in problems))
        say("", *_last_backup(bench), "next: restore the last backup: erpsync store backup --help")
    else:
        say(f"store {safe(bench.landscape.store.name)} is whole{' as far as a quick look goes' if quick else ''}.")
    return NO if problems else 0


def _last_backup(bench: Workbench) -> list[str]:
    """Where the last backup went, as far as that can still be read."""
    from erpsync.store.connection import DatabaseError  # noqa: PLC0415  (not for help)
    from erpsync.store.facts import last_backup  # noqa: PLC0415  (as above)

    try:
        with bench.store.read() as db:
            last = last_backup(db)
    except (StoreError, DatabaseError, LookupError, TypeError, ValueError):
        return ["where the last backup went cannot be read any more"]
    return [f"last backup {clock(bench).whole(last['at'])}: {safe(last['file'])}" if last else "no backup is on record"]


app.command(name="backup", cls=Command, epilog=BACKUP_EPILOG)(backup)
app.command(name="prune", cls=Command, epilog=PRUNE_EPILOG)(prune)


@app.command(name="migrate", cls=Command, epilog="Example: erpsync store migrate")
def migrate(ctx: typer.Context, *, yes: Yes = False, output: AnswerFormat = Answer.TABLE) -> None:
    """Bring the store to this erpsync's schema; nothing else may have it open."""
    from erpsync.cli.asking import ask  # noqa: PLC0415  (as above)
    from erpsync.store.migrations import SCHEMA_VERSION  # noqa: PLC0415  (as above)
    from erpsync.store.store import migrate as migrate_store  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("store migrate")
    path = bench.landscape.store
    if path.exists() and _is_current(bench):
        yes = True  # nothing would change: there is nothing to ask
    ask(
        bench,
        "migrate",
        what=f"store {safe(path.name)} to schema {SCHEMA_VERSION}",
        answer="yes",
        yes=yes,
        left="left; nothing was changed",
    )
    bench.close()
    with under_way("store migrate", quiet=output is Answer.JSON):
        before, after = migrate_store(path, now=bench.now())
    if output is Answer.JSON:
        emit(envelope(bench, "store.migrate", before=before, after=after))
    elif before == after:
        say(f"store {safe(path.name)} has schema {after} already.")
    else:
        say(f"store {safe(path.name)} has schema {after} now, {before} before.", "next: erpsync status")


def _is_current(bench: Workbench) -> bool:
    """Whether the store opens as it is."""
    with suppress(StoreError):
        bench.store  # noqa: B018  (opened, or why not)
        return True
    return False
