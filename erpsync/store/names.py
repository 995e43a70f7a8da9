"""Names of companies, systems and flows, and the integers that stand for them inside. Ids are never used twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from erpsync.store.connection import Connection


@dataclass(frozen=True)
class Names:
    """The ids of one landscape's names, and back."""

    company_id: int
    landscape_id: int
    systems: dict[str, int] = field(default_factory=dict)
    flows: dict[str, int] = field(default_factory=dict)

    def system(self, system_id: int) -> str:
        """The name of a system."""
        return next(name for name, known in self.systems.items() if known == system_id)


def register(
    db: Connection, *, company: str, systems: Iterable[str], flows: Iterable[str], digest: str, content: str, now: int
) -> Names:
    """The ids of these names, made where they are new. ``now`` is in milliseconds."""
    db.execute("INSERT OR IGNORE INTO companies (name) VALUES (?)", (company,))
    company_id = db.execute("SELECT company_id FROM companies WHERE name = ?", (company,)).fetchone()[0]
    db.executemany("INSERT OR IGNORE INTO systems (name, since) VALUES (?, ?)", [(name, now) for name in systems])
    db.executemany("INSERT OR IGNORE INTO flows (name) VALUES (?)", [(name,) for name in flows])
    db.execute("INSERT OR IGNORE INTO landscapes (digest, content, seen_at) VALUES (?, ?, ?)", (digest, content, now))
    landscape_id = db.execute("SELECT landscape_id FROM landscapes WHERE digest = ?", (digest,)).fetchone()[0]
    return Names(
        company_id=company_id,
        landscape_id=landscape_id,
        systems=dict(db.execute("SELECT name, system_id FROM systems").fetchall()),
        flows=dict(db.execute("SELECT name, flow_id FROM flows").fetchall()),
    )
