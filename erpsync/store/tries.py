"""Tries: the exact bytes of each put on record just before its first byte leaves, and the one whose outcome is open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.flat import Fields
from erpsync.store import payloads
from erpsync.store.connection import Connection
from erpsync.store.rows import update_rows

_OURS = (
    "SELECT json_group_array(json_array(m.message_id, m.lease_no)) FROM json_each(?) j JOIN messages m ON m.message_id = j.value ->> 0 "
    "WHERE m.lease_no = j.value ->> 1 AND m.state = 'leased' AND m.due_at > ? + (j.value ->> 2)"
)
_BEGUN = (
    "UPDATE attempts SET begun_at = v.column1, request = v.column2, headers = v.column3, body_id = v.column4, "
    "content = v.column5, once_key = v.column6, generation = v.column7, far_id = v.column8, far_revision = v.column9, "
    "mapping_hash = v.column10, landscape_id = v.column11 FROM (VALUES {rows}) v "
    "WHERE message_id = v.column12 AND lease_no = v.column13"
)
_RISEN = (
    "UPDATE messages SET generation = v.column1 FROM (VALUES {rows}) v "
    "WHERE message_id = v.column2 AND generation < v.column1"
)


_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class Begun:
    """A try about to leave: its exact bytes, and what they ask the far system to hold."""

    message_id: int
    lease_no: int
    request: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content: Fields
    once_key: str
    generation: int
    far_id: str = ""
    far_revision: str = ""
    mapping_hash: str = ""
    takes_ms: int = 0  # the longest the call may take: the lease must outlive it


def begin(db: Connection, tries: Sequence[Begun], *, landscape_id: int, now: int) -> set[tuple[int, int]]:
    """Put tries on record just before their first byte leaves; returns the leases (message id, number) still ours to send."""
    # One row with all of them: each row of an answer is a wait for the interpreter while another thread has it.
    (found,) = db.execute(_OURS, (_encode([(t.message_id, t.lease_no, t.takes_ms) for t in tries]), now)).fetchone()
    ours = {(int(message_id), int(lease_no)) for message_id, lease_no in json.loads(found)}
    going = [t for t in tries if (t.message_id, t.lease_no) in ours]
    body_ids = payloads.put_many(db, [t.body for t in going])
    update_rows(
        db,
        _BEGUN,
        [
            (
                *(
                    now,
                    t.request,
                    _encode(t.headers),
                    body_id,
                    _encode(t.content),
                    t.once_key,
                    t.generation,
                ),
                *(t.far_id, t.far_revision, t.mapping_hash, landscape_id, t.message_id, t.lease_no),
            )
            for t, body_id in zip(going, body_ids, strict=True)
        ],
    )
    update_rows(db, _RISEN, [(t.generation, t.message_id) for t in going if t.generation > 1])
    return ours


@dataclass(frozen=True, slots=True)
class OpenTry:
    """The last write of a message whose outcome is open."""

    attempt_id: int
    request: str
    begun_at: int
    sent_at: int | None
    content: Fields
    far_id: str
    once_key: str
    asked_times: int

    @property
    def removes(self) -> bool:
        """Whether it was a removal: a document that was there was asked to hold nothing."""
        return bool(self.far_id) and not self.content


def open_try(db: Connection, message_id: int) -> OpenTry | None:
    """The try whose outcome is open, and how often it was asked about since."""
    row = db.execute(
        "SELECT attempt_id, request, begun_at, sent_at, content, far_id, once_key, (SELECT count(*) FROM attempts s "
        "WHERE s.message_id = a.message_id AND s.what = 'settle' AND s.attempt_id > a.attempt_id) FROM attempts a "
        "WHERE message_id = ? AND what = 'write' AND begun_at IS NOT NULL ORDER BY attempt_id DESC LIMIT 1",
        (message_id,),
    ).fetchone()
    if row is None:
        return None
    return OpenTry(row[0], row[1], row[2], row[3], json.loads(row[4] or "{}"), row[5], row[6], row[7])
