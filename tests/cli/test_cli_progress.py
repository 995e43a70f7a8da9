"""Progress on stderr: how far it is, and what it waits for that is in other hands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from night_store import NIGHT

from erpsync.cli.progress import ProgressLines, waits_text
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
