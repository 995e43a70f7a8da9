"""Opening files: who may, with which settings, and what is said when it cannot be."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pytest

import erpsync
from erpsync.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew
from erpsync.store import identity
from erpsync.store.connection import (
    OperationalError,
    begin_immediate,
    moment,
    ms,
    open_reader,
    open_writer,
    sqlite_is_sound,
    translated,
    unsound_advice,
)
from erpsync.store.store import Store

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
shares = pytest.mark.skipif(
    not sqlite_is_sound(), reason="this SQLite lets one process write only: pip install pysqlite3"
)


def test_only_the_connection_module_imports_an_sqlite_library() -> None:
    imports = re.compile(r"^\s*(?:import|from)\s+(?:py)?sqlite3\b", re.MULTILINE)
    files = Path(erpsync.__file__).parent.rglob("*.py")
    assert [file.name for file in files if imports.search(file.read_text())] == ["connection.py"]


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
        ((4, 0, 0), True),
    ],
)
def test_only_mended_sqlite_versions_may_share_a_store(version: tuple[int, ...], sound: bool) -> None:
    assert sqlite_is_sound(version) is sound
    assert ("pysqlite3>=0.6.1" in unsound_advice(version)) is not sound


def test_moments_are_kept_to_the_millisecond_whatever_their_zone() -> None:
    summer = datetime(2026, 7, 1, 14, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    assert moment(ms(summer)) == datetime(2026, 7, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    with pytest.raises(TypeError):
        ms(datetime(2026, 7, 1, 14, 0))  # noqa: DTZ001  (a moment without a zone is what is refused)


def test_a_writer_waits_for_the_disk_and_a_reader_cannot_write(store: Store) -> None:
    with closing(open_writer(store.path)) as db:
        settings = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "page_size", "busy_timeout")
        }
        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "trusted_schema": 0,
            "page_size": 2048,
            "busy_timeout": 0,
        }
        kept = db.execute("PRAGMA wal_autocheckpoint").fetchone()[0] * settings["page_size"]
        assert 16 * 2**20 <= kept <= 64 * 2**20, "the -wal file stays small, and is not emptied all the time"
    with closing(open_reader(store.path)) as db:
        with pytest.raises(OperationalError):
            db.execute("INSERT INTO flows (name) VALUES ('prices')")
        db.execute("PRAGMA query_only = OFF")
        with pytest.raises(OperationalError):
            db.execute("INSERT INTO flows (name) VALUES ('prices')")


def test_every_file_of_a_store_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store.create(tmp_path / "erpsync.db", now=NOON) as store:
            store.writer.call(lambda db: db.execute("INSERT INTO flows (name) VALUES ('prices')"))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("erpsync.db", "erpsync.db-wal", "erpsync.db-shm", "erpsync.db.epoch"), 0o600)


def test_a_path_with_odd_characters_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=ro#%41 ü.db"
    with Store.create(path, now=NOON) as store:
        store.writer.call(lambda db: db.execute("INSERT INTO flows (name) VALUES ('prices')"))
    with Store.open(path, now=NOON, write=False) as store, store.read() as db:
        assert db.execute("SELECT name FROM flows").fetchone()["name"] == "prices"


@pytest.mark.parametrize("write", [True, False])
def test_a_folder_as_store_is_named_as_one(tmp_path: Path, write: bool) -> None:
    with pytest.raises(StoreError, match="is a folder") as caught:
        Store.open(tmp_path, now=NOON, write=write)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("content", [b"hello", b"name = 'acme'\n" * 900])
def test_a_text_file_as_store_is_refused_and_left_as_it_was(tmp_path: Path, content: bytes, write: bool) -> None:
    path = tmp_path / "erpsync.toml"
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="is not an erpsync store"):
        Store.open(path, now=NOON, write=write)
    with pytest.raises(StoreDamaged, match="is not an erpsync store"):
        Store.open_or_create(path, now=NOON)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["erpsync.toml"]


def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    script = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('CREATE TABLE t (a)'); d.commit(); d.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    before = path.read_bytes()
    for attempt in (Store.open, Store.open_or_create):
        with pytest.raises(StoreDamaged, match=r"other\.db is not an erpsync store"):
            attempt(path, now=NOON)
    assert path.read_bytes() == before


def test_a_store_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    for write in (True, False):
        with pytest.raises(StoreError, match=r"store erpsync\.db does not exist") as caught:
            Store.open(tmp_path / "erpsync.db", now=NOON, write=write)
        assert "erpsync init" in caught.value.hint
    with pytest.raises(StoreError, match=r"folder .* does not exist"):
        Store.create(tmp_path / "nowhere" / "erpsync.db", now=NOON)
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_erpsync_is_left_alone(store: Store) -> None:
    store.writer.call(lambda db: db.execute("PRAGMA user_version = 14"))
    store.close()
    for write in (True, False):
        with pytest.raises(StoreTooNew, match=r"store erpsync\.db has schema 14, this erpsync knows 1$") as caught:
            Store.open(store.path, now=NOON, write=write)
        assert caught.value.hint == "install a newer erpsync; nothing was changed"


_HOLDS = """
import sys
from contextlib import closing
from pathlib import Path
from erpsync.store.connection import open_writer
with closing(open_writer(Path(sys.argv[1]))) as db:
    db.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    db.execute("ROLLBACK")
"""


def test_a_locked_store_is_named_with_the_process_that_holds_it(store: Store) -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", _HOLDS, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
        closing(open_writer(store.path)) as db,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match=r"store erpsync\.db is locked") as caught:
            begin_immediate(db, deadline_seconds=0.05, rng=Random(1))
        if Path("/proc/locks").exists():
            assert f"process {holder.pid}" in caught.value.message
        with store.read() as reader:
            assert reader.execute("SELECT count(*) FROM meta").fetchone()[0] > 0
        holder.communicate("go\n")
        begin_immediate(db, deadline_seconds=5, rng=Random(1))
        db.execute("ROLLBACK")


@shares
def test_an_unsound_sqlite_lets_one_process_write_and_says_how_to_mend_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "sqlite_is_sound", lambda: False)
    with pytest.raises(StoreLocked, match="open for writing in another process") as caught:
        Store.open(store.path, now=NOON)
    assert "pysqlite3>=0.6.1" in caught.value.hint
    store.close()
    with Store.open(store.path, now=NOON):
        monkeypatch.undo()
        with pytest.raises(StoreLocked, match="open for writing in another process") as caught:
            Store.open(store.path, now=NOON)
        assert "unsound" in caught.value.hint
        with Store.open(store.path, now=NOON, write=False) as looking, looking.read() as db:
            assert db.execute("SELECT count(*) FROM meta").fetchone()[0] > 0


def test_what_sqlite_says_becomes_one_line_with_a_hint(tmp_path: Path) -> None:
    error = OperationalError("disk I/O\nerror")
    said = translated(error, tmp_path / "erpsync.db")
    assert said.message == "store erpsync.db cannot be used: disk I/O error"
    assert said.hint
