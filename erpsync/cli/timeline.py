"""What happened to a key as entries on one line of time. Their text is exact; whoever shows it makes it safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erpsync.cli.wording import state_words, waits_for
from erpsync.terminal import Clock, took

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from erpsync.store.reading.attempts import Attempt
    from erpsync.store.reading.messages import MessageRow
    from erpsync.store.reading.trace import History


@dataclass(frozen=True)
class Entry:
    """One line of time. ``what`` names the event, message, exception or act; ``text`` is exact, made safe when shown."""

    at: datetime
    kind: str
    what: str
    text: str
    system: str = ""
    event: int | None = None
    message: int | None = None
    exception: str | None = None
    act: str | None = None
    actor: str = "engine"
    outcome: str | None = None
    seconds: float | None = None


def entries_of(found: History, times: Clock) -> Iterator[Entry]:
    """Every entry about one record; in no order."""
    for event in found.events:
        gone = "removed there" if event.removed else "told"
        detail = f": {event.detail}" if event.detail else ""
        yield Entry(
            event.received_at,
            "event",
            f"event {event.event_id}",
            f"{gone}, {event.verdict.replace('_', ' ')}{detail}",
            system=event.system,
            event=event.event_id,
            actor=event.system,
            outcome=event.verdict,
        )
        if event.repeats and event.repeated_at:
            again = (
                "again: duplicate, dropped"
                if event.repeats == 1
                else f"again {event.repeats:,} times: duplicates, dropped"
            )
            yield Entry(
                event.repeated_at,
                "event",
                f"event {event.event_id}",
                again,
                system=event.system,
                event=event.event_id,
                outcome="duplicate",
            )
    by_message: dict[int, list[Attempt]] = {}
    for attempt in found.attempts:
        by_message.setdefault(attempt.message_id, []).append(attempt)
    for row in found.messages:
        tried = by_message.get(row.message_id, [])
        for attempt in tried:
            yield _tried(attempt, row)
        if row.state != "done" or not tried:
            yield Entry(
                row.state_at,
                "message",
                f"message {row.message_id}",
                _state_text(row, times, tried=bool(tried)),
                system=row.system,
                message=row.message_id,
                outcome=row.reason or None,
            )
    for case in found.exceptions:
        name = f"E-{case.exception_id}"
        yield Entry(
            case.opened_at,
            "exception",
            name,
            f"{case.kind}: {case.text}" if case.text else case.kind,
            exception=name,
            message=case.message_id,
        )
        if case.closed_at:
            why = f": {case.close_reason}" if case.close_reason else ""
            yield Entry(
                case.closed_at,
                "exception",
                name,
                f"closed by {case.closed_by or 'engine'}{why}",
                exception=name,
                actor=case.closed_by or "engine",
            )
    for act in found.acts:
        why = f": {act.reason}" if act.reason else ""
        yield Entry(
            act.at, "act", act.act_id, f"{act.actor} {act.what} {act.subject}{why}", act=act.act_id, actor=act.actor
        )


def _state_text(row: MessageRow, times: Clock, *, tried: bool) -> str:
    if row.state in ("held", "ready"):
        return f"{row.state}, waits for {waits_for(row, times)}"
    error = f": {row.error}" if row.error and row.state == "dead" and not tried else ""
    return f"{state_words(row)}{error}"


def _tried(attempt: Attempt, row: MessageRow) -> Entry:
    seconds = attempt.seconds
    parts = [
        {"settle": "asked: ", "find": "looked: "}.get(attempt.what, "")
        + (attempt.outcome.replace("_", " ") or "under way")
    ]
    if attempt.far_id:
        parts.append(f"far id {attempt.far_id}")
    if attempt.status is not None and attempt.error:
        parts.append(str(attempt.status))
    if seconds:
        parts.append(took(seconds))
    text = ", ".join(parts) + (f": {attempt.error}" if attempt.error else "")
    return Entry(
        attempt.ended_at or attempt.at,
        "attempt",
        f"message {attempt.message_id}",
        text,
        system=row.system,
        message=attempt.message_id,
        outcome=attempt.outcome or None,
        seconds=seconds,
    )
