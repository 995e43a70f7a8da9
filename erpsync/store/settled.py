"""What is left to settle: unknown heads that can still be asked about."""

from __future__ import annotations

from erpsync.store.connection import Connection


def anything_to_ask(db: Connection, target_id: int, *, before: int) -> bool:
    """Whether an unknown head at a target is due to be asked about before then (milliseconds)."""
    return (
        db.execute(
            "SELECT 1 FROM messages WHERE is_head = 1 AND state = 'unknown' AND target_id = ? AND due_at < ? LIMIT 1",
            (target_id, before),
        ).fetchone()
        is not None
    )
