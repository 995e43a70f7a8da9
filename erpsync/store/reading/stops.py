"""Where nothing goes now: systems that are down, stopped or paused, and flows that are paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from erpsync.store import flows
from erpsync.store.connection import Connection
from erpsync.store.systems import systems


@dataclass(frozen=True)
class Stops:
    """``systems``: down, stopped or paused for sending, by name; ``unread``: the same for reading; ``flows``: those paused."""

    systems: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    flows: frozenset[str] = frozenset()

    def state_of(self, system: str) -> str:
        """Whether a system is down, stopped or paused; empty where it is none of them."""
        return self.systems.get(system, "")


def stops(db: Connection) -> Stops:
    """What stands still now."""
    rows = systems(db)
    unsent = {name: row.outward for name, row in rows.items() if row.outward != "up"}
    unread = {name: row.inward for name, row in rows.items() if row.inward != "up"}
    return Stops(unsent, unread, frozenset(flow.name for flow in flows.paused(db).values()))
