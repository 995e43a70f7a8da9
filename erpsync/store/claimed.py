"""Claimed messages, loaded whole after the claim's commit: record, picture, cross-reference, and the tries before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from erpsync.domain.flat import Fields, fields_of
from erpsync.store.books import PICTURE, RECORD, Picture, Record, picture_of, record_of
from erpsync.store.connection import Connection
from erpsync.store.rows import listed


@dataclass(slots=True)
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
    claimed_at: int  # since when it stands so: while it is leased, since the claim
    _: KW_ONLY
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


def _columns(columns: str, alias: str, content: str) -> str:
    """``RECORD`` or ``PICTURE`` of joined tables."""
    return ", ".join(f"{content if name == 'content' else alias}.{name}" for name in columns.split(", "))


_MESSAGE = (  # in the order of Claimed's fields, which take them by position
    "m.message_id, m.lease_no, m.target_id, m.flow_id, m.lane_id, m.tries, m.generation, m.conflicts, m.accepted_at, m.event_id, "
    "m.stake, m.currency, m.own_id, m.unknown_since, m.mends, m.leased_by, m.state_at"
)
_OF_MESSAGE, _OF_RECORD = len(_MESSAGE.split(", ")), len(RECORD.split(", "))
_LOADED = (
    f"SELECT {_MESSAGE}, {_columns(RECORD, 'r', 'rc')}, m.pinned_id, x.far_id, p.record_id, {_columns(PICTURE, 'p', 'pc')} "
    "FROM json_each(?) j CROSS JOIN messages m ON m.message_id = j.value CROSS JOIN records r ON r.record_id = m.record_id "
    "LEFT JOIN payloads rc ON rc.payload_id = r.content_id "
    "LEFT JOIN xrefs x ON x.system_id = m.target_id AND x.record_id = m.record_id "
    "LEFT JOIN pictures p ON p.record_id = m.record_id AND p.system_id = m.target_id "
    "LEFT JOIN payloads pc ON pc.payload_id = p.content_id"
)


def load_claimed(db: Connection, message_ids: Sequence[int]) -> list[Claimed]:
    """All that is needed to build and send these messages, in the order given; read after the claim's commit."""
    loaded: dict[int, Claimed] = {}
    retried = []
    for row in db.execute(_LOADED, (listed(message_ids),)).fetchall():
        pinned_id, far_id, painted_id = row[_OF_MESSAGE + _OF_RECORD : _OF_MESSAGE + _OF_RECORD + 3]
        picture = picture_of(row[_OF_MESSAGE + _OF_RECORD + 3 :]) if painted_id is not None else None
        gone = picture is not None and not picture.present  # what it was called there leads nowhere any more
        claimed = Claimed(
            *row[:_OF_MESSAGE],
            record=record_of(row[_OF_MESSAGE : _OF_MESSAGE + _OF_RECORD]),
            picture=picture,
            far_id="" if gone else far_id or "",
            pinned=_pinned(db, pinned_id) if pinned_id is not None else None,
        )
        loaded[claimed.message_id] = claimed
        if claimed.tries > 1:
            retried.append(claimed.message_id)
    for (message_id, generation), earlier in (_earlier_tries(db, retried) if retried else {}).items():
        claimed = loaded[message_id]
        if claimed.generation == generation:
            claimed.first_try_at, claimed.last_body, claimed.last_body_id = earlier
    return [loaded[message_id] for message_id in message_ids if message_id in loaded]


def _earlier_tries(
    db: Connection, message_ids: Sequence[int]
) -> dict[tuple[int, int], tuple[int, bytes | None, int | None]]:
    rows = db.execute(
        "SELECT a.message_id, a.generation, a.begun_at, p.content, a.body_id FROM json_each(?) j JOIN attempts a ON a.message_id = j.value "
        "LEFT JOIN payloads p ON p.payload_id = a.body_id WHERE a.begun_at IS NOT NULL AND a.what = 'write' ORDER BY a.attempt_id",
        (listed(message_ids),),
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
        content=fields_of(row[4]) if row[4] else {},
        content_id=row[5],
        once_key=row[6],
        far_id=row[7],
        far_revision=row[8],
        begun_at=row[9],
    )
