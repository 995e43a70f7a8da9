"""A backup found in a store's place gets a new epoch before anything is sent; the store itself never does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from erpsync.errors import ReadOnly, StoreError
from erpsync.store import payloads
from erpsync.store.connection import Connection, open_writer, sqlite_is_sound
from erpsync.store.store import Store

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=3)
shares = pytest.mark.skipif(
    not sqlite_is_sound(), reason="this SQLite lets one process write only: pip install pysqlite3"
)


def work(store: Store, what: str = "something happened") -> None:
    """Something of the kind that moves a store on: an audited act."""
    from erpsync.store import audit  # noqa: PLC0415

    def act(db: Connection) -> int:
        return audit.append(db, chain="main", company_id=0, at=NOON, actor="mira", what=what, subject="store")

    store.writer.call(act)


def epoch_of(path: Path) -> int:
    with Store.open(path, now=LATER) as store:
        return store.epoch


def copy(path: Path, to: Path) -> Path:
    """A backup as people make them, of a closed store."""
    shutil.copyfile(path, to)
    return to


def test_a_new_store_draws_an_id_and_starts_at_epoch_one(tmp_path: Path) -> None:
    ids = set()
    for n in range(20):
        with Store.create(tmp_path / f"{n}.db", now=NOON) as store:
            assert store.epoch == 1
            assert store.restored_at is None
            assert 4 <= len(store.store_id) <= 6
            assert store.store_id.isalnum()
            ids.add(store.store_id)
    assert len(ids) == 20


def test_a_store_opened_again_keeps_its_epoch(store: Store) -> None:
    work(store)
    store.close()
    for _ in range(5):
        with Store.open(store.path, now=LATER) as again:
            assert (again.store_id, again.epoch, again.restored_at) == (store.store_id, 1, None)
            work(again)


def test_a_backup_copied_back_gets_a_new_epoch_and_says_so_in_the_audit_log(store: Store, tmp_path: Path) -> None:
    work(store)
    store.close()
    backup = copy(store.path, tmp_path / "backup.db")
    with Store.open(store.path, now=NOON) as lost:
        work(lost)
    store.path.unlink()
    shutil.copyfile(backup, store.path)
    with Store.open(store.path, now=LATER) as restored:
        assert (restored.store_id, restored.epoch) == (store.store_id, 2)
        assert restored.restored_at == int(LATER.timestamp() * 1000)
        with restored.read() as db:
            row = db.execute("SELECT * FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
            assert (row["what"], row["subject"]) == ("store.epoch", f"store:{store.store_id}")
            assert (payloads.get(db, row["before_id"]), payloads.get(db, row["after_id"])) == (b"1", b"2")
    assert epoch_of(store.path) == 2


def test_a_backup_written_over_the_same_file_gets_a_new_epoch(store: Store, tmp_path: Path) -> None:
    store.close()
    backup = copy(store.path, tmp_path / "backup.db")
    with Store.open(store.path, now=NOON) as lost:
        work(lost)
    inode = store.path.stat().st_ino
    store.path.write_bytes(backup.read_bytes())
    assert store.path.stat().st_ino == inode
    assert epoch_of(store.path) == 2


def test_a_backup_taken_while_a_worker_runs_is_told_apart_after_its_crash(tmp_path: Path) -> None:
    path = tmp_path / "erpsync.db"
    script = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store import audit
from erpsync.store.store import Store
path, now = Path(sys.argv[1]), datetime(2026, 10, 15, 12, tzinfo=UTC)
store = Store.create(path, now=now)
act = lambda db: audit.append(db, chain="main", company_id=0, at=now, actor="mira", what="act", subject="store")
store.writer.call(act)
print("backup now", flush=True)
sys.stdin.readline()
store.writer.call(act)
os._exit(9)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(tmp_path / "b.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "backup now\n"
        with closing(open_writer(path)) as db:
            db.execute("VACUUM INTO ?", (str(tmp_path / "b.db"),))
        worker.communicate("go\n")
    for leftover in ("-wal", "-shm"):
        Path(f"{path}{leftover}").unlink(missing_ok=True)
    inode = path.stat().st_ino
    path.write_bytes((tmp_path / "b.db").read_bytes())
    assert path.stat().st_ino == inode
    assert epoch_of(path) == 2


def test_a_worker_that_crashes_needs_no_new_epoch(tmp_path: Path) -> None:
    path = tmp_path / "erpsync.db"
    script = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store import audit
from erpsync.store.store import Store
now = datetime(2026, 10, 15, 12, tzinfo=UTC)
store = Store.open_or_create(Path(sys.argv[1]), now=now)
act = lambda db: audit.append(db, chain="main", company_id=0, at=now, actor="mira", what="act", subject="store")
for n in range(20):
    store.writer.submit(act)
store.writer.call(act)
for n in range(20):
    store.writer.submit(act)
os._exit(9)
"""
    for _ in range(5):
        subprocess.run([sys.executable, "-c", script, str(path)], check=False)
        assert epoch_of(path) == 1


def test_a_whole_folder_brought_back_over_itself_gets_a_new_epoch(store: Store, tmp_path: Path) -> None:
    work(store)
    store.close()
    files = {file: file.read_bytes() for file in (store.path, Path(f"{store.path}.epoch"))}
    with Store.open(store.path, now=NOON) as lost:
        work(lost)
    sidecar = Path(f"{store.path}.epoch")
    line = files[sidecar].decode().split()
    # As it would be an hour later: the line is older than the file it stands in.
    line[4] = str(int(line[4]) - 3_600_000_000_000)
    files[sidecar] = " ".join(line).ljust(127).encode() + b"\n"
    for file, content in files.items():
        file.write_bytes(content)
    assert epoch_of(store.path) == 2


