"""What a message's state means, in words; everything returned is safe for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.output import command_line, room
from erpsync.cli.selecting import stake_json
from erpsync.cli.tables import KEY_ROOM
from erpsync.domain.messages import BY_A_PERSON
from erpsync.terminal import Clock, plural, safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from erpsync.store.reading.messages import MessageRow, WaitsFor
    from erpsync.store.reading.stops import Stops


def waiting_seconds(now: datetime, since: datetime) -> int:
    """Whole seconds since a moment."""
    return max(int((now - since).total_seconds()), 0)


def key_text(key: str) -> str:
    """A key among other words: whole in a pipe; on a terminal its beginning and its length where it would spoil the line."""
    return safe(key, limit=None if room() is None else KEY_ROOM)


def cause_text(row: MessageRow) -> str:
    """Why it is where it is: its error, else its reason."""
    return safe(row.error or row.reason.replace("_", " ") or "-")


def dead_sentence(row: MessageRow, times: Clock) -> str:
    """The first line about a dead letter."""
    key, system = safe(row.key), safe(row.system)
    died = f"at {times.exact(row.state_at)} ({times.lasting(row.state_at)}), {plural(row.tries, 'try', 'tries')}"
    match row.reason:
        case "refused":
            what = f"{system} refused {key}"
        case "exhausted":
            what = f"{key} did not get through to {system}, given up"
        case "expired":
            what = f"{key} was too long on its way to {system}, given up"
        case "poison":
            what = f"{key} to {system} ended the worker each time, given up"
        case "unmappable":
            what = f"{system} has no word for something in {key}"
        case "conflict":
            what = f"{key} changed in {system} each time it was to be written, given up"
        case reason:
            what = f"{key} to {system}, {safe(reason.replace('_', ' '))}" if reason else f"{key} to {system}"
    return f"message {row.message_id} is dead: {what} {died}."


def waits_for(row: MessageRow, times: Clock, stops: Stops | None = None) -> str:
    """What a message waits for, in a few words; ``-`` when it waits for nothing. ``stops``: what stands still."""
    match row.state:
        case "dead":
            return "an operator"
        case "unknown":
            return "word whether it arrived"
        case "leased":
            return f"{safe(row.system)}'s answer"
        case "held":
            return ", ".join(wait_text(wait) for wait in row.waits) or "-"
        case "ready" if row.is_head:
            return _head_waits_for(row, times, stops)
        case "ready":
            return "its turn"
        case _:
            return "-"


def _head_waits_for(row: MessageRow, times: Clock, stops: Stops | None) -> str:
    if stops is not None and (state := stops.state_of(row.system)):
        return f"{safe(row.system)}, which is {state}"
    if stops is not None and row.flow in stops.flows:
        return f"flow {safe(row.flow)}, which is paused"
    return f"its next try at {times.exact(row.due_at)}" if row.due_at > times.now else "a worker"


def wait_text(wait: WaitsFor) -> str:
    """One reason why a message is held."""
    on = safe(wait.waits_on)
    match wait.reason:
        case "parent":
            return on
        case "line":
            return "a decision on its line"
        case "removal":
            return f"a person: {on}" if on else "a person: many removals at once"
        case _:
            return f"a person: {on}" if on else f"a {wait.reason}"


def state_words(row: MessageRow) -> str:
    """``done: created``, ``skipped: superseded by 48902``, ``ready: retry``."""
    reason = safe(row.reason.replace("_", " "))
    if row.superseded_by and row.state == "skipped":
        reason = f"{reason} by {row.superseded_by}"
    return f"{row.state}: {reason}" if reason else row.state


def message_item(row: MessageRow, *, now: datetime, usual: str) -> dict[str, object]:
    """A message in JSON; the text in it is exact."""
    from erpsync.cli.output import utc  # noqa: PLC0415  (output reads no rows; this keeps it so)

    return {
        "id": row.message_id,
        "key": row.key,
        "system": row.system,
        "from": row.source,
        "kind": row.kind,
        "flow": row.flow,
        "lane": row.lane,
        "state": row.state,
        "group": None,
        "cause": row.reason or None,
        "error": row.error or None,
        "field": row.error_field or None,
        "tries": row.tries,
        "since": utc(row.state_at),
        "waiting_seconds": waiting_seconds(now, row.state_at),
        "accepted": utc(row.accepted_at),
        "age_seconds": waiting_seconds(now, row.accepted_at),
        "due": utc(row.due_at) if row.state in ("ready", "leased", "unknown") else None,
        "head": row.is_head,
        "event": row.event_id,
        "far_id": row.far_id,
        "superseded_by": row.superseded_by,
        "waits": [{"reason": wait.reason, "on": wait.waits_on or None, "since": utc(wait.since)} for wait in row.waits],
        "at_stake": {**stake_json(row.stake, row.currency, usual=usual), "invoices": None},
    }


def next_of_message(row: MessageRow, *, once: str) -> list[str]:
    """What can be run now; ``once`` is how the target makes a write happen once, as far as it is known."""
    match row.state:
        case "dead":
            return [f"erpsync dlq show {row.message_id}"]
        case "unknown":
            settle = f"erpsync messages settle {row.message_id}"
            by_hand = [f"{settle} --delivered ITS_NUMBER", f"{settle} --not-delivered --reason WHY"]
            return by_hand if once == "blind" else [settle, *by_hand]
        case "held" if any(wait.reason in BY_A_PERSON for wait in row.waits):
            return [f"erpsync messages release {row.message_id}"]
        case "held" | "ready" | "leased":
            return [command_line("erpsync", "lanes", "show", row.system, row.lane)]
        case _:
            return [command_line("erpsync", "trace", row.key)]


def next_lines(row: MessageRow, run: Sequence[str]) -> list[str]:
    """The same as lines; where only a person can look, that comes first."""
    if row.state == "unknown" and len(run) == 2:
        look = f"next: look for {safe(row.number)} in {safe(row.system)}, then"
        return [look, f"      {run[0]}", f"  or  {run[1]}"]
    return [f"next: {run[0]}", *(f"  or  {other}" for other in run[1:])]
