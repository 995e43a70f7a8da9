"""Whether a store is whole. Rule: nothing here changes anything, or trusts a count.

Each check is looked at by itself: where damage stops one, that is a problem of its own and the others still run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from erpsync.store import audit, payloads
from erpsync.store.connection import Connection, DatabaseError
from erpsync.store.lanes import RECORD_OF_LANE, TARGET_OF_LANE
from erpsync.store.schema import place

_MOST_LINES = 100
# References that the schema leaves free, for what each check of them costs every row: table, column, and whom it names.
_FREE = (
    *((table, "company_id", "companies") for table in ("records", "xrefs", "messages", "events")),
    *((table, "system_id", "systems") for table in ("pictures", "xrefs", "events")),
    ("messages", "target_id", "systems"),
    ("messages", "flow_id", "flows"),
    *((table, "landscape_id", "landscapes") for table in ("events", "attempts")),
    *((table, "content_id", "payloads") for table in ("records", "pictures", "attempts")),
    *(("events", "raw_id", "payloads"), ("events", "canonical_id", "payloads")),
    *(("messages", "own_id", "payloads"), ("attempts", "body_id", "payloads")),
)
_KEYS = {
    "companies": "company_id",
    "systems": "system_id",
    "flows": "flow_id",
    "landscapes": "landscape_id",
    "payloads": "payload_id",
}
_WITHOUT_ROWID = {"pictures": "record_id", "xrefs": "record_id"}
_PAGE = re.compile(r"\bpage (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it must be: which check found it, what is true, and on which pages of the file."""

    check: str
    text: str
    pages: tuple[int, ...] = ()


def verify(
    db: Connection, *, quick: bool = False, told: Callable[[str, int, int], None] | None = None
) -> list[Problem]:
    """Everything that is wrong, the file itself first; empty when the store is whole.

    ``quick`` leaves out what reads all contents and compares indexes with their tables. ``told`` hears what is looked at
    next, how many checks were made and how many there are.
    """
    checks: list[tuple[str, Callable[[Connection], Iterator[Problem]]]] = [
        ("file", _quick_file if quick else _file),
        ("references", _references),
        ("lanes", _lanes),
        ("states", _states),
        ("totals", _totals),
        ("audit", _audit),
    ]
    if not quick:
        checks.append(("contents", _contents))
    problems: list[Problem] = []
    for made, (name, check) in enumerate(checks):
        if told is not None:
            told(name, made, len(checks))
        try:
            problems.extend(check(db))
        except (DatabaseError, TypeError, ValueError) as error:  # in a damaged row anything may stand anywhere
            problems.append(Problem(name, f"cannot be checked: {error}", _pages(str(error))))
    return problems


def _file(db: Connection) -> Iterator[Problem]:
    return _integrity(db, "integrity_check")


def _quick_file(db: Connection) -> Iterator[Problem]:
    return _integrity(db, "quick_check")


def _integrity(db: Connection, pragma: str) -> Iterator[Problem]:
    """Where a page stops SQLite itself, each table is looked at by itself, so that it can be named."""
    try:
        yield from _lines(db, f"PRAGMA {pragma}({_MOST_LINES})")
    except DatabaseError:
        tables = db.execute(
            "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' ORDER BY rootpage"
        ).fetchall()
        named = False
        for name, page in tables:
            try:
                for problem in wrong_in_table(db, pragma, str(name)):
                    named = True
                    yield problem
            except DatabaseError as error:
                named = True
                yield Problem(
                    "file", f"table {name}, which begins on page {page}, cannot be read: {error}", (int(page),)
                )
        if not named:
            raise


def wrong_in_table(db: Connection, pragma: str, table: str) -> Iterator[Problem]:
    """What ``integrity_check`` or ``quick_check`` says of one table and its indexes; raises DatabaseError."""
    quoted = table.replace('"', '""')
    return _lines(db, f'PRAGMA {pragma}("{quoted}")')


def _lines(db: Connection, sql: str) -> Iterator[Problem]:
    for (text,) in db.execute(sql):
        for line in str(text).splitlines():
            if line != "ok" and not line.startswith("***"):
                yield Problem("file", line, _pages(line))


def _references(db: Connection) -> Iterator[Problem]:
    """What a row names must be there; also where the schema leaves the reference free."""
    for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(_MOST_LINES):
        yield Problem("references", f"{table} row {rowid} names a row of {parent} that does not exist")
    for table, column, parent in _FREE:
        for (number,) in _few(
            db,
            f"SELECT {_WITHOUT_ROWID.get(table, 'rowid')} FROM {table} t WHERE t.{column} IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{_KEYS[parent]} = t.{column})",
        ):
            yield Problem("references", f"{table} row {number} names a row of {parent} that does not exist")
    yield from _chains(db)
    for (message_id,) in _few(
        db,
        "SELECT message_id FROM messages m WHERE pinned_id IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM attempts a WHERE a.attempt_id = m.pinned_id AND a.message_id = m.message_id)",
    ):
        yield Problem("references", f"message {message_id} is pinned to an attempt that does not exist")


