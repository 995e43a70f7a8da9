"""What goes wrong is told in one line and a hint, with the right exit code, and stdout stays empty."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.errors import StoreLocked


def told(answer: object) -> list[str]:
    """The lines of an error."""
    assert answer.out == ""
    return str(answer.err).splitlines()


def test_a_mistyped_option_is_answered_with_the_right_one(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--limt", "5")
    assert answer.code == 2
    assert told(answer) == ["error: dlq list has no option --limt", "hint: --limit? All: erpsync dlq list --help"]


def test_a_mistyped_command_is_answered_with_the_right_one(erpsync: Run) -> None:
    answer = erpsync("stauts")
    assert answer.code == 2
    assert told(answer) == ["error: erpsync has no command stauts", "hint: status? All: erpsync --help"]
    assert told(erpsync("dlq", "lst"))[0] == "error: dlq has no command lst"
    assert told(erpsync("dlq"))[0] == "error: dlq needs a command"


def test_a_missing_argument_and_a_wrong_value_are_named(erpsync: Run) -> None:
    assert told(erpsync("dlq", "show"))[0] == "error: dlq show needs ID"
    assert told(erpsync("dlq", "list", "--limit", "many"))[0] == "error: dlq list: --limit many is no whole number"
    assert (
        told(erpsync("dlq", "list", "-o", "xml"))[0]
        == "error: dlq list: --output xml is none of table, json, jsonl, csv, ids"
    )
    assert told(erpsync("dlq", "show", "E-x"))[0] == 'error: "E-x" is no id'


def test_a_wrong_filter_field_names_the_right_ones(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--where", "sytem=erp", columns=80)
    assert answer.code == 2
    lines = told(answer)
    assert lines[0] == "error: filter field sytem, at column 1, does not exist"
    assert lines[1].startswith("hint: system? Fields of dead letters: age, cause, died, error,")
    assert max(map(len, lines)) <= 80


def test_an_id_cut_off_is_recognised(erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync("dlq", "show", "1")
    assert answer.code == 2
    assert told(answer) == ["error: message 1 is not dead, it is done", "hint: erpsync messages show 1"]
    assert told(erpsync("messages", "show", "4711")) == [
        "error: message 4711 is not in the store (pruned, or never was)",
        "hint: those there are: erpsync messages list",
    ]
    assert told(erpsync("exceptions", "show", "E-99"))[0] == "error: exception E-99 does not exist"
    assert told(erpsync("events", "show", "99"))[0].startswith("error: event 99 is not in the store")
    assert told(erpsync("trace", "order:SO-99999"))[0].startswith("error: order:SO-99999 is not in the store")
    assert told(erpsync("trace", "ordre:SO-1"))[0] == "error: 'ordre' is no kind of document"
    assert told(erpsync("lanes", "show", "wms", "order:SO-9"))[0].startswith(
        "error: lane wms, order:SO-9 does not exist"
    )
    assert told(erpsync("systems", "probe", "wmss"))[0] == "error: system wmss does not exist"


def test_an_error_is_json_where_json_was_asked_for(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--where", "sytem=erp", "-o", "json")
    error = json.loads(answer.err)
    assert answer.out == ""
    assert error["schema"] == "erpsync/error/1"
    assert error["code"] == answer.code == 2
    assert error["error"] == "filter field sytem, at column 1, does not exist"


def test_hostile_words_on_the_command_line_are_escaped(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--where", "system = '\x1b[31m' and")
    assert answer.code == 2
    assert "\x1b" not in answer.err
    assert "\x1b" not in erpsync("dlq", "show", "\x1b]0;x\x07").err
    assert "\x1b" not in erpsync("trace", "order:\x1b[2J").err
    assert "\x1b" not in erpsync("\x1b[2J").err
    assert "\x1b" not in erpsync("dlq", "--\x1b[2J").err


def test_a_mistake_in_the_landscape_stops_every_command_at_the_first(erpsync: Run, night: Path) -> None:
    file = night / "erpsync.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('from = "wms"', 'from = "wsm"'), encoding="utf-8")
    answer = erpsync("status")
    assert answer.code == 2
    assert told(answer)[0].startswith("error: erpsync.toml:")
    assert 'from = "wsm"' in told(answer)[0]
    checked = erpsync("check")
    assert checked.code == 2
    assert checked.out.startswith("erpsync.toml:")
    assert "error: erpsync.toml, 1 mistake in" in checked.err
    as_json = erpsync("check", "-o", "json").json
    assert as_json["good"] is False
    assert as_json["items"][0]["found"] == "wsm"


def test_without_a_landscape_the_hint_says_how_to_get_one(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    answer = run_in(tmp_path)("status")
    assert answer.code == 2
    assert "erpsync init" in told(answer)[1]
    assert run_in(tmp_path)("--landscape", "no.toml", "status").code == 2


def test_without_a_store_the_hint_says_how_to_get_one(erpsync: Run, night: Path) -> None:
    (night / "erpsync.db").unlink()
    for path in night.glob("erpsync.db*"):
        path.unlink()
    answer = erpsync("status")
    assert answer.code == 4
    assert "erpsync sync item customer order shipment" in told(answer)[1]


def test_a_damaged_a_foreign_and_a_newer_store_are_told_apart(erpsync: Run, night: Path) -> None:
    store = night / "erpsync.db"
    with sqlite3.connect(store) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    newer = erpsync("status")
    assert newer.code == 4
    assert "has schema 99, this erpsync knows" in newer.err
    for path in night.glob("erpsync.db*"):
        path.unlink()
    store.write_bytes(b"this is no database at all, it is a letter to a friend" * 20)
    foreign = erpsync("status")
    assert foreign.code == 4
    assert "is not an erpsync store" in foreign.err


def test_a_defect_of_ours_is_one_line_with_its_place(erpsync: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erpsync.store.reading.status.counts_by_state", lambda *_: {}["nothing"])
    answer = erpsync("status")
    assert answer.code == 70
    lines = told(answer)
    assert lines[0].startswith("error: a defect in erpsync ")
    assert "KeyError in store/reading/status.py:" in lines[0]
    assert lines[1] == "hint: erpsync --debug status shows the trace; the store is unharmed"
    assert "Traceback" in erpsync("--debug", "status").err


def test_a_locked_store_is_exit_4(erpsync: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise StoreLocked("store erpsync.db is locked: process 4121 holds it", hint="wait for it")

    monkeypatch.setattr("erpsync.store.store.Store.open", locked)
    answer = erpsync("status")
    assert answer.code == 4
    assert told(answer) == ["error: store erpsync.db is locked: process 4121 holds it", "hint: wait for it"]


def test_the_exit_codes_are_explained(erpsync: Run) -> None:
    answer = erpsync("help", "exit-codes")
    assert answer.code == 0
    for code in ("0", "1", "2", "3", "4", "8", "70", "130"):
        assert any(line.split()[0] == code for line in answer.out.splitlines())
    assert erpsync("help", "nonsense").code == 2


def test_help_is_plain_and_fits_80_columns(erpsync: Run) -> None:
    for words in (
        (),
        ("--help",),
        ("dlq", "--help"),
        ("dlq", "list", "--help"),
        ("replay", "--help"),
        ("sync", "--help"),
    ):
        answer = erpsync(*words)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80
        assert answer.err == ""


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (
            ("messages", "list", "--where", "state=daed"),
            "filter value daed, at column 7, is no state",
            "dead? States: ",
        ),
        (
            ("messages", "list", "--where", "kind=ordre"),
            "filter value ordre, at column 6, is no kind",
            "order? Kinds: ",
        ),
        (("events", "list", "--where", "verdict != stal"), "filter value stal, at column 12, is no verdict", "stale? "),
        (
            ("exceptions", "list", "--where", "state=shut"),
            "filter value shut, at column 7, is no state",
            "States: open",
        ),
    ],
)
def test_a_word_that_cannot_be_there_is_named(words: tuple[str, ...], error: str, hint: str, erpsync: Run) -> None:
    answer = erpsync(*words)
    assert answer.code == 2
    assert told(answer)[0] == f"error: {error}"
    assert told(answer)[1].startswith(f"hint: {hint}")


def test_a_kind_may_be_named_in_the_plural_in_a_filter(erpsync: Run) -> None:
    one, many = (erpsync("messages", "list", "-o", "ids", "--where", f"kind = {word}") for word in ("order", "orders"))
    assert one.out == many.out != ""


def test_what_was_typed_is_not_repeated_without_end(erpsync: Run) -> None:
    for words in (("trace", "order:" + "A" * 100_000), ("lanes", "show", "x" * 100_000, "order:1")):
        answer = erpsync(*words)
        assert answer.code == 2
        assert len(answer.err) < 2_000


def test_an_argument_that_is_not_utf8_is_no_defect(erpsync: Run) -> None:
    for words in (
        ("trace", "order:\udcff"),
        ("messages", "list", "--where", "system=\udcff"),
        ("dlq", "show", "\udcff"),
    ):
        assert erpsync(*words).code in (0, 2), words


def test_a_limit_beyond_all_bounds_is_refused(erpsync: Run) -> None:
    assert erpsync("messages", "list", "--limit", "9" * 20).code == 2


def test_a_store_that_was_here_is_gone_and_nobody_is_told_to_make_an_empty_one(erpsync: Run, night: Path) -> None:
    (night / "erpsync.db").rename(night / "elsewhere.db")
    (night / "erpsync.db.epoch").touch()
    makes = (("sync",), ("run", "--once"), ("systems", "pause", "erp"), ("flows", "pause", "items"))
    for words in (("status",), ("lanes", "list"), ("messages", "hold", "12", "--yes"), *makes):
        answer = erpsync(*words)
        assert answer.code == 4
        assert told(answer) == [
            "error: store erpsync.db is gone: what lies beside it says that it was here",
            f"hint: look: ls -la {night}; to begin anew, move erpsync.db.epoch away too",
        ]
        assert not (night / "erpsync.db").exists()
