"""Who decided what: rows that each hash the one before. Rule: only appended to; a change anywhere breaks the chain.

The chain holds hashes of *before* and *after*; the values lie in ``payloads`` and may be erased without breaking it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

import erpsync
from erpsync.store import payloads
from erpsync.store.connection import Connection, ms

_BEGINNING = bytes(32)
_COLUMNS = (
    *("chain", "seq", "company_id", "at", "actor", "what", "subject", "reason", "command"),
    *("before_hash", "after_hash", "version"),
)
_CHAINED = ", ".join(_COLUMNS)


def append(
    db: Connection,
    *,
    chain: str,
    company_id: int,
    at: datetime,
    actor: str,
    what: str,
    subject: str,
    reason: str = "",
    command: str = "",
    before: bytes | None = None,
    after: bytes | None = None,
) -> int:
    """Add a row to the end of a chain, in the transaction of what it tells about; returns its number there, from 1.

    ``actor`` is a person's login or ``erpsync``, ``what`` a word like ``messages.settle``, ``subject`` a key or id;
    ``company_id`` 0 is the store itself.
    """
    last = db.execute("SELECT seq, hash FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1", (chain,)).fetchone()
    seq, previous = (last[0] + 1, bytes(last[1])) if last else (1, _BEGINNING)
    hashes = [payloads.digest(value) if value is not None else None for value in (before, after)]
    ids = [payloads.put(db, value) if value is not None else None for value in (before, after)]
    told = (company_id, ms(at), actor, what, subject, reason, command)
    chained = (chain, seq, *told, *hashes, erpsync.__version__)
    db.execute(
        f"INSERT INTO audit ({_CHAINED}, before_id, after_id, previous, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (*chained, *ids, previous, _hash(chained, previous)),
    )
    return int(seq)


def verify(db: Connection) -> list[str]:
    """What is wrong with the chains, one line each; empty when they are whole.

    A tail cut off cannot be seen from inside: compare the last number and hash with what was noted elsewhere.
    """
    wrong: list[str] = []
    chain, seq, previous = None, 0, _BEGINNING
    rows = db.execute(
        f"SELECT {_CHAINED}, before_id, after_id, previous, hash FROM audit ORDER BY chain, seq",
    )
    for row in rows:
        chained = tuple(row[: len(_COLUMNS)])
        if chained[0] != chain:
            chain, seq, previous = chained[0], 0, _BEGINNING
        name = f"audit {chain} {chained[1]}"
        if chained[1] != seq + 1:
            wrong.append(f"{name} follows {seq}: rows are missing")
        elif bytes(row[-2]) != previous:
            wrong.append(f"{name} does not follow the row before it")
        if _hash(chained, bytes(row[-2])) != bytes(row[-1]):
            wrong.append(f"{name} was changed after it was written")
        seq, previous = chained[1], bytes(row[-1])
    for side in ("before", "after"):
        kept = f"JOIN payloads p ON p.payload_id = a.{side}_id WHERE p.hash IS NOT a.{side}_hash"
        wrong.extend(
            f"audit {chain} {seq} keeps another value for {side} than it was written with"
            for chain, seq in db.execute(f"SELECT a.chain, a.seq FROM audit a {kept}")
        )
    return wrong


def _hash(chained: Sequence[object], previous: bytes) -> bytes:
    """SHA-256 over the canonical JSON of a row's chained columns, and the hash before it."""
    row = {
        name: value.hex() if isinstance(value, bytes) else value for name, value in zip(_COLUMNS, chained, strict=True)
    }
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode() + previous).digest()
