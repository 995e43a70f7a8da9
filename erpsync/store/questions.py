"""Questions: unknown heads that can still be asked about, and claiming them to be asked. Their state stays unknown."""

from __future__ import annotations

from erpsync.store.connection import Connection
from erpsync.store.rows import listed


def anything_to_ask(db: Connection, target_id: int, *, before: int) -> bool:
    """Whether an unknown head at a target is due to be asked about before then (milliseconds)."""
    return (
        db.execute(
            "SELECT 1 FROM messages WHERE is_head = 1 AND state = 'unknown' AND target_id = ? AND due_at < ? LIMIT 1",
            (target_id, before),
        ).fetchone()
        is not None
    )


def claim_settling(
    db: Connection, target_id: int, *, room: int, now: int, until: int, worker_id: int
) -> list[tuple[int, int]]:
    """Unknown heads that are due to be asked about: (message id, lease no); their state stays unknown.

    Asking is put on record as an attempt of its own, and nobody else asks before ``until``.
    """
    ids = [
        row[0]
        for row in db.execute(
            "SELECT message_id FROM messages WHERE is_head = 1 AND state = 'unknown' AND target_id = ? AND due_at <= ? "
            "ORDER BY due_at LIMIT ?",
            (target_id, now, room),
        )
    ]
    rows = db.execute(
        "UPDATE messages SET due_at = ?, lease_no = lease_no + 1 WHERE message_id IN (SELECT value FROM json_each(?)) "
        "RETURNING message_id, lease_no, tries, generation",
        (until, listed(ids)),
    ).fetchall()
    db.executemany(
        "INSERT INTO attempts (message_id, lease_no, try_no, generation, what, worker_id, claimed_at, begun_at) "
        "VALUES (?, ?, ?, ?, 'settle', ?, ?, ?)",
        [
            (message_id, lease_no, tries, generation, worker_id, now, now)
            for message_id, lease_no, tries, generation in rows
        ],
    )
    return [(int(message_id), int(lease_no)) for message_id, lease_no, _, _ in rows]


def claim_settling_one(db: Connection, message_id: int, *, now: int, until: int, worker_id: int) -> int:
    """Ask about this one now, whenever it was due; returns the lease number to finish it under."""
    row = db.execute(
        "UPDATE messages SET due_at = ?, lease_no = lease_no + 1 WHERE message_id = ? AND state = 'unknown' "
        "RETURNING lease_no, tries, generation",
        (until, message_id),
    ).fetchone()
    db.execute(
        "INSERT INTO attempts (message_id, lease_no, try_no, generation, what, worker_id, claimed_at, begun_at) "
        "VALUES (?, ?, ?, ?, 'settle', ?, ?, ?)",
        (message_id, row[0], row[1], row[2], worker_id, now, now),
    )
    return int(row[0])
