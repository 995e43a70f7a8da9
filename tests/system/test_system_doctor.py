"""``doctor`` over faults that are really there: damage, locks, a full disk, no permission, systems out of reach.

Whatever it meets it answers with every check, within a second or two, and ends with 0 or 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from practice import Practice
from simulation import Simulation

CHECKS = ["python", "sqlite", "store", "disk", "clock", "landscape", "secrets", "workers", "systems", "oldest"]
NOBODY = 65534
_LONGEST_SECONDS = 5.0  # on a machine that does much else; alone it takes less than one


@dataclass
class Office:
    """The landscape that ``init`` writes, synchronised once."""

    folder: Path

    @property
    def store(self) -> Path:
        """Its store."""
        return self.folder / "erpsync.db"

    def run(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """One command."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ERPSYNC_")}
        return subprocess.run(
            [sys.executable, "-m", "erpsync", *words],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
            **more,
        )

    def checks(self, *words: str, **more: Any) -> dict[str, Any]:
        """What each check of ``doctor`` found; held to its promises."""
        begun = time.monotonic()
        ran = self.run("doctor", "-o", "json", *words, **more)
        assert time.monotonic() - begun < _LONGEST_SECONDS
        assert ran.stderr == ""
        answer = json.loads(ran.stdout)
        assert ran.returncode == (0 if answer["well"] else 1)
        assert [item["check"] for item in answer["items"]] == CHECKS
        return {item["check"]: item for item in answer["items"]}


