"""Contents and their SHA-256. Rule: what lies here is never changed, and who has the same content shares the row.

They lie in the order in which they came. Nothing is looked for by its hash: who knows that two contents are the same
says so, and damage that SQLite cannot see is found by the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from erpsync.errors import NotFound
from erpsync.store.connection import Connection
from erpsync.store.rows import insert_numbered


def digest(content: bytes) -> bytes:
    """The hash that is kept with a content."""
    return hashlib.sha256(content).digest()


def put(db: Connection, content: bytes) -> int:
    """Store a content; returns its payload_id."""
    return put_many(db, [content])[0]


def put_many(db: Connection, contents: Sequence[bytes]) -> list[int]:
    """Store contents; returns their payload_ids in order. Equal ones among them have one."""
    hashes = [digest(content) for content in contents]
    ids = put_hashed(db, dict(zip(hashes, contents, strict=True)))
    return [ids[hash_] for hash_ in hashes]


def put_hashed(db: Connection, contents: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """Store contents given by their ``digest``; returns the payload_id of each, by its hash."""
    rows = [
        (bytearray(hash_), bytearray(content)) for hash_, content in contents.items()
    ]  # taken as they are, bytes are not
    ids = insert_numbered(db, "payloads (hash, content)", rows)
    return dict(zip(contents, ids, strict=True))


def get(db: Connection, payload_id: int) -> bytes:
    """The content. Raises NotFound when there is none by that id (pruned, or never was)."""
    found = db.execute("SELECT content FROM payloads WHERE payload_id = ?", (payload_id,)).fetchone()
    if found is None:
        raise NotFound(f"payload {payload_id} is not in the store (pruned, or never was)")
    return bytes(found[0])
