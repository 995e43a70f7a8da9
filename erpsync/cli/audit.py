"""``audit``: who did what, and whether the log of it is whole."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.listings import listing
from erpsync.cli.options import WHAT, Answer, AnswerFormat, Format, Limit, Output, Raw, Sort, Where, duration
from erpsync.cli.output import emit, envelope, say, utc
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, count_line, selection
from erpsync.cli.tables import KEY_ROOM, Column
from erpsync.errors import UsageError
from erpsync.terminal import Clock, plural, quoted, safe

if TYPE_CHECKING:
    from erpsync.store.connection import Connection
    from erpsync.store.reading.audit import Act, Newest

app = group("audit", "Who did what: the acts of people and the engine's decisions, in a chain of hashes.")
_HASH_SHOWN = 16
_NOTED = re.compile(r"A-(?:(?P<chain>.+)-)?(?P<seq>[0-9]{1,18})[=:](?P<hash>[0-9a-f]{8,64})", re.IGNORECASE)


@app.command(name="list", cls=Command, epilog="Example: erpsync audit list --since 8h --where 'actor != engine'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="not older than this: 8h, 3d", rich_help_panel=WHAT)
    ] = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """What people did and the engine decided, the newest first."""
    from erpsync.store.connection import ms  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.audit import acts, newest  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    begin = ms(bench.now() - duration(since, option="--since")) if since else None
    with bench.store.read() as db:
        page = acts(db, selection(bench, where, limit=limit, sort=sort, output=output), since=begin)
        ends = newest(db)
    times = clock(bench)
    listing(
        bench,
        "audit.list",
        page.items,
        total=page.total,
        columns=_columns(times),
        item=_item,
        identity=lambda act: act.act_id,
        output=output,
        raw=raw,
        remarks=[
            count_line(len(page.items), page.total, page.everything, "act", times=times),
            *(["next: erpsync audit verify"] if ends else []),
        ],
    )


def _columns(times: Clock) -> list[Column[Act]]:
    return [
        Column("ACT", lambda act: safe(act.act_id)),
        Column("AT", lambda act: times.exact(act.at)),
        Column("ACTOR", lambda act: safe(act.actor, limit=20)),
        Column("WHAT", lambda act: safe(act.what)),
        Column("SUBJECT", lambda act: safe(act.subject), most=KEY_ROOM),
        Column("REASON", lambda act: safe(act.reason) or "-", free=True, wide=100),
        Column("COMMAND", lambda act: safe(act.command) or "-", free=True, wide=120),
    ]


def _item(act: Act) -> dict[str, object]:
    return {
        "act": act.act_id,
        "at": utc(act.at),
        "actor": act.actor,
        "what": act.what,
        "subject": act.subject,
        "reason": act.reason or None,
        "command": act.command or None,
        "before": _value(act.before),
        "after": _value(act.after),
        "undo": None,
        "hash": act.hash.hex(),
        "previous": act.previous.hex(),
    }


def _value(noted: bytes | None) -> object:
    """What was noted, as the JSON or the text that it is."""
    if noted is None:
        return None
    try:
        return json.loads(noted)
    except ValueError:
        return noted


@app.command(name="verify", cls=Command, epilog="Example: erpsync audit verify --noted A-2213=9b1c4e0f51d07aa2")
def verify(
    ctx: typer.Context,
    *,
    noted: Annotated[
        list[str] | None,
        typer.Option(
            "--noted",
            metavar="ACT=HASH",
            help="the end of the log as it was noted elsewhere: it must still be there",
            rich_help_panel=WHAT,
        ),
    ] = None,
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """Whether the audit log is whole: no act was changed, put in or taken out of the middle.

    An end that was cut off shows by --noted alone: note what this prints somewhere else from time to time.
    """
    from erpsync.store.audit import verify as verify_chains  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.audit import newest  # noqa: PLC0415  (as above)

    bench = workbench(ctx)
    wanted = [_read_noted(text) for text in noted or ()]
    with under_way("audit verify", quiet=output is Answer.JSON), bench.store.read() as db:
        problems = [*verify_chains(db), *(problem for one in wanted if (problem := _missing(db, *one)))]
        ends = newest(db)
    if output is Answer.JSON:
        emit(
            envelope(
                bench,
                "audit.verify",
                whole=not problems,
                newest=[{"act": end.act_id, "hash": end.hash.hex()} for end in ends],
                total=len(problems),
                shown=len(problems),
                items=[{"text": problem} for problem in problems],
            )
        )
    elif problems:
        say(f"the audit log is not whole: {plural(len(problems), 'problem')}.", "")
        say(*(safe(problem) for problem in problems))
        say("", "next: keep a copy of the store as it is, then erpsync store verify")
    else:
        say(_whole(ends))
    return NO if problems else 0


def _whole(ends: list[Newest]) -> str:
    if not ends:
        return "the audit log is whole: nothing was done yet."
    acts = ", ".join(f"{safe(end.act_id)}={end.hash.hex()[:_HASH_SHOWN]}" for end in ends)
    return f"the audit log is whole: {plural(sum(end.seq for end in ends), 'act')}, to {acts}."


def _read_noted(text: str) -> tuple[str, int, str]:
    found = _NOTED.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--noted {quoted(text, limit=60)} is no act and hash",
            hint="as audit verify prints them: A-2213=9b1c4e0f51d07aa2",
        )
    return found["chain"] or "main", int(found["seq"]), found["hash"].lower()


def _missing(db: Connection, chain: str, seq: int, begin: str) -> str:
    """What is wrong with an act that was noted; empty when it is there as noted."""
    from erpsync.store.reading.audit import act_id, hash_of  # noqa: PLC0415  (not for help)

    found = hash_of(db, chain, seq)
    if found is None:
        return f"{act_id(chain, seq)} was noted and is not there: the end of the log is missing"
    return "" if found.hex().startswith(begin) else f"{act_id(chain, seq)} was noted with another hash"
