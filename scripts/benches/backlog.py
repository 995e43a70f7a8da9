"""A store with a backlog, filled by SQL in the shape the engine leaves behind, and checked like any other store.

Items wait for four targets, six messages a lane and all of them due; some lanes stand still behind a dead head.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from landscape import SOURCE

from erpsync.store.checking import verify
from erpsync.store.connection import Connection, ms, open_writer
from erpsync.store.lanes import lane_id
from erpsync.store.payloads import digest
from erpsync.store.schema import NO_MINUTE
from erpsync.store.store import Store

TARGETS = {"shop": "commerce", "warehouse": "wms", "tax": "tax", "crm": "crm"}
_A_LANE = 6

_NUMBERS = "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :many) "
_CONTENTS = (
    _NUMBERS + "INSERT INTO payloads (payload_id, hash, content) SELECT n + 1, digest(content), content FROM "
    '(SELECT n, CAST(printf(\'{"sku":"SKU-%07d","name":"Drill"}\', n) AS BLOB) AS content FROM number)'
)
_RECORDS = (
    _NUMBERS + "INSERT INTO records (record_id, company_id, kind, number, content_id, origins, changed_at) "
    "SELECT n + 1, 1, 'item', printf('SKU-%07d', n), n + 1, '{\"\":[1,0]}', :now FROM number"
)
_WAITING = (
    _NUMBERS
    + "INSERT INTO messages (company_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, accepted_at, state_at) "
    "SELECT 1, 2 + (n % :lanes) % 4, lane(1 + n % :lanes, 2 + (n % :lanes) % 4), 1, 1 + n % :lanes, 'ready', n < :lanes, "
    ":now - 1000000 + n % 1000000, "
    ":now - 1000000 + n % 1000000, :now "
    "FROM number"
)
_STANDING_STILL = (
    _NUMBERS
    + "INSERT INTO messages (company_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, accepted_at, state_at, "
    "reason, error) SELECT 1, 2 + (:first + n % :lanes) % 4, lane(1 + :first + n % :lanes, 2 + (:first + n % :lanes) % 4), 1, "
    "1 + :first + n % :lanes, "
    "iif(n < :lanes, 'dead', 'ready'), n < :lanes, :now - 2000000, :now, :now, iif(n < :lanes, 'refused', ''), "
    "iif(n < :lanes, 'the price is out of range', '') FROM number"
)
_TOTALS = (
    "INSERT INTO counts (minute, company_id, flow_id, system_id, what, part, n, amount) "
    f"SELECT {NO_MINUTE}, company_id, flow_id, target_id, state, currency, count(*), 0 FROM messages GROUP BY 2, 3, 4, 5, 6"
)


def fill(path: Path, *, messages: int, behind_dead_heads: int, dead_heads: int) -> Path:
    """A new store at ``path`` with so many unfinished messages, those behind dead heads among them."""
    now = datetime.now(UTC)
    Store.create(path, now=now).close()
    db = open_writer(path)
    try:
        db.execute("PRAGMA foreign_keys = OFF")  # checked once, when all of it is there
        db.execute("BEGIN IMMEDIATE")
        _fill(db, messages=messages, behind=behind_dead_heads, dead=dead_heads, now=ms(now))
        db.execute("COMMIT")
        if problems := verify(db, quick=True):
            raise RuntimeError(f"the store was filled wrongly: {problems[:3]}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.close()
    os.sync()  # a store just filled is slow to commit until the system has written it out
    return path


def _fill(db: Connection, *, messages: int, behind: int, dead: int, now: int) -> None:
    still = behind + dead
    moving = messages - still
    lanes = max(1, moving // _A_LANE)
    db.execute("INSERT INTO companies (company_id, name) VALUES (1, 'main')")
    names = [(n, name, now) for n, name in enumerate((SOURCE, *TARGETS), start=1)]
    db.executemany("INSERT INTO systems (system_id, name, since, proven, ramp) VALUES (?, ?, ?, 1, 1000)", names)
    db.execute("INSERT INTO flows (flow_id, name) VALUES (1, 'items')")
    every = {"many": lanes + dead, "now": now}
    db.create_function("digest", 1, digest)
    db.create_function("lane", 2, lane_id)
    db.execute(_CONTENTS, every)
    db.execute(_RECORDS, every)
    if still:
        db.execute(_STANDING_STILL, {"many": still, "lanes": dead, "first": lanes, "now": now})
    db.execute(_WAITING, {"many": moving, "lanes": lanes, "now": now})
    db.execute(_TOTALS)
