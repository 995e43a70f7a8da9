"""``doctor``: what it finds, in which words, with which next command; and that it leaves everything as it was."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.cli.checks.examine import CHECKS
from erpsync.cli.checks.machine import of_python, of_sqlite
from erpsync.cli.checks.patient import Patient
from erpsync.cli.checks.store import store as store_check
from erpsync.config.reading import read_landscape
from erpsync.store import workers
from erpsync.store.connection import Connection, ms
from erpsync.store.store import Store
from erpsync.store.whereabouts import file_system, is_over_a_network
from erpsync.workbench import Workbench


def found(run: Run, *words: str, environ: dict[str, str] | None = None, code: int | None = None) -> dict[str, Any]:
    """What each check found, by its name."""
    answer = run("doctor", "-o", "json", *words, environ=environ)
    assert answer.err == ""
    assert answer.code in ((0, 1) if code is None else (code,))
    items = answer.json["items"]
    assert [item["check"] for item in items] == list(CHECKS), "always all of them, in one order"
    assert answer.json["well"] is (answer.code == 0)
    return {item["check"]: item for item in items}


def change(folder: Path, sql: str, *values: object) -> None:
    """Put something into the store's rows."""

    def act(db: Connection) -> None:
        db.execute(sql, values)

    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        store.writer.call(act)


def work(folder: Path, *, seen: float = 1, digest: str = "", version: str = "", started: float = 3600) -> int:
    """A worker of that night, seen so many seconds ago; nobody else works."""

    def at(seconds: float) -> int:
        return ms(NIGHT - timedelta(seconds=seconds))

    def act(db: Connection) -> int:
        db.execute("DELETE FROM workers")
        worker = workers.arrive(db, host="dock-1", pid=4121, command="run", now=at(started))
        workers.beat(db, worker, now=at(seen))
        if digest:
            sql = "INSERT INTO landscapes (digest, content, seen_at) VALUES (?, '{}', 0) RETURNING landscape_id"
            row = db.execute(sql, (digest,)).fetchone()
            db.execute("UPDATE workers SET landscape_id = ?", (row[0],))
        if version:
            db.execute("UPDATE workers SET version = ?", (version,))
        return worker

    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        return store.writer.call(act)


def calm(folder: Path) -> None:
    """All systems up, and nothing on its way."""

    def act(db: Connection) -> None:
        db.execute("UPDATE systems SET state = 'up', limited_until = 0, clock_offset = NULL")
        for table in ("waits", "attempts", "exceptions", "messages", "counts"):
            db.execute(f"DELETE FROM {table}")

    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        store.writer.call(act)
    (folder / "erpsync.db.epoch").unlink()  # or the store would stand behind its line, as a backup does


def test_the_first_line_is_the_verdict_and_each_bad_one_has_the_next_command(erpsync: Run, night: Path) -> None:
    change(night, "DELETE FROM workers")
    answer = erpsync("doctor", columns=80)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0].startswith("NOT WELL: ")
    assert "workers" in lines[0]
    assert max(map(len, lines)) <= 80 or all(" run: " in line for line in lines if len(line) > 80)
    at = next(n for n, line in enumerate(lines) if line.startswith("BAD  workers    none has run yet, "))
    assert "     run: erpsync run" in lines[at : at + 3]
    assert lines[-1].startswith("next: ")
    assert answer.err == ""


def test_what_is_well_is_one_word_and_the_next_command_is_status_or_that_of_a_warning(
    night: Path, erpsync: Run
) -> None:
    calm(night)
    work(night)
    answer = erpsync("doctor")
    assert answer.code == 0
    assert answer.out.startswith("WELL: 10 checks")
    assert answer.out.splitlines()[-1] in ("next: erpsync status", "next: timedatectl")
    checks = found(erpsync, code=0)
    assert {checks[name]["state"] for name in CHECKS if name != "clock"} == {"ok"}
    assert checks["store"]["text"].endswith("whole at a quick look")


