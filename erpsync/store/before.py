"""What is asked of the books before a page of events is decided, all with one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from erpsync.store.connection import Connection
from erpsync.store.schema import KEPT_BACK

NEXT_MESSAGE = "(SELECT COALESCE(max(message_id), 0) + 1 FROM messages)"


@dataclass(frozen=True, slots=True)
class Before:
    """The first ids of events, records and messages that are not taken, true until this transaction writes some; and what may wait.

    ``removals_held``: a removal waits for a person, anywhere; ``open_kinds``: those of the kinds of exceptions asked
    about that have an open case.
    """

    next_event: int
    next_record: int
    next_message: int
    removals_held: bool
    open_kinds: tuple[str, ...]


def before_page(db: Connection, company_id: int, kinds: Sequence[str] = ()) -> Before:
    """What the books hold now, as far as every page must know it; ``kinds`` of exceptions that it may heal."""
    (row,) = db.execute(_question(len(kinds)), [value for kind in kinds for value in (company_id, kind)])
    is_open = tuple(kind for kind, there in zip(kinds, row[4:], strict=True) if there)
    return Before(row[0], row[1], row[2], bool(row[3]), is_open)


@cache
def _question(kinds: int) -> str:
    any_open = "EXISTS (SELECT 1 FROM exceptions WHERE state = 'open' AND company_id = ? AND kind = ?)"
    return ", ".join(
        (
            "SELECT (SELECT COALESCE(max(event_id), 0) + 1 FROM events)",
            "(SELECT COALESCE(max(record_id), 0) + 1 FROM records)",
            NEXT_MESSAGE,
            f"EXISTS (SELECT 1 FROM events WHERE {KEPT_BACK} AND verdict = 'held')",
            *[any_open] * kinds,
        )
    )
