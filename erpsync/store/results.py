"""What came of a flow since a moment, for the answer of ``sync``."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from erpsync.store.connection import Connection
from erpsync.store.lanes import open_messages_of


@dataclass(frozen=True)
class Mark:
    """Where the store stood: the first message and attempt ids that come after it."""

    message_id: int
    attempt_id: int


def mark(db: Connection) -> Mark:
    """Where the store stands now."""
    row = db.execute(
        "SELECT (SELECT COALESCE(max(message_id), 0) + 1 FROM messages), (SELECT COALESCE(max(attempt_id), 0) + 1 FROM attempts)"
    ).fetchone()
    return Mark(int(row[0]), int(row[1]))


def of_flow(db: Connection, company_id: int, flow_id: int, target_id: int, *, since: Mark) -> dict[str, int]:
    """Created, updated, unchanged and skipped since then, and how many are held, unknown, waiting or dead now."""
    counted = dict.fromkeys(("created", "updated", "unchanged", "skipped", "held", "unknown", "waiting", "dead"), 0)
    for reason, state, n in db.execute(
        "SELECT reason, state, count(*) FROM messages WHERE message_id >= ? AND flow_id = ? AND target_id = ? AND company_id = ? "
        "AND state IN ('done', 'skipped') AND reason <> 'superseded' GROUP BY 1, 2",
        (since.message_id, flow_id, target_id, company_id),
    ):
        counted[_column(reason, state)] += n
    columns = {"ready": "waiting", "leased": "waiting", "held": "held", "unknown": "unknown", "dead": "dead"}
    for state, n in db.execute(
        "SELECT state, sum(n) FROM totals WHERE company_id = ? AND flow_id = ? AND target_id = ? GROUP BY 1",
        (company_id, flow_id, target_id),
    ):
        if state in columns:
            counted[columns[state]] += n
    for reason, n in db.execute(  # what waited from before, and was delivered meanwhile
        "SELECT m.reason, count(DISTINCT m.message_id) FROM attempts a JOIN messages m USING (message_id) WHERE a.attempt_id >= ? "
        "AND m.message_id < ? AND m.state = 'done' "
        "AND m.flow_id = ? AND m.target_id = ? AND a.outcome IN ('created', 'updated', 'unchanged', 'settled') GROUP BY 1",
        (since.attempt_id, since.message_id, flow_id, target_id),
    ):
        counted[_column(reason, "done")] += n
    return counted


def _column(reason: str, state: str) -> str:
    if state == "skipped":
        return "skipped"
    return reason if reason in ("created", "updated", "unchanged") else "updated"


def open_messages(
    db: Connection, company_id: int, flow_ids: Sequence[int], state: str, *, limit: int
) -> list[tuple[str, str, int, str]]:
    """(key, system, message id, error) of messages in a state on these flows, by money at stake."""
    rows = db.execute(
        "SELECT r.kind || ':' || r.number, s.name, m.message_id, m.error FROM messages m JOIN records r USING (record_id) "
        "JOIN systems s ON s.system_id = m.target_id WHERE m.company_id = ? AND m.state = ? "
        "AND m.flow_id IN (SELECT value FROM json_each(?)) ORDER BY m.stake DESC, m.message_id LIMIT ?",
        (company_id, state, json.dumps(list(flow_ids)), limit),
    )
    return [(str(key), str(system), int(message_id), str(error)) for key, system, message_id, error in rows]


def offered_since(db: Connection, flow_id: int, target_id: int, *, since: Mark) -> list[tuple[int, str, str]]:
    """(message id, state, key) of what was offered since then, but for what newer ones cleared."""
    rows = db.execute(
        "SELECT m.message_id, m.state, r.kind || ':' || r.number FROM messages m JOIN records r USING (record_id) "
        "WHERE m.message_id >= ? AND m.flow_id = ? AND m.target_id = ? AND m.reason <> 'superseded' ORDER BY m.message_id",
        (since.message_id, flow_id, target_id),
    )
    return [(int(message_id), str(state), str(key)) for message_id, state, key in rows]


def keys_on_their_way(db: Connection, company_id: int, target_id: int, keys: Collection[str]) -> set[str]:
    """Which of these documents of a company have a message to a target that is not finished."""
    rows = db.execute(
        "SELECT DISTINCT j.value FROM json_each(?1) j CROSS JOIN records r ON r.company_id = ?3 "
        "AND r.kind = substr(j.value, 1, instr(j.value, ':') - 1) "
        "AND r.number = substr(j.value, instr(j.value, ':') + 1) "
        f"WHERE EXISTS {open_messages_of('r.record_id', '?2')}",
        (json.dumps(list(keys)), target_id, company_id),
    )
    return {str(row[0]) for row in rows}
