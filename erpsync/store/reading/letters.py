"""What lies around one message: what it was built of, what it would change in its target."""

from __future__ import annotations

import json
from dataclasses import dataclass

from erpsync.domain.flat import Fields, Scalar, line_order
from erpsync.store.connection import Connection


@dataclass(frozen=True)
class Change:
    """One field that the record and the target's picture have differently; ``refused``: the target said no to it."""

    field: str
    before: Scalar
    after: Scalar
    refused: bool


@dataclass(frozen=True)
class Around:
    """The record behind a message and what its target holds of it. ``held`` None: it has no such document yet."""

    record: Fields
    held: Fields | None
    far_id: str | None
    sent: Fields | None


def around(db: Connection, message_id: int) -> Around:
    """What a message's document says now, what its target holds, and what its last try asked for."""
    row = db.execute(
        "SELECT rc.content, pc.content, p.present, x.far_id, "
        "(SELECT content FROM attempts a LEFT JOIN payloads ON payload_id = a.content_id "
        "WHERE a.message_id = m.message_id AND a.what = 'write' ORDER BY a.attempt_id DESC LIMIT 1), "
        "own.content "
        "FROM messages m JOIN records r ON r.record_id = m.record_id LEFT JOIN payloads rc ON rc.payload_id = r.content_id "
        "LEFT JOIN pictures p ON p.record_id = m.record_id AND p.system_id = m.target_id "
        "LEFT JOIN payloads pc ON pc.payload_id = p.content_id "
        "LEFT JOIN xrefs x ON x.system_id = m.target_id AND x.record_id = m.record_id "
        "LEFT JOIN payloads own ON own.payload_id = m.own_id WHERE m.message_id = ?",
        (message_id,),
    ).fetchone()
    record = _flat(row[0]) or {}
    if row[5]:
        record = _flat(row[5]) or record
    return Around(record, (_flat(row[1]) or {}) if row[2] else None, row[3], _flat(row[4]))


def _flat(content: bytes | None) -> Fields | None:
    try:
        found = json.loads(bytes(content or b"").decode(errors="replace"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def changes(found: Around, *, refused_field: str) -> list[Change]:
    """The fields of the record that the target has not, or has differently; those it was last asked for, where that is on record."""
    held = found.held or {}
    names = found.sent if found.sent else found.record
    return [
        Change(
            name,
            held.get(name),
            value,
            bool(refused_field) and (name == refused_field or name.endswith(f".{refused_field}")),
        )
        for name, value in sorted(names.items(), key=lambda pair: field_order(pair[0]))
        if held.get(name) != value
    ]


def field_order(path: str) -> tuple[int, tuple[int, int, str], str]:
    """Sorts flat paths as people read a document: its own fields first, then line by line."""
    if not path.startswith("lines."):
        return 0, (0, 0, ""), path
    line, _, name = path[6:].rpartition(".")
    return 1, line_order(line), name