def test_each_restore_gets_an_epoch_that_was_never_used(store: Store, tmp_path: Path) -> None:
    store.close()
    backup = copy(store.path, tmp_path / "backup.db")
    seen = [1]
    for _ in range(4):
        with Store.open(store.path, now=NOON) as lost:
            work(lost)
        store.path.unlink()
        shutil.copyfile(backup, store.path)
        seen.append(epoch_of(store.path))
    assert seen == [1, 2, 3, 4, 5]


def test_a_backup_opened_elsewhere_gets_an_epoch_of_its_own(store: Store, tmp_path: Path) -> None:
    store.close()
    (tmp_path / "elsewhere").mkdir()
    moved = copy(store.path, tmp_path / "elsewhere" / "erpsync.db")
    assert epoch_of(moved) > 1
    assert epoch_of(store.path) == 1


def test_a_store_that_is_moved_or_lost_its_sidecar_is_the_same_store(store: Store, tmp_path: Path) -> None:
    work(store)
    store.close()
    moved = store.path.rename(tmp_path / "production.db")
    assert epoch_of(moved) == 1
    Path(f"{moved}.epoch").unlink()
    assert epoch_of(moved) == 1
    assert Path(f"{moved}.epoch").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", [b"", b"\xff\x00 rubbish", b"erpsync-epoch abcde x y z\n"])
def test_a_sidecar_that_cannot_be_read_is_written_anew(store: Store, line: bytes) -> None:
    store.close()
    sidecar = Path(f"{store.path}.epoch")
    sidecar.write_bytes(line)
    assert epoch_of(store.path) == 1
    assert sidecar.read_text().split()[:3] == ["erpsync-epoch", store.store_id, "1"]


@shares
def test_processes_that_open_a_store_at_once_see_one_store_and_one_epoch(tmp_path: Path) -> None:
    path = tmp_path / "erpsync.db"
    script = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store.store import Store
sys.stdin.readline()
for n in range(20):
    with Store.open_or_create(Path(sys.argv[1]), now=datetime(2026, 10, 15, 12, tzinfo=UTC)) as store:
        store.writer.call(lambda db: db.execute("INSERT OR REPLACE INTO meta VALUES ('last', ?)", (str(n),)))
        print(store.store_id, store.epoch)
"""
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    answers = [opener.communicate(timeout=60) for opener in openers]
    assert [error for _, error in answers] == [""] * 3
    lines = [line for out, _ in answers for line in out.splitlines()]
    assert len(lines) == 60
    assert len(set(lines)) == 1
    assert lines[0].endswith(" 1")


def test_a_store_opened_to_read_refuses_changes_and_makes_no_files(store: Store, tmp_path: Path) -> None:
    work(store)
    store.close()
    Path(f"{store.path}.epoch").unlink()
    with Store.open(store.path, now=LATER, write=False) as looking:
        assert (looking.store_id, looking.epoch) == (store.store_id, 1)
        with pytest.raises(ReadOnly):
            _ = looking.writer
    assert not Path(f"{store.path}.epoch").exists()


def test_a_reading_sees_one_moment_and_leaves_nothing_open(store: Store) -> None:
    with store.read() as db:
        before = db.execute("SELECT count(*) FROM flows").fetchone()[0]
        store.writer.call(lambda db: db.execute("INSERT INTO flows (name) VALUES ('prices')"))
        with store.read() as same:
            assert same is db
            assert same.execute("SELECT count(*) FROM flows").fetchone()[0] == before
        assert db.in_transaction
    assert not db.in_transaction
    with store.read() as db:
        assert db.execute("SELECT count(*) FROM flows").fetchone()[0] == before + 1
    with closing(open_writer(store.path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_reading_follows_a_store_that_went_away_and_came_back(store: Store, tmp_path: Path) -> None:
    store.close()
    with Store.open(store.path, now=NOON, write=False) as looking:
        with looking.read() as db:
            assert db.execute("SELECT count(*) FROM flows").fetchone()[0] == 0
        away = store.path.rename(tmp_path / "away.db")
        with pytest.raises(StoreError, match="is gone"), looking.read():
            pass
        backup = copy(away, tmp_path / "backup.db")
        with closing(open_writer(backup)) as db:
            db.execute("INSERT INTO flows (name) VALUES ('prices')")
        backup.rename(store.path)
        with looking.read() as db:
            assert db.execute("SELECT name FROM flows").fetchone()["name"] == "prices"


def test_a_closed_store_is_no_longer_read_or_written(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match="is closed"), store.read():
        pass
    with pytest.raises(StoreError, match="is closed"):
        _ = store.writer


def test_a_store_is_made_once(store: Store) -> None:
    with pytest.raises(StoreError, match="exists already"):
        Store.create(store.path, now=NOON)


def test_a_process_that_stands_still_with_the_epoch_line_in_hand_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "erpsync.db"
    Store.create(path, now=NOON).close()
    held = "f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX)"
    program = f"import fcntl, sys, time; {held}; print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, f"{path}.epoch"], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            with Store.open(path, now=NOON) as store:
                assert store.epoch == 1
                store.writer.call(lambda db: db.execute("INSERT INTO meta (name, value) VALUES ('x', '1')"))
        finally:
            holder.kill()
    with Store.open(path, now=NOON) as store:
        assert store.epoch == 1, "it was only late, and no backup"
