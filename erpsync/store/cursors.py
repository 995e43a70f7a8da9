"""Where reading each system stands. A pull is leased like a message; its cursor moves by compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass

from erpsync.store.connection import Connection


@dataclass(frozen=True)
class Pull:
    """A leased pull: only the holder of this version may move the cursor."""

    company_id: int
    system_id: int
    kind: str
    cursor: str
    version: int
    full: bool


def ensure(db: Connection, company_id: int, system_id: int, kind: str, *, full_due_at: int) -> None:
    """Make sure there is a cursor for this."""
    db.execute(
        "INSERT OR IGNORE INTO cursors (company_id, system_id, kind, full_due_at) VALUES (?, ?, ?, ?)",
        (company_id, system_id, kind, full_due_at),
    )


def lease(
    db: Connection,
    company_id: int,
    system_id: int,
    kind: str,
    *,
    worker_id: int,
    now: int,
    until: int,
    force: bool,
    full: bool,
) -> Pull | None:
    """The pull, when it is due (or ``force``) and nobody else has it; ``full`` asks for a whole scan."""
    row = db.execute(
        "SELECT cursor, version, leased_until, due_at, full_due_at FROM cursors WHERE company_id = ? AND system_id = ? AND kind = ?",
        (company_id, system_id, kind),
    ).fetchone()
    if row is None or now < row[2] <= now + (until - now) or (row[3] > now and not force and row[4] > now):
        return None
    db.execute(
        "UPDATE cursors SET version = version + 1, leased_by = ?, leased_until = ? WHERE company_id = ? AND system_id = ? AND kind = ?",
        (worker_id, until, company_id, system_id, kind),
    )
    return Pull(company_id, system_id, kind, row[0], row[1] + 1, full or row[4] <= now)


def move(db: Connection, pull: Pull, *, cursor: str, until: int) -> bool:
    """Move the cursor with the page that was just logged; False when the pull is not ours any more."""
    return (
        db.execute(
            "UPDATE cursors SET cursor = ?, leased_until = ? WHERE company_id = ? AND system_id = ? AND kind = ? AND version = ?",
            (cursor, until, pull.company_id, pull.system_id, pull.kind, pull.version),
        ).rowcount
        == 1
    )


def give_back(db: Connection, pull: Pull) -> None:
    """Somebody else may read on from where it stands; it is due when it was."""
    db.execute(
        "UPDATE cursors SET leased_until = 0, leased_by = NULL WHERE company_id = ? AND system_id = ? AND kind = ? AND version = ?",
        (pull.company_id, pull.system_id, pull.kind, pull.version),
    )


def end(
    db: Connection, pull: Pull, *, now: int, due_at: int, full_due_at: int | None, error: str = "", failed: bool = False
) -> None:
    """Give the pull back: read through to now, or failed with an error."""
    db.execute(
        "UPDATE cursors SET leased_until = 0, leased_by = NULL, due_at = ?, full_due_at = COALESCE(?, full_due_at), "
        "failures = CASE WHEN ? THEN failures + 1 ELSE 0 END, last_error = ?, read_at = CASE WHEN ? THEN read_at ELSE ? END, "
        "full_read_at = CASE WHEN ? IS NULL THEN full_read_at ELSE ? END "
        "WHERE company_id = ? AND system_id = ? AND kind = ? AND version = ?",
        (
            *(due_at, full_due_at, failed, error, failed, now, full_due_at, now),
            *(pull.company_id, pull.system_id, pull.kind, pull.version),
        ),
    )


def state(db: Connection, company_id: int, system_id: int, kind: str) -> tuple[int, int, int, int] | None:
    """(due_at, full_due_at, leased_until, failures) of a cursor, all in milliseconds but the last."""
    row = db.execute(
        "SELECT due_at, full_due_at, leased_until, failures FROM cursors WHERE company_id = ? AND system_id = ? AND kind = ?",
        (company_id, system_id, kind),
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]), int(row[2]), int(row[3]))


def current(db: Connection, pull: Pull) -> str:
    """Where the cursor stands now."""
    row = db.execute(
        "SELECT cursor FROM cursors WHERE company_id = ? AND system_id = ? AND kind = ?",
        (pull.company_id, pull.system_id, pull.kind),
    ).fetchone()
    return str(row[0])


def was_read(db: Connection, company_id: int, system_id: int, kind: str) -> bool:
    """Whether a system has been read to its end for a kind, at least once."""
    row = db.execute(
        "SELECT read_at FROM cursors WHERE company_id = ? AND system_id = ? AND kind = ?", (company_id, system_id, kind)
    ).fetchone()
    return row is not None and row[0] is not None
