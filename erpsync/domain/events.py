"""Events: what a system told us, logged once, and the verdict on it."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"  # it changed the record
    IN_PART = "in_part"  # some fields were accepted, others refused
    CAUGHT_UP = "caught_up"  # that system now holds what the record says, or told our own write back
    STALE = "stale"  # older than what that system told before
    REFUSED = "refused"  # another system owns what it changed
    UNREADABLE = "unreadable"  # a contract violation: kept raw
    CONFLICTING = "conflicting"  # the same event id with other content, or a second far document for one key
    UNKNOWN_KEY = "unknown_key"  # a key the owner has not told of; applied when it is
    WAITS = "waits"  # an open try of ours concerns the same document there; applied when that is settled
    HELD = "held"  # a removal that waits for a person


BROUGHT_BACK = (
    Verdict.UNREADABLE,
    Verdict.REFUSED,
    Verdict.CONFLICTING,
    Verdict.UNKNOWN_KEY,
    Verdict.WAITS,
    Verdict.HELD,
)
"""What ``events apply`` reads again."""
