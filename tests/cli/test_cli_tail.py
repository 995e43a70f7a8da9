"""``tail``: a line for each thing that happens, when it happens, until somebody ends it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SECRETS, Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.cli.happening_lines import A_SECOND
from erpsync.store.store import Store


@contextmanager
def tailed(folder: Path, *words: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """``erpsync tail`` as a process, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "erpsync", "tail", *words],
        cwd=folder,
        env={**os.environ, **SECRETS, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def happen(folder: Path, work: Callable[[Night], object]) -> None:
    with Store.open(folder / "erpsync.db", now=NIGHT) as store:
        work(Night(store))


def test_the_last_few_come_first_and_then_what_happens(night: Path) -> None:
    with tailed(night) as process:
        assert process.stdout is not None
        heading = process.stdout.readline()
        assert heading.split() == ["AT", "ID", "KEY", "SYSTEM", "WHAT", "TOOK"]
        before = [process.stdout.readline() for _ in range(9)]
        assert "message.settle" in before[-1]
        happen(night, lambda more: more.event("erp", "item:SKU-77", ago=0))
        assert "item:SKU-77" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, remarks = process.communicate(timeout=20)
    assert (rest, remarks, process.returncode) == ("", "", 130)


def test_sigterm_ends_it_too(night: Path) -> None:
    with tailed(night, "--since", "0s", "-o", "jsonl") as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 143


def test_a_reader_that_leaves_ends_it_at_once_also_when_nothing_happens(night: Path) -> None:
    with tailed(night) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        assert process.wait(timeout=10) == 0


def test_it_ends_after_so_many_lines(night: Path) -> None:
    with tailed(night, "--since", "0s", "--limit", "2", "--where", "system = erp", "-o", "json") as process:
        time.sleep(1)
        for n in range(3):
            happen(night, lambda more, n=n: more.event("erp", f"item:NEW-{n}", ago=-5_000_000))
            happen(night, lambda more, n=n: more.event("shop", f"item:OLD-{n}", ago=-5_000_000))
        out, _ = process.communicate(timeout=20)
    told = json.loads(out)
    assert process.returncode == 0
    assert [item["key"] for item in told["items"]] == ["item:NEW-0", "item:NEW-1"]
    assert (told["schema"], told["shown"], told["total"]) == ("erpsync/tail/1", 2, None)


def test_what_just_happened_and_no_more(erpsync: Run) -> None:
    answer = erpsync("tail", "--since", "3h", "--no-wait", "--where", "what = dead", "-o", "jsonl")
    (item,) = map(json.loads, answer.out.splitlines())
    assert item["key"] == "customer:CU-1107"
    assert (item["kind"], item["system"], item["outcome"], item["seconds"]) == ("attempt", "wms", "refused", "0.190")
    assert item["text"].startswith("refused, ")
    assert erpsync("tail", "--no-wait", "--since", "1s").out == ""


def test_an_act_names_the_message_it_was_done_to(erpsync: Run) -> None:
    erpsync("messages", "hold", "12", "--yes", "--reason", "odd")
    (line,) = erpsync("tail", "--no-wait", "--since", "1m", "--where", "what = message.hold").out.splitlines()[1:]
    assert line.endswith("mira, message 12, odd")


def test_a_retry_says_when_it_is_tried_again(night: Path, run_in: Callable[[Path], Run]) -> None:
    def retried(more: Night) -> None:
        message = more.message("item:SKU-8", to="erp", state="ready", ago=1, tries=2, due_at=more.at(0.5))
        more.attempt(message, ago=1, seconds=0, outcome="retry", error="busy", status=503)

    happen(night, retried)
    (line,) = run_in(night)("tail", "--no-wait", "--where", "what = retry").out.splitlines()[1:]
    assert line.split("  ")[-1].strip() == "503: busy, again in 30s"
    assert " retry 2 " in line


def test_what_does_not_fit_on_a_terminal_is_counted_and_a_pipe_gets_it_all(
    night: Path, run_in: Callable[[Path], Run]
) -> None:
    def burst(more: Night) -> None:
        row = "INSERT INTO events (company_id, system_id, kind, number, received_at, verdict) VALUES (1, 1, 'item', ?, ?, 'accepted')"
        now = int(time.time()) * 1000
        more._write(lambda db: db.executemany(row, [(f"B-{n}", now) for n in range(7_000)]))

    leader, follower = pty.openpty()
    with tailed(night, "--since", "0s", stdout=follower) as shown:
        os.close(follower)
        time.sleep(1.5)
        happen(night, burst)
        text, until = b"", time.monotonic() + 20
        while b"more in this second" not in text and time.monotonic() < until:
            if select.select([leader], [], [], 0.5)[0]:
                text += os.read(leader, 65_536)
        assert shown.poll() is None
    os.close(leader)
    assert f"{7_000 - A_SECOND:,} more in this second".encode() in text
    assert text.count(b"item:B-") == A_SECOND
    everything = run_in(night)("tail", "--since", "7d", "--no-wait", "--where", "key = item:B-*")
    assert everything.out.count("item:B-") == 7_000


def test_a_store_that_goes_or_is_replaced_ends_it_with_one_line(night: Path) -> None:
    with tailed(night, "--since", "0s") as process:
        time.sleep(1)
        for file in night.glob("erpsync.db*"):
            file.unlink()
        _, remarks = process.communicate(timeout=20)
    assert process.returncode == 4
    assert remarks.startswith("error: store erpsync.db is gone\n")


def test_a_copy_in_its_place_is_another_store(night: Path) -> None:
    copy = night / "copy.db"
    with tailed(night, "--since", "0s") as process:
        time.sleep(1)
        shutil.copy(night / "erpsync.db", copy)
        copy.replace(night / "erpsync.db")
        _, remarks = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "was replaced by another" in remarks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "json"), "tail -o json has no end"),
        (("--since", "often", "--no-wait"), "--since"),
        (("--where", "sytem = erp", "--no-wait"), "filter field sytem"),
        (("--where", "kind = order", "--no-wait"), "filter value order, at column 8, is no kind of what happens"),
    ],
)
def test_what_cannot_be_is_refused(erpsync: Run, words: tuple[str, ...], said: str) -> None:
    answer = erpsync("tail", *words)
    assert answer.code == 2
    assert said in answer.err


def test_it_costs_next_to_nothing_while_nothing_happens(night: Path) -> None:
    with tailed(night, "--since", "0s") as process:
        time.sleep(2)
        before = sum(os.times()[2:4])  # of children that ended: none of ours yet
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").split()
        time.sleep(3)
        after = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").split()
        assert before == sum(os.times()[2:4])
    ticks = sum(int(after[n]) - int(stat[n]) for n in (13, 14))
    assert ticks / os.sysconf("SC_CLK_TCK") < 0.3
