"""A reason why something is stuck, and the money of the documents it stops, each counted once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Document = tuple[int, str, int]  # record id, currency, stake


class Code(StrEnum):
    """What kind of cause it is."""

    SYSTEM_DOWN = "system_down"
    SYSTEM_STOPPED = "system_stopped"
    SYSTEM_PAUSED = "system_paused"
    FLOW_PAUSED = "flow_paused"
    DEAD = "dead_letters"
    UNKNOWN = "outcome_unknown"
    HELD = "held"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True)
class Cause:
    """One reason why something is stuck. ``messages`` are those it stops by itself, ``behind`` those in their line.

    ``flow`` is the one that is paused, ``by`` who paused it, or the system, and ``error`` then why.
    ``first_id`` and ``first_key`` name the one with most money (an exception's for exceptions), ``error`` what it met.
    ``kinds`` are how many exceptions there are of each kind, and how many dead letters by each reason, the most first.
    """

    code: Code
    system: str | None
    since: datetime | None
    messages: int
    behind: int
    behind_more: bool
    stakes: tuple[tuple[str, int], ...]
    first_id: int | None = None
    first_key: str = ""
    error: str = ""
    kinds: tuple[tuple[str, int], ...] = ()
    flow: str = ""
    by: str = ""


def money(documents: Iterable[Document]) -> tuple[tuple[str, int], ...]:
    """The sums by currency, each document once."""
    most: dict[tuple[int, str], int] = {}
    for record, currency, stake in documents:
        most[record, currency] = max(stake, most.get((record, currency), 0))
    return summed((currency, stake) for (_, currency), stake in most.items())


def summed(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Sums by currency, the most first."""
    sums: dict[str, int] = {}
    for currency, stake in pairs:
        if stake:
            sums[currency] = sums.get(currency, 0) + stake
    return tuple(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))
