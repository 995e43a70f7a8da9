"""``status``: what is at stake and why, and how each system stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erpsync.cli.causes import cause_list, cause_run, cause_text
from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.exit_codes import NO
from erpsync.cli.options import Answer, AnswerFormat, duration
from erpsync.cli.output import emit, envelope, room, say
from erpsync.cli.pausing import pause_text
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock, one_currency
from erpsync.cli.tables import Column, padded_pair, table, wrapped
from erpsync.errors import UsageError
from erpsync.terminal import Clock, amounts, count, money, padded, plural, safe, width

if TYPE_CHECKING:
    from erpsync.store.reading.cause import Cause
    from erpsync.store.reading.status import Status
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.workbench import Workbench

DELIVERED = ("created", "updated", "unchanged", "removed", "settled", "settled_delivered")
DIED = ("refused", "unmappable", "exhausted", "expired", "poison")
LOST = ("unknown",)
DUPLICATES = "told:duplicate"
_QUICKEST_SECONDS = 0.5
_STILL = (
    "system_down",
    "system_stopped",
    "system_paused",
    "flow_paused",
)  # what waits there is in no listing of its own


app = alone()


@app.command(
    name="status",
    cls=Command,
    epilog="Examples\n  for a script:  erpsync status --check\n  for a screen:  erpsync status --watch",
)
def status(
    ctx: typer.Context,
    *,
    check: Annotated[bool, typer.Option("--check", help="exit 1 when not well")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="again and again until Ctrl-C; in a pipe one line a change")
    ] = False,
    every: Annotated[str, typer.Option("--every", metavar="AGE", help="the pace of --watch (2s)")] = "2s",
    output: AnswerFormat = Answer.TABLE,
) -> int:
    """What is at stake and by which causes, and the state of each system."""
    bench = workbench(ctx)
    if watch:
        from erpsync.cli.status_watch import watch as watch_status  # noqa: PLC0415  (only where it is watched)

        if check:
            raise UsageError("--check answers once, --watch goes on", hint="one of them")
        watch_status(bench, every_seconds=_pace(every), output=output)
    with under_way("status", quiet=output is Answer.JSON):
        found = read_status(bench)
    if output is Answer.JSON:
        from erpsync.cli.status_json import status_answer  # noqa: PLC0415  (only where it is asked for)

        emit(envelope(bench, "status", **status_answer(bench, found)))
    else:
        say(*status_lines(bench, found))
    return NO if check and found.causes else 0


def _pace(every: str) -> float:
    seconds = duration(every, option="--every").total_seconds()
    if seconds < _QUICKEST_SECONDS:
        raise UsageError("--every needs half a second at least", hint="like 2s or 1m")
    return seconds


def read_status(bench: Workbench) -> Status:
    """How everything stands now, from one moment of the store."""
    from erpsync.store.connection import ms  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.status import status as status_of  # noqa: PLC0415  (as above)

    landscape = bench.landscape
    with bench.store.read() as db:
        return status_of(db, landscape.company, now_ms=ms(bench.now()), names=landscape.systems)


def status_lines(bench: Workbench, found: Status) -> list[str]:
    """The whole answer, line by line."""
    times, columns = clock(bench), room()
    lines = [_title(bench, found, times, columns), ""]
    lines += well_lines(bench, found, times)
    lines += ["", *table(_system_columns(times), list(found.systems), room=columns)]
    heading = lines[-len(found.systems) - 1]
    if found.systems and heading.startswith("SYSTEM  "):
        lines.append(_totals(found, heading))
    lines += ["", *_last_hour(found, columns)]
    if found.causes:
        lines += ["", f"next: {cause_run(found.causes[0])}"]
    return lines


def well_lines(bench: Workbench, found: Status, times: Clock) -> list[str]:
    """The verdict and its causes, without the systems."""
    if not found.causes:
        due = sum(system.due for system in found.systems)
        oldest = min((system.oldest_due for system in found.systems if system.oldest_due), default=None)
        delivered = sum(found.last_hour.get(outcome, 0) for outcome in DELIVERED)
        since = f", oldest {times.lasting(oldest)}" if oldest else ""
        return [f"WELL: nothing is stuck; {due:,} due{since}; {delivered:,} delivered in the last hour."]
    return [
        _verdict(found),
        "",
        *_causes(found, times, usual=bench.landscape.currency, columns=room()),
        *_overlap(found),
    ]


def _title(bench: Workbench, found: Status, times: Clock, columns: int | None) -> str:
    landscape = bench.landscape
    left = f"{safe(landscape.name)}{' PRODUCTION' if landscape.production else ''}   {times.whole(bench.now())}"
    right = f"{plural(found.workers, 'worker')}, store ok{', read-only' if bench.read_only else ''}"
    gap = 3 if columns is None else max(columns - width(left) - width(right), 3)
    return left + " " * min(gap, 80 - width(left) - width(right) if width(left) + width(right) < 77 else 3) + right


def _verdict(found: Status) -> str:
    causes = f"by {plural(len(found.causes), 'cause')}"
    if not found.stakes:
        return f"NOT WELL: no money is at stake, but something is stuck, {causes}."
    stake = amounts(found.stakes)
    verb = "is" if len(found.stakes) == 1 else "are"
    if not found.exact:
        return f"NOT WELL: {stake} {verb} at stake, {causes}; documents with several causes count in each."
    return f"NOT WELL: {stake} {verb} at stake in {plural(found.documents, 'document')}, {causes}."


def _causes(found: Status, times: Clock, *, usual: str, columns: int | None) -> list[str]:
    currency = one_currency((code for cause in found.causes for code, _ in cause.stakes), usual=usual)
    heading = f"STAKE {currency}" if currency else "STAKE"
    stakes = [_stake_of(cause, currency) for cause in found.causes]
    first = max(width(text) for text in (*stakes, heading))
    longest = max(*(len(times.lasting(cause.since)) for cause in found.causes), 5)
    since = max(*(len(times.since(cause.since)) for cause in found.causes), 5)
    indent = " " * (first + 2 + since + 2 + longest + 2)
    lines = [
        f"{padded(heading, first, right=True)}  {padded('SINCE', since)}  {padded('FOR', longest, right=True)}  CAUSE"
    ]
    for cause, stake in zip(found.causes, stakes, strict=True):
        ago = padded(times.lasting(cause.since), longest, right=True)
        start = f"{padded(stake, first, right=True)}  {padded(times.since(cause.since), since)}  {ago}  "
        lines += wrapped(cause_text(cause), room=columns, first=start, then=indent, whole_words=False)
        lines.append(f"{indent}run: {cause_run(cause)}")
        if cause.code in _STILL and cause.messages:
            lines.append(f"{indent}all: {cause_list(cause)}")
    return lines


def _stake_of(cause: Cause, currency: str | None) -> str:
    if not cause.stakes:
        return "0"
    if currency is not None and len(cause.stakes) == 1:
        return money(cause.stakes[0][1], currency)
    return amounts(cause.stakes)


def _overlap(found: Status) -> list[str]:
    if not found.twice:
        return []
    verb = "has" if found.twice == 1 else "have"
    counted = "is" if found.twice == 1 else "are"
    return [
        "",
        f"{plural(found.twice, 'document')} ({amounts(found.twice_stakes)}) {verb} several causes, and {counted} counted once.",
    ]


def _system_columns(times: Clock) -> list[Column[SystemStanding]]:
    return [
        Column("SYSTEM", lambda system: safe(system.name)),
        Column("STATE", lambda system: state_text(system, times), free=True),
        Column("DUE", lambda system: count(system.due), right=True),
        Column("OLDEST", lambda system: times.lasting(system.oldest_due) if system.due else "-", right=True),
        Column("HELD", lambda system: count(system.counts.get("held", 0)), right=True),
        Column("UNKNOWN", lambda system: count(system.counts.get("unknown", 0)), right=True),
        Column("DEAD", lambda system: count(system.counts.get("dead", 0)), right=True),
        Column("LAST OK", lambda system: times.lasting(system.last_ok_at), right=True),
    ]


def state_text(system: SystemStanding, times: Clock) -> str:
    """``up``, ``down, next probe in 4m37s``."""
    match system.shown_state:
        case "down" if system.probe_at and system.probe_at > times.now:
            return f"down, next probe in {_until(system.probe_at, times)}"
        case "down" if system.probe_at:
            return "down, probe due"
        case "limited" if system.limited_until:
            return f"limited for {_until(system.limited_until, times)}"
        case "paused" if system.state != "up":
            return f"{pause_text(system.pause, system.paused_by)}; {system.state}"
        case "paused":
            return pause_text(system.pause, system.paused_by)
        case "stopped" if system.stopped_by:
            return f"stopped by {safe(system.stopped_by, limit=20)}"
        case state:
            return state


def _until(moment: object, times: Clock) -> str:
    from datetime import datetime  # noqa: PLC0415  (for the type alone)

    from erpsync.terminal import duration  # noqa: PLC0415  (as above)

    return duration((moment - times.now).total_seconds()) if isinstance(moment, datetime) else "-"


def _totals(found: Status, heading: str) -> str:
    """The line of sums, each under its column."""
    sums = {
        "DUE": sum(system.due for system in found.systems),
        **{
            state.upper(): sum(system.counts.get(state, 0) for system in found.systems)
            for state in ("held", "unknown", "dead")
        },
    }
    line = "total"
    for name, value in sums.items():
        line = padded_pair(line, f"{value:,}", heading.index(name) + len(name))
    return line


def _last_hour(found: Status, columns: int | None) -> list[str]:
    hour = found.last_hour
    delivered, died = (sum(hour.get(outcome, 0) for outcome in outcomes) for outcomes in (DELIVERED, DIED))
    parts = [
        f"{delivered:,} delivered ({delivered // 60:,}/min)" if delivered >= 60 else f"{delivered:,} delivered",
        f"{died:,} died",
    ]
    if duplicates := hour.get(DUPLICATES, 0):
        parts.append(f"{duplicates:,} duplicates dropped")
    if lost := sum(hour.get(outcome, 0) for outcome in LOST):
        still = found.counts.get("unknown", 0)
        parts.append(f"{plural(lost, 'answer')} lost" + (f", {still:,} not settled" if still else ", all settled"))
    return wrapped(f"Last hour: {', '.join(parts)}.", room=columns)
