"""The tables, as the first migration makes them. Words and states are those of DESIGN 2 and 4.

Ids inside are integers; views (``v_*``) join the names for people. Moments are milliseconds since 1970, UTC.
Quantities, unit prices and rates are integers of one millionth, amounts integers of the minor unit beside their
currency. ``company_id`` stands in every key.
"""

from __future__ import annotations

from erpsync.domain.messages import MOVES, State

_STATES = ", ".join(f"'{state}'" for state in State)
OPEN = "('ready', 'leased', 'held', 'unknown', 'dead')"
DUE = "('ready', 'leased')"

_MOVES_ALLOWED = " OR ".join(
    f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(str(after)) for after in afters)}))"
    for before, afters in MOVES.items()
    if afters
)

FIRST: tuple[str, ...] = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE companies (company_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE landscapes (
        landscape_id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, content TEXT NOT NULL, seen_at INTEGER NOT NULL
    ) STRICT""",
    # One row a system, shared by all workers: pause, breaker, rate budget, clock.
    """CREATE TABLE systems (
        system_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL DEFAULT 'up' CHECK (state IN ('up', 'down', 'stopped', 'paused')),
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
        stopped_by TEXT
    ) STRICT""",
    "CREATE TABLE flows (flow_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    # Contents lie once, by hash: raw, canonical, edited, sent.
    """CREATE TABLE payloads (
        payload_id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, content BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE records (
        record_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL REFERENCES companies,
        kind TEXT NOT NULL,
        number TEXT NOT NULL,
        fields TEXT NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
        revision INTEGER NOT NULL DEFAULT 1,
        changed_at INTEGER NOT NULL,
        event_id INTEGER,
        UNIQUE (company_id, kind, number)
    ) STRICT""",
    # What one system is last known to hold of a record. ``asked``: what we asked for where it holds something else.
    """CREATE TABLE pictures (
        record_id INTEGER NOT NULL REFERENCES records,
        system_id INTEGER NOT NULL REFERENCES systems,
        fields TEXT NOT NULL,
        asked TEXT,
        present INTEGER NOT NULL DEFAULT 1 CHECK (present IN (0, 1)),
        far_revision TEXT,
        far_order INTEGER,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (record_id, system_id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE xrefs (
        system_id INTEGER NOT NULL REFERENCES systems,
        record_id INTEGER NOT NULL REFERENCES records,
        company_id INTEGER NOT NULL REFERENCES companies,
        kind TEXT NOT NULL,
        far_id TEXT NOT NULL,
        bound_at INTEGER NOT NULL,
        PRIMARY KEY (system_id, record_id),
        UNIQUE (company_id, system_id, kind, far_id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE events (
        event_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL REFERENCES companies,
        system_id INTEGER NOT NULL REFERENCES systems,
        kind TEXT NOT NULL,
        record_id INTEGER REFERENCES records,
        number TEXT NOT NULL DEFAULT '',
        far_id TEXT NOT NULL DEFAULT '',
        far_revision TEXT,
        far_order INTEGER,
        source_event_id TEXT,
        removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
        sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
        at INTEGER,
        zone TEXT NOT NULL DEFAULT '',
        received_at INTEGER NOT NULL,
        raw_id INTEGER REFERENCES payloads,
        canonical_id INTEGER REFERENCES payloads,
        verdict TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '',
        repeats INTEGER NOT NULL DEFAULT 0,
        repeated_at INTEGER,
        caused_by INTEGER,
        contract_version INTEGER NOT NULL DEFAULT 1,
        mapping_hash TEXT NOT NULL DEFAULT '',
        landscape_id INTEGER REFERENCES landscapes
    ) STRICT""",
    "CREATE INDEX events_record ON events (record_id)",
    "CREATE INDEX events_back ON events (verdict) WHERE verdict NOT IN ('accepted', 'caught_up', 'stale')",
    # The duplicate key outlives its event: (source, event id), else (source, key, revision, content hash).
    """CREATE TABLE seen (
        company_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        dup_key TEXT NOT NULL,
        content_hash BLOB NOT NULL,
        event_id INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (company_id, system_id, dup_key)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE lanes (
        lane_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL REFERENCES companies,
        target_id INTEGER NOT NULL REFERENCES systems,
        lane_key TEXT NOT NULL,
        UNIQUE (company_id, target_id, lane_key)
    ) STRICT""",
    f"""CREATE TABLE messages (
        message_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL REFERENCES companies,
        event_id INTEGER REFERENCES events,
        target_id INTEGER NOT NULL REFERENCES systems,
        lane_id INTEGER NOT NULL REFERENCES lanes,
        flow_id INTEGER NOT NULL REFERENCES flows,
        record_id INTEGER NOT NULL REFERENCES records,
        state TEXT NOT NULL CHECK (state IN ({_STATES})),
        is_head INTEGER NOT NULL CHECK (is_head IN (0, 1)),
        due_at INTEGER NOT NULL,
        lease_no INTEGER NOT NULL DEFAULT 0,
        leased_by INTEGER,
        tries INTEGER NOT NULL DEFAULT 0,
        generation INTEGER NOT NULL DEFAULT 1,
        pinned_id INTEGER,
        reason TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '',
        error_code TEXT NOT NULL DEFAULT '',
        error_field TEXT NOT NULL DEFAULT '',
        superseded_by INTEGER,
        own_id INTEGER REFERENCES payloads,
        stake INTEGER NOT NULL DEFAULT 0,
        currency TEXT NOT NULL DEFAULT '',
        conflicts INTEGER NOT NULL DEFAULT 0,
        mends INTEGER NOT NULL DEFAULT 0 CHECK (mends IN (0, 1)),
        accepted_at INTEGER NOT NULL,
        state_at INTEGER NOT NULL,
        unknown_since INTEGER,
        CHECK (is_head = 0 OR state IN {OPEN}),
        CHECK (pinned_id IS NULL OR state IN ('ready', 'leased', 'unknown'))
    ) STRICT""",
    f"CREATE INDEX messages_lane ON messages (lane_id) WHERE state IN {OPEN}",
    f"CREATE INDEX messages_due ON messages (target_id, flow_id, due_at) WHERE is_head = 1 AND state IN {DUE}",
    "CREATE INDEX messages_settling ON messages (target_id, due_at) WHERE is_head = 1 AND state = 'unknown'",
    "CREATE INDEX messages_leased ON messages (target_id) WHERE state = 'leased'",
    f"CREATE INDEX messages_age ON messages (flow_id, target_id) WHERE state IN {OPEN}",
    "CREATE INDEX messages_dead ON messages (stake, state_at) WHERE state = 'dead'",
    "CREATE INDEX messages_held ON messages (target_id, state_at) WHERE state = 'held'",
    "CREATE INDEX messages_record ON messages (record_id)",
    "CREATE INDEX messages_event ON messages (event_id)",
    f"""CREATE TRIGGER messages_move BEFORE UPDATE OF state ON messages
        WHEN OLD.state <> NEW.state AND NOT ({_MOVES_ALLOWED})
        BEGIN SELECT RAISE(ABORT, 'message may not move so'); END""",
    """CREATE TRIGGER messages_lease BEFORE UPDATE OF lease_no ON messages WHEN NEW.lease_no < OLD.lease_no
        BEGIN SELECT RAISE(ABORT, 'lease_no only grows'); END""",
    # Why a held message waits, a row per reason; found by what is waited for.
    """CREATE TABLE waits (
        message_id INTEGER NOT NULL REFERENCES messages,
        reason TEXT NOT NULL CHECK (reason IN ('checkpoint', 'parent', 'approval', 'person', 'removal', 'line')),
        target_id INTEGER NOT NULL,
        waits_on TEXT NOT NULL DEFAULT '',
        since INTEGER NOT NULL,
        PRIMARY KEY (message_id, reason, waits_on)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX waits_on ON waits (target_id, reason, waits_on)",
    # A row a try, written before anything is sent. The exact bytes are in payloads.
    """CREATE TABLE attempts (
        attempt_id INTEGER PRIMARY KEY,
        message_id INTEGER NOT NULL REFERENCES messages,
        lease_no INTEGER NOT NULL,
        try_no INTEGER NOT NULL,
        what TEXT NOT NULL DEFAULT 'write' CHECK (what IN ('write', 'find', 'settle')),
        worker_id INTEGER,
        once_key TEXT NOT NULL DEFAULT '',
        generation INTEGER NOT NULL DEFAULT 1,
        claimed_at INTEGER NOT NULL,
        begun_at INTEGER,
        sent_at INTEGER,
        ended_at INTEGER,
        outcome TEXT NOT NULL DEFAULT '',
        request TEXT NOT NULL DEFAULT '',
        headers TEXT NOT NULL DEFAULT '',
        body_id INTEGER REFERENCES payloads,
        content TEXT NOT NULL DEFAULT '',
        far_id TEXT NOT NULL DEFAULT '',
        far_revision TEXT NOT NULL DEFAULT '',
        status INTEGER,
        answer BLOB,
        answer_cut INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        error_code TEXT NOT NULL DEFAULT '',
        took_us INTEGER,
        contract_version INTEGER NOT NULL DEFAULT 1,
        mapping_hash TEXT NOT NULL DEFAULT '',
        landscape_id INTEGER,
        UNIQUE (message_id, lease_no)
    ) STRICT""",
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
    # Deltas, folded when read: what status and the TUI show costs the same at any size.
    """CREATE TABLE totals (
        company_id INTEGER NOT NULL,
        flow_id INTEGER NOT NULL,
        target_id INTEGER NOT NULL,
        state TEXT NOT NULL,
        currency TEXT NOT NULL,
        n INTEGER NOT NULL,
        stake INTEGER NOT NULL,
        PRIMARY KEY (company_id, flow_id, target_id, state, currency)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE buckets (
        minute INTEGER NOT NULL,
        company_id INTEGER NOT NULL,
        flow_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        n INTEGER NOT NULL,
        took_us INTEGER NOT NULL,
        ms_10 INTEGER NOT NULL DEFAULT 0,
        ms_30 INTEGER NOT NULL DEFAULT 0,
        ms_100 INTEGER NOT NULL DEFAULT 0,
        ms_300 INTEGER NOT NULL DEFAULT 0,
        ms_1000 INTEGER NOT NULL DEFAULT 0,
        ms_3000 INTEGER NOT NULL DEFAULT 0,
        ms_10000 INTEGER NOT NULL DEFAULT 0,
        ms_more INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (minute, company_id, flow_id, system_id, outcome)
    ) STRICT, WITHOUT ROWID""",
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
    "CREATE INDEX exceptions_message ON exceptions (message_id) WHERE state = 'open'",
    "CREATE INDEX exceptions_record ON exceptions (record_id) WHERE state = 'open'",
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
    "CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    """CREATE TABLE workers (
        worker_id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        command TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        stopped_at INTEGER
    ) STRICT""",
    """CREATE VIEW v_messages AS SELECT m.message_id, c.name AS company, r.kind || ':' || r.number AS key, s.name AS system,
        f.name AS flow, l.lane_key AS lane, m.state, m.reason, m.is_head, m.tries, m.error, m.stake, m.currency,
        datetime(m.accepted_at / 1000, 'unixepoch') AS accepted_at, datetime(m.due_at / 1000, 'unixepoch') AS due_at
        FROM messages m JOIN companies c USING (company_id) JOIN records r USING (record_id)
        JOIN systems s ON s.system_id = m.target_id JOIN flows f USING (flow_id) JOIN lanes l USING (lane_id)""",
    """CREATE VIEW v_events AS SELECT e.event_id, c.name AS company, s.name AS system, e.kind, e.number, e.far_id, e.verdict,
        e.detail, datetime(e.received_at / 1000, 'unixepoch') AS received_at
        FROM events e JOIN companies c USING (company_id) JOIN systems s USING (system_id)""",
    """CREATE VIEW v_pictures AS SELECT r.kind || ':' || r.number AS key, s.name AS system, p.fields, p.asked, p.present,
        p.far_revision, datetime(p.seen_at / 1000, 'unixepoch') AS seen_at
        FROM pictures p JOIN records r USING (record_id) JOIN systems s USING (system_id)""",
)
