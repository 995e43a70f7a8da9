"""Progress on stderr: how far it is, and what it waits for that is in other hands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRETS  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT
from terminals import CLEARED, Seen, on_terminal

from erpsync.cli.progress import ProgressLines, under_way, waits_text
from erpsync.engine.sync import Progress
from erpsync.store.workers import Elsewhere
from erpsync.terminal import Clock
from erpsync.workbench import Workbench

UNTIL = NIGHT + timedelta(seconds=17)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Elsewhere(4, (), UNTIL, silent=True),
            "waits for 4 messages in the hands of a worker that has gone silent, until 03:12:57 CDT at the latest",
        ),
        (
            Elsewhere(1, (), UNTIL, silent=False),
            "waits for 1 message in the hands of another worker, until 03:12:57 CDT at the latest",
        ),
        (
            Elsewhere(0, ("shop", "wms"), UNTIL, silent=False),
            "waits for the first call to shop, wms in the hands of another worker, until 03:12:57 CDT at the latest",
        ),
    ],
    ids=["silent", "another", "first call"],
)
def test_what_is_waited_for_is_said_with_whose_it_is_and_until_when(found: Elsewhere, text: str) -> None:
    assert waits_text(found, Clock(NIGHT, "America/Chicago")) == text


def test_a_sync_that_waits_says_so_on_the_line_that_says_how_far_it_is(
    night: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    lines = ProgressLines(Workbench(folder=night, environ={}, clock=lambda: NIGHT))
    for seconds, others in ((4.0, None), (6.0, Elsewhere(4, (), UNTIL, silent=False)), (12.0, None)):
        passed[0] = seconds
        lines.show(Progress([], [], seconds, others))
    assert capsys.readouterr().err.splitlines() == [
        "6s: 0 read, 0 delivered, 0 on their way; "
        "waits for 4 messages in the hands of another worker, until 03:12:57 CDT at the latest",
        "12s: 0 read, 0 delivered, 0 on their way",
    ]


# ---- whatever takes longer than a second -----------------------------------------------------------------------------

SLOW = {  # what stands on its line while the store is kept from it
    ("status",): "status",
    ("store", "info"): "store info",
    ("store", "verify"): "store verify",
    ("audit", "verify"): "audit verify",
    ("replay", "3", "--dry-run"): "replay: looking for the letters",
    ("store", "migrate"): "store migrate",
}


@contextmanager
def kept_away(store: Path, seconds: float, *, readers: bool) -> Iterator[None]:
    """Another process keeps writers from the store for so long, or readers too."""
    code = (
        "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "if sys.argv[2] == 'True': db.execute('PRAGMA locking_mode = EXCLUSIVE').fetchall()\n"
        "db.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(float(sys.argv[3]))"
    )
    words = [sys.executable, "-c", code, str(store), str(readers), str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.kill()
        process.communicate()


def seen(folder: Path, *words: str, **more: Any) -> Seen:
    """A command in a folder, with the night's secrets, on a terminal."""
    return on_terminal([sys.executable, "-m", "erpsync", *words], folder, {**os.environ, **SECRETS}, **more)


@pytest.mark.long
@pytest.mark.parametrize("words", SLOW, ids=" ".join)
def test_what_takes_long_says_so_on_a_line_that_is_redrawn_and_gone_at_the_end(
    night: Path, words: tuple[str, ...]
) -> None:
    quick = seen(night, *words)
    assert quick.err == b"", "nothing is said of what is quick"
    with kept_away(night / "erpsync.db", 2.6, readers=words != ("store", "migrate")):
        slow = seen(night, *words)
    assert slow.code == quick.code
    drawn = re.findall(rb"(?:^|\x1b\[J)([^\x1b\r\n]+)\r\n", slow.err)
    assert len(drawn) >= 2, slow.err
    assert all(line.startswith(SLOW[words].encode()) for line in drawn)
    assert any(line.endswith(b"  2s") for line in drawn)
    assert slow.err.count(CLEARED) == len(drawn), "each is taken away"
    assert slow.err.endswith(CLEARED), "and nothing is left of the last"
    assert b"\x1b" not in slow.out


def test_on_one_terminal_the_answer_stands_alone_at_the_end(night: Path) -> None:
    with kept_away(night / "erpsync.db", 2.2, readers=True):
        slow = seen(night, "store", "verify", both=True)
    assert slow.err.rpartition(CLEARED)[2] == b"store erpsync.db is whole.\r\n"


@pytest.mark.long
@pytest.mark.parametrize("output", ["json", "jsonl", "ids"])
def test_whoever_asked_for_json_or_ids_sees_none_of_it(night: Path, output: str) -> None:
    words = ("store", "verify") if output == "json" else ("workers", "list")
    with kept_away(night / "erpsync.db", 2.2, readers=True):
        assert seen(night, *words, "-o", output).err == b""


def test_a_terminal_that_cannot_redraw_gets_a_line_now_and_then(night: Path) -> None:
    with kept_away(night / "erpsync.db", 2.4, readers=True):
        slow = seen(night, "store", "verify", kind="dumb")
    lines = slow.err.decode().splitlines()
    assert b"\x1b" not in slow.err
    assert [re.sub(r"\d+s", "Ns", line) for line in lines] == ["store verify: Ns"], lines


@pytest.mark.long
def test_a_pipe_gets_a_line_every_five_seconds_and_nothing_before(night: Path) -> None:
    with kept_away(night / "erpsync.db", 2.4, readers=True):
        assert seen(night, "store", "verify", terminal=False).err == b""
    with kept_away(night / "erpsync.db", 6.4, readers=True):
        slow = seen(night, "store", "verify", terminal=False)
    assert slow.err in (b"store verify: 5s\n", b"store verify: 6s\n")


def test_an_error_takes_the_line_away_before_it_is_told(night: Path) -> None:
    with kept_away(night / "erpsync.db", 2.2, readers=True):
        slow = seen(night, "replay", "999", "--dry-run")
    assert slow.code == 2
    assert slow.err.rpartition(CLEARED)[2].startswith(b"error: message 999 is not in the store")


def test_how_far_it_is_stands_on_the_line_and_a_remark_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erpsync.cli.progress._FIRST", 0.0)
    monkeypatch.setattr("erpsync.cli.progress._LINE_EVERY", 0.0)
    with under_way("store verify") as told:
        told.step("lanes", 2, 7)
        until = time.monotonic() + 20
        said = ""
        while "lanes" not in said and time.monotonic() < until:
            time.sleep(0.05)
            said += capsys.readouterr().err
        told.remark("waits for erp")
    assert re.search(r"^store verify: lanes, 2 of 7, \d+s$", said, re.MULTILINE), said
    assert "waits for erp\n" in capsys.readouterr().err


def test_what_failed_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), under_way("store verify"):
        raise KeyError
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(timeout=3)
    assert threading.active_count() <= before
    assert capsys.readouterr().err == ""
