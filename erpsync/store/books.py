"""The books: records and pictures, read and written a batch at a time.

A record with revision 0 is a *shell*: another system told of the key, its owner has not yet.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from erpsync.domain.flat import Fields, fields_of, json_bytes
from erpsync.store import payloads
from erpsync.store.connection import Connection
from erpsync.store.rows import among, insert_rows, listed, write_rows

Content = tuple[bytes, bytes]
"""Hash and bytes of a content that is about to be stored."""


@dataclass(slots=True)
class Holds:
    """Fields, and where exactly these lie as a content: ``content_id`` where they are stored, ``unstored`` where they will be.

    Fields are changed by ``hold`` alone. Who holds what another holds shares its content.
    """

    fields: Fields = field(default_factory=dict, kw_only=True)
    content_id: int | None = field(default=None, kw_only=True, compare=False)
    unstored: Content | None = field(default=None, kw_only=True, repr=False, compare=False)

    def hold(self, fields: Fields, *, content_id: int | None = None, unstored: Content | None = None) -> None:
        """Have these fields from now on."""
        self.fields, self.content_id, self.unstored = fields, content_id, unstored


@dataclass(slots=True)
class Record(Holds):
    """Our canonical document now. ``origins`` has who set a field and when (milliseconds), ``""`` those of all not named.

    ``newest_id`` is the newest event that changed it and was logged as it did (``Page.log``); 0: none.
    """

    record_id: int
    kind: str
    number: str
    origins: dict[str, tuple[int, int]] = field(default_factory=dict)
    removed: bool = False
    revision: int = 0
    changed_at: int = 0
    event_id: int | None = None
    newest_id: int = 0

    @property
    def key(self) -> str:
        """Its business key, short form."""
        return f"{self.kind}:{self.number}"

    @property
    def is_told(self) -> bool:
        """Somebody told of it; otherwise its key is known only because others queue under it (``lane_records``)."""
        return self.changed_at > 0

    @property
    def is_shell(self) -> bool:
        """Nobody who owns it has told of it yet."""
        return self.revision == 0


@dataclass(slots=True)
class Picture(Holds):
    """What one system is last known to hold. ``asked``: what we asked for, where it holds something else."""

    asked: Fields = field(default_factory=dict)
    present: bool = True
    far_revision: str | None = None
    far_order: int | None = None
    seen_at: int = 0


_encode = json.JSONEncoder(separators=(",", ":")).encode


def keep_contents(
    db: Connection, holders: Iterable[Holds], *, others: Mapping[bytes, bytes] | None = None
) -> dict[bytes, int]:
    """Store what these hold where it is not stored yet, with ``others`` (contents by hash); returns payload ids by hash."""
    contents, new = dict(others or {}), []
    for holder in holders:
        if holder.content_id is None and holder.fields:
            hash_, content = holder.unstored or _content_of(holder.fields)
            contents[hash_] = content
            new.append((holder, hash_))
    ids = payloads.put_hashed(db, contents) if contents else {}
    for holder, hash_ in new:
        holder.content_id = ids[hash_]
    return ids


def _content_of(fields: Fields) -> Content:
    """Fields as a content."""
    content = json_bytes(fields)
    return payloads.digest(content), content


def _origins(record: Record) -> str:
    origins = record.origins
    if len(origins) == 1 and (all_of_them := origins.get("")) is not None:  # told at once, as nearly every new one is
        return f'{{"":[{all_of_them[0]},{all_of_them[1]}]}}'
    return _encode(origins)


RECORD = "record_id, kind, number, content, removed, revision, changed_at, event_id, origins, content_id, newest_id"  # of ``record_of``
_RECORDS = "records LEFT JOIN payloads ON payload_id = content_id"


def _origins_of(text: str) -> dict[str, tuple[int, int]]:
    if text.startswith('{"":[') and text.endswith("]}") and text.count(",") == 1:
        system_id, since = text[5:-2].split(",")
        return {"": (int(system_id), int(since))}
    return {name: (system_id, since) for name, (system_id, since) in json.loads(text).items()}


def record_of(row: Sequence[Any]) -> Record:
    """A record of its row: ``RECORD``, where ``content`` is that of its content_id."""
    return Record(
        record_id=row[0],
        kind=row[1],
        number=row[2],
        fields=fields_of(row[3]) if row[3] is not None else {},
        content_id=row[9],
        origins=_origins_of(row[8]),
        removed=bool(row[4]),
        revision=row[5],
        changed_at=row[6],
        event_id=row[7],
        newest_id=row[10],
    )


def records_named(db: Connection, company_id: int, kind: str, numbers: Collection[str]) -> dict[str, Record]:
    """The records of a kind by number, as many of these as there are."""
    any_of, asked = among(numbers)
    rows = db.execute(
        f"SELECT {RECORD} FROM {_RECORDS} WHERE company_id = ? AND kind = ? AND number {any_of}",
        (company_id, kind, *asked),
    )
    return {record.number: record for record in map(record_of, rows)}


def records_by_id(db: Connection, record_ids: Collection[int]) -> dict[int, Record]:
    """The records with these ids."""
    any_of, asked = among(record_ids)
    rows = db.execute(f"SELECT {RECORD} FROM {_RECORDS} WHERE record_id {any_of}", asked)
    return {record.record_id: record for record in map(record_of, rows)}


def insert_records(db: Connection, company_id: int, records: Sequence[Record]) -> None:
    """Write new records; their ids were taken from ``before_page``."""
    keep_contents(db, records)
    insert_rows(
        db,
        "records (record_id, company_id, kind, number, content_id, origins, removed, revision, changed_at, event_id, "
        "newest_id)",
        [
            (
                *(r.record_id, company_id, r.kind, r.number, r.content_id, _origins(r)),
                *(1 if r.removed else 0, r.revision, r.changed_at, r.event_id, r.newest_id),
            )
            for r in records
        ],
    )


_CHANGED = (
    "UPDATE OR FAIL records SET content_id = v.column1, origins = v.column2, removed = v.column3, revision = v.column4, "
    "changed_at = v.column5, event_id = v.column6, newest_id = v.column7 FROM (VALUES {rows}) v WHERE record_id = v.column8"
)


def update_records(db: Connection, records: Sequence[Record]) -> None:
    """Write what changed in records that are there."""
    keep_contents(db, records)
    write_rows(
        db,
        _CHANGED,
        [
            (
                *(r.content_id, _origins(r), 1 if r.removed else 0, r.revision, r.changed_at),
                *(r.event_id, r.newest_id, r.record_id),
            )
            for r in records
        ],
    )


PICTURE = "content, asked, present, far_revision, far_order, seen_at, content_id"  # of ``picture_of``


def picture_of(row: Sequence[Any]) -> Picture:
    """A picture of its row: ``PICTURE``, where ``content`` is that of its content_id."""
    return Picture(
        fields=fields_of(row[0]) if row[0] is not None else {},
        content_id=row[6],
        asked=json.loads(row[1]) if row[1] else {},
        present=bool(row[2]),
        far_revision=row[3],
        far_order=row[4],
        seen_at=row[5],
    )


def pictures(db: Connection, system_id: int, record_ids: Collection[int]) -> dict[int, Picture]:
    """What a system holds of these records, by record id."""
    any_of, asked = among(record_ids)
    rows = db.execute(
        f"SELECT record_id, {PICTURE} FROM pictures LEFT JOIN payloads ON payload_id = content_id "
        f"WHERE system_id = ? AND record_id {any_of}",
        (system_id, *asked),
    )
    return {int(row[0]): picture_of(row[1:]) for row in rows}


def pictures_for(db: Connection, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Picture]:
    """What systems hold, by (record id, system id)."""
    rows = db.execute(
        f"SELECT record_id, system_id, {PICTURE} FROM json_each(?) j JOIN pictures ON record_id = j.value ->> 0 "
        "AND system_id = j.value ->> 1 LEFT JOIN payloads ON payload_id = content_id",
        (listed(pairs),),
    )
    return {(int(row[0]), int(row[1])): picture_of(row[2:]) for row in rows}


_PAINTED = (
    "record_id, system_id, content_id, asked, present, seen_at"  # what is not named becomes NULL, as excluded does
)
_REPAINTED = (
    "ON CONFLICT DO UPDATE SET content_id = excluded.content_id, asked = excluded.asked, present = excluded.present, "
    "far_revision = excluded.far_revision, far_order = excluded.far_order, seen_at = excluded.seen_at"
)


def write_pictures(db: Connection, system_id: int, changed: Collection[tuple[int, Picture]]) -> None:
    """Write what a system is now known to hold, by record id."""
    keep_contents(db, [picture for _, picture in changed])
    plain: list[tuple[object, ...]] = []
    revised: list[tuple[object, ...]] = []
    for record_id, p in changed:
        asked = _encode(p.asked) if p.asked else ""
        row = (record_id, system_id, p.content_id, asked, 1 if p.present else 0, p.seen_at)
        if p.far_revision is None and p.far_order is None:
            plain.append(row)
        else:
            revised.append((*row, p.far_revision, p.far_order))
    insert_rows(db, f"pictures ({_PAINTED})", plain, conflict=_REPAINTED)
    insert_rows(db, f"pictures ({_PAINTED}, far_revision, far_order)", revised, conflict=_REPAINTED)


def held_keys(db: Connection, company_id: int, system_id: int, kind: str) -> dict[int, tuple[str, int]]:
    """By record id: number, and when it was last seen (milliseconds), of every document a system is known to hold now."""
    rows = db.execute(
        "SELECT r.record_id, r.number, p.seen_at FROM records r JOIN pictures p ON p.record_id = r.record_id "
        "AND p.system_id = ? WHERE r.company_id = ? AND r.kind = ? AND p.present = 1",
        (system_id, company_id, kind),
    )
    return {int(record_id): (str(number), int(seen_at)) for record_id, number, seen_at in rows}


def remember_strays(db: Connection, record_id: int, system_id: int, values: Fields, *, event_id: int, now: int) -> int:
    """How many of these stray values are new: each is mended once."""
    return sum(
        db.execute(
            "INSERT OR IGNORE INTO mendings (record_id, system_id, field, value_hash, event_id, mended_at) VALUES (?, ?, ?, ?, ?, ?)",
            (record_id, system_id, name, json.dumps(value).encode(), event_id, now),
        ).rowcount
        for name, value in values.items()
    )
