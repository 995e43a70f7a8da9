"""One thing that happened, as the store tells it. Texts are exact, made safe when shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erpsync.store.connection import moment
from erpsync.store.reading.audit import act_id


@dataclass(frozen=True)
class Happening:
    """One thing that happened. ``kind`` is attempt, event, message, act or exception; ``outcome`` in the store's words.

    ``state``, ``tries`` and ``due_at`` are how its message stands by now; ``asks``: the try wrote nothing, it only looked.
    """

    at: datetime
    kind: str
    number: int
    outcome: str
    key: str | None = None
    system: str | None = None
    source: str | None = None
    flow: str | None = None
    message: int | None = None
    event: int | None = None
    exception: str | None = None
    act: str | None = None
    actor: str = "engine"
    seconds: float | None = None
    far_id: str = ""
    status: int | None = None
    said: str = ""
    asks: bool = False
    state: str = ""
    tries: int = 0
    due_at: datetime | None = None


def of_try(row: Sequence[Any]) -> Happening:
    """A try that ended."""
    (
        attempt_id,
        ended_at,
        outcome,
        key,
        system,
        source,
        flow,
        message,
        took_us,
        far_id,
        status,
        error,
        what,
        state,
        tries,
        due,
        event,
    ) = row
    return Happening(
        moment(ended_at),
        "attempt",
        attempt_id,
        outcome,
        key,
        system,
        source,
        flow,
        message,
        event,
        seconds=None if took_us is None else took_us / 1_000_000,
        far_id=far_id or "",
        status=status,
        said=error,
        asks=what != "write",
        state=state,
        tries=tries,
        due_at=moment(due),
    )


def of_event(row: Sequence[Any]) -> Happening:
    """Something a system told."""
    event_id, at, verdict, kind, number, far_id, system, detail, removed = row
    outcome = "removed" if removed and verdict == "accepted" else verdict
    key = f"{kind}:{number or far_id or '?'}"
    return Happening(
        moment(at),
        "event",
        event_id,
        outcome,
        key,
        system,
        system,
        event=event_id,
        actor=system,
        far_id=far_id,
        said=detail,
    )


def of_cleared(row: Sequence[Any]) -> Happening:
    """A message that a newer one made needless."""
    message_id, at, reason, key, system, flow, by = row
    return Happening(moment(at), "message", message_id, reason, key, system, None, flow, message_id, said=f"by {by}")


def of_act(row: Sequence[Any]) -> Happening:
    """What somebody did, or the engine decided."""
    chain, seq, at, actor, what, subject, reason = row
    key = subject if ":" in subject and " " not in subject else None
    message = int(subject) if subject.isascii() and subject.isdigit() and len(subject) < 19 else None
    about = subject if key is None and message is None else ""
    said = ": ".join(part for part in (about, reason) if part)
    return Happening(moment(at), "act", seq, what, key, message=message, act=act_id(chain, seq), actor=actor, said=said)


def of_case(row: Sequence[Any]) -> Happening:
    """An exception that was opened."""
    number, at, kind, subject, system, message, event, text = row
    key = subject if ":" in subject else None
    return Happening(
        moment(at),
        "exception",
        number,
        kind,
        key,
        system,
        message=message,
        event=event,
        exception=f"E-{number}",
        said=text,
    )
