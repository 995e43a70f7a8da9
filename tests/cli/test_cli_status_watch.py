"""``status --watch``: a line a change in a pipe, redrawn on a terminal, until somebody ends it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SECRETS, Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT

from erpsync.store.store import Store


def watched(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "erpsync", "status", "--watch", "--every", "500ms", *words],
        cwd=folder,
        env={**os.environ, **SECRETS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, killed at the end if it still runs."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def count_one_more_dead(folder: Path) -> None:
    """The totals say that one more message died."""
    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        store.writer.call(
            lambda db: db.execute("UPDATE counts SET n = n + 1 WHERE what = 'dead' AND amount > 0 AND part = 'USD'")
        )


def test_a_pipe_gets_a_line_for_each_change_and_none_in_between(night: Path) -> None:
    with ended(watched(night)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(1.5)
        count_one_more_dead(night)
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, remarks = process.communicate(timeout=20)
    found = re.fullmatch(
        r"\d\d:\d\d:\d\d stake=39002\.63 due=\d+ oldest=\d+s held=\d+ dead=4 unknown=1 down=shop\n", first
    )
    assert found, first
    assert " dead=4 " not in second
    assert first.split()[1:3] == second.split()[1:3]
    assert (rest, process.returncode) == ("", 130)
    assert "Traceback" not in remarks


def test_json_is_an_object_a_line(night: Path) -> None:
    with ended(watched(night, "-o", "json")) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert told["schema"] == "erpsync/status/1"
    assert told["messages"]["dead"] == 4
    assert process.returncode == 143


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (60, 80), (60, 57)])
def test_a_terminal_is_drawn_anew_each_time_and_its_first_line_stays_in_sight(
    night: Path, rows: int, columns: int
) -> None:
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (rows, columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "erpsync", "status", "--watch", "--every", "500ms"],
        cwd=night,
        env={**os.environ, **SECRETS, "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown, until = b"", time.monotonic() + 20
    while shown.count(b"\x1b[H\x1b[2J") < 3 and time.monotonic() < until:
        if select.select([leader], [], [], 1)[0]:
            shown += os.read(leader, 65_536)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    os.close(leader)
    screens = shown.decode().split("\x1b[H\x1b[2J")
    assert screens[0] == ""
    for screen in screens[1:3]:
        assert screen.startswith("acme-prod PRODUCTION")
        assert "NOT WELL: " in screen
        assert screen.count("\n") < rows
        assert all(len(line) <= columns or "erpsync" in line for line in screen.splitlines()), "but for commands"
        assert bool(re.search(r"\n\d+ more lines: erpsync status\r\n$", screen)) == (rows == 24)
    assert "\x1b" not in screens[1] + screens[2]


def test_a_store_that_goes_ends_it_with_what_is_true(night: Path) -> None:
    with ended(watched(night)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for file in night.glob("erpsync.db*"):
            file.unlink()
        _, remarks = process.communicate(timeout=20)
    assert process.returncode == 4
    assert remarks.startswith("error: store erpsync.db is gone\nhint: ls -l ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--every", "1ms"), "half a second at least"),
        (("--every", "often"), "--every"),
        (("--check",), "--check answers once"),
    ],
)
def test_a_pace_or_a_question_that_cannot_be_is_refused(erpsync: Run, words: tuple[str, ...], said: str) -> None:
    answer = erpsync("status", "--watch", *words)
    assert answer.code == 2
    assert said in answer.err
