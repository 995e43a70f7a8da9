"""``find``: a number as a caller says it leads to where it is on record, and it says how far it looked."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.store.store import Store
from erpsync.store.words import path_beside


@pytest.fixture
def told(night: Path) -> None:
    """An order that the warehouse answered with numbers of its own."""
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        more = Night(store)
        event = more.event("shop", "order:SO-900", ago=3, raw=b'{"po":"PO-4711","email":"Mira.Okafor@bay.example"}')
        message = more.message("order:SO-900", to="wms", state="dead", reason="refused", ago=2, event_id=event)
        body, answer = b'{"reference":"SO-900","ship":"12 Quay Road"}', b'{"error":"SO-900 taken, see TRK-99-1"}'
        more.attempt(message, ago=2, outcome="refused", body=body, answer=answer)


def rows(run: Run, *words: str) -> list[tuple[str | None, str, int | None, int | None]]:
    answer = run("find", *words, "-o", "json")
    assert answer.code == 0, answer.err
    return [(item["key"], item["in"], item["message"], item["event"]) for item in answer.json["items"]]


@pytest.mark.usefixtures("told")
def test_an_order_is_found_by_its_key_first_with_what_is_on_its_way(erpsync: Run) -> None:
    answer = erpsync("find", "so-900")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["FOUND", "IN", "WHAT"]
    assert lines[1].startswith("order:SO-900  ")
    assert "dead on its way to wms (message " in lines[1]
    assert [line.split("  ")[0].split()[0] for line in lines[2:]] == ["message", "event"]
    assert answer.err.splitlines()[0].startswith("3 of 3, in keys, xref, contents of ")
    assert answer.err.splitlines()[-1] == "next: erpsync trace order:SO-900"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("typed", "where"),
    [
        (("10498",), "xref"),
        (("PO-4711",), "raw"),
        (("po4711",), "raw"),
        (("mira.okafor",), "raw"),
        (("MIRA.OKAFOR@BAY.EXAMPLE",), "raw"),
        (("quay", "road"), "sent"),
        (("trk 99",), "answer"),
        (("order:SO-900",), "key"),
        (("orders:so-900",), "key"),
        (("900",), "key"),
        (("message 1",), "id"),
        (("1",), "id"),
        (("E-1",), "id"),
        (("a-1",), "id"),
    ],
)
def test_whatever_is_read_out_is_found(erpsync: Run, typed: tuple[str, ...], where: str) -> None:
    assert rows(erpsync, *typed)[0][1] == where


@pytest.mark.usefixtures("told")
def test_a_key_is_looked_for_in_contents_by_its_number(erpsync: Run) -> None:
    assert rows(erpsync, "order:SO-900") == rows(erpsync, "SO-900")


@pytest.mark.usefixtures("told")
def test_the_count_says_when_there_is_more(erpsync: Run) -> None:
    few = erpsync("find", "SO-900", "--limit", "1", "-o", "json").json
    assert (few["total"], few["shown"], few["looked"]["whole"]) == (None, 1, False)
    assert erpsync("find", "SO-900", "--limit", "1").err.startswith("1 shown, there are more, in keys, xref, contents")
    whole = erpsync("find", "SO-900", "-o", "json").json
    assert (whole["total"], whole["looked"]["missed"], whole["looked"]["whole"]) == (3, 0, True)
    assert erpsync("find", "SO-900", "-o", "ids").out == "order:SO-900\n", "a key once, to go on with"


def test_nothing_found_is_an_answer(erpsync: Run) -> None:
    answer = erpsync("find", "zz-nothing-77")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith("0 of 0, in keys, xref, contents of ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "find needs something to look for"),
        (" \x1b\u202e ", "find needs something to look for"),
        ("x" * 100_000, "find takes at most 200 characters, this has 100,000"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_one_line(erpsync: Run, text: str, said: str) -> None:
    answer = erpsync("find", text)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {said}\nhint: ")
    assert len(answer.err.splitlines()) == 2


@pytest.mark.parametrize("text", ['" OR 1=1 --', "a\udce9b", "SO\x00900", "x* NEAR(y z)", "\x1b[31mred", "%", "*a*"])
def test_hostile_text_finds_nothing_and_does_nothing(erpsync: Run, text: str) -> None:
    answer = erpsync("find", text)
    assert answer.code in (0, 2)
    assert "\x1b" not in answer.out + answer.err


@pytest.mark.usefixtures("told")
def test_read_only_finds_as_well_and_nothing_beside_the_store_is_made(erpsync: Run, night: Path) -> None:
    before = sorted(file.name for file in night.iterdir())
    assert rows(erpsync, "SO-900") == rows(lambda *words: erpsync("--read-only", *words), "SO-900")
    assert sorted(file.name for file in night.iterdir() if not file.name.endswith(("-wal", "-shm"))) == before


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("content", [b"", b"\x00" * 9_000, b"SQLite format 3\x00" + b"\xff" * 9_000])
def test_a_file_that_is_no_index_is_no_error(erpsync: Run, night: Path, content: bytes) -> None:
    path_beside(night / "erpsync.db").write_bytes(content)
    assert len(rows(erpsync, "SO-900")) == 3
