"""Messages, what they wait for, and every try: the tables of the queue, as the first migration makes them."""

from __future__ import annotations

from collections.abc import Iterable

from erpsync.domain.messages import MOVES, State


def _is_one_of(column: str, values: Iterable[str]) -> str:
    """Spelled out: a list of more than two is gathered into a table by each statement, and in a trigger for each row."""
    return "(" + " OR ".join(f"{column} = '{value}'" for value in values) + ")"


OPEN = "NOT IN ('done', 'skipped')"
DUE = "IN ('ready', 'leased')"
SYSTEM_BITS = 16  # of a lane's id; the rest is the record of its key (``lanes``)
LATE = "state = 'ready' AND (is_head = 0 OR due_at <> accepted_at)"


def _elsewhere(m: str = "") -> str:
    return f"{m}record_id <> {m}lane_id >> {SYSTEM_BITS}"


ELSEWHERE = _elsewhere()  # a message that queues under another key than its record's


def place(m: str = "") -> str:
    """SQL for how a message (its alias with the dot, or none) stands in its lane.

    1 unfinished; 0 finished; 2 finished, and of another record than the lane's key.
    """
    return f"(CASE WHEN {m}state {OPEN} THEN 1 WHEN {_elsewhere(m)} THEN 2 ELSE 0 END)"


def stuck(m: str = "") -> str:
    """SQL that is true of the head (its alias with the dot, or none) of a lane that does not move by itself."""
    return f"{m}is_head = 1 AND {_is_one_of(f'{m}state', (State.DEAD, State.HELD, State.UNKNOWN))}"


_MOVES_ALLOWED = " OR ".join(
    f"(OLD.state = '{before}' AND {_is_one_of('NEW.state', afters)})" for before, afters in MOVES.items() if afters
)

QUEUE: tuple[str, ...] = (
    f"""CREATE TABLE messages (
        message_id INTEGER PRIMARY KEY,
        company_id INTEGER NOT NULL,
        event_id INTEGER REFERENCES events,
        target_id INTEGER NOT NULL,
        lane_id INTEGER NOT NULL,
        flow_id INTEGER NOT NULL,
        record_id INTEGER NOT NULL REFERENCES records,
        state TEXT NOT NULL CHECK {_is_one_of("state", State)},
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
        own_id INTEGER,
        stake INTEGER NOT NULL DEFAULT 0,
        currency TEXT NOT NULL DEFAULT '',
        conflicts INTEGER NOT NULL DEFAULT 0,
        mends INTEGER NOT NULL DEFAULT 0 CHECK (mends IN (0, 1)),
        accepted_at INTEGER NOT NULL,
        state_at INTEGER NOT NULL,
        unknown_since INTEGER,
        CHECK (is_head = 0 OR state {OPEN}),
        CHECK (pinned_id IS NULL OR {_is_one_of("state", (State.READY, State.LEASED, State.UNKNOWN))})
    ) STRICT""",
    # Every message by its lane, the unfinished ones apart; and so by its record, but for those that queue under another key.
    f"CREATE INDEX messages_lane ON messages (lane_id, {place()})",
    f"CREATE INDEX messages_elsewhere ON messages (record_id) WHERE {ELSEWHERE}",
    f"CREATE INDEX messages_due ON messages (target_id, flow_id, due_at) WHERE is_head = 1 AND state {DUE}",
    "CREATE INDEX messages_settling ON messages (target_id, due_at) WHERE is_head = 1 AND state = 'unknown'",
    "CREATE INDEX messages_leased ON messages (target_id) WHERE state = 'leased'",
    # What does not stand in the order in which it came: the rest of what is ready does so in messages_due.
    f"CREATE INDEX messages_late ON messages (flow_id, target_id) WHERE {LATE}",
    "CREATE INDEX messages_dead ON messages (stake DESC, state_at) WHERE state = 'dead'",
    f"CREATE INDEX messages_stuck ON messages (company_id, stake DESC, state_at) WHERE {stuck()}",
    f"""CREATE TRIGGER messages_move BEFORE UPDATE OF state ON messages
        WHEN OLD.state <> NEW.state AND NOT ({_MOVES_ALLOWED})
        BEGIN SELECT RAISE(FAIL, 'message may not move so'); END""",
    """CREATE TRIGGER messages_lease BEFORE UPDATE OF lease_no ON messages WHEN NEW.lease_no < OLD.lease_no
        BEGIN SELECT RAISE(FAIL, 'lease_no only grows'); END""",
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
    # A row a try: begun before anything is sent, with its exact bytes and what they ask the target to hold; where nothing
    # was sent, written at its end.
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
        body_id INTEGER,
        content_id INTEGER,
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
)
