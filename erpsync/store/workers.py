"""Workers in the store: who runs, and when each was last seen."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import erpsync
from erpsync.store.connection import Connection, moment

ALIVE_MS = 30_000
_SILENT_MS = 10_000  # five times as long as a worker that is there lets nothing be seen of it


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other workers have in their hands: messages, and the one first call to systems in doubt.

    ``until``: when the last of it falls back by itself. ``silent``: nothing was seen of these workers lately.
    """

    messages: int
    first_calls: tuple[str, ...]
    until: datetime
    silent: bool


# Who makes the first call to a system is not on record: whoever has a lease there that ends no sooner.
_ITS_FIRST_CALL = """(EXISTS (SELECT 1 FROM messages m WHERE m.state = 'leased' AND m.target_id = systems.system_id
    AND m.leased_by = :worker AND m.due_at >= systems.proving_until)
  OR EXISTS (SELECT 1 FROM cursors c WHERE c.system_id = systems.system_id AND c.leased_by = :worker
    AND c.leased_until >= systems.proving_until))"""


def arrive(db: Connection, *, host: str, pid: int, command: str, now: int, landscape_id: int | None = None) -> int:
    """The id of a worker that starts now, with this version of erpsync, on this landscape."""
    row = db.execute(
        "INSERT INTO workers (host, pid, command, started_at, seen_at, version, landscape_id) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "RETURNING worker_id",
        (host, pid, command, now, now, erpsync.__version__, landscape_id),
    ).fetchone()
    return int(row[0])


def beat(db: Connection, worker_id: int, *, now: int) -> str | None:
    """It is still there; returns who asked it to stop, if anybody did."""
    row = db.execute(
        "UPDATE workers SET seen_at = ? WHERE worker_id = ? RETURNING stop_asked_by", (now, worker_id)
    ).fetchone()
    return row[0] if row else None


def ask_to_stop(db: Connection, worker_id: int, *, by: str) -> bool:
    """Ask a worker to bring what is in flight to its end and stop, at its next beat; False when it has left."""
    asked = "UPDATE workers SET stop_asked_by = ? WHERE worker_id = ? AND stopped_at IS NULL"
    return db.execute(asked, (by, worker_id)).rowcount == 1


def leave(db: Connection, worker_id: int, *, now: int) -> None:
    """It stopped of its own will; what a failing store kept it from finishing ends as it does for one that died."""
    beat(db, worker_id, now=now)
    bury(db, worker_id, now=now)


def alive(db: Connection, *, now: int) -> int:
    """How many workers were seen within half a minute and have not left."""
    row = db.execute(
        "SELECT count(*) FROM workers WHERE stopped_at IS NULL AND seen_at > ?", (now - ALIVE_MS,)
    ).fetchone()
    return int(row[0])


def of_host(db: Connection, host: str) -> list[tuple[int, int]]:
    """(worker id, process id) of the workers of a machine that have not said they left."""
    rows = db.execute("SELECT worker_id, pid FROM workers WHERE host = ? AND stopped_at IS NULL", (host,))
    return [(int(worker_id), int(pid)) for worker_id, pid in rows]


def bury(db: Connection, worker_id: int, *, now: int) -> int:
    """A worker that is gone: its leases, of messages, pulls and first calls, end now; returns how many messages.

    It can neither send nor finish anything any more, so what it had begun is decided as for any expired lease.
    """
    db.execute("UPDATE workers SET stopped_at = ? WHERE worker_id = ? AND stopped_at IS NULL", (now, worker_id))
    db.execute(
        f"UPDATE systems SET proving_until = 0 WHERE proven = 0 AND {_ITS_FIRST_CALL}",
        {"worker": worker_id},
    )
    db.execute("UPDATE cursors SET leased_until = 0, leased_by = NULL WHERE leased_by = ?", (worker_id,))
    return db.execute(  # before all that waits: what it had begun is to be settled now
        "UPDATE messages SET due_at = 0 WHERE state = 'leased' AND leased_by = ? AND due_at > 0", (worker_id,)
    ).rowcount


def elsewhere(db: Connection, worker_id: int, targets: Collection[int], *, now: int) -> Elsewhere | None:
    """What other workers than this one have in their hands for these targets; None when they have nothing."""
    wanted = json.dumps(list(targets))
    count, until, silent = db.execute(
        "SELECT count(*), max(m.due_at), min(ifnull(w.stopped_at IS NOT NULL OR w.seen_at <= ?, 1)) FROM messages m "
        "LEFT JOIN workers w ON w.worker_id = m.leased_by WHERE m.state = 'leased' AND m.due_at > ? "
        "AND m.leased_by IS NOT ? AND m.target_id IN (SELECT value FROM json_each(?))",
        (now - _SILENT_MS, now, worker_id, wanted),
    ).fetchone()
    calls = db.execute(
        f"SELECT name, proving_until FROM systems WHERE proven = 0 AND proving_until > :now AND NOT {_ITS_FIRST_CALL} "
        "AND system_id IN (SELECT value FROM json_each(:targets)) ORDER BY name",
        {"now": now, "worker": worker_id, "targets": wanted},
    ).fetchall()
    if not count and not calls:
        return None
    last = max([until or 0, *(proving_until for _, proving_until in calls)])
    return Elsewhere(int(count), tuple(name for name, _ in calls), moment(last), silent=bool(count and silent))