def test_it_changes_nothing_and_makes_no_store(night: Path, erpsync: Run, tmp_path: Path) -> None:
    kept = {path: path.read_bytes() for path in night.iterdir() if path.suffix in (".db", ".toml", ".epoch")}
    erpsync("doctor")
    assert {path: path.read_bytes() for path in kept} == kept
    for path in night.glob("erpsync.db*"):
        path.unlink()
    checks = found(erpsync, code=1)
    assert checks["store"]["run"] == "erpsync sync item customer order shipment"
    assert checks["workers"] == {"check": "workers", "state": "unknown", "text": "needs the store", "run": None}
    assert not list(night.glob("erpsync.db*"))


def test_a_store_that_was_here_and_is_gone_is_told_from_one_that_never_was(night: Path, erpsync: Run) -> None:
    (night / "erpsync.db").rename(night / "elsewhere.db")
    assert found(erpsync)["store"]["text"] == "erpsync.db is gone: what lies beside it says that it was here"


def test_without_a_landscape_what_needs_it_says_so(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    run = run_in(tmp_path)
    checks = found(run, code=1)
    assert checks["landscape"]["state"] == "bad"
    assert checks["landscape"]["run"] == "erpsync init"
    for name in ("store", "disk", "secrets", "workers", "systems", "oldest"):
        assert (checks[name]["state"], checks[name]["text"]) == ("unknown", "needs the landscape")
    assert run("doctor", "-o", "json").json["landscape"] is None
    assert "?    store      unknown: needs the landscape" in run("doctor").out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoilt",
    [b"name = ", b"\xff\xfe", b'name = "x"\n', b"[systems.erp]\nrole = 7\n"],
    ids=["cut off", "bytes", "too little", "wrong"],
)
def test_a_landscape_with_mistakes_is_bad_and_stops_no_other_check(night: Path, erpsync: Run, spoilt: bytes) -> None:
    (night / "erpsync.toml").write_bytes(spoilt)
    checks = found(erpsync, "--online", code=1)
    assert (checks["landscape"]["state"], checks["landscape"]["run"]) == ("bad", "erpsync check")
    assert checks["python"]["state"] == "ok"


def test_a_mistake_is_told_with_its_line(night: Path, erpsync: Run) -> None:
    file = night / "erpsync.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('from = "wms"', 'from = "wsm"'), encoding="utf-8")
    assert 'erpsync.toml:60:8: flows "shipments": from = "wsm": no such system' in found(erpsync)["landscape"]["text"]


def test_a_secret_that_cannot_be_had_is_named_and_none_is_shown(night: Path, erpsync: Run) -> None:
    calm(night)
    change(night, "DELETE FROM workers")
    checks = found(erpsync, environ={"SHOP_TOKEN": ""}, code=1)
    assert checks["secrets"]["state"] == "bad"
    assert checks["secrets"]["text"] == "shop: environment variable SHOP_TOKEN, which holds a secret, is empty"
    assert checks["secrets"]["run"] == "export SHOP_TOKEN=..."
    work(night)
    checks = found(erpsync, environ={"SHOP_TOKEN": ""}, code=0)
    assert checks["secrets"]["state"] == "warn", "whoever works has its own"
    for words in (("doctor",), ("doctor", "-o", "json")):
        said = erpsync(*words)
        assert not any(secret in said.out + said.err for secret in ("erp-secret", "shop-secret", "wms-secret"))


def test_a_secret_file_that_others_may_read_is_bad(night: Path, erpsync: Run) -> None:
    secret = night / "token"
    secret.write_text("very-secret\n")
    secret.chmod(0o644)
    file = night / "erpsync.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("env:SHOP_TOKEN", "file:token"), encoding="utf-8")
    told = found(erpsync)["secrets"]
    assert (told["state"], told["run"]) == ("bad", f"chmod 600 {secret}")
    assert "very-secret" not in told["text"]


