"""What begins with what was typed: keys and ids, for a shell that completes them.

One rule: at any size a few look-ups in an index, never more than ``MOST`` answers; where more begin so, the answers
together begin no longer than all of them do, so that a shell fills in nothing that is not certain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from erpsync.domain.messages import Reason, State
from erpsync.store.connection import Connection, ms
from erpsync.store.reading.selecting import company_id
from erpsync.store.schema import KEPT_BACK

MOST = 100
_LOOKED_AT = 10_000  # rows of an index, where what is looked for stands among others
_DIGITS = 15
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Found:
    """One answer. ``about``: what it is, in a few words; ``whole``: it is one, not only how several begin."""

    text: str
    about: str = ""
    whole: bool = True


def keys(db: Connection, company: str, kind: str, number: str) -> list[Found]:
    """Keys of a kind whose number begins so; where there are too many, how they go on."""
    own = company_id(db, company)
    some = _numbers(db, own, kind, number, limit=MOST + 1)
    if len(some) <= MOST:
        return [Found(f"{kind}:{found}") for found in some]
    last = db.execute(
        "SELECT number FROM records WHERE company_id = ? AND kind = ? AND number < ? ORDER BY number DESC LIMIT 1",
        (own, kind, number + _LAST),
    ).fetchone()[0]
    stem = _begin_alike(some[0], last)
    found: list[Found] = []
    start = stem
    while len(found) < MOST and (group := _numbers(db, own, kind, stem, limit=2, start=start)):
        begins = group[0][: len(stem) + 1]
        alone = begins == stem or len(group) == 1 or not group[1].startswith(begins)
        found.append(Found(f"{kind}:{group[0] if alone else begins}", whole=alone))
        start = f"{begins}\x00" if begins == stem else f"{begins}{_LAST}"
    return found


def _begin_alike(one: str, other: str) -> str:
    alike = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:alike]


def _numbers(db: Connection, company: int, kind: str, stem: str, *, limit: int, start: str | None = None) -> list[str]:
    rows = db.execute(
        "SELECT number FROM records WHERE company_id = ? AND kind = ? AND number >= ? AND number < ? ORDER BY number LIMIT ?",
        (company, kind, stem if start is None else start, stem + _LAST, limit),
    )
    return [str(row[0]) for row in rows]


_IN_STATE = {
    State.DEAD: "SELECT message_id FROM messages WHERE state = 'dead' ORDER BY stake DESC, state_at",
    State.UNKNOWN: "SELECT message_id FROM messages WHERE is_head = 1 AND state = 'unknown'",
    # What is held waits for something, and nothing else does; once for each reason.
    State.HELD: "SELECT w.message_id FROM systems s CROSS JOIN waits w ON w.target_id = s.system_id",
}


def message_ids(db: Connection, company: str, digits: str, state: State | None) -> list[Found]:
    """Messages whose id begins so: those in a state (the dead with most money first), or any, the newest first.

    Of the skipped, those that were discarded lately: they can be restored.
    """
    if state is None:
        return _messages(db, company, _newest(db, "messages", "message_id", digits))
    if state is State.SKIPPED:
        rows = db.execute(
            "SELECT message_id FROM (SELECT message_id, state, reason FROM messages ORDER BY message_id DESC LIMIT ?) "
            "WHERE state = 'skipped' AND reason = ?",
            (_LOOKED_AT, str(Reason.DISCARDED)),
        )
    else:
        rows = db.execute(f"{_IN_STATE[state]} LIMIT ?", (_LOOKED_AT,))
    return _messages(db, company, _first(digits, (int(row[0]) for row in rows)))


def _messages(db: Connection, company: str, ids: Sequence[int]) -> list[Found]:
    rows = db.execute(
        "SELECT m.message_id, r.kind || ':' || r.number || ' to ' || s.name FROM messages m "
        "CROSS JOIN records r ON r.record_id = m.record_id CROSS JOIN systems s ON s.system_id = m.target_id "
        "WHERE m.message_id IN (SELECT value FROM json_each(?)) AND m.company_id = ?",
        (json.dumps(ids), company_id(db, company)),
    )
    return _in_order(ids, {int(number): str(about) for number, about in rows})


def event_ids(db: Connection, company: str, digits: str, *, kept_back: bool) -> list[Found]:
    """Events whose id begins so: any, the newest first; ``kept_back``: those that can be applied again."""
    if kept_back:
        rows = db.execute(f"SELECT event_id FROM events WHERE {KEPT_BACK} LIMIT ?", (_LOOKED_AT,))
        ids = _first(digits, sorted((int(row[0]) for row in rows), reverse=True))
    else:
        ids = _newest(db, "events", "event_id", digits)
    about = db.execute(
        "SELECT event_id, kind || ':' || number || ' from ' || s.name FROM events e "
        "CROSS JOIN systems s ON s.system_id = e.system_id "
        "WHERE event_id IN (SELECT value FROM json_each(?)) AND company_id = ?",
        (json.dumps(ids), company_id(db, company)),
    )
    return _in_order(ids, {int(number): str(text) for number, text in about})


def exception_ids(db: Connection, company: str, digits: str, *, now: datetime, closed: bool) -> list[Found]:
    """Exceptions whose id begins so: the open ones with most money first; ``closed``: then the newest of the others."""
    own = company_id(db, company)
    rows = db.execute(
        "SELECT exception_id, kind || ' of ' || subject, stake FROM exceptions "
        "WHERE company_id = ? AND state = 'open' AND shows_at <= ? LIMIT ?",
        (own, ms(now), _LOOKED_AT),
    ).fetchall()
    rows.sort(key=lambda row: (-row[2], row[0]))
    about = {int(row[0]): str(row[1]) for row in rows}
    if closed:
        newest = db.execute(
            "SELECT exception_id, kind || ' of ' || subject FROM (SELECT * FROM exceptions ORDER BY exception_id DESC LIMIT ?) "
            "WHERE company_id = ? AND state = 'closed'",
            (_LOOKED_AT, own),
        )
        about.update((int(number), str(text)) for number, text in newest)
    return _in_order(_first(digits, about), about)


def worker_ids(db: Connection) -> list[Found]:
    """The workers that have not left."""
    rows = db.execute(
        "SELECT worker_id, command || ' on ' || host FROM workers WHERE stopped_at IS NULL LIMIT ?", (MOST,)
    )
    return [Found(str(number), str(about)) for number, about in rows]


def _newest(db: Connection, table: str, column: str, digits: str) -> list[int]:
    """Ids of a table that begin so, the newest first; one at least of each digit that may follow."""
    found: list[int] = []
    for low, high in _ranges(digits):
        rows = db.execute(
            f"SELECT {column} FROM {table} WHERE {column} BETWEEN ? AND ? ORDER BY {column} DESC LIMIT ?",
            (low, high, MOST),
        )
        found += [int(row[0]) for row in rows]
    each = [
        int(row[0])
        for digit in "0123456789"
        for low, high in _ranges(digits + digit)
        for row in db.execute(f"SELECT {column} FROM {table} WHERE {column} BETWEEN ? AND ? LIMIT 1", (low, high))
    ]
    return _first(digits, [*sorted(found, reverse=True), *each])


def _ranges(digits: str) -> list[tuple[int, int]]:
    """Where ids that begin so lie."""
    if not digits:
        return [(1, 10**_DIGITS)]
    if not digits.isdigit() or not digits.isascii() or digits.startswith("0"):
        return []
    number = int(digits)
    return [(number * 10**more, (number + 1) * 10**more - 1) for more in range(max(_DIGITS - len(digits), 0) + 1)]


def _first(digits: str, ids: Iterable[int]) -> list[int]:
    """The first of those that begin so; the last of them are others where more of the beginning would look certain."""
    every = list(dict.fromkeys(number for number in ids if str(number).startswith(digits)))
    if len(every) <= MOST:
        return every
    following: dict[str, int] = {}
    for number in every:
        following.setdefault(str(number)[len(digits) : len(digits) + 1], number)
    kept = every[: MOST - len(following)]
    return [*kept, *(number for number in following.values() if number not in kept)]


def _in_order(ids: Iterable[int], about: dict[int, str]) -> list[Found]:
    return [Found(str(number), about[number]) for number in ids if number in about]