def made(folder: Path) -> Office:
    """An office in a folder, synchronised once."""
    office = Office(folder)
    folder.mkdir(exist_ok=True)
    assert office.run("init").returncode == 0
    assert office.run("sync").returncode == 0
    return office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office in which nothing is wrong."""
    return made(tmp_path / "office")


@contextmanager
def held(store: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open and has executed these."""
    code = (
        "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]: db.execute(statement).fetchall()\n"
        "print('held', flush=True); time.sleep(120)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(store), *statements], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own at a folder, in memory."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_an_office_without_faults_is_well(office: Office) -> None:
    checks = office.checks()
    assert {name for name, item in checks.items() if item["state"] not in ("ok", "warn")} == set()
    assert [name for name, item in checks.items() if item["state"] == "warn"] in ([], ["clock"])
    ran = office.run("doctor")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("WELL: 10 checks")
    assert office.run("doctor", "--offline").returncode == 2


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_damaged_file_is_named_and_the_other_checks_are_made(office: Office, part: float) -> None:
    content = bytearray(office.store.read_bytes())
    at = int(len(content) * part)
    content[at : at + 4096] = bytes(range(256)) * 16
    office.store.write_bytes(content)
    checks = office.checks()
    assert checks["store"]["state"] == "bad", checks["store"]
    assert checks["store"]["run"] == "erpsync store verify"
    assert "damaged" in checks["store"]["text"] or "is not an erpsync store" in checks["store"]["text"]
    assert {checks[name]["state"] for name in ("python", "disk", "landscape", "secrets")} == {"ok"}


@pytest.mark.parametrize("length", [0, 1, 100, 2048, 50_000])
def test_a_file_that_was_cut_off_is_bad(office: Office, length: int) -> None:
    with office.store.open("r+b") as file:
        file.truncate(length)
    assert office.checks()["store"]["state"] == "bad"


def test_a_store_of_a_newer_erpsync_says_so(office: Office) -> None:
    with held(office.store, "PRAGMA user_version = 99"):
        pass
    told = office.checks()["store"]
    assert told["state"] == "bad"
    assert "store erpsync.db has schema 99, this erpsync knows 1" in told["text"]
    assert "install a newer erpsync" in told["text"]


def test_a_store_that_a_process_keeps_for_itself_is_named_with_the_process(office: Office) -> None:
    with held(office.store, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE") as process:
        checks = office.checks()
    assert checks["store"]["state"] == "bad"
    assert f"process {process.pid}" in checks["store"]["text"]
    assert (checks["workers"]["state"], checks["workers"]["text"]) == ("unknown", "needs the store")


def test_who_holds_the_lock_to_write_and_does_nothing_with_it_is_named(office: Office) -> None:
    with held(office.store, "BEGIN IMMEDIATE") as process:
        told = office.checks()["store"]
    assert told["state"] == "bad"
    assert f"process {process.pid}" in told["text"]
    assert "nobody else can write" in told["text"]
    assert told["run"] == f"ps -fp {process.pid}"
    assert office.checks()["store"]["state"] == "ok"


def test_who_writes_all_the_time_keeps_nobody_away(office: Office) -> None:
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "db.execute('CREATE TABLE made_busy (n INTEGER)'); print('held', flush=True)\n"
        "while True:\n"
        "    db.execute('BEGIN IMMEDIATE')\n"
        "    for n in range(500): db.execute('INSERT INTO made_busy VALUES (?)', (n,))\n"
        "    db.execute('COMMIT')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(office.store)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert [office.checks()["store"]["state"] for _ in range(4)] == ["ok"] * 4
    finally:
        process.kill()
        process.communicate()


def test_a_reader_that_keeps_the_log_from_being_begun_anew_is_named(office: Office) -> None:
    grow = (
        "INSERT INTO made_big SELECT zeroblob(1000000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10))"
    )
    quickly = ("PRAGMA synchronous = OFF", "PRAGMA wal_autocheckpoint = 0", "CREATE TABLE made_big (x BLOB)")
    with held(office.store, "BEGIN", "SELECT count(*) FROM events") as reader:
        with held(office.store, *quickly, *[grow] * 14):
            told = office.checks()["store"]
        assert told["state"] == "warn", told
        assert "in use, and is not begun anew" in told["text"]
        assert f"process {reader.pid}" in told["text"]
        assert told["run"] == f"ps -fp {reader.pid}"


def test_a_disk_that_is_full_is_bad(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=24m", "tmpfs") as folder:
        office = made(folder)
        told = office.checks()["disk"]
        assert (told["state"], "free of 24 MiB" in told["text"]) == ("bad", True)
        dd = ["dd", "if=/dev/zero", f"of={folder / 'filler'}", "bs=64k"]
        assert "No space left" in subprocess.run(dd, check=False, capture_output=True, text=True).stderr
        checks = office.checks()
        assert checks["disk"]["text"].startswith("0 B free of 24 MiB: the store cannot grow")
        assert checks["disk"]["run"] == f"df -h {folder}"
        assert checks["store"]["state"] == "ok", "it can still be read"


def test_a_disk_without_room_for_more_files_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "few", "-t", "tmpfs", "-o", "size=3g,nr_inodes=60", "tmpfs") as folder:
        told = made(folder).checks()["disk"]
        assert told["state"] == "warn"
        assert told["text"].startswith("room for ")
        assert told["run"] == f"df -i {folder}"


def test_a_disk_that_can_only_be_read_is_bad(tmp_path: Path) -> None:
    with mounted(tmp_path / "fixed", "-t", "tmpfs", "-o", "size=3g", "tmpfs") as folder:
        office = made(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        told = office.checks()["disk"]
        assert told["state"] == "bad"
        assert "it can only be read, not written" in told["text"]


def test_a_store_that_is_someone_else_s_is_bad_and_no_defect() -> None:
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    # once as who may, so that everything is loaded from where somebody else may not look
    code = (
        "import io, os, sys; from contextlib import redirect_stdout; from erpsync.cli.main import main\n"
        "with redirect_stdout(io.StringIO()): assert main(['doctor']) == 0\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(main(['doctor', '-o', 'json']))"
    )
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        office = made(Path(place) / "office")
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=office.folder, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (1, "")
        checks = {item["check"]: item for item in json.loads(ran.stdout)["items"]}
        assert list(checks) == CHECKS
        assert checks["store"]["state"] == "bad"
        assert "no permission" in checks["store"]["text"]
        assert checks["store"]["run"] == f"ls -la {office.folder}"
        assert office.checks()["store"]["state"] == "ok"


@pytest.mark.parametrize("what", ["folder", "pipe", "lost link", "no folder"])
def test_what_stands_in_the_store_s_place_and_is_none_is_bad(office: Office, what: str) -> None:
    for path in office.folder.glob("erpsync.db*"):
        path.unlink()
    match what:
        case "folder":
            office.store.mkdir()
        case "pipe":
            os.mkfifo(office.store)
        case "lost link":
            office.store.symlink_to("nowhere/erpsync.db")
        case _:
            text = (office.folder / "erpsync.toml").read_text(encoding="utf-8")
            (office.folder / "erpsync.toml").write_text(f'{text}\n[store]\npath = "gone/away.db"\n', encoding="utf-8")
    checks = office.checks()
    assert checks["store"]["state"] in ("bad", "unknown")
    assert checks["python"]["state"] == "ok"


def test_a_folder_that_is_gone_is_no_defect(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from erpsync.cli.main import main; sys.exit(main(['doctor']))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stdout.startswith("NOT WELL: ")


def test_systems_are_asked_only_where_that_was_wished_for(tmp_path: Path) -> None:
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop")) as sim:
        practice = Practice(tmp_path / "erpsync", sim, flows=("items",), limits={"timeout": '"1s"', "deadline": '"2s"'})

        def systems(*words: str) -> tuple[int, Any]:
            ran = practice.run("doctor", "-o", "json", *words)
            return ran.code, next(item for item in ran.content["items"] if item["check"] == "systems")

        code, told = systems("--online")
        assert (code, told["state"]) == (1, "ok"), "all answered, and there is no store yet"
        assert not (practice.folder / "erpsync.db").exists()
        assert practice.run("sync", "item").code == 0
        code, told = systems("--online")
        assert (code, told["state"]) == (0, "ok")
        assert told["text"].startswith("2 systems answered, the slowest in ")
        sim.control.faults("shop", settings={"slow_seconds": 20}, reads={"slow": 1.0}, mode="down")
        assert systems()[0] == 0, "by the store it is up: nobody asked"
        begun = time.monotonic()
        code, told = systems("--online")
        assert (code, told["state"], told["run"]) == (1, "bad", "erpsync systems probe shop")
        assert time.monotonic() - begun < 6
        practice.environ["SHOP_SECRET"] = "wrong-and-secret"
        sim.control.faults("shop", mode="up")
        code, told = systems("--online")
        assert code == 1
        assert "wrong-and-secret" not in json.dumps(told)


def test_work_that_waits_for_a_worker_is_bad_until_one_runs(tmp_path: Path) -> None:
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=8)
        sim.control.faults("shop", mode="down")
        practice = Practice(
            tmp_path / "erpsync", sim, flows=("items",), settings='[breaker]\nfailures = 2\nprobe = "1s"'
        )

        def checks() -> dict[str, Any]:
            return {item["check"]: item for item in practice.run("doctor", "-o", "json").content["items"]}

        assert practice.run("sync", "item", "--timeout", "4s").code == 8
        told = checks()
        assert (told["workers"]["state"], told["workers"]["run"]) == ("bad", "erpsync run")
        assert "8 messages wait" in told["workers"]["text"]
        assert (told["systems"]["state"], told["systems"]["run"]) == ("bad", "erpsync systems probe shop")
        sim.control.faults("shop", mode="up")
        worker = practice.start("run")
        try:
            until = time.monotonic() + 30
            while practice.messages("state = ready or state = leased"):
                assert time.monotonic() < until
                time.sleep(0.2)
            told = checks()
            assert (told["workers"]["state"], told["systems"]["state"]) == ("ok", "ok")
            assert told["workers"]["text"].startswith("1 worker at work")
            with practice.landscape.open("a", encoding="utf-8") as file:
                file.write("# looked over\n")
            assert "changed since 1 worker started" in checks()["landscape"]["text"]
        finally:
            worker.kill()
            worker.wait()