@pytest.mark.parametrize(("ahead", "state"), [(1, "ok"), (30, "warn"), (3_720, "bad")])
def test_a_clock_that_went_back_is_seen_by_the_newest_row(night: Path, erpsync: Run, ahead: int, state: str) -> None:
    calm(night)
    change(night, "UPDATE workers SET seen_at = 0")
    change(
        night,
        "UPDATE events SET received_at = ? WHERE event_id = (SELECT max(event_id) FROM events)",
        ms(NIGHT + timedelta(seconds=ahead)),
    )
    told = found(erpsync)["clock"]
    assert ("the clock went back" in told["text"]) is (state != "ok")
    assert told["state"] in ((state,) if state != "ok" else ("ok", "warn"))
    if state == "bad":
        assert "it is 1h02m before the newest row of the store" in told["text"]
        assert told["run"] == "timedatectl"


def test_far_clocks_that_all_disagree_with_ours_speak_against_ours(night: Path, erpsync: Run) -> None:
    calm(night)
    change(night, "UPDATE systems SET clock_offset = 200000 WHERE name = 'shop'")
    told = found(erpsync)["clock"]
    assert (told["state"], "shop is 3m20s ahead" in told["text"]) == ("warn", True)
    change(night, "UPDATE systems SET clock_offset = 190000 WHERE name = 'erp'")
    change(night, "UPDATE systems SET clock_offset = 195000 WHERE name = 'wms'")
    told = found(erpsync)["clock"]
    assert told["state"] == "bad"
    assert "all of them, so ours is the one that is wrong" in told["text"]


def test_nobody_at_work_is_bad_only_where_there_is_work(night: Path, erpsync: Run) -> None:
    work(night, seen=7800)
    told = found(erpsync)["workers"]
    assert (told["state"], told["run"]) == ("bad", "erpsync run")
    assert told["text"].startswith("worker 1 silent for 2h10m, "), told
    calm(night)
    assert found(erpsync)["workers"]["state"] == "warn", "a silent one is looked at, though nothing waits"
    change(night, "UPDATE workers SET stopped_at = seen_at")
    assert found(erpsync)["workers"]["text"] == "none has run for 2h10m, and nothing waits"
    change(
        night,
        "INSERT INTO cursors (company_id, system_id, kind, due_at, read_at) "
        "SELECT 1, system_id, 'item', ?1, ?1 FROM systems WHERE name = 'erp'",
        ms(NIGHT - timedelta(hours=2)),
    )
    told = found(erpsync)["workers"]
    assert (told["state"], told["run"]) == ("warn", "erpsync run")
    assert told["text"] == "none has run for 2h10m: item of erp was last read 2h00m ago"


def test_a_worker_of_another_version_is_named(night: Path, erpsync: Run) -> None:
    calm(night)
    work(night, version="0.0.9")
    told = found(erpsync, code=0)["workers"]
    assert (told["state"], told["run"]) == ("warn", "erpsync workers stop --all")
    assert told["text"].startswith("worker 1 of erpsync 0.0.9, this is ")
    assert erpsync("workers", "list", "-o", "json").json["items"][0]["version"] == "0.0.9"


def test_a_landscape_that_changed_since_the_workers_started_is_told(night: Path, erpsync: Run) -> None:
    calm(night)
    now = read_landscape(night / "erpsync.toml", environ={}).digest
    work(night, digest=now)
    assert found(erpsync, code=0)["landscape"]["state"] == "ok"
    with (night / "erpsync.toml").open("a", encoding="utf-8") as file:
        file.write("\n# a remark\n")
    told = found(erpsync, code=0)["landscape"]
    assert (told["state"], told["run"]) == ("warn", "erpsync workers stop --all")
    assert told["text"] == "erpsync.toml changed since 1 worker started (1): they work by the older one"
    work(night)
    assert found(erpsync)["landscape"]["state"] == "ok", "who left no word of its landscape is not accused"


