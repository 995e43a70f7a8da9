"""What people have paused, as one worker last saw it: looked up twice a second, so that a pause is obeyed everywhere soon."""

from __future__ import annotations

from dataclasses import dataclass, field

from erpsync.store import flows, systems
from erpsync.store.connection import Connection


@dataclass
class Pauses:
    """Shared by the parts of a worker. ``unread``: systems of which nothing is read; ``unsent``: those nothing is sent to."""

    unread: frozenset[str] = field(default_factory=frozenset)
    unsent: frozenset[str] = field(default_factory=frozenset)
    flows: frozenset[int] = field(default_factory=frozenset)

    def look(self, db: Connection) -> None:
        """See what is paused now."""
        rows = systems.systems(db)
        self.unread = frozenset(name for name, row in rows.items() if row.inward == "paused")
        self.unsent = frozenset(name for name, row in rows.items() if row.outward == "paused")
        self.flows = frozenset(flows.paused(db))
