"""Exceptions: business problems with an owner, an age and money at stake. One registration a kind.

``grace`` is how long one must last before it is shown (out-of-order facts heal in seconds); ``heals`` says what
closes it without a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How loud it is."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True)
class ExceptionKind:
    """What is true of every exception of a kind."""

    name: str
    owner: str  # the process owner whose work it is
    severity: Severity
    heals: str  # what closes it by itself, for people; empty: a person only
    grace: timedelta = timedelta()
    stops: str = "nothing"  # release, ship, invoice, nothing


_SHORT = timedelta(minutes=2)

EXCEPTION_KINDS: dict[str, ExceptionKind] = {
    kind.name: kind
    for kind in (
        ExceptionKind("outcome_unknown", "integration", Severity.HIGH, "when the outcome is settled"),
        ExceptionKind("duplicate_far", "master data", Severity.HIGH, ""),
        ExceptionKind("ambiguous", "master data", Severity.NORMAL, ""),
        ExceptionKind("ownership_refused", "master data", Severity.NORMAL, ""),
        ExceptionKind("contract_violation", "integration", Severity.NORMAL, "when a readable one follows"),
        ExceptionKind("unknown_key", "master data", Severity.NORMAL, "when the owner tells of the key", _SHORT),
        ExceptionKind("parent_missing", "integration", Severity.NORMAL, "when the target has the parent", _SHORT),
        ExceptionKind("event_conflict", "integration", Severity.HIGH, ""),
        ExceptionKind("access_denied", "integration", Severity.HIGH, "when the system lets us in again"),
        ExceptionKind("mass_removal", "master data", Severity.HIGH, ""),
    )
}
