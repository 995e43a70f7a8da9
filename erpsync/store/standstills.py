"""When nothing went to a system, or along a flow: a person had paused it, or its breaker was open. Clocks stand still meanwhile.

One rule: each reason has spans of its own; where they overlap, the time counts once.
"""

from __future__ import annotations

from typing import Literal

from erpsync.store.connection import Connection

Why = Literal["pause", "breaker"]


def begin(db: Connection, why: Why, *, system_id: int = 0, flow_id: int = 0, now: int) -> None:
    """From now on (milliseconds) nothing goes there."""
    db.execute(
        "INSERT OR REPLACE INTO standstills (system_id, flow_id, why, began_at) VALUES (?, ?, ?, ?)",
        (system_id, flow_id, why, now),
    )


def end(db: Connection, why: Why, *, system_id: int = 0, flow_id: int = 0, now: int) -> None:
    """That is no reason any more."""
    db.execute(
        "UPDATE standstills SET ended_at = ? WHERE system_id = ? AND flow_id = ? AND why = ? AND ended_at IS NULL",
        (now, system_id, flow_id, why),
    )


def stood_still(db: Connection, system_id: int, flow_id: int, *, since: int, now: int) -> int:
    """How much of the time from ``since`` to ``now`` nothing could go to a system along a flow; in milliseconds."""
    spans = db.execute(
        "SELECT max(began_at, ?1), min(COALESCE(ended_at, ?2), ?2) FROM standstills "
        "WHERE ((system_id = ?3 AND flow_id = 0) OR (system_id = 0 AND flow_id = ?4)) AND began_at < ?2 "
        "AND COALESCE(ended_at, ?2) > ?1 ORDER BY began_at",
        (since, now, system_id, flow_id),
    )
    total, until = 0, since
    for began, ended in spans:
        total += max(0, int(ended) - max(int(began), until))
        until = max(until, int(ended))
    return total
