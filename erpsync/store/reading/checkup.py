"""What a store tells of its own health, quickly: damage that a look finds, how far it has come, what nobody has read.

Rule: each question is answered within a fraction of a second at any size, and changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from erpsync.store import identity, restored
from erpsync.store.checking import wrong_in_table
from erpsync.store.connection import Connection, DatabaseError, OperationalError, moment
from erpsync.store.migrations import schema_of
from erpsync.store.reading.selecting import moment_or_none
from erpsync.store.reading.systems import oldest_ready
from erpsync.store.systems import system

# Small ones first: they say who is who, and a page of them that is torn stops everything.
_SMALL = ("meta", "companies", "landscapes", "systems", "flows", "cursors", "workers", "exceptions", "waits", "counts")
_STEPS = 2_000  # of SQLite's machine between two looks at the clock
_WORKERS = 1_000

# Each is one step down an index: the newest row of every table that says when something happened.
_NEWEST = """SELECT max(at) FROM (
    SELECT (SELECT received_at FROM events ORDER BY event_id DESC LIMIT 1) AS at
    UNION ALL SELECT (SELECT max(accepted_at, state_at) FROM messages ORDER BY message_id DESC LIMIT 1)
    UNION ALL SELECT (SELECT claimed_at FROM attempts ORDER BY attempt_id DESC LIMIT 1)
    UNION ALL SELECT (SELECT at FROM audit WHERE chain = 'main' ORDER BY seq DESC LIMIT 1)
    UNION ALL SELECT (SELECT max(seen_at) FROM workers)
    UNION ALL SELECT (SELECT max(read_at) FROM cursors))"""


@dataclass(frozen=True, slots=True)
class Whole:
    """What a quick look found: ``wrong``, one line each; ``looked`` of ``tables`` tables were gone through in time."""

    wrong: tuple[str, ...]
    looked: int
    tables: int


@dataclass(frozen=True, slots=True)
class Self:
    """Which store this is. ``restored_at``: when a backup was last found in its place, and whether a worker has seen to it."""

    schema: int
    store_id: str
    epoch: int
    restored_at: datetime | None
    seen_to: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """What should have been read by now: ``kind`` of a system, since when it is due and when it last was."""

    system: str
    kind: str
    due_at: datetime
    read_at: datetime | None
    error: str


def quick_look(db: Connection, *, seconds: float) -> Whole:
    """Go through tables and their indexes, the small ones first, for so long; damage ends the look."""
    until = time.monotonic() + seconds
    names = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    order = [*(name for name in _SMALL if name in names), *sorted(names - {*_SMALL})]
    looked = 0
    db.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
    try:
        for name in order:
            if wrong := tuple(problem.text for problem in wrong_in_table(db, "quick_check", name)):
                return Whole(wrong, looked, len(order))
            looked += 1
    except OperationalError as error:
        if "interrupt" not in str(error):
            return Whole((str(error),), looked, len(order))
    except DatabaseError as error:
        return Whole((str(error),), looked, len(order))
    finally:
        db.set_progress_handler(None, 0)
    return Whole((), looked, len(order))


def itself(db: Connection) -> Self | None:
    """Which store this is; None where it was never finished making."""
    found = identity.read_identity(db)
    if found is None:
        return None
    at = moment(found.restored_at) if found.restored_at else None
    return Self(schema_of(db), found.store_id, found.epoch, at, at is None or restored.is_seen_to(db, found.epoch))


def newest(db: Connection) -> datetime | None:
    """The latest moment that anything in the store happened at; None where nothing has."""
    return moment_or_none(db.execute(_NEWEST).fetchone()[0])


def last_worker_at(db: Connection) -> datetime | None:
    """When a worker was last seen; None when none ever was."""
    row = db.execute(
        f"SELECT max(seen_at) FROM (SELECT seen_at FROM workers ORDER BY worker_id DESC LIMIT {_WORKERS})"
    ).fetchone()
    return moment_or_none(row[0])


def unread(db: Connection, company: str, *, now_ms: int) -> list[Unread]:
    """What is due to be read, the longest due first."""
    rows = db.execute(
        "SELECT s.name, c.kind, c.due_at, c.read_at, c.last_error FROM cursors c JOIN systems s USING (system_id) "
        "WHERE c.company_id = (SELECT company_id FROM companies WHERE name = ?) AND c.due_at <= ? ORDER BY c.due_at",
        (company, now_ms),
    )
    return [
        Unread(str(name), str(kind), moment(due), moment_or_none(read), str(error))
        for name, kind, due, read, error in rows
    ]


def oldest_unpaused(db: Connection, system_id: int) -> datetime | None:
    """When the oldest message came that is ready or leased to a system and that nobody has paused; None: there is none."""
    if system(db, system_id).outward == "paused":
        return None
    flows = [int(row[0]) for row in db.execute("SELECT flow_id FROM flows WHERE paused_at IS NULL")]
    leased = db.execute(
        "SELECT flow_id, accepted_at FROM messages WHERE state = 'leased' AND target_id = ?", (system_id,)
    )
    oldest = [int(at) for flow_id, at in leased if flow_id in flows]
    oldest += [at for flow_id in flows for at in oldest_ready(db, system_id, flow_id)]
    return moment_or_none(min(oldest, default=None))


def oldest_unknown(db: Connection, system_id: int) -> datetime | None:
    """Since when the oldest lost answer of a system is not settled."""
    row = db.execute(
        "SELECT min(COALESCE(unknown_since, state_at)) FROM messages WHERE is_head = 1 AND state = 'unknown' AND target_id = ?",
        (system_id,),
    ).fetchone()
    return moment_or_none(row[0])
