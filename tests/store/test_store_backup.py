"""Backups: a copy of one moment, made while others write, whole and checked or not there at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from night_store import NIGHT, make_night

from erpsync.errors import ErpsyncError, NotWritten, StoreDamaged, UsageError
from erpsync.store import payloads
from erpsync.store.backup import PART, Copy, back_up
from erpsync.store.checking import verify
from erpsync.store.connection import open_reader
from erpsync.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the store of the night, closed."""
    store, _ = make_night(tmp_path)
    store.close()
    return tmp_path


def no_telling(_what: str, _done: int, _of: int) -> None:
    """Nobody looks on."""


def copy_to(folder: Path, name: str, tell: object = no_telling) -> Copy:
    with Store.open(folder / "erpsync.db", now=NIGHT, write=False) as store:
        return back_up(store, folder / name, now=lambda: NIGHT, tell=tell)  # type: ignore[arg-type]


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def problems(file: Path) -> list[str]:
    with closing(open_reader(file)) as db:
        return [problem.text for problem in verify(db)]


def refused(folder: Path, name: str, error: type[ErpsyncError] = UsageError) -> ErpsyncError:
    """Why a backup is refused; nothing is made, nothing is changed."""
    before = names(folder)
    with pytest.raises(error) as caught:
        copy_to(folder, name)
    assert names(folder) - {"erpsync.db-wal", "erpsync.db-shm"} == before - {"erpsync.db-wal", "erpsync.db-shm"}
    return caught.value


def test_a_copy_is_whole_and_its_owners_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        copy = copy_to(folder, "copy.db")
    finally:
        os.umask(before)
    assert copy.file == folder / "copy.db"
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600
    assert copy.size == copy.file.stat().st_size
    assert (copy.at, copy.events) == (NIGHT, 3)
    assert problems(copy.file) == []
    assert not any(name.endswith(PART) for name in names(folder))
    with closing(open_reader(copy.file)) as db:
        counted = db.execute("SELECT count(*), sum(state NOT IN ('done', 'skipped')) FROM messages").fetchone()
    assert (copy.messages, copy.unfinished) == tuple(counted)


def test_it_is_of_one_moment_though_others_write_all_the_while(folder: Path) -> None:
    """Two numbers that are only ever changed together, by another process's connection, are the same in the copy."""
    path, over, written = folder / "erpsync.db", threading.Event(), threading.Event()

    def work() -> None:
        with Store.open(path, now=NIGHT) as other:
            while not over.is_set():
                other.writer.call(
                    lambda db: db.execute("UPDATE systems SET failures = failures + 1 WHERE name IN ('erp', 'shop')")
                )
                written.set()

    with Store.open(path, now=NIGHT) as store:
        store.writer.call(lambda db: db.execute("UPDATE systems SET failures = 0"))
        store.writer.call(
            lambda db: db.executemany(
                "INSERT INTO payloads (hash, content) VALUES (x'00', zeroblob(1000000))", [()] * 30
            )
        )
    worker = threading.Thread(target=work)
    worker.start()
    pieces: list[int] = []

    def tell(what: str, done: int, _of: int) -> None:
        if what == "copying":
            pieces.append(done)
            written.clear()
            written.wait(5)  # something is committed between any two pieces

    try:
        assert written.wait(10)
        copy = copy_to(folder, "copy.db", tell)
    finally:
        over.set()
        worker.join()
    assert len(pieces) > 10
    with closing(open_reader(copy.file)) as db:
        erp, shop = (row[0] for row in db.execute("SELECT failures FROM systems WHERE name IN ('erp', 'shop')"))
        assert erp == shop
        assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
    with closing(open_reader(path)) as db:
        assert db.execute("SELECT max(failures) FROM systems").fetchone()[0] > erp + 10


def test_a_file_that_is_there_is_never_written_over(folder: Path) -> None:
    (folder / "copy.db").write_text("the last good one", encoding="utf-8")
    error = refused(folder, "copy.db")
    assert error.message == "backup copy.db exists already, and is not written over"
    assert (folder / "copy.db").read_text(encoding="utf-8") == "the last good one"
    (folder / "link.db").symlink_to(folder / "nowhere.db")
    assert "exists already" in refused(folder, "link.db").message


