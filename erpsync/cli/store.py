"""``store``: what is in it, whether it is whole, and bringing it to this erpsync's schema."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, AnswerFormat, Yes
from erpsync.cli.output import emit, envelope, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.cli.tables import wrapped
from erpsync.errors import StoreError
from erpsync.terminal import plural, safe

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

app = group("store", "The store: info, verify, migrate.")


@app.command(name="info", cls=Command, epilog="Example: erpsync store info")
def info(ctx: typer.Context, *, output: AnswerFormat = Answer.TABLE) -> None:
    """What the store is and how much is in it."""
    from erpsync.store.checking import info as info_of  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with under_way("store info", quiet=output is Answer.JSON), bench.store.read() as db:
        facts = info_of(db, bench.landscape.store)
    if output is Answer.JSON:
        emit(envelope(bench, "store.info", store=facts))
        return
    times = clock(bench)
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, dict):
            inner = ", ".join(f"{safe(key)} {_fact(part, times)}" for key, part in value.items())
            say(*wrapped(inner or "-", room=room(), first=f"{label:<14}  ", then=" " * 16))
        else:
            say(f"{label:<14}  {_fact(value, times)}")
    say("next: erpsync store verify")


def _fact(value: object, times: object) -> str:
    from datetime import datetime  # noqa: PLC0415  (for the check alone)

    from erpsync.terminal import Clock  # noqa: PLC0415  (as above)

    if isinstance(value, datetime) and isinstance(times, Clock):
        return f"{times.whole(value)} ({times.lasting(value)})"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(safe(part) for part in value) or "-"
    return safe(value) or "-"


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
        say("", "next: stop every erpsync process, then restore the last good copy of the file")
    else:
        say(f"store {safe(bench.landscape.store.name)} is whole{' as far as a quick look goes' if quick else ''}.")
    return NO if problems else 0


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
