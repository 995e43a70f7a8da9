"""What is asked of the books before a page of events is decided, all with one question."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from erpsync.store.connection import Connection
from erpsync.store.rows import among
from erpsync.store.schema import KEPT_BACK

Seen = dict[str, tuple[bytes, int]]
"""Content hash and event id, by duplicate key."""

NEXT_MESSAGE = "(SELECT COALESCE(max(message_id), 0) + 1 FROM messages)"


@dataclass(frozen=True, slots=True)
class Before:
    """The first ids of events, records and messages that are not taken, true until this transaction writes some; and what may wait.

    ``removals_held``: a removal waits for a person, anywhere; ``open_kinds``: those of the kinds of exceptions asked
    about that have an open case; ``seen``: content hash and event id of those of the duplicate keys that are known.
    """

    next_event: int
    next_record: int
    next_message: int
    removals_held: bool
    open_kinds: tuple[str, ...]
    seen: Seen


def before_page(
    db: Connection, company_id: int, *, system_id: int = 0, keys: Collection[str] = (), kinds: Sequence[str] = ()
) -> Before:
    """What the books hold now, as far as every page must know it: a system's duplicate ``keys``, ``kinds`` it may heal."""
    any_of, asked = among(keys)
    rows = db.execute(
        _question(len(kinds), any_of),
        [value for kind in kinds for value in (company_id, kind)] + [company_id, system_id, *asked],
    ).fetchall()
    next_event, next_record, next_message, removals_held, *there = rows[0][:-3]
    is_open = tuple(kind for kind, is_there in zip(kinds, there, strict=True) if is_there)
    return Before(next_event, next_record, next_message, bool(removals_held), is_open, _seen(rows))


def seen_before(db: Connection, company_id: int, system_id: int, keys: Collection[str]) -> Seen:
    """Content hash and event id of those of a system's duplicate keys that are known."""
    any_of, asked = among(keys)
    return _seen(db.execute(f"SELECT {_SEEN} FROM seen WHERE {_KNOWN} {any_of}", (company_id, system_id, *asked)))


_SEEN = "dup_key, content_hash, event_id"
_KNOWN = "company_id = ? AND system_id = ? AND dup_key"


def _seen(rows: Iterable[Sequence[Any]]) -> Seen:
    """The known keys, of rows that end in ``_SEEN``."""
    return {key: (bytes(content), event_id) for *_, key, content, event_id in rows if key is not None}


@lru_cache(maxsize=32)
def _question(kinds: int, any_of: str) -> str:
    """A row, or one for each key that is known."""
    any_open = "EXISTS (SELECT 1 FROM exceptions WHERE state = 'open' AND company_id = ? AND kind = ?)"
    asked = (
        "(SELECT COALESCE(max(event_id), 0) + 1 FROM events)",
        "(SELECT COALESCE(max(record_id), 0) + 1 FROM records)",
        NEXT_MESSAGE,
        f"EXISTS (SELECT 1 FROM events WHERE {KEPT_BACK} AND verdict = 'held')",
        *[any_open] * kinds,
        _SEEN,
    )
    return f"SELECT {', '.join(asked)} FROM (SELECT 1) page LEFT JOIN seen ON {_KNOWN} {any_of}"
