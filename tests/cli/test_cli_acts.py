"""Acts: what is shown is frozen, nothing happens unasked, and what was done is on record."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SECRETS, Run  # type: ignore[import-not-found]  # the folder's own conftest


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def state_of(erpsync: Run, message_id: int) -> str:
    """A message's state, as the command line tells it."""
    return str(erpsync("messages", "show", str(message_id), "-o", "json").json["message"]["state"])


def test_without_a_terminal_an_act_refuses_and_shows_what_it_would_do(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("replay", str(ids["customer"]))
    assert answer.code == 2
    assert answer.out.startswith("Would send 1 of 1 letter to wms")
    assert answer.err.splitlines()[0] == "error: replay of 1 message to wms asks first, and there is no terminal"
    assert state_of(erpsync, ids["customer"]) == "dead"


def test_replay_with_yes_makes_letters_ready_again(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("replay", str(ids["customer"]), str(ids["SH-88022"]), "--yes", "--reason", "mended")
    assert answer.code == 0
    assert "2 of 2 letters ready again: erp 1, wms 1" in answer.out
    assert state_of(erpsync, ids["customer"]) == "ready"
    trace = erpsync("trace", "customer:CU-1107").out
    assert "mira message.replay" in trace
    assert "mended" in trace
    assert erpsync("store", "verify").code == 0


def test_replay_takes_a_filter_or_ids_on_stdin(
    erpsync: Run, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ids['SH-87931']}\n{ids['SH-87953']}\n"))
    answer = erpsync("replay", "-", "--yes", "-o", "json")
    assert answer.json["result"]["replayed"] == sorted([ids["SH-87931"], ids["SH-87953"]])
    rest = erpsync("replay", "--where", "system = erp", "--yes", "-o", "json").json
    assert rest["result"]["replayed"] == [ids["SH-88022"]]
    assert erpsync("replay", "--where", "system = erp", "--yes").out == "Nothing to replay: no dead letter matches.\n"
    assert erpsync("replay").code == 2


def test_what_is_not_dead_is_left_out_and_said_so(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("replay", str(ids["lost"]), str(ids["customer"]), "--dry-run")
    assert answer.code == 0
    assert f"{ids['lost']}: not dead, it is unknown" in answer.out
    alone = erpsync("replay", str(ids["lost"]), "--yes")
    assert alone.code == 2
    assert alone.err.startswith(f"error: message {ids['lost']} is not dead, it is unknown")


def test_a_dry_run_leaves_nothing(erpsync: Run, ids: dict[str, int], night: Path) -> None:
    before = (night / "erpsync.db").stat().st_mtime_ns
    for words in (("replay", str(ids["customer"])), ("dlq", "discard", str(ids["customer"])), ("events", "apply", "3")):
        assert erpsync(*words, "--dry-run").code == 0
    assert (night / "erpsync.db").stat().st_mtime_ns == before


def test_a_discarded_letter_can_be_restored(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("dlq", "discard", str(ids["SH-87931"]), "--yes", "--reason", "entered by hand")
    assert answer.code == 0
    assert state_of(erpsync, ids["SH-87931"]) == "skipped"
    assert erpsync("dlq", "restore", str(ids["SH-87931"]), "--yes").code == 0
    assert state_of(erpsync, ids["SH-87931"]) == "ready"
    assert erpsync("dlq", "discard", str(ids["lost"]), "--yes").code == 2
    assert erpsync("store", "verify").code == 0


def test_discarding_says_what_becomes_of_the_line(erpsync: Run, ids: dict[str, int]) -> None:
    shown = erpsync("dlq", "discard", str(ids["SH-88022"]), "--line", "go", "--dry-run").out
    assert "line behind  1, 9,870.00 USD: goes on without them" in shown
    assert erpsync("dlq", "discard", "1", "--line", "away").code == 2


def test_a_lost_answer_is_settled_by_a_person(erpsync: Run, ids: dict[str, int]) -> None:
    lost = str(ids["lost"])
    answer = erpsync("messages", "settle", lost, "--delivered", "W-55310", "--reason", "seen there", "--yes")
    assert answer.code == 0, answer.err
    assert f"{lost} is done: order:SO-10498 is W-55310 in wms (A-2, mira)." in answer.out
    assert "12,480.00 USD is no longer at stake." in answer.out
    assert "E-1 is closed." in answer.out
    assert erpsync("messages", "settle", lost, "--delivered", "W-55310", "--yes").code == 2


def test_not_delivered_needs_a_reason_and_sends_again(erpsync: Run, ids: dict[str, int]) -> None:
    lost = str(ids["lost"])
    assert erpsync("messages", "settle", lost, "--not-delivered", "--yes").code == 2
    assert erpsync("messages", "settle", lost, "--not-delivered", "--delivered", "x", "--reason", "y").code == 2
    whole = erpsync("messages", "settle", lost, "--not-delivered", "--reason", "not there", "--yes", "-o", "json").json
    assert (whole["from_state"], whole["state"]) == ("unknown", "ready")


def test_a_blind_system_cannot_be_asked(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("messages", "settle", str(ids["lost"]))
    assert answer.code == 2
    assert answer.err.startswith("error: wms cannot be asked (blind)")


def test_an_exception_is_closed_with_a_reason(erpsync: Run, ids: dict[str, int]) -> None:
    number = f"E-{ids['refused']}"
    assert erpsync("exceptions", "resolve", number, "--yes").code == 2
    assert erpsync("exceptions", "resolve", number, "--reason", "agreed with dana", "--yes").code == 0
    shown = erpsync("exceptions", "show", number).out
    assert "is closed" in shown
    assert "by mira: agreed with dana" in shown
    assert erpsync("exceptions", "resolve", number, "--reason", "again", "--yes").code == 2


def test_a_system_that_is_down_can_be_resumed(erpsync: Run) -> None:
    answer = erpsync("systems", "resume", "shop", "--yes", "--reason", "they say it is back")
    assert answer.code == 0
    assert erpsync("systems", "list", "-o", "json", "--where", "system = shop").json["items"][0]["state"] == "up"
    assert erpsync("systems", "resume", "erp", "--yes").code == 2


def test_probing_a_system_that_is_away_is_exit_3(erpsync: Run) -> None:
    answer = erpsync("systems", "probe", "erp")
    assert answer.code == 3
    assert answer.out.startswith("erp did not answer well")


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "{customer}", "--yes"),
        ("dlq", "discard", "{customer}", "--yes"),
        ("dlq", "restore", "17", "--yes"),
        ("messages", "settle", "{lost}", "--delivered", "x", "--yes"),
        ("messages", "hold", "12", "--yes"),
        ("messages", "release", "12", "--yes"),
        ("messages", "skip", "12", "--reason", "x", "--yes"),
        ("exceptions", "resolve", "1", "--reason", "x", "--yes"),
        ("systems", "resume", "shop", "--yes"),
        ("systems", "probe", "erp"),
        ("events", "apply", "3", "--yes"),
        ("sync", "item"),
        ("run", "--once"),
        ("store", "migrate", "--yes"),
        ("store", "prune", "--yes"),
        ("init",),
        ("demo",),
        ("sim", "up"),
    ],
)
@pytest.mark.parametrize("how", ["option", "environment"])
def test_read_only_refuses_every_change(how: str, words: tuple[str, ...], erpsync: Run, ids: dict[str, int]) -> None:
    words = tuple(word.format(**ids) for word in words)
    answer = erpsync("--read-only", *words) if how == "option" else erpsync(*words, environ={"ERPSYNC_READ_ONLY": "1"})
    assert answer.code == 2
    assert answer.err.splitlines()[0].endswith(" is refused: this is read-only")
    assert answer.out == ""


def test_reading_works_under_read_only(erpsync: Run) -> None:
    for words in (
        ("status",),
        ("dlq", "list"),
        ("trace", "order:SO-10498"),
        ("replay", "--where", "id > 0", "--dry-run"),
    ):
        assert erpsync("--read-only", *words).code == 0
    assert "read-only" in erpsync("--read-only", "status").out
    assert erpsync("status", environ={"ERPSYNC_READ_ONLY": "perhaps"}).code == 2


def in_a_terminal(folder: Path, *words: str, typed: bytes) -> tuple[int, str]:
    """Run ``erpsync`` in a terminal of its own and type something; its exit code and all it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "erpsync", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env={**os.environ, **SECRETS, "TERM": "xterm"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  (no threads run here; Ctrl-C needs it)
    )
    os.close(follower)
    shown = b""
    sent = False
    while True:
        if not select.select([leader], [], [], 60)[0]:
            process.kill()
            raise AssertionError(f"nothing more came{', and it was answered' if sent else ''}: {shown!r}")
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if not sent and b"(enter leaves): " in shown:
            os.write(leader, typed)
            sent = True
    os.close(leader)
    return process.wait(timeout=30), shown.decode()


def test_production_asks_for_the_landscapes_name(night: Path, ids: dict[str, int], erpsync: Run) -> None:
    code, shown = in_a_terminal(night, "replay", str(ids["customer"]), typed=b"acme-prod\n")
    assert code == 0
    assert "acme-prod is production. Type its name to replay 1 message to wms (enter leaves): " in shown
    assert state_of(erpsync, ids["customer"]) == "ready"


@pytest.mark.parametrize("typed", [b"\n", b"yes\n", b"y\n", b"\x04"])
def test_any_other_answer_leaves(typed: bytes, night: Path, ids: dict[str, int], erpsync: Run) -> None:
    code, shown = in_a_terminal(night, "replay", str(ids["customer"]), typed=typed)
    assert code == 0
    assert "left; nothing was sent" in shown
    assert state_of(erpsync, ids["customer"]) == "dead"


def test_elsewhere_the_number_must_be_typed(night: Path, ids: dict[str, int], erpsync: Run) -> None:
    file = night / "erpsync.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("production = true", "production = false"), encoding="utf-8"
    )
    code, shown = in_a_terminal(night, "replay", "--where", "system = erp", typed=b"3\n")
    assert code == 0
    assert "Replay 3 messages to erp? Type 3 (enter leaves): " in shown
    assert state_of(erpsync, ids["SH-88022"]) == "ready"


def test_ctrl_c_at_a_question_is_130(night: Path, ids: dict[str, int], erpsync: Run) -> None:
    code, shown = in_a_terminal(night, "replay", str(ids["customer"]), typed=b"\x03")
    assert code == 130
    assert "Traceback" not in shown
    assert state_of(erpsync, ids["customer"]) == "dead"


def test_a_landscape_is_made_checked_synchronised_and_read(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    erpsync = run_in(tmp_path)
    assert erpsync("init").code == 0
    assert erpsync("init").code == 2
    checked = erpsync("check")
    assert checked.code == 0
    assert checked.out == "erpsync.toml is good: 2 systems, 3 flows, 3 owners\n"
    first = erpsync("sync")
    assert first.code == 0, first.err
    assert "7 documents read from office, 7 written" in first.out
    again = erpsync("sync", "item", "-o", "json").json
    assert again["written"] == 0
    assert erpsync("status", "--check").code == 0
    assert erpsync("run", "--until-idle").code == 0
    assert erpsync("sync", "nonsense").code == 2
    assert erpsync("sync", "item", "--to", "nowhere").code == 2
