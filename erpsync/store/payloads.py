"""Contents, once each, by their SHA-256. Rule: what lies here is never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from erpsync.errors import NotFound
from erpsync.store.connection import Connection
from erpsync.store.rows import insert_rows

_AT_ONCE = 500
_FIND = "SELECT payload_id FROM payloads WHERE hash = ?"


def digest(content: bytes) -> bytes:
    """The hash under which a content lies."""
    return hashlib.sha256(content).digest()


def put(db: Connection, content: bytes) -> int:
    """The payload_id of this content, stored if it was not there."""
    hash_ = digest(content)
    found = db.execute(_FIND, (hash_,)).fetchone()
    if found is None:
        found = db.execute(
            "INSERT INTO payloads (hash, content) VALUES (?, ?) RETURNING payload_id", (hash_, content)
        ).fetchone()
    return int(found[0])


def put_many(db: Connection, contents: Sequence[bytes]) -> list[int]:
    """The payload_ids of these contents, in their order; equal contents have one id."""
    hashes = [digest(content) for content in contents]
    ids = put_hashed(db, dict(zip(hashes, contents, strict=True)))
    return [ids[hash_] for hash_ in hashes]


def put_hashed(db: Connection, contents: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """The payload_id of each content by its hash, which is ``digest`` of it; stored where it was not there."""
    (last,) = db.execute("SELECT ifnull(max(payload_id), 0) FROM payloads").fetchone()
    # Numbered here: nobody else writes during a transaction. Nearly always all of them are new.
    rows = [(n, hash_, content) for n, (hash_, content) in enumerate(contents.items(), start=last + 1)]
    written = insert_rows(db, "payloads (payload_id, hash, content)", rows, conflict="ON CONFLICT (hash) DO NOTHING")
    if written == len(rows):
        return {hash_: payload_id for payload_id, hash_, _ in rows}
    ids: dict[bytes, int] = {}
    hashes = list(contents)
    for start in range(0, len(hashes), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        ids.update(db.execute(f"SELECT hash, payload_id FROM payloads WHERE hash IN ({marks})", some).fetchall())
    return ids


def get(db: Connection, payload_id: int) -> bytes:
    """The content. Raises NotFound when there is none by that id (pruned, or never was)."""
    found = db.execute("SELECT content FROM payloads WHERE payload_id = ?", (payload_id,)).fetchone()
    if found is None:
        raise NotFound(f"payload {payload_id} is not in the store (pruned, or never was)")
    return bytes(found[0])
