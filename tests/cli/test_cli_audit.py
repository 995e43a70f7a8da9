"""The audit log: who did what, and whether it is whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.store.store import Store


@pytest.fixture
def acts(tmp_path: Path, night: Path, run_in: Callable[[Path], Run]) -> Run:
    """The night, with what a few people and the engine did in it."""
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        told = Night(store)
        told.act("breaker.open", "tax", ago=9, actor="engine", reason="5 timeouts")
        told.act("exception.resolve", "E-1", ago=7, actor="rlopez", reason="credit was raised")
        told.act("message.settle", "46480", ago=4, reason="seen in billing")
    return run_in(night)


def change(folder: Path, statement: str) -> None:
    """Change the store behind our back."""
    with sqlite3.connect(folder / "erpsync.db") as db:
        db.execute("DROP TRIGGER IF EXISTS audit_update")
        db.execute("DROP TRIGGER IF EXISTS audit_delete")
        db.execute(statement)
    db.close()


def test_acts_come_the_newest_first_with_who_and_why(acts: Run) -> None:
    items = acts("audit", "list", "-o", "json").json["items"]
    assert [(item["actor"], item["what"], item["subject"]) for item in items[:3]] == [
        ("mira", "message.settle", "46480"),
        ("rlopez", "exception.resolve", "E-1"),
        ("engine", "breaker.open", "tax"),
    ]
    assert items[0]["at"] == "2026-10-15T08:08:40Z"
    assert items[0]["reason"] == "seen in billing"
    assert items[0]["previous"] == items[1]["hash"]


def test_acts_are_found_by_time_and_by_what_they_say(acts: Run) -> None:
    def subjects(*words: str) -> list[str]:
        return [item["subject"] for item in acts("audit", "list", "-o", "json", *words).json["items"]]

    assert subjects("--since", "5m") == ["46480"]
    assert subjects("--where", "actor = rlopez or what = breaker.*") == ["E-1", "tax"]
    assert subjects("--where", "reason ~ billing", "--since", "1h") == ["46480"]
    assert subjects("--sort", "actor", "--limit", "1") == ["tax"]
    assert acts("audit", "list", "--since", "yesterday").code == 2
    assert (
        acts("audit", "list", "-o", "ids", "--since", "5m").out
        == f"{acts('audit', 'list', '-o', 'json').json['items'][0]['act']}\n"
    )


def test_the_count_says_what_was_left_out(acts: Run) -> None:
    every = len(acts("audit", "list", "-o", "json").json["items"])
    assert acts("audit", "list", "--since", "5m", columns=80).err.splitlines() == [
        f"1 of 1; {every} acts in all; times are CDT",
        "next: erpsync audit verify",
    ]


def test_the_total_is_of_all_that_match_whatever_is_shown(acts: Run) -> None:
    def told(*words: str) -> tuple[int, int]:
        whole = acts("audit", "list", "-o", "json", *words).json
        return whole["shown"], whole["total"]

    every = told()[1]
    assert told("--limit", "1") == (1, every)
    assert told("--limit", "1", "--where", "actor = engine or actor = rlopez") == (1, 2)
    assert told("--limit", "1", "--since", "8m") == (1, 2)


def test_a_whole_log_says_where_it_ends_and_that_end_can_be_noted(acts: Run) -> None:
    told = acts("audit", "verify")
    assert told.code == 0
    noted = re.fullmatch(r"the audit log is whole: \d+ acts, to (A-\d+=[0-9a-f]{16})\.\n", told.out)
    assert noted
    assert acts("audit", "verify", "--noted", noted[1]).code == 0
    whole = acts("audit", "verify", "-o", "json").json
    assert (whole["whole"], whole["total"], whole["items"]) == (True, 0, [])
    assert f"{whole['newest'][0]['act']}={whole['newest'][0]['hash'][:16]}" == noted[1]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE what = 'exception.resolve'", "was changed after it was written"),
        ("DELETE FROM audit WHERE what = 'exception.resolve'", "rows are missing"),
    ],
)
def test_a_log_that_was_changed_is_not_whole(acts: Run, night: Path, statement: str, said: str) -> None:
    change(night, statement)
    told = acts("audit", "verify")
    assert told.code == 1
    assert told.out.startswith("the audit log is not whole: ")
    assert said in told.out
    assert told.out.splitlines()[-1].startswith("next: ")


def test_an_end_that_was_cut_off_shows_by_what_was_noted(acts: Run, night: Path) -> None:
    end = acts("audit", "verify", "-o", "json").json["newest"][0]
    noted = f"{end['act']}={end['hash']}"
    change(night, "DELETE FROM audit WHERE subject = '46480'")
    assert acts("audit", "verify").code == 0, "nothing inside tells of it"
    told = acts("audit", "verify", "--noted", noted)
    assert told.code == 1
    assert f"{end['act']} was noted and is not there: the end of the log is missing" in told.out
    other = f"{end['act'].split('-')[0]}-1={'0' * 16}"
    assert "A-1 was noted with another hash" in acts("audit", "verify", "--noted", other).out


@pytest.mark.parametrize(
    "noted", ["", "A-1", "A-1=xyz", "1=00000000", "A-=00000000", "A-99999999999999999999=00000000"]
)
def test_what_is_no_act_and_hash_is_refused(acts: Run, noted: str) -> None:
    told = acts("audit", "verify", "--noted", noted)
    assert told.code == 2
    assert told.err.startswith("error: --noted ")


def test_who_does_it_in_other_words_is_shown_harmless(acts: Run, night: Path) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        Night(store).act("message.settle", "1", ago=1, actor="\x1b[31mme", reason="because\u202e\n")
    told = acts("audit", "list", "--limit", "1", columns=120)
    assert "\\x1b[31mme" in told.out
    assert "because\\u202e\\n" in told.out
    assert "\x1b" not in told.out
