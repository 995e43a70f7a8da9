"""How a store's tables come to be and change. Rule: all that is due happens in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from erpsync.errors import StoreTooNew
from erpsync.store import schema
from erpsync.store.connection import APPLICATION_ID, Connection, begin_immediate, ms, path_of


@dataclass(frozen=True, slots=True)
class Migration:
    """Statements that bring a store from one schema to the next; each is executed by itself, in order."""

    name: str
    statements: Sequence[str]


MIGRATIONS: list[Migration] = [Migration("first", schema.FIRST)]
SCHEMA_VERSION = len(MIGRATIONS)


def schema_of(db: Connection) -> int:
    """How many migrations the store has had; 0 is an empty file."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def refuse_newer(db: Connection) -> None:
    """Raises StoreTooNew when a newer erpsync made this store."""
    if (version := schema_of(db)) > SCHEMA_VERSION:
        raise StoreTooNew(
            f"store {path_of(db).name} has schema {version}, this erpsync knows {SCHEMA_VERSION}",
            hint="install a newer erpsync; nothing was changed",
        )


def migrate(db: Connection, *, now: datetime) -> int:
    """Bring the store to ``SCHEMA_VERSION``; returns how many migrations that took (0: it was there already).

    Raises StoreTooNew, StoreLocked. A crash at any moment leaves the old schema or the new one.
    """
    from random import Random  # noqa: PLC0415  (commands that only look must not pay for it)

    begin_immediate(db, rng=Random())
    try:
        refuse_newer(db)
        due = MIGRATIONS[schema_of(db) : SCHEMA_VERSION]
        for migration in due:
            for statement in migration.statements:
                db.execute(statement)
        if due:
            db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('migrated_at', ?)", (str(ms(now)),))
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return len(due)
