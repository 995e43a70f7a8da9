"""What a store says about itself: how large, since when, of which schema and epoch, and how it was last looked after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from erpsync.store import identity, migrations
from erpsync.store.connection import SQLITE_VERSION, Connection, moment, sqlite_is_sound, unsound_advice
from erpsync.store.pruning import free_bytes
from erpsync.store.schema import place


def info(db: Connection, path: Path) -> dict[str, Any]:
    """What there is: sizes in bytes, moments as datetimes, ``tables`` with their numbers of rows.

    ``reusable`` bytes of the file hold nothing; ``last_backup`` and ``last_prune`` are what the audit log has, else None.
    """
    found = identity.read_identity(db)
    created = db.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'created_at'").fetchone()
    oldest_open = db.execute(
        f"SELECT min(accepted_at) FROM messages INDEXED BY messages_lane WHERE {place()} = 1"
    ).fetchone()
    return {
        "path": str(path),
        "size": _size(path),
        "wal_size": _size(Path(f"{path}-wal")),
        "reusable": free_bytes(db),
        "free_pages": _scalar(db, "PRAGMA freelist_count"),
        "page_size": _scalar(db, "PRAGMA page_size"),
        "disk_free": shutil.disk_usage(path.parent).free,
        "mode": f"{path.stat().st_mode & 0o777:04o}",
        "schema": migrations.schema_of(db),
        "schema_known": migrations.SCHEMA_VERSION,
        "store_id": found.store_id if found else "",
        "epoch": found.epoch if found else 0,
        "created_at": moment(created[0]) if created else None,
        "restored_at": moment(found.restored_at) if found and found.restored_at else None,
        "sqlite": ".".join(map(str, SQLITE_VERSION)),
        "sqlite_sound": sqlite_is_sound(),
        "advice": unsound_advice(),
        "last_backup": last_backup(db),
        "last_prune": _last(db, found, "store.prune"),
        "tables": {name: _scalar(db, f'SELECT count(*) FROM "{name}"') for name in _tables(db)},
        "oldest_event": _moment_of(db, "SELECT received_at FROM events ORDER BY event_id LIMIT 1"),
        "newest_event": _moment_of(db, "SELECT received_at FROM events ORDER BY event_id DESC LIMIT 1"),
        "oldest_message": _moment_of(db, "SELECT accepted_at FROM messages ORDER BY message_id LIMIT 1"),
        "oldest_open": moment(oldest_open[0]) if oldest_open[0] is not None else None,
    }


def last_backup(db: Connection) -> dict[str, Any] | None:
    """When and where this store was last backed up (``at``, ``file``, ``size``); None where that is not on record."""
    return _last(db, identity.read_identity(db), "store.backup")


def _last(db: Connection, found: identity.Identity | None, what: str) -> dict[str, Any] | None:
    """The last act of its kind on this store, with what it noted; moments (``at``, ``before``) as datetimes."""
    if found is None:
        return None
    row = db.execute(
        "SELECT seq, at, actor, content FROM audit LEFT JOIN payloads ON payload_id = after_id "
        "WHERE subject = ? AND chain = 'main' AND what = ? ORDER BY seq DESC LIMIT 1",
        (f"store:{found.store_id}", what),
    ).fetchone()
    if row is None:
        return None
    noted = json.loads(row[3]) if row[3] else {}
    moments = {name: moment(noted[name]) for name in ("at", "before") if name in noted}
    return {"at": moment(row[1]), **noted, **moments, "act": f"A-{row[0]}", "actor": row[2]}


def _tables(db: Connection) -> list[str]:
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    return [str(name) for (name,) in rows]


def _scalar(db: Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])


def _moment_of(db: Connection, sql: str) -> object:
    row = db.execute(sql).fetchone()
    return moment(row[0]) if row else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
