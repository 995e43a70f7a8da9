"""Claimed messages, loaded whole after the claim's commit: record, picture, cross-reference, and the tries before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.flat import Fields
from erpsync.store.books import Picture, Record, pictures_for, records_by_id
from erpsync.store.connection import Connection


@dataclass
class Claimed:
    """A message in this worker's hands, with all that is needed to build and send it."""

    message_id: int
    lease_no: int
    target_id: int
    flow_id: int
    lane_id: int
    tries: int
    generation: int
    conflicts: int
    accepted_at: int
    event_id: int | None
    stake: int
    currency: str
    own_id: int | None
    unknown_since: int | None
    mends: bool
    worker_id: int | None
    claimed_at: int
    record: Record
    picture: Picture | None = None
    far_id: str = ""
    pinned: Pinned | None = None
    last_body: bytes | None = None  # what the last try of this generation sent
    last_body_id: int | None = None
    first_try_at: int | None = None  # of this generation
    names: tuple[str, ...] | None = None  # the keys its document names, once they were looked for


@dataclass(frozen=True)
class Pinned:
    """An open try to be repeated byte for byte."""

    attempt_id: int
    request: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_id: int | None
    content: Fields
    content_id: int | None
    once_key: str
    far_id: str
    far_revision: str
    begun_at: int


_LOADED = (
    *("message_id", "lease_no", "target_id", "flow_id", "lane_id", "tries", "generation", "conflicts", "accepted_at"),
    *("event_id", "stake", "currency", "own_id", "unknown_since", "mends", "worker_id", "claimed_at"),
)


def load_claimed(db: Connection, message_ids: Sequence[int]) -> list[Claimed]:
    """All that is needed to build and send these messages, in the order given; read after the claim's commit."""
    rows = db.execute(
        "SELECT m.message_id, m.lease_no, m.target_id, m.flow_id, m.lane_id, m.tries, m.generation, m.conflicts, m.accepted_at, "
        "m.event_id, m.stake, m.currency, m.own_id, m.unknown_since, m.mends, m.leased_by, m.state_at, m.record_id, m.pinned_id, x.far_id "
        "FROM json_each(?) j JOIN messages m ON m.message_id = j.value "
        "LEFT JOIN xrefs x ON x.system_id = m.target_id AND x.record_id = m.record_id",
        (json.dumps(list(message_ids)),),
    ).fetchall()
    records = records_by_id(db, {row[17] for row in rows})
    held = pictures_for(db, [(row[17], row[2]) for row in rows])
    retried = [row[0] for row in rows if row[5] > 1]
    tries = _earlier_tries(db, retried) if retried else {}
    loaded = {}
    for row in rows:
        picture = held.get((row[17], row[2]))
        gone = picture is not None and not picture.present  # what it was called there leads nowhere any more
        claimed = Claimed(
            **dict(zip(_LOADED, row[:17], strict=True)),
            record=records[row[17]],
            picture=picture,
            far_id="" if gone else row[19] or "",
            pinned=_pinned(db, row[18]) if row[18] is not None else None,
        )
        if (earlier := tries.get((claimed.message_id, claimed.generation))) is not None:
            claimed.first_try_at, claimed.last_body, claimed.last_body_id = earlier
        loaded[claimed.message_id] = claimed
    return [loaded[message_id] for message_id in message_ids if message_id in loaded]


def _earlier_tries(
    db: Connection, message_ids: Sequence[int]
) -> dict[tuple[int, int], tuple[int, bytes | None, int | None]]:
    rows = db.execute(
        "SELECT a.message_id, a.generation, a.begun_at, p.content, a.body_id FROM json_each(?) j JOIN attempts a ON a.message_id = j.value "
        "LEFT JOIN payloads p ON p.payload_id = a.body_id WHERE a.begun_at IS NOT NULL AND a.what = 'write' ORDER BY a.attempt_id",
        (json.dumps(list(message_ids)),),
    )
    found: dict[tuple[int, int], tuple[int, bytes | None, int | None]] = {}
    for message_id, generation, begun_at, body, body_id in rows:
        first = found.get((message_id, generation))
        found[message_id, generation] = (first[0] if first else begun_at, bytes(body or b""), body_id)
    return found


def _pinned(db: Connection, attempt_id: int) -> Pinned:
    row = db.execute(
        "SELECT request, headers, body_id, body.content, asked.content, content_id, once_key, far_id, far_revision, begun_at "
        "FROM attempts LEFT JOIN payloads body ON body.payload_id = body_id "
        "LEFT JOIN payloads asked ON asked.payload_id = content_id WHERE attempt_id = ?",
        (attempt_id,),
    ).fetchone()
    return Pinned(
        attempt_id=attempt_id,
        request=row[0],
        headers=tuple((name, value) for name, value in json.loads(row[1] or "[]")),
        body=bytes(row[3] or b""),
        body_id=row[2],
        content=json.loads(row[4] or "{}"),
        content_id=row[5],
        once_key=row[6],
        far_id=row[7],
        far_revision=row[8],
        begun_at=row[9],
    )
