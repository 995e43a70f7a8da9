"""Contents, records, pictures, cross-references and the event log, as the first migration makes them.

Rule: the schema holds references among what moves (records, events, messages). Those to names (companies,
systems, flows), which are never taken away, and to contents, which may be, are checked by ``store verify``: with each
row that is written they would cost a fifteenth of taking in.
"""

from __future__ import annotations

# Events that can be brought back; a list of more than two would be gathered into a table by each statement.
KEPT_BACK = "verdict <> 'accepted' AND verdict <> 'caught_up' AND verdict <> 'stale'"

BOOKS: tuple[str, ...] = (
    # Contents: raw, canonical, edited, sent. Who is known to have the same shares the row. No index of hashes: each content would write
    # a page of it somewhere in the middle, and in a large store that page would have to be read first.
    """CREATE TABLE payloads (payload_id INTEGER PRIMARY KEY, hash BLOB NOT NULL, content BLOB NOT NULL) STRICT""",
    # ``content_id``: its fields, flat, as JSON; NULL where there are none. ``origins``: by field who set it and when,
    # [system, milliseconds]; the entry "" is that of all fields not named. ``newest_id``: see events.
    """CREATE TABLE records (
        record_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        number TEXT NOT NULL,
        content_id INTEGER,
        origins TEXT NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
        revision INTEGER NOT NULL DEFAULT 1,
        changed_at INTEGER NOT NULL,
        event_id INTEGER,
        newest_id INTEGER NOT NULL DEFAULT 0,
        UNIQUE (company_id, kind, number)
    ) STRICT""",
    # What one system is last known to hold of a record. ``asked``: what we asked for where it holds something else; "" elsewhere.
    """CREATE TABLE pictures (
        record_id INTEGER NOT NULL REFERENCES records,
        system_id INTEGER NOT NULL,
        content_id INTEGER,
        asked TEXT NOT NULL DEFAULT '',
        present INTEGER NOT NULL DEFAULT 1 CHECK (present IN (0, 1)),
        far_revision TEXT,
        far_order INTEGER,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (record_id, system_id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE xrefs (
        system_id INTEGER NOT NULL,
        record_id INTEGER NOT NULL REFERENCES records,
        company_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        far_id TEXT NOT NULL,
        bound_at INTEGER NOT NULL,
        PRIMARY KEY (system_id, record_id),
        UNIQUE (company_id, system_id, kind, far_id)
    ) STRICT, WITHOUT ROWID""",
    # ``previous_id``: an event that changed its record as it was logged names the one that did so before it (0: none); the record,
    # which is written with it, names the newest. So these are found without an index that all of them would be written into; the
    # others (that changed nothing, were brought back later, or reached no record: then by their number) stand in events_aside.
    """CREATE TABLE events (
        event_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL,
        system_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        record_id INTEGER REFERENCES records,
        previous_id INTEGER,
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
        raw_id INTEGER,
        canonical_id INTEGER,
        verdict TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '',
        repeats INTEGER NOT NULL DEFAULT 0,
        repeated_at INTEGER,
        caused_by INTEGER,
        contract_version INTEGER NOT NULL DEFAULT 1,
        mapping_hash TEXT NOT NULL DEFAULT '',
        landscape_id INTEGER
    ) STRICT""",
    "CREATE INDEX events_aside ON events (record_id, number) WHERE previous_id IS NULL",
    f"CREATE INDEX events_back ON events (verdict) WHERE {KEPT_BACK}",
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
)
