"""The books: records, pictures and cross-references, read and written a batch at a time.

A record with revision 0 is a *shell*: another system told of the key, its owner has not yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from erpsync.domain.flat import Fields
from erpsync.store.connection import Connection
from erpsync.store.rows import insert_rows, update_rows

# CROSS JOIN: what is asked for comes first, then the index is sought for each; left to itself SQLite reads every row.
BOUND_TO = (
    "SELECT x.far_id, x.record_id FROM json_each(?) j CROSS JOIN xrefs x ON x.company_id = ? AND x.system_id = ? AND x.kind = ? "
    "AND x.far_id = j.value"
)
FAR_IDS_OF_KEYS = (
    "SELECT r.kind, r.number, x.far_id FROM json_each(?) j CROSS JOIN records r ON r.company_id = ? AND r.kind = j.value ->> 0 "
    "AND r.number = j.value ->> 1 CROSS JOIN xrefs x ON x.system_id = ? AND x.record_id = r.record_id"
)


@dataclass
class Record:
    """Our canonical document now. ``origins`` has who set a field and when (milliseconds), ``""`` those of all not named.

    ``packed`` is the text of exactly these fields where somebody has it; who changes ``fields`` empties it.
    """

    record_id: int
    kind: str
    number: str
    fields: Fields = field(default_factory=dict)
    origins: dict[str, tuple[int, int]] = field(default_factory=dict)
    removed: bool = False
    revision: int = 0
    changed_at: int = 0
    event_id: int | None = None
    packed: str = field(default="", repr=False, compare=False)

    @property
    def key(self) -> str:
        """Its business key, short form."""
        return f"{self.kind}:{self.number}"

    @property
    def is_shell(self) -> bool:
        """Nobody who owns it has told of it yet."""
        return self.revision == 0


@dataclass
class Picture:
    """What one system is last known to hold. ``asked``: what we asked for, where it holds something else.

    ``packed`` is the text of exactly these fields where somebody has it; who changes ``fields`` empties it.
    """

    fields: Fields = field(default_factory=dict)
    asked: Fields = field(default_factory=dict)
    present: bool = True
    far_revision: str | None = None
    far_order: int | None = None
    seen_at: int = 0
    packed: str = field(default="", repr=False, compare=False)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _origins(record: Record) -> str:
    origins = record.origins
    if len(origins) == 1 and (all_of_them := origins.get("")) is not None:  # told at once, as nearly every new one is
        return f'{{"":[{all_of_them[0]},{all_of_them[1]}]}}'
    return _encode(origins)


_RECORD = "record_id, kind, number, fields, removed, revision, changed_at, event_id, origins"


def _record(row: Sequence[object]) -> Record:
    return Record(
        record_id=int(row[0]),  # type: ignore[call-overload]  # columns are typed by the schema (STRICT)
        kind=str(row[1]),
        number=str(row[2]),
        fields=json.loads(str(row[3])),
        origins={name: (system_id, since) for name, (system_id, since) in json.loads(str(row[8])).items()},
        removed=bool(row[4]),
        revision=int(row[5]),  # type: ignore[call-overload]  # as above
        changed_at=int(row[6]),  # type: ignore[call-overload]  # as above
        event_id=row[7],  # type: ignore[arg-type]  # as above
    )


def records_named(db: Connection, company_id: int, kind: str, numbers: Iterable[str]) -> dict[str, Record]:
    """The records of a kind by number, as many of these as there are."""
    rows = db.execute(
        f"SELECT {_RECORD} FROM records WHERE company_id = ? AND kind = ? AND number IN (SELECT value FROM json_each(?))",
        (company_id, kind, json.dumps(list(numbers))),
    )
    return {record.number: record for record in map(_record, rows)}


def records_by_id(db: Connection, record_ids: Iterable[int]) -> dict[int, Record]:
    """The records with these ids."""
    rows = db.execute(
        f"SELECT {_RECORD} FROM records WHERE record_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(record_ids)),),
    )
    return {record.record_id: record for record in map(_record, rows)}


def next_record_id(db: Connection) -> int:
    """The first id not taken; true until this transaction ends."""
    return int(db.execute("SELECT COALESCE(max(record_id), 0) + 1 FROM records").fetchone()[0])


def insert_records(db: Connection, company_id: int, records: Sequence[Record]) -> None:
    """Write new records; their ids were taken from ``next_record_id``."""
    insert_rows(
        db,
        "records (record_id, company_id, kind, number, fields, origins, removed, revision, changed_at, event_id)",
        [
            (
                *(r.record_id, company_id, r.kind, r.number, r.packed or _encode(r.fields), _origins(r)),
                *(int(r.removed), r.revision, r.changed_at, r.event_id),
            )
            for r in records
        ],
    )


_CHANGED = (
    "UPDATE records SET fields = v.column1, origins = v.column2, removed = v.column3, revision = v.column4, "
    "changed_at = v.column5, event_id = v.column6 FROM (VALUES {rows}) v WHERE record_id = v.column7"
)


def update_records(db: Connection, records: Sequence[Record]) -> None:
    """Write what changed in records that are there."""
    update_rows(
        db,
        _CHANGED,
        [
            (
                *(r.packed or _encode(r.fields), _origins(r), int(r.removed), r.revision, r.changed_at),
                *(r.event_id, r.record_id),
            )
            for r in records
        ],
    )


def _picture(row: Sequence[object]) -> Picture:
    return Picture(
        fields=json.loads(str(row[0])),
        asked=json.loads(str(row[1])) if row[1] else {},
        present=bool(row[2]),
        far_revision=row[3],  # type: ignore[arg-type]  # columns are typed by the schema (STRICT)
        far_order=row[4],  # type: ignore[arg-type]  # as above
        seen_at=int(row[5]),  # type: ignore[call-overload]  # as above
    )


def pictures(db: Connection, system_id: int, record_ids: Iterable[int]) -> dict[int, Picture]:
    """What a system holds of these records, by record id."""
    rows = db.execute(
        "SELECT record_id, fields, asked, present, far_revision, far_order, seen_at FROM pictures "
        "WHERE system_id = ? AND record_id IN (SELECT value FROM json_each(?))",
        (system_id, json.dumps(list(record_ids))),
    )
    return {int(row[0]): _picture(row[1:]) for row in rows}


def pictures_for(db: Connection, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Picture]:
    """What systems hold, by (record id, system id)."""
    rows = db.execute(
        "SELECT p.record_id, p.system_id, p.fields, p.asked, p.present, p.far_revision, p.far_order, p.seen_at "
        "FROM json_each(?) j JOIN pictures p ON p.record_id = j.value ->> 0 AND p.system_id = j.value ->> 1",
        (json.dumps(pairs),),
    )
    return {(int(row[0]), int(row[1])): _picture(row[2:]) for row in rows}


_REPAINTED = (
    "ON CONFLICT DO UPDATE SET fields = excluded.fields, asked = excluded.asked, present = excluded.present, "
    "far_revision = excluded.far_revision, far_order = excluded.far_order, seen_at = excluded.seen_at"
)


def write_pictures(db: Connection, system_id: int, changed: Iterable[tuple[int, Picture]]) -> None:
    """Write what a system is now known to hold, by record id."""
    insert_rows(
        db,
        "pictures (record_id, system_id, fields, asked, present, far_revision, far_order, seen_at)",
        [
            (
                *(record_id, system_id, p.packed or _encode(p.fields), _encode(p.asked) if p.asked else None),
                *(p.present, p.far_revision, p.far_order, p.seen_at),
            )
            for record_id, p in changed
        ],
        conflict=_REPAINTED,
    )


def far_ids(db: Connection, system_id: int, record_ids: Iterable[int]) -> dict[int, str]:
    """What a system calls these records, as far as it has them."""
    rows = db.execute(
        "SELECT record_id, far_id FROM xrefs WHERE system_id = ? AND record_id IN (SELECT value FROM json_each(?))",
        (system_id, json.dumps(list(record_ids))),
    )
    return {int(record_id): str(far_id) for record_id, far_id in rows}


def bound_to(db: Connection, company_id: int, system_id: int, kind: str, ids: Iterable[str]) -> dict[str, int]:
    """Which records a system's own ids are bound to."""
    rows = db.execute(BOUND_TO, (json.dumps(list(ids)), company_id, system_id, kind))
    return {str(far_id): int(record_id) for far_id, record_id in rows}


