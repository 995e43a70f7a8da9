"""What happens, each thing once: tries that ended, events that came in, messages that newer ones cleared, acts, exceptions.

Ids are given in the order of commits, by whoever holds the one lock of writers, so what is new lies behind the last id;
but a try is on record before it ends. Those still open are remembered and asked about at each look, so that one that
ends after newer ones is noticed too, and none twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from erpsync.errors import StoreError
from erpsync.store.connection import Connection, ms
from erpsync.store.identity import read_identity
from erpsync.store.reading.happening import Happening, of_act, of_case, of_cleared, of_event, of_try
from erpsync.store.reading.selecting import company_id
from erpsync.store.schema import place

MOST_AT_ONCE = 5_000  # rows of one sort in one look; the next goes on from there
_LONGEST_TRY_MS = 15 * 60_000  # how long before it ended a try may have begun, where what happened lately is asked for

_TRIES = """a.attempt_id, a.ended_at, a.outcome, r.kind || ':' || r.number, s.name, src.name, f.name, a.message_id, a.took_us,
    COALESCE(x.far_id, a.far_id), a.status, a.error, a.what, m.state, m.tries, m.due_at, m.event_id"""
_OF_TRIES = """CROSS JOIN messages m ON m.message_id = a.message_id CROSS JOIN records r ON r.record_id = m.record_id
    CROSS JOIN systems s ON s.system_id = m.target_id CROSS JOIN flows f ON f.flow_id = m.flow_id
    LEFT JOIN events e ON e.event_id = m.event_id LEFT JOIN systems src ON src.system_id = e.system_id
    LEFT JOIN xrefs x ON x.system_id = m.target_id AND x.record_id = m.record_id"""
_ENDED = (
    f"SELECT m.company_id, a.claimed_at, {_TRIES} FROM json_each(?) j CROSS JOIN attempts a ON a.attempt_id = j.value {_OF_TRIES} "
    "WHERE a.ended_at IS NOT NULL"
)
_STILL_OPEN = """SELECT a.attempt_id FROM messages m CROSS JOIN attempts a ON a.message_id = m.message_id AND a.lease_no = m.lease_no
    WHERE m.state = 'leased' AND a.ended_at IS NULL"""


@dataclass(frozen=True)
class _Sort:
    """One sort of happenings: where its rows lie, when they came, what one of them says (behind its company and moment)."""

    table: str
    column: str
    at: str
    new: str
    reads: Callable[[Sequence[Any]], Happening]


def _new(columns: str, tables: str, column: str) -> str:
    return f"SELECT {columns} FROM {tables} WHERE {column} > ? ORDER BY {column} LIMIT {MOST_AT_ONCE}"


_SORTS: dict[str, _Sort] = {
    "attempts": _Sort(
        "attempts",
        "attempt_id",
        "claimed_at",
        _new(f"m.company_id, a.claimed_at, {_TRIES}", f"attempts a {_OF_TRIES}", "a.attempt_id"),
        of_try,
    ),
    "events": _Sort(
        "events",
        "event_id",
        "received_at",
        _new(
            "e.company_id, e.received_at, e.event_id, e.received_at, e.verdict, e.kind, ifnull(r.number, e.number), e.far_id, s.name, "
            "e.detail, e.removed",
            "events e CROSS JOIN systems s ON s.system_id = e.system_id LEFT JOIN records r ON r.record_id = e.record_id",
            "e.event_id",
        ),
        of_event,
    ),
    "exceptions": _Sort(
        "exceptions",
        "exception_id",
        "opened_at",
        _new(
            "x.company_id, x.opened_at, x.exception_id, x.opened_at, x.kind, x.subject, s.name, x.message_id, x.event_id, x.text",
            "exceptions x LEFT JOIN systems s ON s.system_id = x.system_id",
            "x.exception_id",
        ),
        of_case,
    ),
}
# A newer message clears those just before it in its lane.
_CLEARED = f"""SELECT fresh.message_id, fresh.accepted_at, o.company_id, o.message_id, o.state_at, o.reason, r.kind || ':' || r.number,
    s.name, f.name, o.superseded_by FROM (SELECT message_id, lane_id, accepted_at FROM messages WHERE message_id > ?
        ORDER BY message_id LIMIT {MOST_AT_ONCE}) fresh
    LEFT JOIN messages o ON o.superseded_by = fresh.message_id AND o.message_id IN (SELECT p.message_id FROM messages p
        WHERE p.lane_id = fresh.lane_id AND {place("p.")} = 0 AND p.message_id < fresh.message_id ORDER BY p.message_id DESC LIMIT 8)
    LEFT JOIN records r ON r.record_id = o.record_id LEFT JOIN systems s ON s.system_id = o.target_id
    LEFT JOIN flows f ON f.flow_id = o.flow_id ORDER BY fresh.message_id"""
_ACTS = f"""SELECT company_id, chain, seq, at, actor, what, subject, reason FROM audit WHERE chain = ? AND seq > ? ORDER BY seq
    LIMIT {MOST_AT_ONCE}"""


@dataclass
class Tail:
    """How far what happens has been told. Made by ``tail_of``; each ``look`` goes on from there."""

    company: str
    store: tuple[str, int]
    past: dict[str, int]
    acts: dict[str, int]
    open_tries: set[int]
    not_before: int = 0
    _held: list[Happening] = field(default_factory=list)
    _read_until: dict[str, int] = field(default_factory=dict)

    def look(self, db: Connection) -> tuple[list[Happening], bool]:
        """What happened since the last look, in order; true: there is more already. Raises StoreError for another store."""
        self._refuse_another(db)
        own, found = company_id(db, self.company), self._held
        least = min(self._read_until.values(), default=0)
        due = [name for name in ("tries", "messages", "acts", *_SORTS) if self._read_until.get(name, least) == least]
        if "tries" in due:
            found += self._ended(db, own)
        if "messages" in due:
            found += self._cleared(db, own)
        if "acts" in due:
            found += self._acts(db, own)
        for name in (name for name in _SORTS if name in due):
            found += self._new(db, own, name)
        found = [one for one in found if ms(one.at) >= self.not_before]
        found.sort(key=lambda one: (one.at, one.kind, one.number))
        until = min(self._read_until.values(), default=None)
        if until is None:
            self._held = []
            return found, False
        self._held = [one for one in found if ms(one.at) > until]  # waits until everything of its time has been read
        return [one for one in found if ms(one.at) <= until], True

    def _note(self, name: str, rows: Sequence[Any], until: int) -> None:
        """Up to when all rows of this sort have been read: all there are, where not as many came as could."""
        if len(rows) >= MOST_AT_ONCE:
            self._read_until[name] = until
        else:
            self._read_until.pop(name, None)

    def _new(self, db: Connection, own: int, name: str) -> list[Happening]:
        sort, found = _SORTS[name], []
        rows = db.execute(sort.new, (self.past[name],)).fetchall()
        for company, _, *row in rows:
            if name == "attempts" and row[1] is None:
                self.open_tries.add(row[0])
            elif company == own:
                found.append(sort.reads(row))
        if rows:
            self.past[name] = int(rows[-1][2])
        self._note(name, rows, int(rows[-1][1]) if rows else 0)
        return found

    def _ended(self, db: Connection, own: int) -> list[Happening]:
        """Tries that were open at the last look and are not any more."""
        if not self.open_tries:
            return []
        rows = db.execute(_ENDED, (json.dumps(sorted(self.open_tries)),)).fetchall()
        self.open_tries.difference_update(int(row[2]) for row in rows)
        return [of_try(row) for company, _, *row in rows if company == own]

    def _cleared(self, db: Connection, own: int) -> list[Happening]:
        rows = db.execute(_CLEARED, (self.past["messages"],)).fetchall()
        if rows:
            self.past["messages"] = int(rows[-1][0])
        self._note("messages", rows, int(rows[-1][1]) if rows else 0)
        return [of_cleared(row) for _, _, company, *row in rows if company == own]

    def _acts(self, db: Connection, own: int) -> list[Happening]:
        found: list[Happening] = []
        full: list[int] = []
        for (chain,) in _chains(db):
            rows = db.execute(_ACTS, (chain, self.acts.get(chain, 0))).fetchall()
            found += [of_act(row) for company, *row in rows if company in (0, own)]
            if rows:
                self.acts[chain] = int(rows[-1][2])
            if len(rows) >= MOST_AT_ONCE:
                full.append(int(rows[-1][3]))
        self._read_until.pop("acts", None)
        if full:
            self._read_until["acts"] = min(full)
        return found

    def _refuse_another(self, db: Connection) -> None:
        behind = any(_last(db, table, column) < self.past[table] for table, column in _COLUMNS.items())
        if _store_of(db) != self.store or behind:
            raise StoreError(
                "the store was replaced by another one while it was looked at",
                hint="erpsync tail again, to see what is there now",
            )


_COLUMNS = {**{name: sort.column for name, sort in _SORTS.items()}, "messages": "message_id"}
_MOMENTS = {**{name: sort.at for name, sort in _SORTS.items()}, "messages": "accepted_at"}


def tail_of(db: Connection, company: str, *, since_ms: int | None = None, lately: int = 0) -> Tail:
    """From now on; or from a moment on (``since_ms``); or from the last ``lately`` rows of each sort on."""
    past, acts = {}, {}
    for table, column in _COLUMNS.items():
        last = _last(db, table, column)
        if since_ms is None:
            past[table] = max(last - lately, 0)
        else:
            begin = since_ms - (_LONGEST_TRY_MS if table == "attempts" else 0)
            past[table] = _before(
                db, f"SELECT {column}, {_MOMENTS[table]} FROM {table} WHERE {column} >= ?", column, last, begin
            )
    for (chain,) in _chains(db):
        last = int(db.execute("SELECT ifnull(max(seq), 0) FROM audit WHERE chain = ?", (chain,)).fetchone()[0])
        if since_ms is None:
            acts[chain] = max(last - lately, 0)
        else:
            quoted = chain.replace("'", "''")
            acts[chain] = _before(
                db, f"SELECT seq, at FROM audit WHERE chain = '{quoted}' AND seq >= ?", "seq", last, since_ms
            )
    open_tries = {int(row[0]) for row in db.execute(_STILL_OPEN) if int(row[0]) <= past["attempts"]}
    return Tail(company, _store_of(db), past, acts, open_tries, not_before=since_ms or 0)


def version_of(db: Connection) -> int:
    """A number that is another one once somebody has written, of one connection; it costs nothing to ask."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def _before(db: Connection, query: str, column: str, last: int, since_ms: int) -> int:
    """The last id before a moment; ids and moments grow together. One step down the table for each halving."""
    low, high = 0, last + 1  # everything up to ``low`` came before; from ``high`` on nothing did
    while high - low > 1:
        middle = (low + high) // 2
        row = db.execute(f"{query} ORDER BY {column} LIMIT 1", (middle,)).fetchone()
        if row is None or row[1] >= since_ms:
            high = middle
        else:
            low = int(row[0])
    return low


def _last(db: Connection, table: str, column: str) -> int:
    return int(db.execute(f"SELECT ifnull(max({column}), 0) FROM {table}").fetchone()[0])


def _chains(db: Connection) -> list[tuple[str]]:
    """The chains of the audit log, found one by one: each is one step down its index."""
    rows = db.execute(
        "WITH RECURSIVE c (chain) AS (SELECT min(chain) FROM audit UNION ALL "
        "SELECT (SELECT min(chain) FROM audit a WHERE a.chain > c.chain) FROM c WHERE c.chain IS NOT NULL) "
        "SELECT chain FROM c WHERE chain IS NOT NULL"
    )
    return [(str(row[0]),) for row in rows]


def _store_of(db: Connection) -> tuple[str, int]:
    found = read_identity(db)
    return (found.store_id, found.epoch) if found else ("", 0)