@pytest.mark.parametrize(
    ("state", "verdict", "run"),
    [
        ("down", "bad", "erpsync systems probe shop"),
        ("stopped", "bad", "erpsync systems probe shop"),
    ],
)
def test_a_system_that_takes_nothing_is_told_with_since_when(
    night: Path, erpsync: Run, state: str, verdict: str, run: str
) -> None:
    calm(night)
    work(night)
    change(
        night,
        "UPDATE systems SET state = ?, since = ?, last_error = 'no connection' WHERE name = 'shop'",
        state,
        ms(NIGHT - timedelta(minutes=67)),
    )
    told = found(erpsync)["systems"]
    assert (told["state"], told["run"]) == (verdict, run)
    assert told["text"] == f"shop {state} since 02:05:40 (1h07m), 0 wait: no connection"


def test_a_paused_system_is_a_warning_with_who_and_since_when(night: Path, erpsync: Run) -> None:
    calm(night)
    work(night)
    erpsync("systems", "pause", "shop", "--out")
    told = found(erpsync)["systems"]
    assert (told["state"], told["run"]) == ("warn", "erpsync systems resume shop")
    assert told["text"] == "shop paused for sending by mira since 03:12:40 (0s), 0 wait"


def test_a_paused_flow_is_a_warning_with_who_and_since_when(night: Path, erpsync: Run) -> None:
    calm(night)
    work(night)
    erpsync("flows", "pause", "items")
    told = found(erpsync)["oldest"]
    assert (told["state"], told["run"]) == ("warn", "erpsync flows resume items")
    assert told["text"].startswith("flow items paused by mira since 03:12:40 (0s)")


def test_what_is_due_and_does_not_move_is_bad_and_a_lost_answer_a_warning(night: Path, erpsync: Run) -> None:
    calm(night)
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        rows = Night(store)
        rows.message("item:SKU-D1", to="shop", state="ready", ago=90)
        rows.message("item:SKU-D2", to="wms", state="unknown", ago=40, unknown_since=rows.at(40))
        rows.finish()
    told = found(erpsync)["oldest"]
    assert told["state"] == "bad"
    assert "1 due to shop, the oldest for 1h30m: not moving" in told["text"]
    assert "an answer of wms is lost since 02:32:40 (40m)" in told["text"]
    assert told["run"].startswith("erpsync messages list --where 'state = ready and system = shop'")
    assert len(erpsync(*shlex.split(told["run"])[1:], "-o", "ids").out.split()) == 1, "the command finds it"
    change(night, "UPDATE systems SET state = 'down' WHERE name = 'shop'")
    assert found(erpsync)["oldest"]["state"] == "warn", "what waits for a system that is down is told there"


@pytest.mark.parametrize("pause", [("systems", "pause", "shop", "--out"), ("flows", "pause", "items")])
def test_what_waits_because_somebody_paused_it_is_not_called_stuck(
    night: Path, erpsync: Run, pause: tuple[str, ...]
) -> None:
    calm(night)
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        rows = Night(store)
        rows.message("item:SKU-D1", to="shop", state="ready", ago=90)
        rows.finish()
    assert found(erpsync)["oldest"]["state"] == "bad"
    assert erpsync(*pause).code == 0
    told = found(erpsync)["oldest"]
    said = (
        ("warn", "flow items paused by mira since 03:12:40 (0s)")
        if "flows" in pause
        else ("ok", "the oldest due for 1h30m")
    )
    assert (told["state"], told["text"]) == said


def test_what_cannot_be_looked_at_stops_no_other_check(night: Path, erpsync: Run) -> None:
    change(night, "DROP VIEW buckets")
    checks = found(erpsync, code=1)
    assert checks["systems"]["state"] == "unknown"
    assert checks["systems"]["text"].startswith("could not be looked at: ")
    assert checks["store"]["state"] == "ok"
    assert checks["secrets"]["state"] == "ok"


