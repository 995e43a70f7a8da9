"""Names of companies, systems and flows, and the integers that stand for them inside. Ids are never used twice."""

from __future__ import annotations

from collections.abc import Collection
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


def known(
    db: Connection, *, company: str, systems: Collection[str], flows: Collection[str], digest: str
) -> Names | None:
    """The ids of these names when all of them are in the store; None when some are new."""
    company_row = db.execute("SELECT company_id FROM companies WHERE name = ?", (company,)).fetchone()
    landscape_row = db.execute("SELECT landscape_id FROM landscapes WHERE digest = ?", (digest,)).fetchone()
    if company_row is None or landscape_row is None:
        return None
    system_ids = {str(name): int(n) for name, n in db.execute("SELECT name, system_id FROM systems")}
    flow_ids = {str(name): int(n) for name, n in db.execute("SELECT name, flow_id FROM flows")}
    if not (set(systems) <= set(system_ids) and set(flows) <= set(flow_ids)):
        return None
    return Names(int(company_row[0]), int(landscape_row[0]), system_ids, flow_ids)


def register(
    db: Connection,
    *,
    company: str,
    systems: Collection[str],
    flows: Collection[str],
    digest: str,
    content: str,
    now: int,
) -> Names:
    """The ids of these names, made where they are new. ``now`` is in milliseconds."""
    db.execute("INSERT OR IGNORE INTO companies (name) VALUES (?)", (company,))
    db.executemany("INSERT OR IGNORE INTO systems (name, since) VALUES (?, ?)", [(name, now) for name in systems])
    db.executemany("INSERT OR IGNORE INTO flows (name) VALUES (?)", [(name,) for name in flows])
    db.execute("INSERT OR IGNORE INTO landscapes (digest, content, seen_at) VALUES (?, ?, ?)", (digest, content, now))
    found = known(db, company=company, systems=systems, flows=flows, digest=digest)
    assert found is not None  # noqa: S101  (all of it was just written)
    return found
