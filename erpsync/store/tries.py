"""Tries: the exact bytes of each put on record just before its first byte leaves, and the one whose outcome is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.domain.flat import Fields, fields_of, json_bytes
from erpsync.store import payloads
from erpsync.store.connection import Connection
from erpsync.store.rows import listed, write_rows

_STANDS = "m.lease_no = {lease_no} AND m.state = 'leased' AND m.due_at > {until}"
_BEGUN = (
    "INSERT OR FAIL INTO attempts (message_id, lease_no, try_no, generation, worker_id, claimed_at, begun_at, request, headers, body_id, "
    "content_id, once_key, far_id, far_revision, mapping_hash, landscape_id) SELECT "
    + ", ".join(f"column{n}" for n in range(1, 17))
    + " FROM (VALUES {rows}) v CROSS JOIN messages m ON m.message_id = v.column1 WHERE "
    + _STANDS.format(lease_no="v.column2", until="v.column17")
)
_OURS = (
    "SELECT m.message_id, m.lease_no FROM json_each(?) j CROSS JOIN messages m ON m.message_id = j.value ->> 0 WHERE "
    + _STANDS.format(lease_no="(j.value ->> 1)", until="(j.value ->> 2)")
)
_RISEN = (
    "UPDATE OR FAIL messages SET generation = v.column1 FROM (VALUES {rows}) v "
    "WHERE message_id = v.column2 AND generation < v.column1"
)


@dataclass(slots=True)
class Begun:
    """A try about to leave: its exact bytes, and what they ask the far system to hold; their ids where they are stored."""

    message_id: int
    lease_no: int
    request: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content: Fields
    once_key: str
    generation: int
    try_no: int = 1
    worker_id: int | None = None
    claimed_at: int = 0
    body_id: int | None = None
    content_id: int | None = None
    far_id: str = ""
    far_revision: str = ""
    mapping_hash: str = ""
    takes_ms: int = 0  # the longest the call may take: the lease must outlive it


def begin(db: Connection, tries: Sequence[Begun], *, landscape_id: int, now: int) -> set[tuple[int, int]]:
    """Put tries on record just before their first byte leaves; returns the leases (message id, number) still ours to send."""
    _keep(db, tries)
    begun = write_rows(
        db,
        _BEGUN,
        [
            (
                *(t.message_id, t.lease_no, t.try_no, t.generation, t.worker_id),
                *(t.claimed_at, now, t.request, json_bytes(t.headers).decode(), t.body_id, t.content_id),
                *(t.once_key, t.far_id, t.far_revision, t.mapping_hash, landscape_id, now + t.takes_ms),
            )
            for t in tries
        ],
    )
    if begun == len(tries):  # nearly always
        ours = {(t.message_id, t.lease_no) for t in tries}
    else:
        asked = listed((t.message_id, t.lease_no, now + t.takes_ms) for t in tries)
        ours = {(int(message_id), int(lease_no)) for message_id, lease_no in db.execute(_OURS, (asked,)).fetchall()}
    going = [t for t in tries if t.generation > 1 and (t.message_id, t.lease_no) in ours]
    write_rows(db, _RISEN, [(t.generation, t.message_id) for t in going])
    return ours


def _keep(db: Connection, tries: Sequence[Begun]) -> None:
    """Store what is not stored yet of what these send and ask for."""
    sent = [t for t in tries if t.body_id is None]
    asking = [t for t in tries if t.content_id is None and t.content]
    ids = payloads.put_many(db, [*(t.body for t in sent), *(json_bytes(t.content) for t in asking)])
    for t, body_id in zip(sent, ids, strict=False):
        t.body_id = body_id
    for t, content_id in zip(asking, ids[len(sent) :], strict=True):
        t.content_id = content_id


@dataclass(frozen=True, slots=True)
class OpenTry:
    """The last write of a message whose outcome is open."""

    attempt_id: int
    request: str
    begun_at: int
    sent_at: int | None
    content: Fields
    content_id: int | None
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
        "SELECT attempt_id, request, begun_at, sent_at, content, content_id, far_id, once_key, (SELECT count(*) FROM attempts s "
        "WHERE s.message_id = a.message_id AND s.what = 'settle' AND s.attempt_id > a.attempt_id) FROM attempts a "
        "LEFT JOIN payloads ON payload_id = content_id "
        "WHERE message_id = ? AND what = 'write' AND begun_at IS NOT NULL ORDER BY attempt_id DESC LIMIT 1",
        (message_id,),
    ).fetchone()
    if row is None:
        return None
    return OpenTry(row[0], row[1], row[2], row[3], fields_of(row[4]) if row[4] else {}, *row[5:])
