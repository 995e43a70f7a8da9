"""Workers in the store: who runs, and when each was last seen."""

from __future__ import annotations

from erpsync.store.connection import Connection

ALIVE_MS = 30_000


def arrive(db: Connection, *, host: str, pid: int, command: str, now: int) -> int:
    """The id of a worker that starts now."""
    row = db.execute(
        "INSERT INTO workers (host, pid, command, started_at, seen_at) VALUES (?, ?, ?, ?, ?) RETURNING worker_id",
        (host, pid, command, now, now),
    ).fetchone()
    return int(row[0])


def beat(db: Connection, worker_id: int, *, now: int) -> None:
    """It is still there."""
    db.execute("UPDATE workers SET seen_at = ? WHERE worker_id = ?", (now, worker_id))


def leave(db: Connection, worker_id: int, *, now: int) -> None:
    """It stopped of its own will."""
    db.execute("UPDATE workers SET seen_at = ?, stopped_at = ? WHERE worker_id = ?", (now, now, worker_id))


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
    """A worker whose process is gone: its leases, of messages and pulls, end now; returns how many messages.

    It can neither send nor finish anything any more, so what it had begun is decided as for any expired lease.
    """
    db.execute("UPDATE workers SET stopped_at = ? WHERE worker_id = ? AND stopped_at IS NULL", (now, worker_id))
    db.execute("UPDATE cursors SET leased_until = 0, leased_by = NULL WHERE leased_by = ?", (worker_id,))
    return db.execute(  # before all that waits: what it had begun is to be settled now
        "UPDATE messages SET due_at = 0 WHERE state = 'leased' AND leased_by = ? AND due_at > 0", (worker_id,)
    ).rowcount
