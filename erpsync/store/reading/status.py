"""Status: how everything stands, from totals and index look-ups, so that it costs the same at any size.

Money is counted once a document. That needs the documents themselves, which are read up to ``LOOKED_AT`` a cause;
beyond that the totals are given as they are, and ``exact`` says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.store.connection import Connection, moment
from erpsync.store.reading.cause import Cause, Code, Document, money, summed
from erpsync.store.reading.exceptions import OpenOnes, open_by_kind
from erpsync.store.reading.line import documents_behind
from erpsync.store.reading.messages import counts_by_state
from erpsync.store.reading.paused import paused_flows, waiting_documents
from erpsync.store.reading.selecting import company_id
from erpsync.store.reading.systems import SystemStanding, outcomes_of_last_hour, standings, workers_alive

LOOKED_AT = 2_000
_TOLD_ELSEWHERE = ("outcome_unknown", "access_denied")  # their messages and systems are causes of their own


@dataclass(frozen=True)
class Status:
    """How everything stands. ``twice`` is how many documents have several causes, and their sums."""

    systems: tuple[SystemStanding, ...]
    causes: tuple[Cause, ...]
    stakes: tuple[tuple[str, int], ...]
    documents: int
    exact: bool
    twice: int
    twice_stakes: tuple[tuple[str, int], ...]
    counts: dict[str, int]
    exceptions: tuple[OpenOnes, ...]
    last_hour: dict[str, int]
    workers: int


def status(db: Connection, company: str, *, now_ms: int, names: Iterable[str] | None = None) -> Status:
    """How everything stands now."""
    own = company_id(db, company)
    systems = standings(db, company, now_ms=now_ms, names=names)
    found: list[tuple[Cause, list[Document] | None]] = []
    for system in systems:
        found += _of_system(db, own, system)
    found += paused_flows(db, own, most=LOOKED_AT)
    open_ones = open_by_kind(db, company, now_ms=now_ms)
    found += _of_exceptions(db, own, open_ones, now_ms=now_ms)
    found.sort(
        key=lambda pair: (-sum(stake for _, stake in pair[0].stakes), pair[0].since or moment(now_ms), pair[0].code)
    )
    stakes, documents, twice, twice_stakes = _once([documents for _, documents in found])
    exact = all(documents is not None for _, documents in found)
    if not exact:
        stakes = summed((currency, stake) for cause, _ in found for currency, stake in cause.stakes)
    return Status(
        systems=tuple(systems),
        causes=tuple(cause for cause, _ in found),
        stakes=stakes,
        documents=documents if exact else 0,
        exact=exact,
        twice=twice,
        twice_stakes=twice_stakes,
        counts=counts_by_state(db, own),
        exceptions=tuple(open_ones),
        last_hour=outcomes_of_last_hour(db, company, now_ms=now_ms),
        workers=workers_alive(db, now_ms=now_ms),
    )


def _of_system(db: Connection, company: int, system: SystemStanding) -> list[tuple[Cause, list[Document] | None]]:
    found: list[tuple[Cause, list[Document] | None]] = []
    if (system.is_unsent and system.due) or (system.state in ("down", "stopped") and not system.is_unsent):
        found.append(_still(db, company, system))
    if dead := system.counts.get("dead", 0):
        found.append(_dead(db, company, system, dead))
    if unknown := system.counts.get("unknown", 0):
        found.append(_unknown(db, company, system, unknown))
    if held := _held_for_a_person(db, company, system):
        found.append(held)
    return found


def _still(db: Connection, company: int, system: SystemStanding) -> tuple[Cause, list[Document] | None]:
    """Nothing goes there: a person has paused it, else it is down or does not let us in."""
    documents = waiting_documents(db, company, system.system_id) if system.due <= LOOKED_AT else None
    code = Code.SYSTEM_DOWN if system.state == "down" else Code.SYSTEM_STOPPED
    since, by, error = system.since, "", system.last_error or ""
    if system.is_unsent:
        code, since, by, error = Code.SYSTEM_PAUSED, system.shown_since, system.paused_by or "", system.pause_reason
    sums = _sums(documents, system, ("ready", "leased"))
    return Cause(code, system.name, since, system.due, 0, False, sums, error=error, by=by), documents


def _dead(db: Connection, company: int, system: SystemStanding, dead: int) -> tuple[Cause, list[Document] | None]:
    rows = db.execute(
        "SELECT m.message_id, m.record_id, m.currency, m.stake, m.state_at, m.error, m.reason FROM messages m "
        f"WHERE m.state = 'dead' AND m.target_id = ? AND m.company_id = ? ORDER BY m.stake DESC LIMIT {LOOKED_AT}"
        if dead <= LOOKED_AT
        else "SELECT * FROM (SELECT m.message_id, m.record_id, m.currency, m.stake, m.state_at, m.error, m.reason, "
        "m.target_id, m.company_id FROM messages m WHERE m.state = 'dead' ORDER BY m.stake DESC LIMIT 200) "
        "WHERE target_id = ? AND company_id = ?",
        (system.system_id, company),
    ).fetchall()
    first = rows[0] if rows else None
    whole = len(rows) == dead
    behind, more, others = documents_behind(db, [row[0] for row in rows], most=LOOKED_AT)
    documents = None
    if whole and not more:
        documents = [(int(row[1]), str(row[2]), int(row[3])) for row in rows] + others
    cause = Cause(
        Code.DEAD,
        system.name,
        moment(min(row[4] for row in rows)) if whole and rows else None,
        dead,
        behind,
        more or not whole,
        _sums(documents, system, ("dead",)),
        first_id=int(first[0]) if first else None,
        first_key=_key_of(db, int(first[1])) if first else "",
        error=str(first[5]) if first else "",
        kinds=tuple(Counter(str(row[6]) for row in rows).most_common()) if whole else (),
    )
    return cause, documents


def _unknown(db: Connection, company: int, system: SystemStanding, unknown: int) -> tuple[Cause, list[Document] | None]:
    rows = db.execute(
        "SELECT m.message_id, m.record_id, m.currency, m.stake, COALESCE(m.unknown_since, m.state_at), m.error FROM messages m "
        "WHERE m.is_head = 1 AND m.state = 'unknown' AND m.target_id = ? AND m.company_id = ? "
        f"ORDER BY m.due_at LIMIT {LOOKED_AT + 1}",
        (system.system_id, company),
    ).fetchall()
    behind, more, others = documents_behind(db, [row[0] for row in rows], most=LOOKED_AT)
    documents = None
    if len(rows) <= LOOKED_AT and not more:
        documents = [(int(row[1]), str(row[2]), int(row[3])) for row in rows] + others
    first = max(rows, key=lambda row: (row[3], -row[0])) if rows else None
    cause = Cause(
        Code.UNKNOWN,
        system.name,
        moment(min(row[4] for row in rows)) if rows else None,
        unknown,
        behind,
        more,
        _sums(documents, system, ("unknown",)),
        first_id=int(first[0]) if first else None,
        first_key=_key_of(db, int(first[1])) if first else "",
        error=str(first[5]) if first else "",
    )
    return cause, documents


def _held_for_a_person(
    db: Connection, company: int, system: SystemStanding
) -> tuple[Cause, list[Document] | None] | None:
    """What waits until somebody decides: held for a person, a removal, or with a discarded head."""
    rows = db.execute(
        "SELECT m.message_id, m.record_id, m.currency, m.stake, w.since FROM waits w CROSS JOIN messages m ON m.message_id = w.message_id "
        "WHERE w.target_id = ? AND w.reason IN ('person', 'removal', 'approval', 'line') AND m.company_id = ? "
        f"ORDER BY m.message_id LIMIT {LOOKED_AT + 1}",
        (system.system_id, company),
    ).fetchall()
    if not rows:
        return None
    documents = [(int(row[1]), str(row[2]), int(row[3])) for row in rows] if len(rows) <= LOOKED_AT else None
    first = max(rows, key=lambda row: (row[3], -row[0]))
    cause = Cause(
        Code.HELD,
        system.name,
        moment(min(row[4] for row in rows)),
        len({row[0] for row in rows}),
        0,
        documents is None,
        _sums(documents, system, ("held",)),
        first_id=int(first[0]),
        first_key=_key_of(db, int(first[1])),
    )
    return cause, documents


def _of_exceptions(
    db: Connection, company: int, open_ones: Sequence[OpenOnes], *, now_ms: int
) -> list[tuple[Cause, list[Document] | None]]:
    shown = [ones for ones in open_ones if ones.kind not in _TOLD_ELSEWHERE]
    if not shown:
        return []
    count = sum(ones.count for ones in shown)
    rows = db.execute(
        "SELECT exception_id, COALESCE(record_id, -exception_id), currency, stake, subject, text FROM exceptions "
        "WHERE state = 'open' AND company_id = ? AND shows_at <= ? AND kind NOT IN (SELECT value FROM json_each(?)) "
        f"ORDER BY stake DESC, opened_at LIMIT {LOOKED_AT + 1}",
        (company, now_ms, json.dumps(_TOLD_ELSEWHERE)),
    ).fetchall()
    documents = [(int(row[1]), str(row[2]), int(row[3])) for row in rows] if len(rows) <= LOOKED_AT else None
    cause = Cause(
        Code.EXCEPTIONS,
        None,
        min(ones.since for ones in shown if ones.since),
        count,
        0,
        False,
        money(documents) if documents is not None else summed(pair for ones in shown for pair in ones.stakes),
        first_id=int(rows[0][0]) if rows else None,
        first_key=str(rows[0][4]) if rows else "",
        error=str(rows[0][5]) if rows else "",
        kinds=tuple((ones.kind, ones.count) for ones in sorted(shown, key=lambda ones: (-ones.count, ones.kind))),
    )
    return [(cause, documents)]


def _key_of(db: Connection, record_id: int) -> str:
    row = db.execute("SELECT kind || ':' || number FROM records WHERE record_id = ?", (record_id,)).fetchone()
    return str(row[0]) if row else ""


def _sums(
    documents: list[Document] | None, system: SystemStanding, states: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    if documents is not None:
        return money(documents)
    return summed(pair for state in states for pair in system.stakes.get(state, ()))


def _once(
    sets: Sequence[list[Document] | None],
) -> tuple[tuple[tuple[str, int], ...], int, int, tuple[tuple[str, int], ...]]:
    """Sums with each document once, how many documents have money, how many have several causes, and how much that is."""
    most: dict[tuple[int, str], int] = {}
    causes: dict[tuple[int, str], int] = {}
    for documents in sets:
        for record, currency in {(record, currency) for record, currency, _ in documents or ()}:
            causes[record, currency] = causes.get((record, currency), 0) + 1
        for record, currency, stake in documents or ():
            most[record, currency] = max(stake, most.get((record, currency), 0))
    with_money = {key: stake for key, stake in most.items() if stake}
    several = {key: stake for key, stake in with_money.items() if causes[key] > 1}
    return (
        summed((currency, stake) for (_, currency), stake in with_money.items()),
        len({record for record, _ in with_money}),
        len(several),
        summed((currency, stake) for (_, currency), stake in several.items()),
    )