def bind(db: Connection, company_id: int, system_id: int, rows: Iterable[tuple[int, str, str]], *, now: int) -> None:
    """Bind (record id, kind, far id); what is bound already stays as it is."""
    insert_rows(
        db,
        "xrefs (system_id, record_id, company_id, kind, far_id, bound_at)",
        [(system_id, record_id, company_id, kind, far_id, now) for record_id, kind, far_id in rows],
        conflict="ON CONFLICT DO NOTHING",
    )


def far_ids_of_keys(db: Connection, company_id: int, system_id: int, keys: Iterable[str]) -> dict[str, str]:
    """What a system calls these keys (short form), as far as it has them."""
    pairs = [key.partition(":")[::2] for key in keys]
    rows = db.execute(FAR_IDS_OF_KEYS, (json.dumps(pairs), company_id, system_id))
    return {f"{kind}:{number}": str(far_id) for kind, number, far_id in rows}


def held_keys(db: Connection, company_id: int, system_id: int, kind: str) -> dict[int, tuple[str, int]]:
    """By record id: number, and when it was last seen (milliseconds), of every document a system is known to hold now."""
    rows = db.execute(
        "SELECT r.record_id, r.number, p.seen_at FROM records r JOIN pictures p ON p.record_id = r.record_id "
        "AND p.system_id = ? WHERE r.company_id = ? AND r.kind = ? AND p.present = 1",
        (system_id, company_id, kind),
    )
    return {int(record_id): (str(number), int(seen_at)) for record_id, number, seen_at in rows}


def unbind(db: Connection, system_id: int, record_id: int) -> None:
    """Set a cross-reference aside."""
    db.execute("DELETE FROM xrefs WHERE system_id = ? AND record_id = ?", (system_id, record_id))


def remember_strays(db: Connection, record_id: int, system_id: int, values: Fields, *, event_id: int, now: int) -> int:
    """How many of these stray values are new: each is mended once."""
    return sum(
        db.execute(
            "INSERT OR IGNORE INTO mendings (record_id, system_id, field, value_hash, event_id, mended_at) VALUES (?, ?, ?, ?, ?, ?)",
            (record_id, system_id, name, json.dumps(value).encode(), event_id, now),
        ).rowcount
        for name, value in values.items()
    )