def test_a_restored_backup_says_what_that_means(night: Path, erpsync: Run) -> None:
    calm(night)
    at = str(ms(NIGHT - timedelta(hours=1)))
    change(night, "UPDATE meta SET value = '2' WHERE name = 'epoch'")
    change(night, "INSERT OR REPLACE INTO meta (name, value) VALUES ('restored_at', ?)", at)
    told = found(erpsync)["store"]
    assert (told["state"], told["run"]) == ("warn", "erpsync run")
    assert "no worker has seen to it" in told["text"]
    change(night, "INSERT OR REPLACE INTO meta (name, value) VALUES ('restored_epoch', '2')")
    told = found(erpsync)["store"]
    assert told["state"] == "warn"
    assert "a backup was restored at 02:12:40 (1h00m)" in told["text"]
    change(night, "UPDATE meta SET value = ? WHERE name = 'restored_at'", str(ms(NIGHT - timedelta(days=3))))
    told = found(erpsync)["store"]
    assert told["state"] == "ok"
    assert "epoch 2; whole at a quick look, restored 10-12" in told["text"]


def test_a_copy_in_the_store_s_place_is_told_before_anything_is_sent_from_it(night: Path, erpsync: Run) -> None:
    file, copy = night / "erpsync.db", night / "copy.db"
    copy.write_bytes(file.read_bytes())
    copy.chmod(0o600)
    copy.replace(file)
    told = found(erpsync)["store"]
    assert told["state"] == "warn"
    assert "the next worker takes it for a backup: the file is another one than before" in told["text"]


def test_files_that_others_may_read_are_named_with_the_mend(night: Path, erpsync: Run) -> None:
    (night / "erpsync.db").chmod(0o644)
    told = found(erpsync)["store"]
    assert (told["state"], told["run"]) == ("warn", f"chmod 600 {night / 'erpsync.db'}")
    assert "erpsync.db 0644" in told["text"]


def test_a_store_on_a_network_file_system_is_bad(night: Path) -> None:
    table = night / "mounts"
    place = str(night.resolve()).replace(" ", "\\040")
    table.write_text(f"/dev/vda / ext4 rw 0 0\nfiler:/vol {place} nfs4 rw,vers=4.2 0 0\n", encoding="utf-8")
    patient = Patient(Workbench(folder=night, environ={}, clock=lambda: NIGHT), online=False)
    patient.mounts = table
    told = store_check(patient)
    patient.close()
    assert told.state == "bad"
    assert "it lies on a network file system (nfs4)" in told.text
    assert told.run == "erpsync workers stop --all"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("/dev/vda / ext4 rw 0 0", "ext4"),
        ("/dev/vda / ext4 rw 0 0\n//nas/x /srv/erp\\040sync cifs rw 0 0", "cifs"),
        ("//nas/x /srv/erp cifs rw 0 0\n/dev/vda / ext4 rw 0 0", "ext4"),
        ("nas:/x /srv nfs rw 0 0\n/dev/vdb /srv/erp\\040sync xfs rw 0 0", "xfs"),
        ("/dev/vdb /srv/erp\\040sync xfs rw 0 0\nnas:/x /srv/erp\\040sync fuse.sshfs rw 0 0", "fuse.sshfs"),
        ("rubbish\n\n", ""),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, lines: str, kind: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(lines)
    assert file_system(Path("/srv/erp sync"), mounts=table) == kind
    assert is_over_a_network(kind) is (kind in ("cifs", "fuse.sshfs"))


def test_old_versions_are_told_with_the_mend() -> None:
    assert (of_python((3, 10, 2)).state, of_python((3, 11, 9)).state) == ("bad", "ok")
    told = of_sqlite((3, 45, 1))
    assert (told.state, told.run) == ("warn", "pip install 'pysqlite3>=0.6.1'")
    assert told.text == "SQLite 3.45.1 can lose data when several processes write, so one may"
    assert of_sqlite((3, 53, 0)).state == "ok"


def test_what_a_worker_calls_itself_cannot_act_on_a_terminal(night: Path, erpsync: Run) -> None:
    change(night, "UPDATE systems SET state = 'down', last_error = ?", "\x1b[2Jevil\nBAD  python")
    answer = erpsync("doctor", columns=80)
    assert "\x1b" not in answer.out
    assert not any(line.startswith("BAD  python") for line in answer.out.splitlines())
