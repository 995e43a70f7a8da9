"""Messages: what is on its way to one target, the states it can be in, and the moves allowed between them.

ready    due at a time; pinned: it repeats an open try, byte for byte, at an idempotent target
leased   a worker has it until a time; the attempt is on record before anything is sent
held     it waits, a row per reason in ``waits``
unknown  the request may have arrived; settled by asking, by a person, never by sending it anew
done     delivered: created, updated or unchanged
skipped  not delivered, on purpose
dead     failed for good, kept whole with its evidence

The store's schema refuses other states, and a trigger other moves (DESIGN 4).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a message stands."""

    READY = "ready"
    LEASED = "leased"
    HELD = "held"
    UNKNOWN = "unknown"
    DONE = "done"
    SKIPPED = "skipped"
    DEAD = "dead"


DUE = (State.READY, State.LEASED)

MOVES: dict[State, tuple[State, ...]] = {
    State.READY: (State.LEASED, State.HELD, State.SKIPPED),
    State.LEASED: (State.DONE, State.READY, State.HELD, State.UNKNOWN, State.DEAD, State.SKIPPED),
    State.HELD: (State.READY, State.SKIPPED, State.DEAD),
    State.UNKNOWN: (State.DONE, State.READY, State.DEAD),
    State.DONE: (),
    State.SKIPPED: (State.READY,),
    State.DEAD: (State.READY, State.SKIPPED),
}


class Reason(StrEnum):
    """Why a message is in its state; one list for done, skipped, dead and retries."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SETTLED = "settled"  # a person said it was delivered

    SUPERSEDED = "superseded"
    FILTERED = "filtered"
    STALE = "stale"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"
    HEALED = "healed"
    REMOVED = "removed"  # nothing there to take away

    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    POISON = "poison"
    UNMAPPABLE = "unmappable"
    CONFLICT = "conflict"

    RETRY = "retry"
    SYSTEM_DOWN = "system_down"
    THROTTLED = "throttled"
    ACCESS_DENIED = "access_denied"
    ANSWER_LOST = "answer_lost"
    WORKER_LOST = "worker_lost"
    NOT_DELIVERED = "not_delivered"  # asked, and not found
    REPLAYED = "replayed"
    RESTORED = "restored"
    RELEASED = "released"
    BY_PERSON = "by_person"  # held: somebody said so


class Wait(StrEnum):
    """What a held message waits for."""

    CHECKPOINT = "checkpoint"
    PARENT = "parent"
    APPROVAL = "approval"
    PERSON = "person"
    REMOVAL = "removal"
    LINE = "line"  # its head was discarded with the line on hold


BY_A_PERSON = (Wait.PERSON, Wait.REMOVAL, Wait.LINE)  # waits that somebody can answer; the others end by themselves


class Once(StrEnum):
    """How a system makes a write happen once."""

    IDEMPOTENT = "idempotent"  # the same once_key, or an upsert by key
    FINDABLE = "findable"  # looked up by our reference before it is written again
    BLIND = "blind"  # never written again by itself
