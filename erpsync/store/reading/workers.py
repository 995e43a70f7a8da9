"""Workers as people read them: who runs where, since when, and what each has in hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from erpsync.store.connection import Connection, moment
from erpsync.store.workers import ALIVE_MS

_ALIVE = timedelta(milliseconds=ALIVE_MS)


@dataclass(frozen=True)
class WorkerRow:
    """One worker. ``in_hand``: messages it has claimed; ``stop_asked_by``: who asked it to end; ``stopped_at``: it has.

    ``version``: of erpsync; ``digest``: of the landscape it works by, None where it left none.
    """

    worker_id: int
    host: str
    pid: int
    command: str
    started_at: datetime
    seen_at: datetime
    stop_asked_by: str | None
    stopped_at: datetime | None
    in_hand: int
    version: str
    digest: str | None

    def state(self, now: datetime) -> str:
        """works, stopping, silent (nothing was seen of it for half a minute) or stopped."""
        if self.stopped_at is not None:
            return "stopped"
        if now - self.seen_at >= _ALIVE:
            return "silent"
        return "works" if self.stop_asked_by is None else "stopping"


_ROWS = """SELECT worker_id, host, pid, command, started_at, seen_at, stop_asked_by, stopped_at,
    (SELECT count(*) FROM messages WHERE state = 'leased' AND leased_by = worker_id), version,
    (SELECT digest FROM landscapes l WHERE l.landscape_id = workers.landscape_id) FROM workers"""


def at_work(db: Connection) -> list[WorkerRow]:
    """Those that have not left, the oldest first; one that died without a word is among them until it is buried."""
    return _read(db.execute(f"{_ROWS} WHERE stopped_at IS NULL ORDER BY worker_id"))


def workers_with_ids(db: Connection, ids: Iterable[int]) -> list[WorkerRow]:
    """Those with these ids, whether they have left or not."""
    wanted = json.dumps(list(ids))
    return _read(
        db.execute(f"{_ROWS} WHERE worker_id IN (SELECT value FROM json_each(?)) ORDER BY worker_id", (wanted,))
    )


def _read(
    rows: Iterable[tuple[int, str, int, str, int, int, str | None, int | None, int, str, str | None]],
) -> list[WorkerRow]:
    return [
        WorkerRow(
            *row[:4], moment(row[4]), moment(row[5]), row[6], moment(row[7]) if row[7] is not None else None, *row[8:]
        )
        for row in rows
    ]
