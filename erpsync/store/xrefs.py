"""Cross-references: what each system calls our records, read and written a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from erpsync.store.connection import Connection
from erpsync.store.rows import among, insert_rows, listed

# CROSS JOIN: what is asked for comes first, then the index is sought for each; left to itself SQLite reads every row.
BOUND_TO = (
    "SELECT x.far_id, x.record_id FROM json_each(?) j CROSS JOIN xrefs x ON x.company_id = ? AND x.system_id = ? AND x.kind = ? "
    "AND x.far_id = j.value"
)
FAR_IDS_OF_KEYS = (
    "SELECT r.kind, r.number, x.far_id FROM json_each(?) j CROSS JOIN records r ON r.company_id = ? AND r.kind = j.value ->> 0 "
    "AND r.number = j.value ->> 1 CROSS JOIN xrefs x ON x.system_id = ? AND x.record_id = r.record_id"
)


class Binding(NamedTuple):
    """What a system calls a record of ours."""

    system_id: int
    record_id: int
    kind: str
    far_id: str


def far_ids(db: Connection, system_id: int, record_ids: Collection[int]) -> dict[int, str]:
    """What a system calls these records, as far as it has them."""
    any_of, asked = among(record_ids)
    rows = db.execute(
        f"SELECT record_id, far_id FROM xrefs WHERE system_id = ? AND record_id {any_of}", (system_id, *asked)
    )
    return {int(record_id): str(far_id) for record_id, far_id in rows}


def bound_to(db: Connection, company_id: int, system_id: int, kind: str, ids: Iterable[str]) -> dict[str, int]:
    """Which records a system's own ids are bound to."""
    rows = db.execute(BOUND_TO, (listed(ids), company_id, system_id, kind))
    return {str(far_id): int(record_id) for far_id, record_id in rows}


def bind(db: Connection, company_id: int, rows: Sequence[Binding], *, now: int) -> int:
    """Bind records to what systems call them; what is bound already stays as it is. Returns how many were new."""
    return insert_rows(
        db,
        "xrefs (system_id, record_id, company_id, kind, far_id, bound_at)",
        [(r.system_id, r.record_id, company_id, r.kind, r.far_id, now) for r in rows],
        conflict="ON CONFLICT DO NOTHING",
    )


def bound_otherwise(db: Connection, rows: Sequence[Binding]) -> list[tuple[int, int, str, str | None]]:
    """Of these, what is not bound so: (system id, record id, far id, what the record is bound to there)."""
    found = db.execute(
        "SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, x.far_id FROM json_each(?) j LEFT JOIN xrefs x "
        "ON x.system_id = j.value ->> 0 AND x.record_id = j.value ->> 1 WHERE x.far_id IS NOT j.value ->> 2",
        (listed((r.system_id, r.record_id, r.far_id) for r in rows),),
    )
    return [(int(system_id), int(record_id), str(far_id), bound) for system_id, record_id, far_id, bound in found]


def far_ids_of_keys(db: Connection, company_id: int, system_id: int, keys: Iterable[str]) -> dict[str, str]:
    """What a system calls these keys (short form), as far as it has them."""
    pairs = [key.partition(":")[::2] for key in keys]
    rows = db.execute(FAR_IDS_OF_KEYS, (listed(pairs), company_id, system_id))
    return {f"{kind}:{number}": str(far_id) for kind, number, far_id in rows}


def unbind(db: Connection, system_id: int, record_id: int) -> None:
    """Set a cross-reference aside."""
    db.execute("DELETE FROM xrefs WHERE system_id = ? AND record_id = ?", (system_id, record_id))
