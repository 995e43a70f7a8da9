"""A store that was opened from a backup: what it may have sent since the copy was made, and does not know of."""

from __future__ import annotations

from collections.abc import Sequence

from erpsync.store.connection import Connection
from erpsync.store.totals import Tally

_DONE = "restored_epoch"


def is_seen_to(db: Connection, epoch: int) -> bool:
    """Whether this epoch's unfinished messages have been looked through already."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (_DONE,)).fetchone()
    return row is not None and int(row[0]) >= epoch


def hold_unfinished(
    db: Connection, targets: Sequence[tuple[int, int]], tally: Tally, *, epoch: int, before: int, why: str, now: int
) -> int:
    """Hold for a person what was ready for these (target, flow) when the copy was made; returns how many.

    What had begun is decided as for any lost worker, and a pinned try goes again under its own key.
    """
    held = 0
    for target_id, flow_id in targets:
        rows = db.execute(
            "SELECT m.message_id, m.state, m.stake, m.currency FROM messages m WHERE m.target_id = ? AND m.flow_id = ? "
            "AND m.state IN ('ready', 'leased') AND m.pinned_id IS NULL AND m.accepted_at < ? AND NOT EXISTS (SELECT 1 FROM attempts a "
            "WHERE a.message_id = m.message_id AND a.lease_no = m.lease_no AND m.state = 'leased' AND a.begun_at IS NOT NULL)",
            (target_id, flow_id, before),
        ).fetchall()
        for message_id, state, stake, currency in rows:
            db.execute(
                "UPDATE messages SET state = 'held', reason = 'retry', error = ?, state_at = ?, lease_no = lease_no + 1 "
                "WHERE message_id = ?",
                (why, now, message_id),
            )
            db.execute(
                "INSERT OR IGNORE INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, 'person', ?, ?, ?)",
                (message_id, target_id, why, now),
            )
            tally.move(flow_id=flow_id, target_id=target_id, before=state, after="held", stake=stake, currency=currency)
        held += len(rows)
    db.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (_DONE, str(epoch)),
    )
    return held