@pytest.mark.parametrize("links", [True, False])
def test_one_that_came_there_meanwhile_stays_too(folder: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(_from: Path, _to: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)

    def tell(_what: str, _done: int, _of: int) -> None:
        (folder / "copy.db").write_text("quicker", encoding="utf-8")

    with pytest.raises(UsageError, match=r"backup copy.db exists by now, and is not written over"):
        copy_to(folder, "copy.db", tell)
    assert (folder / "copy.db").read_text(encoding="utf-8") == "quicker"
    assert "copy.db.part" not in names(folder)


def test_a_log_left_beside_its_name_would_be_taken_for_the_copys_own(folder: Path) -> None:
    (folder / "copy.db-wal").write_bytes(b"of another one")
    assert "backup copy.db-wal exists already" in refused(folder, "copy.db").message


@pytest.mark.parametrize("end", ["", "-wal", "-shm", ".epoch", "-words"])
def test_the_store_itself_is_no_place_for_its_copy(folder: Path, end: str) -> None:
    assert "would be the store itself" in refused(folder, f"erpsync.db{end}").message


def test_nor_is_another_name_of_it(folder: Path) -> None:
    (folder / "other.db").symlink_to(folder / "erpsync.db")
    (folder / "hard.db").hardlink_to(folder / "erpsync.db")
    for name in ("other.db", "hard.db"):
        assert "would be the store itself" in refused(folder, name).message


def test_nor_is_a_store_called_like_an_unfinished_copy_begun_anew(tmp_path: Path) -> None:
    store = tmp_path / "copy.db.part"
    Store.create(store, now=NIGHT).close()
    before = store.read_bytes()
    with (
        Store.open(store, now=NIGHT, write=False) as opened,
        pytest.raises(UsageError, match="would be the store itself"),
    ):
        back_up(opened, tmp_path / "copy.db", now=lambda: NIGHT, tell=no_telling)
    assert store.read_bytes() == before


def test_a_folder_that_is_not_there_and_one_in_the_files_place_are_said(folder: Path) -> None:
    error = refused(folder, "away/copy.db")
    assert error.message == f"backup copy.db cannot be made: folder {folder / 'away'} does not exist"
    (folder / "backups").mkdir()
    assert refused(folder, "backups").message == f"backup {folder / 'backups'} is a folder"


def test_what_the_file_system_refuses_is_said(folder: Path) -> None:
    for name in ("x" * 300, "x" * 254, "erpsync.toml/copy.db"):
        assert refused(folder, name, ErpsyncError).exit_code in (1, 2)


def test_what_a_killed_one_left_is_taken_over(folder: Path) -> None:
    (folder / "copy.db.part").write_bytes(bytes(5_000_000))
    (folder / "copy.db.part").chmod(0o644)
    copy = copy_to(folder, "copy.db")
    assert problems(copy.file) == []
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600
    assert "copy.db.part" not in names(folder)


def test_two_at_once_do_not_write_into_one_file(folder: Path) -> None:
    part = folder / "copy.db.part"
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match=r"backup copy.db is being made by another process"):
            copy_to(folder, "copy.db")
        assert part.exists()


def test_one_that_another_process_finished_just_then_is_not_begun_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, lock = folder / "copy.db.part", fcntl.flock
    part.write_bytes(b"whole, by another process")

    def finished_first(file: int, how: int) -> None:
        if part.exists() and os.path.samestat(part.stat(), os.fstat(file)):
            (folder / "copy.db").hardlink_to(part)
            part.unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", finished_first)
    with pytest.raises(UsageError, match=r"backup copy.db is being made by another process"):
        copy_to(folder, "copy.db")
    assert (folder / "copy.db").read_bytes() == b"whole, by another process"


@pytest.mark.parametrize("when", ["copying", "checking the copy"])
def test_one_that_is_stopped_leaves_nothing(folder: Path, when: str) -> None:
    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        rows = [("x" * 500, n) for n in range(1, 20_001)]
        store.writer.call(
            lambda db: db.executemany("INSERT INTO landscapes (digest, content, seen_at) VALUES (?2, ?1, 0)", rows)
        )

    def tell(what: str, _done: int, _of: int) -> None:
        if what == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_to(folder, "copy.db", tell)
    assert not [name for name in names(folder) if name.startswith("copy.db")]


def test_a_disk_without_room_is_told_before_anything_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)._replace(free=50_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    error = refused(folder, "copy.db", NotWritten)
    assert "needs" in error.message
    assert "its disk has 50,000, which the store shares" in error.message
    assert error.exit_code == 1


def test_a_disk_that_fills_up_meanwhile_is_told_in_one_line_and_nothing_is_left(folder: Path) -> None:
    """A limit on file sizes stands for the full disk: the same answer from the file system, at the same place."""
    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        store.writer.call(lambda db: payloads.put(db, bytes(30_000_000)))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000));"
        "from erpsync.cli.main import main; sys.exit(main(['--read-only', 'store', 'backup', 'copy.db']))"
    )
    secrets = {f"{system}_TOKEN": "x" for system in ("ERP", "SHOP", "WMS")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | secrets, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: backup copy.db cannot be written: its disk is full, or a limit is reached; nothing was left of it",
        "hint: make room, or name a file on another disk",
    ]
    assert not [name for name in names(folder) if name.startswith("copy.db")]
    assert problems(folder / "erpsync.db") == []


def test_of_a_damaged_store_there_is_no_good_copy(folder: Path) -> None:
    path = folder / "erpsync.db"
    with path.open("r+b") as file:
        file.seek(2048 * (path.stat().st_size // 2048 // 2))
        file.write(b"\x99" * 2048)
    error = refused(folder, "copy.db", StoreDamaged)
    assert error.message.startswith("store erpsync.db is damaged, its copy is not whole: ")
    assert error.hint == "erpsync store verify says more"


def test_a_copy_in_the_stores_place_is_known_for_one(folder: Path) -> None:
    copy = copy_to(folder, "copy.db")
    path = folder / "erpsync.db"
    with Store.open(path, now=NIGHT) as store:
        assert store.epoch == 1
    shutil.copy(copy.file, path)
    with Store.open(path, now=NIGHT + timedelta(hours=1)) as store:
        assert store.epoch == 2
