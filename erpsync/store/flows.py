"""Flows in the store: which of them a person has paused, for all workers.

Rule: what is along a paused flow waits; reading goes on, so that pictures stay true and nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from erpsync.store import standstills
from erpsync.store.connection import Connection


@dataclass(frozen=True)
class PausedFlow:
    """A flow along which nothing is sent: since when (milliseconds), by whom, why."""

    flow_id: int
    name: str
    paused_at: int
    paused_by: str
    pause_reason: str


def paused(db: Connection) -> dict[int, PausedFlow]:
    """The flows that are paused, by id."""
    rows = db.execute(
        "SELECT flow_id, name, paused_at, paused_by, pause_reason FROM flows WHERE paused_at IS NOT NULL ORDER BY name"
    )
    return {row[0]: PausedFlow(*row) for row in rows}


def pause(db: Connection, flow_id: int, *, now: int, by: str, reason: str) -> bool:
    """Send nothing more along it; False when it was paused already."""
    changed = (
        db.execute(
            "UPDATE flows SET paused_at = ?, paused_by = ?, pause_reason = ? WHERE flow_id = ? AND paused_at IS NULL",
            (now, by, reason, flow_id),
        ).rowcount
        == 1
    )
    if changed:
        standstills.begin(db, "pause", flow_id=flow_id, now=now)
    return changed


def resume(db: Connection, flow_id: int, *, now: int) -> bool:
    """Let what waits along it go; False when it was not paused."""
    changed = (
        db.execute(
            "UPDATE flows SET paused_at = NULL, paused_by = NULL, pause_reason = '' "
            "WHERE flow_id = ? AND paused_at IS NOT NULL",
            (flow_id,),
        ).rowcount
        == 1
    )
    if changed:
        standstills.end(db, "pause", flow_id=flow_id, now=now)
    return changed
