"""``sync --watch``: the same sync again and again, until somebody ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """The landscape that ``init`` makes: an office of files, a warehouse of files."""
    subprocess.run([sys.executable, "-m", "erpsync", "init", "acme"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "acme"


def watched(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "erpsync", "sync", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_with(stream: IO[str] | None, word: str) -> str:
    """The next line that has this word."""
    assert stream is not None
    while word not in (line := stream.readline()):
        assert line, "it ended by itself"
    return line


def test_what_changes_meanwhile_is_carried_by_a_later_round(office: Path) -> None:
    with watched(office, "--watch", "1s") as process:
        assert line_with(process.stdout, "read from").startswith("7 documents read from office, 7 written")
        items = office / "in" / "items.csv"
        items.write_text(items.read_text(encoding="utf-8").replace("89.00", "95.00"), encoding="utf-8")
        later = line_with(process.stdout, "1 written")
        process.send_signal(signal.SIGINT)
        _, remarks = process.communicate(timeout=20)
    assert later.startswith("3 documents read from office"), "the file that changed, and no other"
    assert process.returncode == 130
    assert "Traceback" not in remarks


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_cleanly_between_two_rounds(office: Path, number: int, code: int) -> None:
    with watched(office, "item", "--watch", "1h") as process:
        line_with(process.stderr, "Ctrl-C ends it")
        process.send_signal(number)
        answer, remarks = process.communicate(timeout=20)
    assert process.returncode == code
    assert "3 written" in answer
    assert remarks.strip() == ""


def test_each_round_answers_with_one_object_of_json(office: Path) -> None:
    with watched(office, "item", "--watch", "1s", "-o", "json") as process:
        assert process.stdout is not None
        text = ""
        while text.count("\n}\n") < 2:
            text += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    first, _, rest = text.partition("\n}\n")
    assert [json.loads(first + "}")["written"], json.loads(rest)["written"]] == [3, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--watch", "0s"), "error: --watch needs a second at least"),
        (("--watch", "soon"), 'error: --watch "soon" is not a duration'),
        (("--watch", "5m", "--dry-run"), "error: --watch and --dry-run do not go together"),
    ],
)
def test_a_wrong_pace_is_one_clear_line(office: Path, words: tuple[str, ...], said: str) -> None:
    with watched(office, *words) as process:
        answer, remarks = process.communicate(timeout=20)
    assert (process.returncode, answer) == (2, "")
    assert remarks.splitlines()[0] == said
