"""Contents that have some words: what systems told, what was sent, what was answered; the newest first.

The index of words names candidates, and each is read before it is believed. What is not in the index yet is read from
the newest back, as long as there is time; how far that went is on record.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from erpsync.domain.sought import Sought, plain
from erpsync.store.connection import Connection, moment
from erpsync.store.reading.found import Found, Looked, Rank
from erpsync.store.words import MOST_BYTES, Index

_BATCHES = (50, 200, 500)
_AT_ONCE = 500
_OF_THE_REST = 0.7  # of the time: the index is to be asked too
_BEFORE, _AROUND = 24, 72

_EVENTS = f"""SELECT e.event_id, s.name, e.kind, ifnull(r.number, e.number), e.number, e.far_id, ifnull(e.source_event_id, ''), e.removed,
    e.verdict, e.received_at, r.revision, substr(canonical.content, 1, {MOST_BYTES}), substr(raw.content, 1, {MOST_BYTES})
    FROM json_each(?) j CROSS JOIN events e ON e.event_id = j.value CROSS JOIN systems s ON s.system_id = e.system_id
    LEFT JOIN records r ON r.record_id = e.record_id LEFT JOIN payloads raw ON raw.payload_id = e.raw_id
    LEFT JOIN payloads canonical ON canonical.payload_id = e.canonical_id WHERE e.company_id = ?"""
_TRIES = f"""SELECT a.attempt_id, a.message_id, r.kind || ':' || r.number, s.name, m.state, m.reason, m.state_at, a.once_key,
    substr(body.content, 1, {MOST_BYTES}), a.far_id, a.error, substr(a.answer, 1, {MOST_BYTES})
    FROM json_each(?) j CROSS JOIN attempts a ON a.attempt_id = j.value CROSS JOIN messages m ON m.message_id = a.message_id
    CROSS JOIN systems s ON s.system_id = m.target_id CROSS JOIN records r ON r.record_id = m.record_id
    LEFT JOIN payloads body ON body.payload_id = a.body_id WHERE m.company_id = ?"""


def _has(*columns: str) -> str:
    return " OR ".join([*(f"instr(substr({column}, 1, {MOST_BYTES}), CAST(?3 AS BLOB))" for column in columns)])


@dataclass(frozen=True)
class Search:
    """What is looked for, in whose documents, how many are wanted, and until when (``time.monotonic``) there is time."""

    sought: Sought
    company_id: int
    most: int
    until: float


@dataclass(frozen=True)
class _Table:
    """Where documents of one sort lie. ``scan`` names those of a range that have some digits in them, the newest first."""

    name: str
    column: str
    at: str
    mark: str
    kinds: tuple[str, ...]
    scan: str
    read: Callable[[Connection, list[int], Search], Iterator[Found]]


def in_contents(db: Connection, index: Index | None, search: Search, looked: Looked) -> list[Found]:
    """What has the words somewhere in it, the newest first; ``looked`` is filled in. Raises DatabaseError."""
    found: list[Found] = []
    for table, share in ((_EVENTS_TABLE, 0.5), (_TRIES_TABLE, 1.0)):
        seconds = max(search.until - time.monotonic(), 0.0) * share
        found += _gathered(db, index, search, looked, table=table, seconds=seconds)
    found.sort(key=lambda hit: (hit.at, hit.message or 0, hit.event or 0), reverse=True)
    looked.more = looked.more or len(found) > search.most
    return found[: search.most]


def _gathered(
    db: Connection, index: Index | None, search: Search, looked: Looked, *, table: _Table, seconds: float
) -> list[Found]:
    """The hits of one table: of what is not in the index yet, then of what the index names."""
    first, last = (
        int(db.execute(f"SELECT ifnull({end}({table.column}), 1) FROM {table.name}").fetchone()[0])
        for end in ("min", "max")
    )
    if not db.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone():
        return []
    begun = time.monotonic()
    known = max(min(index.marks[table.mark], last) if index else 0, first - 1)
    hits: dict[str, Found] = {}

    def take(ids: list[int]) -> bool:
        """Read these; whether more are wanted."""
        for hit in table.read(db, ids, search):
            hits.setdefault(hit.name, hit)
        return len(hits) <= search.most

    behind, wanted = last, True
    while behind > known and wanted and time.monotonic() < begun + seconds * (_OF_THE_REST if index else 1):
        begin, behind = behind, max(behind - _AT_ONCE, known)
        wanted = take(_candidates(db, table, search, behind, begin))
    if index is not None and wanted:
        if table.mark == "tries" and index.open_tries:
            take(sorted(index.open_tries, reverse=True))
        named: Iterable[int] = heapq.merge(
            *(index.ids(kind, search.sought.expression) for kind in table.kinds), reverse=True
        )
        wanted, hurried = _read_named(iter(named), take, until=begun + seconds)
        looked.hurried |= hurried
    looked.contents += last - first + 1
    looked.more |= not wanted
    missed = behind - known if wanted else 0
    oldest = f"SELECT {table.at} FROM {table.name} WHERE {table.column} > ? ORDER BY {table.column} LIMIT 1"
    row = db.execute(oldest, (behind if missed else first - 1,)).fetchone()
    looked.back_to(moment(row[0]) if row else None, missed=missed)
    return list(hits.values())


def _candidates(db: Connection, table: _Table, search: Search, behind: int, begin: int) -> list[int]:
    """The ids of a range in which the words may stand, the newest first."""
    if not search.sought.digits:
        return list(range(begin, behind, -1))
    return [int(row[0]) for row in db.execute(table.scan, (behind, begin, search.sought.digits))]


def _read_named(named: Iterator[int], take: Callable[[list[int]], bool], *, until: float) -> tuple[bool, bool]:
    """Read what the index names, in growing batches; whether more are wanted, and whether some were left for want of time."""
    sizes, size, before = iter(_BATCHES), _BATCHES[0], -1
    while ids := list(islice(named, size)):
        if not take([number for number in dict.fromkeys(ids) if number != before]):
            return False, False
        if time.monotonic() > until:
            return True, next(named, None) is not None
        before, size = ids[-1], next(sizes, _BATCHES[-1])
    return True, False


def _events_among(db: Connection, ids: list[int], search: Search) -> Iterator[Found]:
    for row in db.execute(_EVENTS, (json.dumps(ids), search.company_id)):
        (
            event_id,
            system,
            kind,
            number,
            told_number,
            far_id,
            source_id,
            removed,
            verdict,
            at,
            revision,
            canonical,
            raw,
        ) = row
        numbers = f"{told_number} {far_id} {source_id}"
        where, excerpt = _where(search.sought, (("content", _text(canonical)), ("raw", _text(raw)), ("raw", numbers)))
        if where:
            key = f"{kind}:{number or far_id or '?'}"
            says = f"{system} {f'said {key} is gone' if removed else f'told {key}'}, {verdict.replace('_', ' ')}"
            hit = Found(Rank.CONTENT, where, says, moment(at), key, system, event=event_id, excerpt=excerpt)
            yield hit if revision else replace(hit, is_kept=False)


def _tries_among(db: Connection, ids: list[int], search: Search) -> Iterator[Found]:
    for row in db.execute(_TRIES, (json.dumps(ids), search.company_id)):
        _, message_id, key, system, state, reason, at, once_key, body, far_id, error, answer = row
        answered = f"{far_id} {error} {_text(answer)}"
        where, excerpt = _where(search.sought, (("sent", _text(body)), ("sent", once_key), ("answer", answered)))
        if where:
            says = f"{key} to {system}, {state_of(state, reason)}"
            yield Found(Rank.CONTENT, where, says, moment(at), key, system, message=message_id, excerpt=excerpt)


_EVENTS_TABLE = _Table(
    "events",
    "event_id",
    "received_at",
    "events",
    ("events",),
    "SELECT event_id FROM events LEFT JOIN payloads raw ON raw.payload_id = raw_id LEFT JOIN payloads canonical "
    f"ON canonical.payload_id = canonical_id WHERE event_id > ?1 AND event_id <= ?2 AND ({_has('raw.content', 'canonical.content')} "
    "OR instr(number || ' ' || far_id || ' ' || ifnull(source_event_id, ''), ?3)) ORDER BY event_id DESC",
    _events_among,
)
_TRIES_TABLE = _Table(
    "attempts",
    "attempt_id",
    "claimed_at",
    "tries",
    ("sent", "answers"),
    "SELECT attempt_id FROM attempts LEFT JOIN payloads body ON body.payload_id = body_id WHERE attempt_id > ?1 AND attempt_id <= ?2 "
    f"AND ({_has('body.content', 'answer')} OR instr(once_key || ' ' || far_id || ' ' || error, ?3)) ORDER BY attempt_id DESC",
    _tries_among,
)


def state_of(state: str, reason: str) -> str:
    """``created`` of what is done, else ``dead: refused``."""
    words = reason.replace("_", " ")
    return words if state == "done" and words else f"{state}: {words}" if words else state


def _text(content: bytes | str | None) -> str:
    if content is None:
        return ""
    return content if isinstance(content, str) else bytes(content).decode("utf-8", errors="replace")


def _where(sought: Sought, parts: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """In which part all words stand, and what stands around the first; else in all of them together; else ("", "")."""
    kept = [(name, text, plain(text)) for name, text in parts if text]
    for name, text, simple in kept:
        if span := sought.place_in(simple):
            return name, _excerpt(text if len(text) == len(simple) else simple, span)
    whole = "\n".join(simple for _, _, simple in kept)
    if len(kept) > 1 and (span := sought.place_in(whole)):
        return kept[-1][0], _excerpt(whole, span)
    return "", ""


def _excerpt(text: str, span: tuple[int, int]) -> str:
    begin = max(span[0] - _BEFORE, 0)
    return text[begin : begin + _AROUND].strip()