def _chains(db: Connection) -> Iterator[Problem]:
    """From each record its newest event is found, and from each event that changed it the one before, down to the first."""
    for key, event_id in _few(
        db,
        "SELECT r.kind || ':' || r.number, r.newest_id FROM records r LEFT JOIN events e ON e.event_id = r.newest_id "
        "WHERE r.newest_id > 0 AND (e.record_id IS NOT r.record_id OR e.previous_id IS NULL)",
    ):
        yield Problem("references", f"{key} names event {event_id} as its newest, which did not change it")
    for event_id, before in _few(
        db,
        "SELECT e.event_id, e.previous_id FROM events e LEFT JOIN events p ON p.event_id = e.previous_id WHERE e.previous_id > 0 "
        "AND (p.record_id IS NOT e.record_id OR p.previous_id IS NULL OR e.previous_id >= e.event_id)",
    ):
        yield Problem("references", f"event {event_id} names event {before} before it, which did not change its record")
    for event_id, key in _few(
        db,
        "SELECT e.event_id, (SELECT kind || ':' || number FROM records r WHERE r.record_id = e.record_id) FROM events e "
        "WHERE previous_id IS NOT NULL AND event_id NOT IN (SELECT newest_id FROM records "
        "UNION ALL SELECT previous_id FROM events WHERE previous_id > 0)",
    ):
        yield Problem("references", f"event {event_id} changed {key}, but is not found from there")


def _lanes(db: Connection) -> Iterator[Problem]:
    """Each lane with unfinished messages has one head, its oldest; and each message a lane of its system and company."""
    for lane, oldest, heads, head in _few(
        db,
        f"SELECT (SELECT name FROM systems WHERE system_id = {TARGET_OF_LANE}) || ', ' || "
        f"(SELECT kind || ':' || number FROM records WHERE record_id = {RECORD_OF_LANE}), "
        "min(message_id), sum(is_head), min(CASE WHEN is_head = 1 THEN message_id END) "
        f"FROM messages m WHERE {place('m.')} = 1 GROUP BY lane_id HAVING sum(is_head) <> 1 "
        "OR min(CASE WHEN is_head = 1 THEN message_id END) <> min(message_id)",
    ):
        if heads == 1:
            yield Problem("lanes", f"lane {lane} has message {head} as its head, message {oldest} is older")
        else:
            yield Problem("lanes", f"lane {lane} has {heads or 'no'} heads, message {oldest} is its oldest")
    for (message_id,) in _few(
        db,
        f"SELECT m.message_id FROM messages m LEFT JOIN records l ON l.record_id = {RECORD_OF_LANE} "
        f"WHERE m.target_id <> {TARGET_OF_LANE} OR m.company_id IS NOT l.company_id",
    ):
        yield Problem(
            "lanes",
            f"message {message_id} stands in the lane of another system or company, or of a key that is not there",
        )


def _states(db: Connection) -> Iterator[Problem]:
    """A lease has its number and its try, and what is held has a reason to wait."""
    for (message_id,) in _few(
        db, "SELECT message_id FROM messages WHERE state = 'leased' AND (lease_no = 0 OR tries = 0)"
    ):
        yield Problem("states", f"message {message_id} is leased without a try that counts")
    for (message_id,) in _few(
        db,
        "SELECT message_id FROM messages m WHERE state = 'held' AND NOT EXISTS "
        "(SELECT 1 FROM waits w WHERE w.message_id = m.message_id)",
    ):
        yield Problem("states", f"message {message_id} is held and waits for nothing")


def _totals(db: Connection) -> Iterator[Problem]:
    """Totals recounted. Both sides hold what is zero as nothing."""
    by = "company_id, flow_id, target_id, state, currency"
    told = f"SELECT {by}, sum(n) AS n, sum(stake) AS stake FROM totals GROUP BY {by}"
    counted = f"SELECT {by}, count(*) AS n, sum(stake) AS stake FROM messages GROUP BY {by}"
    for company_id, flow_id, target_id, state, currency, n, stake in _few(
        db,
        f"SELECT {by}, sum(n), sum(stake) FROM (SELECT {by}, n, stake FROM ({told}) UNION ALL "
        f"SELECT {by}, -n, -stake FROM ({counted})) GROUP BY {by} HAVING sum(n) <> 0 OR sum(stake) <> 0",
    ):
        where = f"company {company_id}, flow {flow_id}, system {target_id}, {state}"
        money = f", {stake:+,} of its minor units of {currency}" if stake else ""
        yield Problem("totals", f"totals of {where} are off by {n:+,} messages{money}")


def _audit(db: Connection) -> Iterator[Problem]:
    return (Problem("audit", text) for text in audit.verify(db)[:_MOST_LINES])


def _contents(db: Connection) -> Iterator[Problem]:
    """Contents still have the hash that is kept with them: damage that SQLite cannot see."""
    for payload_id, hash_, content in db.execute("SELECT payload_id, hash, content FROM payloads"):
        if payloads.digest(content) != bytes(hash_):
            yield Problem("contents", f"payload {payload_id} is not what was stored")


def _few(db: Connection, sql: str) -> list[Any]:
    return db.execute(f"{sql} LIMIT {_MOST_LINES}").fetchall()


def _pages(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(number) for number in _PAGE.findall(text)))
