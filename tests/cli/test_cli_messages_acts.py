"""Holding, releasing and skipping messages: shown first, judged one by one, on record, and refused with what to do instead."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.store.store import Store

FREE, BEHIND, CHILD, STANDS = (
    "12",
    "7",
    "5",
    "4",
)  # an item that is due; an order behind another; two that wait for a customer


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def message_of(erpsync: Run, number: str) -> dict[str, object]:
    """A message, as the command line tells it."""
    found: dict[str, object] = erpsync("messages", "show", number, "-o", "json").json["message"]
    return found


def test_a_held_message_says_who_holds_it_and_why_and_how_to_let_it_go(erpsync: Run) -> None:
    answer = erpsync("messages", "hold", FREE, "--yes", "--reason", "price in question")
    assert answer.code == 0, answer.err
    assert "message 12 is held, until released (A-2, mira)." in answer.out
    assert answer.out.endswith("next: erpsync messages release 12\n")
    shown = erpsync("messages", "show", FREE).out
    assert "message 12 is held (by person): item:SKU-0 to shop" in shown
    assert "waits   for a person: mira holds it: price in question\n" in shown
    assert "by      mira, message.hold: price in question (A-2)\n" in shown
    assert shown.endswith("next: erpsync messages release 12\n")
    assert "12" in erpsync("messages", "list", "--where", "state = held", "-o", "ids").out.split()
    assert "1 message to shop waits for a person" in erpsync("status").out
    assert erpsync("store", "verify").code == 0


def test_what_is_to_be_done_next_about_very_many_is_a_command_that_runs(
    night: Path, run_in: Callable[[Path], Run]
) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        more = Night(store)
        many = [str(more.message(f"item:SKU-7{n}", to="shop", state="ready")) for n in range(6)]
    erpsync = run_in(night)
    last = erpsync("messages", "hold", *many, "--yes").out.splitlines()[-1]
    assert last == "next: erpsync messages list --where 'state = held'"
    assert set(many) <= set(erpsync(*shlex.split(last)[2:], "-o", "ids").out.split())


def test_what_is_released_is_ready_and_due_now(erpsync: Run) -> None:
    erpsync("messages", "hold", FREE, "--yes")
    answer = erpsync("messages", "release", FREE, "--yes", "-o", "json")
    assert answer.code == 0
    assert answer.json["schema"] == "erpsync/messages.release/1"
    told = {name: answer.json[name] for name in ("released", "line", "stays", "left_out", "closed", "act")}
    assert told == {"released": [12], "line": [], "stays": [], "left_out": [], "closed": [], "act": "A-3"}
    message = message_of(erpsync, FREE)
    assert (message["state"], message["cause"], message["due"]) == ("ready", "released", "2026-10-15T08:12:40Z")
    assert erpsync("store", "verify").code == 0


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("hold", "{customer}"), "{customer} is dead, not ready", "it does not go by itself; to give it up: erpsync dlq discard"),
        (("skip", "{customer}"), "{customer} is dead, not ready or held", "to give it up: erpsync dlq discard {customer}"),
        (("release", "{customer}"), "{customer} is dead, not held", "to send it again: erpsync replay {customer}"),
        (("hold", "{lost}"), "{lost} is unknown, not ready", "say first what became of it: erpsync messages show {lost}"),
        (("skip", "{lost}"), "{lost} is unknown, not ready or held", "say first what became of it: erpsync messages show {lost}"),
        (("hold", "1"), "1 is done, not ready", "erpsync messages show 1"),
        (("skip", "17"), "17 is skipped, not ready or held", "erpsync messages show 17"),
        (("release", FREE), "12 is ready, not held", "erpsync messages show 12"),
        (("release", CHILD), "5 is held for customer:CU-1107, not for a person", "it goes when that is there: erpsync messages show 5"),
        (("skip", "{customer}", "{lost}"), "{lost} is unknown, not ready or held; nor can 1 other be skipped", "say first"),
        (("hold", "4444"), "4444 is not in the store (pruned, or never was)", "those there are: erpsync messages list"),
        (("hold", "x"), '"x" is no id', "an id is a number, like 42790"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_what_to_do_instead(
    words: tuple[str, ...], error: str, hint: str, erpsync: Run, ids: dict[str, int]
) -> None:
    answer = erpsync("messages", *(word.format(**ids) for word in words), "--yes", "--reason", "x")
    assert answer.code == 2
    assert answer.out == ""
    first, second = answer.err.splitlines()[:2]
    assert first == f"error: message {error.format(**ids)}" or first == f"error: {error.format(**ids)}"
    assert second.startswith(f"hint: {hint.format(**ids)}")


def test_what_is_in_flight_and_what_repeats_an_open_try_is_left_alone(erpsync: Run, night: Path) -> None:
    def put(sql: str) -> None:
        with Store.open(night / "erpsync.db", now=NIGHT) as store:
            store.writer.call(lambda db: db.execute(sql))

    put("UPDATE messages SET state = 'leased', lease_no = 1, tries = 1 WHERE message_id = 12")
    put("UPDATE messages SET pinned_id = 1 WHERE message_id = 13")
    for act in ("hold", "skip"):
        taken = erpsync("messages", act, FREE, "--yes", "--reason", "x")
        assert taken.err.splitlines() == [
            "error: message 12 is leased: it is on its way to shop now",
            "hint: wait for the answer; to stop all to it: erpsync systems pause shop",
        ]
        pinned = erpsync("messages", act, "13", "--yes", "--reason", "x")
        assert pinned.err.startswith("error: message 13 is ready, but repeats an open try: the same bytes go until")
        assert (taken.code, pinned.code) == (2, 2)


def test_of_many_those_that_cannot_are_left_out_said_so_and_it_is_exit_1(
    erpsync: Run, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{FREE}\n{BEHIND} {ids['customer']}\n"))
    answer = erpsync("messages", "hold", "-", "--yes")
    assert answer.code == 1
    assert f"left out     {ids['customer']}: dead, not ready\n" in answer.out
    assert "2 messages are held, until released (A-2, mira)." in answer.out
    assert [message_of(erpsync, number)["state"] for number in (FREE, BEHIND)] == ["held", "held"]
    told = erpsync("messages", "release", FREE, CHILD, "--yes", "-o", "json")
    assert told.code == 1
    assert told.json["left_out"] == [{"message": 5, "why": "held for customer:CU-1107, not for a person"}]
    acts = erpsync("audit", "list", "-o", "json").json["items"]
    assert [(act["what"], act["subject"]) for act in acts[:2]] == [("message.release", "12"), ("message.hold", "7,12")]


def test_what_waits_for_more_than_a_person_stays_held_and_the_answer_says_for_what(erpsync: Run) -> None:
    erpsync("messages", "hold", STANDS, "--yes")
    answer = erpsync("messages", "release", STANDS, "--yes")
    assert answer.code == 0
    assert "message 4 waits for no person any more, but stays held for customer:CU-1107 (A-3, mira)." in answer.out
    assert answer.out.splitlines()[-1] == "next: erpsync messages show 4", "a worker would move nothing"
    assert message_of(erpsync, STANDS)["waits"] == [
        {"reason": "parent", "on": "customer:CU-1107", "since": "2026-10-15T06:02:40Z"}
    ]


def test_a_hold_says_that_a_newer_revision_goes_all_the_same(erpsync: Run) -> None:
    newer = "newer        a newer revision of a held document takes its place, and goes\n"
    assert newer in erpsync("messages", "hold", FREE, "--dry-run").out


def test_skip_shows_what_its_target_will_not_have_and_what_becomes_of_the_line(erpsync: Run) -> None:
    shown = erpsync("messages", "skip", STANDS, "--line", "go", "--dry-run").out
    assert shown.startswith("Would skip 1 message: wms 1.\n")
    assert "4  order:SO-20000 to wms: wms will not have it, until it changes again: the next change" in shown
    assert "stake        1,000.00 USD\n" in shown
    assert "line behind  1, 1,000.00 USD: goes on without them\n" in shown
    assert shown.endswith("undo         erpsync dlq restore 4\n")
    whole = erpsync("messages", "skip", STANDS, "--dry-run", "-o", "json").json
    assert (whole["line_behind"], whole["line_at_stake"]["amount"]) == (1, "1000.00")
    assert [item["id"] for item in whole["items"]] == [4]


def test_a_skipped_message_says_who_did_not_want_it_sent_and_why_and_can_be_brought_back(erpsync: Run) -> None:
    answer = erpsync("messages", "skip", STANDS, "--yes", "--reason", "entered there by hand")
    assert answer.code == 0
    assert "message 4 is skipped, and not delivered (A-2, mira).\n1 message of the line is held.\n" in answer.out
    assert message_of(erpsync, BEHIND)["state"] == "held"
    shown = erpsync("messages", "show", STANDS).out
    assert "by      mira, message.skip: entered there by hand (A-2)\n" in shown
    assert erpsync("messages", "show", STANDS, "-o", "json").json["by"] == {
        "act": "A-2",
        "actor": "mira",
        "what": "message.skip",
        "at": "2026-10-15T08:12:40Z",
        "reason": "entered there by hand",
    }
    assert "mira message.skip" in erpsync("trace", "order:SO-20000").out
    assert erpsync("dlq", "restore", STANDS, "--yes").code == 0
    assert message_of(erpsync, STANDS)["state"] == "ready"
    assert message_of(erpsync, BEHIND)["state"] == "ready"
    assert erpsync("store", "verify").code == 0


def test_skip_needs_a_reason(erpsync: Run) -> None:
    answer = erpsync("messages", "skip", FREE, "--yes")
    assert answer.code == 2
    assert answer.err.startswith("error: messages skip needs --reason: a document is not delivered\n")
    assert message_of(erpsync, FREE)["state"] == "ready"


@pytest.mark.parametrize("act", ["hold", "release", "skip"])
def test_without_a_terminal_nothing_is_done_unasked(act: str, erpsync: Run) -> None:
    if act == "release":
        erpsync("messages", "hold", FREE, "--yes")
    before = message_of(erpsync, FREE)["state"]
    answer = erpsync("messages", act, FREE, "--reason", "x")
    assert answer.code == 2
    assert answer.out.startswith(f"Would {act} 1 message: shop 1.\n")
    assert answer.err.startswith(f"error: {act} of 1 message to shop asks first, and there is no terminal\n")
    assert message_of(erpsync, FREE)["state"] == before


def test_a_dry_run_leaves_nothing_and_is_let_through_where_changes_are_refused(erpsync: Run, night: Path) -> None:
    before = (night / "erpsync.db").stat().st_mtime_ns
    for act in ("hold", "skip"):
        assert erpsync("--read-only", "messages", act, FREE, "--dry-run").code == 0
        assert erpsync("messages", act, FREE, "--dry-run", "-o", "json").json["total"] == 1
    assert (night / "erpsync.db").stat().st_mtime_ns == before
