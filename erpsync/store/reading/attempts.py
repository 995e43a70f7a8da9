"""Tries as people read them: what was asked, what was answered, how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from erpsync.store.connection import Connection, moment
from erpsync.store.reading.selecting import moment_or_none


@dataclass(frozen=True)
class Attempt:
    """One try: what was asked, what was answered. ``body`` and ``answer`` are as they were sent and received.

    ``worker`` says who had it in hand, and as which process of which machine; empty where that is not on record.
    """

    attempt_id: int
    message_id: int
    try_no: int
    what: str
    outcome: str
    request: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None
    answer: bytes
    answer_cut: int
    error: str
    error_code: str
    seconds: float | None
    far_id: str
    once_key: str
    at: datetime
    ended_at: datetime | None
    worker: str = ""


def attempts(db: Connection, message_ids: Iterable[int], *, contents: bool = True) -> list[Attempt]:
    """The tries of these messages, oldest first; without ``contents`` their bodies and answers are left out."""
    parts = "a.headers, p.content, a.answer" if contents else "'', NULL, NULL"
    join = "LEFT JOIN payloads p ON p.payload_id = a.body_id" if contents else ""
    rows = db.execute(
        f"SELECT a.attempt_id, a.message_id, a.try_no, a.what, a.outcome, a.request, {parts}, a.status, a.answer_cut, a.error, "
        "a.error_code, a.took_us, a.far_id, a.once_key, COALESCE(a.begun_at, a.claimed_at), a.ended_at, "
        "ifnull('worker ' || w.worker_id || ' (process ' || w.pid || ' on ' || w.host || ')', '') "
        f"FROM json_each(?) j CROSS JOIN attempts a ON a.message_id = j.value {join} "
        "LEFT JOIN workers w ON w.worker_id = a.worker_id ORDER BY a.attempt_id",
        (json.dumps(list(message_ids)),),
    )
    return [
        Attempt(
            attempt_id=row[0],
            message_id=row[1],
            try_no=row[2],
            what=row[3],
            outcome=row[4],
            request=row[5],
            headers=_headers(row[6]),
            body=bytes(row[7] or b""),
            answer=bytes(row[8] or b""),
            status=row[9],
            answer_cut=row[10],
            error=row[11],
            error_code=row[12],
            seconds=None if row[13] is None else row[13] / 1_000_000,
            far_id=row[14],
            once_key=row[15],
            at=moment(row[16]),
            ended_at=moment_or_none(row[17]),
            worker=row[18],
        )
        for row in rows
    ]


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """Headers as they were kept: JSON of pairs, or lines ``name: value``."""
    if not text:
        return ()
    if text.startswith(("[", "{")):
        try:
            kept = json.loads(text)
        except ValueError:
            kept = None
        pairs = kept.items() if isinstance(kept, dict) else kept
        if pairs is not None:
            return tuple((str(pair[0]), str(pair[1])) for pair in pairs)
    return tuple(
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in text.splitlines())
    )
