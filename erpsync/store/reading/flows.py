"""Flows as people read them: what waits along each, who paused it, and when its systems were last read.

Rule: from totals, cursors and index look-ups alone, so that it costs the same at any size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from erpsync.store.connection import Connection
from erpsync.store.reading.selecting import company_id, moment_or_none
from erpsync.store.reading.systems import oldest_ready

_OPEN = ("ready", "leased", "held", "unknown", "dead")


@dataclass(frozen=True)
class FlowStanding:
    """One flow in the store. ``counts`` are of its messages, by target and state; ``oldest``: when the oldest that waits came."""

    name: str
    paused_at: datetime | None = None
    paused_by: str | None = None
    pause_reason: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    oldest: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether something along it is not done with."""
        return any(self.counted(state) for state in _OPEN)

    @property
    def due(self) -> int:
        """How many are ready or leased."""
        return self.counted("ready") + self.counted("leased")

    def counted(self, state: str) -> int:
        """How many of its messages are in a state, over all targets."""
        return sum(counts.get(state, 0) for counts in self.counts.values())


@dataclass(frozen=True)
class Reading:
    """How reading one kind from one system stands. ``error`` is what it met last, empty when that went well."""

    read_at: datetime | None
    full_read_at: datetime | None
    due_at: datetime | None
    error: str


def flow_standings(db: Connection, company: str) -> dict[str, FlowStanding]:
    """Every flow that the store knows, also those that the landscape no longer has, by name."""
    own = company_id(db, company)
    targets = dict(db.execute("SELECT system_id, name FROM systems").fetchall())
    counts: dict[int, dict[int, dict[str, int]]] = {}
    for flow_id, target_id, state, n in db.execute(
        "SELECT flow_id, target_id, state, sum(n) FROM totals WHERE company_id = ? GROUP BY flow_id, target_id, state",
        (own,),
    ):
        counts.setdefault(flow_id, {}).setdefault(target_id, {})[state] = int(n)
    found = {}
    rows = db.execute("SELECT flow_id, name, paused_at, paused_by, pause_reason FROM flows ORDER BY name").fetchall()
    for flow_id, name, paused_at, paused_by, reason in rows:
        of_flow = counts.get(flow_id, {})
        waiting = [target_id for target_id, states in of_flow.items() if states.get("ready", 0)]
        found[name] = FlowStanding(
            name,
            moment_or_none(paused_at),
            paused_by,
            reason,
            {targets[target_id]: states for target_id, states in of_flow.items()},
            moment_or_none(min(_ready(db, flow_id, waiting), default=None)),
        )
    return found


def _ready(db: Connection, flow_id: int, targets: Iterable[int]) -> list[int]:
    return [at for target_id in targets for at in oldest_ready(db, target_id, flow_id)]


def readings(db: Connection, company: str) -> dict[tuple[str, str], Reading]:
    """How reading stands, by system and kind."""
    rows = db.execute(
        "SELECT s.name, c.kind, c.read_at, c.full_read_at, c.due_at, c.last_error FROM cursors c JOIN systems s USING (system_id) "
        "WHERE c.company_id = ?",
        (company_id(db, company),),
    )
    return {
        (name, kind): Reading(
            moment_or_none(read_at), moment_or_none(full_read_at), moment_or_none(due_at or None), error
        )
        for name, kind, read_at, full_read_at, due_at, error in rows
    }
