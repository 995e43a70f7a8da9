"""What a person may do to a message where it stands; and where not, why, and what to do instead.

One rule: what is shown before an act and what the act decides when it is done come from here, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from erpsync.domain.messages import BY_A_PERSON, Reason, State, Wait


class Act(StrEnum):
    """The acts on messages that are not dead."""

    HOLD = "hold"
    RELEASE = "release"
    SKIP = "skip"


_TAKES = {Act.HOLD: "ready", Act.RELEASE: "held", Act.SKIP: "ready or held"}


@dataclass(frozen=True)
class Refusal:
    """Why not: ``why`` goes on after ``message 9 is``, and may hold foreign text; ``instead`` is a hint."""

    why: str
    instead: str


@dataclass(frozen=True)
class Stands:
    """Where a message stands. ``is_pinned``: it repeats an open try; ``waits``: (reason, what on) of a held one."""

    message_id: int
    system: str
    state: str
    reason: str
    is_pinned: bool
    waits: Collection[tuple[str, str]] = ()


def refusal(act: Act, stands: Stands) -> Refusal | None:
    """Why an act cannot be done to a message; None where it can."""
    match stands.state:
        case State.READY if act is not Act.RELEASE:
            return _repeats(stands) if stands.is_pinned else None
        case State.HELD if act is Act.SKIP:
            return None
        case State.HELD if act is Act.HOLD:
            return _held_already(stands)
        case State.HELD:
            return _not_for_a_person(stands)
        case State.LEASED:
            return Refusal(
                f"leased: it is on its way to {stands.system} now",
                f"wait for the answer; to stop all to it: erpsync systems pause {stands.system}",
            )
    return Refusal(f"{stands.state}, not {_TAKES[act]}", _instead(act, stands))


def _repeats(stands: Stands) -> Refusal:
    return Refusal(
        "ready, but repeats an open try: the same bytes go until their outcome is known",
        f"wait for the answer; to stop all to it: erpsync systems pause {stands.system}",
    )


def _held_already(stands: Stands) -> Refusal | None:
    """What waits for a parent can be held too: it stays when the parent has come."""
    by_person = [on for reason, on in stands.waits if reason == Wait.PERSON]
    if not by_person:
        return None
    told = f": {by_person[0]}" if by_person[0] else ""
    return Refusal(f"held already, for a person{told}", f"to let it go: erpsync messages release {stands.message_id}")


def _not_for_a_person(stands: Stands) -> Refusal | None:
    if any(reason in BY_A_PERSON for reason, _ in stands.waits):
        return None
    on = ", ".join(waits_on or reason for reason, waits_on in stands.waits)
    return Refusal(
        f"held for {on}, not for a person", f"it goes when that is there: erpsync messages show {stands.message_id}"
    )


def _instead(act: Act, stands: Stands) -> str:
    number = stands.message_id
    match stands.state:
        case State.DEAD if act is Act.SKIP:
            return f"to give it up: erpsync dlq discard {number}"
        case State.DEAD if act is Act.RELEASE:
            return f"to send it again: erpsync replay {number}"
        case State.DEAD:
            return f"it does not go by itself; to give it up: erpsync dlq discard {number}"
        case State.UNKNOWN:
            return f"say first what became of it: erpsync messages show {number}"
        case State.SKIPPED if stands.reason == Reason.DISCARDED:
            return f"it is not sent; to bring it back: erpsync dlq restore {number}"
    return f"erpsync messages show {number}"
