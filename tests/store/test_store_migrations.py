"""Migrations: the old schema or the new one, whenever the process dies."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from erpsync.errors import StoreError
from erpsync.store import migrations, schema
from erpsync.store.connection import APPLICATION_ID, DatabaseError, open_reader, open_writer
from erpsync.store.migrations import SCHEMA_VERSION, Migration, migrate, schema_of
from erpsync.store.store import Store
from erpsync.store.store import migrate as migrate_file

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)

# Dies by SIGKILL just before the statement of that number; prints nothing when it lived.
_DIES = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store import migrations
from erpsync.store.connection import open_writer
path, last, second = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "second"
if second:
    migrations.MIGRATIONS.append(migrations.Migration("second", [
        "CREATE TABLE bins (bin_id INTEGER PRIMARY KEY) STRICT",
        "ALTER TABLE flows ADD COLUMN weight INTEGER NOT NULL DEFAULT 1",
        "INSERT INTO bins SELECT flow_id FROM flows",
    ]))
    migrations.SCHEMA_VERSION = 2
db, seen = open_writer(path), 0
def count(_):
    global seen
    seen += 1
    if seen == last:
        os.kill(os.getpid(), signal.SIGKILL)
db.set_trace_callback(count)
migrations.migrate(db, now=datetime(2026, 10, 15, 12, tzinfo=UTC))
db.set_trace_callback(None)
print("lived", seen)
db.close()
"""


def dies_at(path: Path, statement: int, *, which: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", _DIES, str(path), str(statement), which], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    return run.stdout


def tables(path: Path) -> tuple[int, set[str], list[str]]:
    with closing(open_reader(path)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        columns = [row["name"] for row in db.execute("SELECT name FROM pragma_table_info('flows')")]
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return schema_of(db), names, columns


def test_killed_at_any_statement_a_new_store_is_empty_or_whole(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    statements = int(dies_at(whole, 10_000, which="first").split()[1])
    assert statements > len(schema.FIRST)
    made = tables(whole)
    # Every fifth, and each of the last ones, where it is committed.
    for statement in sorted({*range(1, statements, 5), *range(statements - 5, statements + 1)}):
        path = tmp_path / f"{statement}.db"
        assert dies_at(path, statement, which="first") == ""
        assert tables(path)[:2] == (0, set())
        with pytest.raises(StoreError, match="is empty"):
            Store.open(path, now=NOON)
        with Store.open_or_create(path, now=NOON) as store:
            assert store.epoch == 1
        assert tables(path) == made


def test_killed_at_any_statement_a_store_keeps_the_old_schema_and_a_second_go_ends_it(tmp_path: Path) -> None:
    with Store.create(tmp_path / "old.db", now=NOON) as store:
        store.writer.call(lambda db: db.execute("INSERT INTO flows (name) VALUES ('prices')"))
    old = tables(store.path)
    content = store.path.read_bytes()
    statement, outcomes = 0, []
    while True:
        statement += 1
        path = tmp_path / f"{statement}.db"
        path.write_bytes(content)
        said = dies_at(path, statement, which="second")
        outcomes.append(said)
        if said:
            break
        assert tables(path) == old
        assert dies_at(path, 10_000, which="second").startswith("lived")
        version, names, columns = tables(path)
        assert (version, "bins" in names, "weight" in columns) == (2, True, True)
    assert len(outcomes) > 6
    assert tables(path)[0] == 2


def test_a_migration_that_fails_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Migration("second", ["CREATE TABLE bins (bin_id INTEGER PRIMARY KEY) STRICT", "CREATE TABLE flows (a)"])
    store.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, bad])
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 2)
    with closing(open_writer(store.path)) as db:
        with pytest.raises(DatabaseError):
            migrate(db, now=NOON)
        assert not db.in_transaction
        assert schema_of(db) == 1
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'bins'").fetchone()[0] == 0


def test_an_older_store_is_migrated_when_told_to_and_not_by_the_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    second = Migration("second", ["CREATE TABLE bins (bin_id INTEGER PRIMARY KEY) STRICT"])
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, second])
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 2)
    for write in (True, False):
        with pytest.raises(StoreError, match=r"store erpsync\.db has schema 1, this erpsync needs 2") as caught:
            Store.open(store.path, now=NOON, write=write)
        assert "erpsync store migrate" in caught.value.hint
    assert migrate_file(store.path, now=NOON) == (1, 2)
    assert migrate_file(store.path, now=NOON) == (2, 2)
    with Store.open(store.path, now=NOON) as again:
        assert again.epoch == 1


def test_a_store_is_marked_as_ours_with_its_schema(store: Store) -> None:
    with store.read() as db:
        assert schema_of(db) == SCHEMA_VERSION
        assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
