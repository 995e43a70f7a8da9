"""``exceptions``: business problems, by money and time; one with its evidence; closing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.asking import ask
from erpsync.cli.commands import Command, group, workbench
from erpsync.cli.listings import listing
from erpsync.cli.options import Answer, AnswerFormat, Format, Limit, Output, Raw, Reason, Sort, Where, Yes, one_id
from erpsync.cli.output import as_json, command_line, emit, envelope, room, say, utc
from erpsync.cli.selecting import clock, one_currency, selection, stake_json, stake_text
from erpsync.cli.tables import KEY_ROOM, Column, wrapped
from erpsync.cli.wording import waiting_seconds
from erpsync.domain.exceptions import EXCEPTION_KINDS
from erpsync.errors import UsageError
from erpsync.terminal import Clock, amounts, safe

if TYPE_CHECKING:
    from erpsync.store.reading.exceptions import ExceptionRow
    from erpsync.store.reading.selecting import Page
    from erpsync.workbench import Workbench

app = group("exceptions", "Business problems, by money, time and owner.")


def _owner(kind: str) -> str:
    known = EXCEPTION_KINDS.get(kind)
    return known.owner if known else "-"


@app.command(name="list", cls=Command, epilog="Example: erpsync exceptions list --where 'kind = outcome_unknown'")
def list_(
    ctx: typer.Context,
    *,
    where: Where = "",
    limit: Limit = None,
    sort: Sort = "",
    output: Format = Output.TABLE,
    raw: Raw = False,
) -> None:
    """Open exceptions, those with most money at stake first."""
    from erpsync.store.reading.exceptions import exceptions  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        page = exceptions(db, selection(bench, where, limit=limit, sort=sort, output=output))
    times, usual = clock(bench), bench.landscape.currency
    listing(
        bench,
        "exceptions.list",
        page.items,
        total=page.total,
        columns=_columns(page.items, times, usual),
        item=lambda row: _item(bench, row),
        identity=lambda row: f"E-{row.exception_id}",
        output=output,
        raw=raw,
        remarks=_remarks(page),
    )


def _remarks(page: Page[ExceptionRow]) -> list[str]:
    owners: dict[str, int] = {}
    sums: dict[str, int] = {}
    for row in page.items:
        owners[_owner(row.kind)] = owners.get(_owner(row.kind), 0) + 1
        sums[row.currency] = sums.get(row.currency, 0) + row.stake
    who = ", ".join(f"{owner} {n}" for owner, n in sorted(owners.items(), key=lambda pair: (-pair[1], pair[0])))
    shown = f"{len(page.items):,} of {page.total:,}" + (
        "" if page.total == page.everything else f"; {page.everything:,}"
    )
    lines = [f"{shown} open" + (f"; {amounts(sums.items())}; {who}" if page.items else "")]
    if page.items:
        lines.append(f"next: erpsync exceptions show E-{page.items[0].exception_id}")
    return lines


def _columns(rows: tuple[ExceptionRow, ...], times: Clock, usual: str) -> list[Column[ExceptionRow]]:
    currency = one_currency((row.currency for row in rows), usual=usual)
    columns: list[Column[ExceptionRow]] = [
        Column("ID", lambda row: f"E-{row.exception_id}"),
        Column("KIND", lambda row: safe(row.kind)),
        Column("SUBJECT", lambda row: safe(row.subject), most=KEY_ROOM),
        Column("OWNER", lambda row: _owner(row.kind), rank=1),
        Column("SINCE", lambda row: times.since(row.opened_at), rank=2),
        Column("FOR", lambda row: times.lasting(row.opened_at), right=True),
        Column(
            f"STAKE {currency}" if currency else "STAKE",
            lambda row: stake_text(row.stake, row.currency, beside=currency is None),
            right=True,
        ),
    ]
    if any(row.state != "open" for row in rows):
        columns.insert(3, Column("STATE", lambda row: row.state))
    columns.append(Column("SYSTEM", lambda row: safe(row.system or "-"), wide=100, rank=3))
    columns.append(Column("WHAT", lambda row: safe(row.text) or "-", free=True, wide=100))
    return columns


def _item(bench: Workbench, row: ExceptionRow) -> dict[str, object]:
    known = EXCEPTION_KINDS.get(row.kind)
    return {
        "id": f"E-{row.exception_id}",
        "kind": row.kind,
        "subject": row.subject,
        "system": row.system,
        "severity": str(known.severity) if known else None,
        "owner": known.owner if known else None,
        "opened": utc(row.opened_at),
        "waiting_seconds": waiting_seconds(bench.now(), row.opened_at),
        "at_stake": stake_json(row.stake, row.currency, usual=bench.landscape.currency),
        "assigned": None,
        "snoozed_until": None,
        "state": row.state,
        "text": row.text or None,
        "stops": known.stops if known else None,
        "grace_seconds": int(known.grace.total_seconds()) if known else None,
        "times": row.times,
        "message": row.message_id,
        "event": row.event_id,
        "evidence": row.evidence,
        "blocks": None,
        "closed": utc(row.closed_at),
        "closed_by": row.closed_by,
        "close_reason": row.close_reason or None,
        "run": _run(row),
    }


def _run(row: ExceptionRow) -> str:
    if row.kind == "outcome_unknown" and row.message_id and row.state == "open":
        return f"erpsync messages show {row.message_id}"
    if row.kind == "access_denied" and row.system and row.state == "open":
        return command_line("erpsync", "systems", "probe", row.system)
    if (
        row.kind in ("contract_violation", "unknown_key", "event_conflict", "mass_removal", "ownership_refused")
        and row.event_id
    ):
        return f"erpsync events show {row.event_id}"
    if row.message_id:
        return f"erpsync messages show {row.message_id}"
    return f"erpsync exceptions show E-{row.exception_id}"


@app.command(name="show", cls=Command, epilog="Example: erpsync exceptions show E-303")
def show(
    ctx: typer.Context,
    exception: Annotated[str, typer.Argument(metavar="ID", help="an exception, E-303 or 303", show_default=False)],
    *,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """One exception: what is wrong, since when, what heals it."""
    from erpsync.store.reading.exceptions import exception as exception_of  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with bench.store.read() as db:
        row = exception_of(db, bench.landscape.company, one_id(exception, letter="E"))
    if output is Answer.JSON:
        emit(envelope(bench, "exceptions.show", exception=_item(bench, row)))
        return
    times, known = clock(bench), EXCEPTION_KINDS.get(row.kind)
    say(
        f"E-{row.exception_id} is {row.state}: {safe(row.kind)}, {safe(row.subject)}, since {times.both(row.opened_at)}.",
        "",
    )
    say(*wrapped(safe(row.text) or "-", room=room(), first="what     ", then=" " * 9, whole_words=False))
    say(f"stake    {stake_text(row.stake, row.currency, beside=True)}")
    if known:
        say(f"owner    {known.owner}; severity {known.severity}; stops {known.stops}")
        say(f"heals    {known.heals or 'only by a person'}")
    if row.system:
        say(f"system   {safe(row.system)}")
    if row.times > 1:
        say(f"seen     {row.times:,} times")
    if row.message_id:
        say(f"message  {row.message_id}")
    if row.event_id:
        say(f"event    {row.event_id}")
    if row.closed_at:
        say(f"closed   {times.exact(row.closed_at)} by {safe(row.closed_by or '-')}: {safe(row.close_reason) or '-'}")
    if row.evidence:
        say("", "evidence", *(f"  {safe(name)}  {_evidence(value)}" for name, value in row.evidence.items()))
    run = _run(row)
    own = f"erpsync exceptions resolve E-{row.exception_id} --reason WHY"
    say("")
    if row.state == "open":
        say(*([f"next: {run}", f"  or  {own}"] if "exceptions show" not in run else [f"next: {own}"]))
    else:
        say(f"next: {command_line('erpsync', 'trace', row.subject) if row.record_id else 'erpsync exceptions list'}")


def _evidence(value: object) -> str:
    return safe(value, limit=200) if isinstance(value, str) else safe(as_json(value), limit=200)


@app.command(
    name="resolve", cls=Command, epilog="Example: erpsync exceptions resolve E-303 --reason 'price list of 10-14'"
)
def resolve(
    ctx: typer.Context,
    exception: Annotated[str, typer.Argument(metavar="ID", help="an exception, E-303 or 303", show_default=False)],
    *,
    reason: Reason = "",
    yes: Yes = False,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """Close an exception, with a reason."""
    from erpsync.store.reading.exceptions import exception as exception_of  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    bench.refuse_change("exceptions resolve")
    number = one_id(exception, letter="E")
    with bench.store.read() as db:
        row = exception_of(db, bench.landscape.company, number)
    if row.state != "open":
        raise UsageError(f"exception E-{number} is closed already", hint=f"erpsync exceptions show E-{number}")
    if not reason.strip():
        raise UsageError(
            "exceptions resolve needs --reason: it goes to the audit log", hint="--reason 'price list of 10-14'"
        )
    if output is Answer.TABLE:
        say(f"Would close E-{number}, {safe(row.kind)} of {safe(row.subject)}: {safe(reason, limit=100)}.")
    ask(bench, "resolve", what=f"E-{number}", answer=f"E-{number}", yes=yes, left="left; nothing was closed")
    from erpsync.engine.upkeep.cases import resolve as resolve_case  # noqa: PLC0415  (the engine: only for acts)

    bench.open_to_write("exceptions resolve")
    resolve_case(bench, number, actor=bench.actor, reason=reason, command=bench.command)
    if output is Answer.JSON:
        with bench.store.read() as db:
            row = exception_of(db, bench.landscape.company, number)
        emit(envelope(bench, "exceptions.resolve", exception=_item(bench, row)))
        return
    say(f"E-{number} is closed by {safe(bench.actor)}: {safe(reason, limit=100)}.", "next: erpsync exceptions list")
