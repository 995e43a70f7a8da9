"""Progress on stderr: how far it is, and what it waits for that is in other hands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from night_store import NIGHT

from erpsync.cli.progress import LongLine, ProgressLines, waits_text
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


def test_what_takes_longer_than_a_second_says_how_far_it_is_every_five(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    line = LongLine()
    for seconds in (0.5, 4.0, 6.0, 8.0, 12.0):
        passed[0] = seconds
        line.show("copying", f"{seconds:g} MiB", "20 MiB", part=seconds / 20)
    line.clear()
    assert capsys.readouterr().err.splitlines() == ["6s: copying 6 MiB of 20 MiB", "12s: copying 12 MiB of 20 MiB"]


def test_in_a_terminal_it_is_one_line_that_is_taken_away_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    monkeypatch.setattr("erpsync.cli.progress.on_terminal", lambda _: True)
    line = LongLine()
    for seconds in (0.5, 2.0, 2.1, 10.0):
        passed[0] = seconds
        line.show("copying", f"{seconds:g} MiB", "20 MiB", part=seconds / 20)
    line.clear()
    said = capsys.readouterr().err
    assert [text.rstrip() for text in said.split("\r\x1b[K")] == [
        "copying 2 MiB of 20 MiB                       [##..................]",
        "copying 10 MiB of 20 MiB                      [##########..........]",
        "",
    ]
    assert "\n" not in said
