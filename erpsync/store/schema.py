"""The tables, as the first migration makes them. Words and states are those of DESIGN 2 and 4.

Ids inside are integers; views (``v_*``) join the names for people, ``totals`` and ``buckets`` are the two halves of
``counts``. Moments are milliseconds since 1970, UTC. Quantities, unit prices and rates are integers of one millionth,
amounts integers of the minor unit beside their currency. ``company_id`` stands in every key.
"""

from __future__ import annotations

from erpsync.store.lanes import RECORD_OF_LANE
from erpsync.store.tables_books import BOOKS, KEPT_BACK
from erpsync.store.tables_queue import DUE, LATE, OPEN, QUEUE, place, stuck

__all__ = ["DUE", "FIRST", "KEPT_BACK", "LATE", "NO_MINUTE", "OPEN", "place", "stuck"]

NO_MINUTE = 2**31 - 1  # under which totals stand

_NAMES: tuple[str, ...] = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE companies (company_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE landscapes (
        landscape_id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, content TEXT NOT NULL, seen_at INTEGER NOT NULL
    ) STRICT""",
    # One row a system, shared by all workers: breaker, rate budget, clock; and what a person has paused, which leaves the
    # rest as it is: ``pause`` is in (nothing is read from it), out (nothing is sent to it), or both.
    """CREATE TABLE systems (
        system_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL DEFAULT 'up' CHECK (state IN ('up', 'down', 'stopped')),
        since INTEGER NOT NULL,
        proven INTEGER NOT NULL DEFAULT 0 CHECK (proven IN (0, 1)),
        proving_until INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        first_failure_at INTEGER,
        last_error TEXT,
        last_error_code TEXT,
        last_error_at INTEGER,
        last_ok_at INTEGER,
        ramp INTEGER NOT NULL DEFAULT 1,
        probe_at INTEGER,
        probes INTEGER NOT NULL DEFAULT 0,
        limited_until INTEGER NOT NULL DEFAULT 0,
        tokens REAL,
        tokens_at INTEGER,
        clock_offset INTEGER,
        stopped_by TEXT,
        pause TEXT NOT NULL DEFAULT '' CHECK (pause IN ('', 'in', 'out', 'both')),
        paused_at INTEGER,
        paused_by TEXT,
        pause_reason TEXT NOT NULL DEFAULT '',
        CHECK ((pause = '') = (paused_at IS NULL))
    ) STRICT""",
    """CREATE TABLE flows (
        flow_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        paused_at INTEGER,
        paused_by TEXT,
        pause_reason TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    # When nothing went to a system, or along a flow (the other one is 0): a person had paused it, or it was down or stopped.
    """CREATE TABLE standstills (
        system_id INTEGER NOT NULL,
        flow_id INTEGER NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('pause', 'breaker')),
        began_at INTEGER NOT NULL,
        ended_at INTEGER,
        PRIMARY KEY (system_id, flow_id, why, began_at)
    ) STRICT, WITHOUT ROWID""",
)

_CASES: tuple[str, ...] = (
    """CREATE TABLE cursors (
        company_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        cursor TEXT NOT NULL DEFAULT '',
        version INTEGER NOT NULL DEFAULT 0,
        leased_by INTEGER,
        leased_until INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL DEFAULT 0,
        full_due_at INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        last_error TEXT NOT NULL DEFAULT '',
        read_at INTEGER,
        full_read_at INTEGER,
        PRIMARY KEY (company_id, system_id, kind)
    ) STRICT, WITHOUT ROWID""",
    # What is counted as it happens (``totals``). Messages by state stand behind what was done in the newest minute, so that what a
    # commit adds to lies together. ``part`` and ``amount`` are a currency and the stake in its minor units, or a bound in
    # milliseconds and microseconds.
    """CREATE TABLE counts (
        minute INTEGER NOT NULL,
        company_id INTEGER NOT NULL,
        flow_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        what TEXT NOT NULL,
        part TEXT NOT NULL,
        n INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (minute, company_id, flow_id, system_id, what, part)
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE VIEW totals AS SELECT company_id, flow_id, system_id AS target_id, what AS state, part AS currency, n,
        amount AS stake FROM counts WHERE minute = {NO_MINUTE}""",
    f"""CREATE VIEW buckets AS SELECT minute, company_id, flow_id, system_id, what AS outcome, part AS within_ms, n,
        amount AS took_us FROM counts WHERE minute < {NO_MINUTE}""",
    """CREATE TABLE exceptions (
        exception_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL REFERENCES companies,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        system_id INTEGER REFERENCES systems,
        record_id INTEGER REFERENCES records,
        message_id INTEGER REFERENCES messages,
        event_id INTEGER REFERENCES events,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
        opened_at INTEGER NOT NULL,
        shows_at INTEGER NOT NULL,
        closed_at INTEGER,
        closed_by TEXT,
        close_reason TEXT NOT NULL DEFAULT '',
        stake INTEGER NOT NULL DEFAULT 0,
        currency TEXT NOT NULL DEFAULT '',
        text TEXT NOT NULL DEFAULT '',
        evidence TEXT NOT NULL DEFAULT '{}',
        times INTEGER NOT NULL DEFAULT 1
    ) STRICT""",
    """CREATE UNIQUE INDEX exceptions_open ON exceptions (company_id, kind, subject, COALESCE(system_id, 0))
        WHERE state = 'open'""",
    "CREATE INDEX exceptions_message ON exceptions (message_id)",
    "CREATE INDEX exceptions_record ON exceptions (record_id)",
    "CREATE INDEX exceptions_subject ON exceptions (subject)",
    # A stray system is mended once per stray value.
    """CREATE TABLE mendings (
        record_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        field TEXT NOT NULL,
        value_hash BLOB NOT NULL,
        event_id INTEGER NOT NULL,
        mended_at INTEGER NOT NULL,
        PRIMARY KEY (record_id, system_id, field, value_hash)
    ) STRICT, WITHOUT ROWID""",
    # People's acts and the engine's decisions; append-only, each row hashed over the one before it.
    """CREATE TABLE audit (
        chain TEXT NOT NULL,
        seq INTEGER NOT NULL,
        company_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        command TEXT NOT NULL DEFAULT '',
        before_hash BLOB,
        after_hash BLOB,
        before_id INTEGER,
        after_id INTEGER,
        version TEXT NOT NULL,
        previous BLOB NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (chain, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX audit_subject ON audit (subject)",
    "CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    """CREATE TABLE workers (
        worker_id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        command TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        stop_asked_by TEXT,
        stopped_at INTEGER,
        version TEXT NOT NULL DEFAULT '',
        landscape_id INTEGER
    ) STRICT""",
)

_VIEWS: tuple[str, ...] = (
    f"""CREATE VIEW v_messages AS SELECT m.message_id, c.name AS company, r.kind || ':' || r.number AS key, s.name AS system,
        f.name AS flow, l.kind || ':' || l.number AS lane, m.state, m.reason, m.is_head, m.tries, m.error, m.stake, m.currency,
        datetime(m.accepted_at / 1000, 'unixepoch') AS accepted_at, datetime(m.due_at / 1000, 'unixepoch') AS due_at
        FROM messages m JOIN companies c USING (company_id) JOIN records r USING (record_id)
        JOIN systems s ON s.system_id = m.target_id JOIN flows f USING (flow_id)
        JOIN records l ON l.record_id = {RECORD_OF_LANE}""",
    """CREATE VIEW v_events AS SELECT e.event_id, c.name AS company, s.name AS system, e.kind, e.number, e.far_id, e.verdict,
        e.detail, datetime(e.received_at / 1000, 'unixepoch') AS received_at
        FROM events e JOIN companies c USING (company_id) JOIN systems s USING (system_id)""",
    """CREATE VIEW v_pictures AS SELECT r.kind || ':' || r.number AS key, s.name AS system, CAST(c.content AS TEXT) AS fields,
        NULLIF(p.asked, '') AS asked, p.present, p.far_revision, datetime(p.seen_at / 1000, 'unixepoch') AS seen_at FROM pictures p
        JOIN records r USING (record_id) JOIN systems s USING (system_id) LEFT JOIN payloads c ON c.payload_id = p.content_id""",
)

FIRST: tuple[str, ...] = (*_NAMES, *BOOKS, *QUEUE, *_CASES, *_VIEWS)
