"""``store info``: what the store is, line by line, as one looks it over before and after looking after it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from erpsync.cli.commands import workbench
from erpsync.cli.options import Answer, AnswerFormat
from erpsync.cli.output import emit, envelope, room, say
from erpsync.cli.progress import under_way
from erpsync.cli.selecting import clock
from erpsync.cli.tables import wrapped
from erpsync.terminal import Clock, plural, safe, size

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

_LABEL = 14


def info(ctx: typer.Context, *, output: AnswerFormat = Answer.TABLE) -> None:
    """What the store is, how large, how much is in it, and how it was last looked after."""
    from erpsync.store.facts import info as info_of  # noqa: PLC0415  (not for help)

    bench = workbench(ctx)
    with under_way("store info", quiet=output is Answer.JSON), bench.store.read() as db:
        facts = info_of(db, bench.landscape.store)
    facts["keep_seconds"] = int(bench.landscape.keep.total_seconds())
    if output is Answer.JSON:
        emit(envelope(bench, "store.info", store=facts))
        return
    for label, text in _rows(bench, facts, clock(bench)):
        say(*wrapped(text, room=room(), first=f"{label:<{_LABEL}}", then=" " * _LABEL, whole_words=False))
    say(*_together([f"{safe(name)} {number:,}" for name, number in facts["tables"].items() if number]))
    say(f"next: {_next(facts, bench.now())}")


def _rows(bench: Workbench, facts: dict[str, Any], times: Clock) -> list[tuple[str, str]]:
    from erpsync.config.origins import span_text  # noqa: PLC0415  (not for JSON)

    tables = facts["tables"]
    newer = "" if facts["schema"] == facts["schema_known"] else f", this erpsync knows {facts['schema_known']}"
    sound = "sound" if facts["sqlite_sound"] else f"not sound: {safe(facts['advice'])}"
    restored = facts["restored_at"]
    open_since = _moment(facts["oldest_open"], times, none="nothing is unfinished")
    return [
        ("store", f"{safe(facts['path'])}, mode {facts['mode']}"),
        ("size", f"{size(facts['size'])}, {size(facts['reusable'])} of it free; log {size(facts['wal_size'])}"),
        ("disk", f"{size(facts['disk_free'])} free"),
        ("schema", f"{facts['schema']}{newer}"),
        ("sqlite", f"{facts['sqlite']}, {sound}"),
        ("made", f"{_moment(facts['created_at'], times)}, id {safe(facts['store_id'])}"),
        ("epoch", f"{facts['epoch']}, " + (f"restored {_moment(restored, times)}" if restored else "never restored")),
        ("last backup", _backup(facts["last_backup"], times)),
        ("last prune", _prune(facts["last_prune"], times)),
        ("keep", f"{span_text(bench.landscape.keep)} after it was finished"),
        ("events", f"{tables['events']:,}, the oldest {_moment(facts['oldest_event'], times)}"),
        ("newest event", _moment(facts["newest_event"], times)),
        ("messages", f"{tables['messages']:,}, the oldest {_moment(facts['oldest_message'], times)}"),
        ("unfinished", f"the oldest {open_since}" if facts["oldest_open"] else open_since),
    ]


def _together(parts: list[str]) -> list[str]:
    """How many rows of each, a name and its number never apart."""
    lines, columns = [f"{'rows':<{_LABEL}}"], room() or 10**9
    for n, part in enumerate(parts):
        word = part + ("," if n < len(parts) - 1 else "")
        if n and len(lines[-1]) + 1 + len(word) > columns:
            lines.append(" " * _LABEL)
        lines[-1] += word if lines[-1].endswith(" " * 2) else f" {word}"
    return lines


def _moment(moment: datetime | None, times: Clock, *, none: str = "-") -> str:
    return none if moment is None else f"{times.whole(moment)} ({times.lasting(moment)})"


def _backup(last: dict[str, Any] | None, times: Clock) -> str:
    if last is None:
        return "never, as far as the audit log knows"
    size_text = f", {size(last['size'])}" if "size" in last else ""
    return f"{_moment(last['at'], times)}{size_text}: {safe(last.get('file', '?'))}"


def _prune(last: dict[str, Any] | None, times: Clock) -> str:
    if last is None:
        return "never"
    gone = plural(int(last.get("messages", 0)), "message")
    before = f" finished before {times.whole(last['before'])}" if "before" in last else ""
    return f"{_moment(last['at'], times)}: {gone}{before}"


def _next(facts: dict[str, Any], now: datetime) -> str:
    last = facts["last_backup"]
    day = 86_400
    if last is None or (now - last["at"]).total_seconds() > day:
        return "erpsync store backup FILE"
    return "erpsync store verify"
