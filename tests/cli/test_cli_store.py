"""``store``: what it is, whether it is whole, a copy of it, and letting go of what was finished long ago."""

from __future__ import annotations

import io
import random
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import LANDSCAPE, NIGHT, Night

from erpsync.store.connection import open_reader, sqlite_is_sound
from erpsync.store.store import Store

PAGE = 2048
OLD = 100 * 24 * 60


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


@pytest.fixture
def old(tmp_path: Path, run_in: Callable[[Path], Run]) -> Run:
    """``erpsync`` on a store in which twenty orders were delivered a hundred days ago, and an item just now."""
    (tmp_path / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        night.many(20, ago=OLD)
        night.attempt(night.message("item:LAST", to="wms", ago=1), ago=1, outcome="created")
        night.finish()
    return run_in(tmp_path)


def test_backup_says_what_it_is_and_how_it_is_brought_back(erpsync: Run, night: Path) -> None:
    answer = erpsync("store", "backup", "copy.db", columns=120)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == "backup copy.db is whole: store erpsync.db as it was at Thu 2026-10-15 03:12:40 CDT."
    assert lines[1].startswith("size          ")
    assert lines[2] == "holds         3 events, 17 messages, 14 of them unfinished"
    assert lines[3:] == [
        "to restore    stop every erpsync process, move erpsync.db, erpsync.db-wal and erpsync.db-shm away, then",
        f"              cp {night / 'copy.db'} {night / 'erpsync.db'}",
        "              erpsync store verify",
        "next: erpsync store info",
    ]
    assert answer.err == ""
    assert stat.S_IMODE((night / "copy.db").stat().st_mode) == 0o600


def test_what_it_says_about_restoring_is_so(erpsync: Run, night: Path) -> None:
    assert erpsync("store", "backup", "copy.db").code == 0
    before = erpsync("status").out
    assert erpsync("replay", "--where", "id > 0", "--yes").code == 0
    assert erpsync("status").out != before
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            shutil.move(night / f"erpsync.db{end}", night / f"away{end}")
    shutil.copy(night / "copy.db", night / "erpsync.db")
    assert erpsync("store", "verify").code == 0
    assert erpsync("status").out == before


def test_the_store_remembers_its_last_backup(erpsync: Run, night: Path) -> None:
    assert "last backup   never, as far as the audit log knows" in erpsync("store", "info").out
    made = erpsync("store", "backup", "copy.db", "--reason", "before the release", "-o", "json").json
    size = (night / "copy.db").stat().st_size
    assert {name: made[name] for name in ("file", "moment", "size", "events", "messages", "unfinished")} == {
        "file": str(night / "copy.db"),
        "moment": "2026-10-15T08:12:40Z",
        "size": size,
        "events": 3,
        "messages": 17,
        "unfinished": 14,
    }
    last = erpsync("store", "info", "-o", "json").json["store"]["last_backup"]
    assert (last["act"], last["at"], last["file"], last["size"]) == (
        *(made["act"], "2026-10-15T08:12:40Z"),
        *(str(night / "copy.db"), size),
    )
    assert "last backup   Thu 2026-10-15 03:12:40 CDT (0s), " in erpsync("store", "info").out
    (act,) = erpsync("audit", "list", "--where", "what = store.backup", "-o", "json").json["items"]
    assert (act["act"], act["actor"], act["reason"]) == (made["act"], "mira", "before the release")


def test_read_only_a_backup_leaves_the_store_as_it_is(erpsync: Run, night: Path) -> None:
    made = erpsync("--read-only", "store", "backup", "copy.db", "-o", "json").json
    assert made["act"] is None
    assert (night / "copy.db").exists()
    assert erpsync("store", "info", "-o", "json").json["store"]["last_backup"] is None


def test_a_backup_that_cannot_be_noted_is_good_all_the_same(
    erpsync: Run, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process with an unsound SQLite has the store to itself; it can still be read."""
    monkeypatch.setattr("erpsync.store.identity.sqlite_is_sound", lambda: False)
    with Store.open(night / "erpsync.db", now=NIGHT):
        answer = erpsync("store", "backup", "copy.db")
    assert answer.code == 0
    assert answer.err.startswith("warning: the copy is good, but the store could not note it: ")
    assert (night / "copy.db").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("erpsync.toml", "error: backup erpsync.toml exists already, and is not written over"),
        ("erpsync.db", "error: backup erpsync.db would be the store itself"),
        ("away/copy.db", "error: backup copy.db cannot be made: folder"),
        (".", "error: backup"),
        ("-", "error: backup - would be stdout"),
    ],
)
def test_a_target_that_cannot_be_one_is_said_in_one_line(file: str, text: str, erpsync: Run, night: Path) -> None:
    before = {name.name for name in night.iterdir()}
    answer = erpsync("store", "backup", file)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith(text)
    assert answer.err.splitlines()[1].startswith("hint: ")
    assert {name.name for name in night.iterdir()} - {"erpsync.db-wal", "erpsync.db-shm"} == before


@pytest.mark.parametrize("columns", [60, 80, None])
def test_a_name_that_would_act_on_a_terminal_is_shown_harmless(columns: int | None, erpsync: Run, night: Path) -> None:
    answer = erpsync("store", "backup", "a\x1b[31m\u202e.db", columns=columns)
    assert answer.code == 0
    info = erpsync("store", "info", columns=columns)
    for said in (answer.out, answer.err, info.out):
        assert "\x1b" not in said
        assert "\u202e" not in said
    assert (night / "a\x1b[31m\u202e.db").exists()


def test_prune_shows_what_would_go_and_leaves_it(old: Run) -> None:
    answer = old("store", "prune", "--dry-run")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [
        "finished before Fri 2026-07-17 03:12:40 CDT, and would go from store erpsync.db:",
        "",
        "messages              20  with 20 tries",
        "exceptions             0  closed ones",
        "events                20  forget what came; what was read of it stays",
        "counts                 0  of single minutes",
        "contents              20  that nothing else names, 7.5 KiB",
        "",
        "next: erpsync store prune",
    ]
    assert old("--read-only", "store", "prune", "--dry-run").out == answer.out
    assert old("messages", "show", "7").code == 0
    assert old("audit", "list", "-o", "json").json["total"] == 0


def test_prune_asks_first_and_under_read_only_does_nothing(old: Run) -> None:
    refused = old("store", "prune")
    assert refused.code == 2
    assert refused.out.startswith("finished before ")
    assert refused.err.splitlines() == [
        "error: prune of 20 messages and all that goes with them asks first, and there is no terminal",
        "hint: --yes if that is right",
    ]
    read_only = old("--read-only", "store", "prune", "--yes")
    assert (read_only.code, read_only.out) == (2, "")
    assert "store prune is refused: this is read-only" in read_only.err
    assert old("messages", "show", "7").code == 0


def test_prune_removes_it_and_says_what_went(old: Run) -> None:
    answer = old("store", "prune", "--yes", "--reason", "the monthly tidying")
    assert answer.code == 0, answer.err
    told = answer.out.splitlines()[8:]
    assert told[0] == "pruned                20  messages, on record as A-1"
    assert told[1] == "contents              20  removed, 7.5 KiB"
    assert told[2].startswith("free        ")
    assert told[2].endswith("  of the file, used before it grows")
    assert told[3:] == ["next: erpsync store verify"]
    assert old("store", "verify").code == 0
    gone = old("messages", "show", "7")
    assert gone.code == 2
    assert "error: message 7 is not in the store (pruned, or never was)" in gone.err
    assert "last prune    Thu 2026-10-15 03:12:40 CDT (0s): 20 messages" in old("store", "info").out
    (act,) = old("audit", "list", "-o", "json").json["items"]
    assert (act["what"], act["reason"], act["after"]["messages"]) == ("store.prune", "the monthly tidying", 20)
    assert old("events", "show", "7").code == 0
    assert old("trace", "order:SO-7").code == 0
    nothing = old("store", "prune")
    assert nothing.code == 0
    assert nothing.out.startswith("nothing to prune: store erpsync.db has nothing that was finished before ")


def test_prune_in_json(old: Run) -> None:
    counted = {"messages": 20, "attempts": 20, "exceptions": 0, "events_forgotten": 20, "minutes": 0, "contents": 20}
    shown = old("store", "prune", "--dry-run", "-o", "json").json
    assert shown["schema"] == "erpsync/store.prune/1"
    assert {name: shown[name] for name in counted} == counted
    assert (shown["dry_run"], shown["act"], shown["reusable"]) == (True, None, None)
    assert (shown["keep_seconds"], shown["before"]) == (90 * 86_400, "2026-07-17T08:12:40Z")
    done = old("store", "prune", "--yes", "-o", "json").json
    assert {name: done[name] for name in counted} == counted
    assert (done["dry_run"], done["act"], done["in_hands"]) == (False, "A-1", 0)
    assert done["reusable"] > 0


def test_what_is_kept_is_said_by_the_landscape_and_by_the_command(old: Run, tmp_path: Path) -> None:
    assert old("store", "prune", "--dry-run", "--keep", "101d", "-o", "json").json["messages"] == 0
    file = tmp_path / "erpsync.toml"
    file.write_text(LANDSCAPE.replace("[store]", '[store]\nkeep = "120d"'), encoding="utf-8")
    assert old("store", "prune", "--dry-run", "-o", "json").json["messages"] == 0
    assert "keep          120d after it was finished" in old("store", "info").out
    assert old("store", "prune", "--dry-run", "--keep", "2d", "-o", "json").json["messages"] == 20
    (setting,) = old("config", "show", "--where", "setting = store.keep", "-o", "json").json["items"]
    assert (setting["value"], setting["from"]) == ("120d", "file")


@pytest.mark.parametrize(
    ("keep", "text"),
    [("30m", "--keep is less than an hour"), ("0s", "--keep is less than an hour"), ("ninety", '--keep "ninety" ')],
)
def test_keep_must_be_long_enough_for_whoever_has_something_in_hand(keep: str, text: str, old: Run) -> None:
    answer = old("store", "prune", "--yes", "--keep", keep)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {text}")


def test_info_reads_well_in_eighty_columns(erpsync: Run) -> None:
    answer = erpsync("store", "info", columns=80)
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split("  ")[0] for line in lines if not line.startswith(" ")] == [
        *("store", "size", "disk", "schema", "sqlite", "made", "epoch", "last backup", "last prune", "keep"),
        *("events", "newest event", "messages", "unfinished", "rows", "next: erpsync store backup FILE"),
    ]
    assert "events        3, the oldest Wed 2026-10-14 22:12:40 CDT (5h00m)" in lines
    assert "epoch         1, never restored" in lines


def test_info_in_json(erpsync: Run, night: Path) -> None:
    told = erpsync("store", "info", "-o", "json").json["store"]
    assert told["size"] == (night / "erpsync.db").stat().st_size
    assert told["reusable"] == told["free_pages"] * told["page_size"]
    assert told["disk_free"] > 0
    assert told["keep_seconds"] == 90 * 86_400
    assert (told["last_backup"], told["last_prune"], told["restored_at"]) == (None, None, None)
    assert told["oldest_message"] < told["newest_event"]
    assert (told["schema"], told["sqlite_sound"]) == (1, sqlite_is_sound())


def page_of(folder: Path, name: str) -> int:
    db = open_reader(folder / "erpsync.db")
    try:
        return int(db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0])
    finally:
        db.close()


def overwrite(folder: Path, page: int, content: bytes) -> None:
    with (folder / "erpsync.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(content)


@pytest.mark.parametrize("name", ["messages", "events", "payloads", "attempts", "messages_lane", "seen", "counts"])
def test_a_damaged_page_is_named_with_what_to_do(name: str, erpsync: Run, night: Path) -> None:
    assert erpsync("store", "backup", "copy.db").code == 0
    page = page_of(night, name)
    overwrite(night, page, random.Random(3).randbytes(PAGE))
    answer = erpsync("store", "verify")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0].startswith("store erpsync.db is not whole: ")
    if sqlite_is_sound():
        assert f"page {page}" in answer.out
    assert lines[-2] in (
        f"last backup Thu 2026-10-15 03:12:40 CDT: {night / 'copy.db'}",
        "where the last backup went cannot be read any more",
    )
    assert name == "payloads" or str(night / "copy.db") in lines[-2]
    assert lines[-1] == "next: restore the last backup: erpsync store backup --help"


def test_a_damaged_beginning_is_said_in_one_line(erpsync: Run, night: Path) -> None:
    overwrite(night, 1, random.Random(3).randbytes(PAGE))
    answer = erpsync("store", "verify")
    assert answer.code == 4
    assert answer.out == ""
    assert answer.err.startswith("error: erpsync.db is not an erpsync store")


def test_a_page_overwritten_anywhere_is_found(old: Run, tmp_path: Path) -> None:
    """Every page that holds something: by its form, by the hash of a content, by what is counted twice, or on opening."""
    whole = (tmp_path / "erpsync.db").read_bytes()
    pages = range(1, len(whole) // PAGE + 1)
    chance = random.Random(11)
    for page in pages:
        (tmp_path / "erpsync.db").write_bytes(whole)
        for end in ("-wal", "-shm"):
            (tmp_path / f"erpsync.db{end}").unlink(missing_ok=True)
        overwrite(tmp_path, page, chance.randbytes(PAGE))
        answer = old("store", "verify")
        assert answer.code in (1, 4), (page, answer.out)
        assert ("next: restore" in answer.out) or answer.err.count("\n") == 2, answer


def test_help_of_backup_says_how_to_restore(erpsync: Run) -> None:
    said = erpsync("store", "backup", "--help").out
    assert "To restore one" in said
    assert "With --read-only too" in said
    assert max(map(len, said.splitlines())) <= 80


def test_the_oldest_that_is_kept_is_what_was_finished_within_the_time(old: Run) -> None:
    assert old("store", "prune", "--yes").code == 0
    told = old("store", "info", "-o", "json").json["store"]
    assert told["oldest_message"] == (NIGHT - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    assert told["oldest_event"] < told["oldest_message"], "events stay"
