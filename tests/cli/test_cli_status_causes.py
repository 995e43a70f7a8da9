"""A cause in ``status``: it hides no other, and all that stands by it can be listed with the command beside it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import LANDSCAPE, NIGHT, Night

from erpsync.store import workers
from erpsync.store.store import Store

Over = Callable[[Callable[[Night], None]], Run]
REFUSED, DIED = "system wms answered 422: unknown unit", "the worker died of it each time"


@pytest.fixture
def at(tmp_path: Path, run_in: Callable[[Path], Run]) -> Over:
    """A way to run ``erpsync`` over a store with these rows."""

    def over(rows: Callable[[Night], None]) -> Run:
        (tmp_path / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
        with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
            rows(night := Night(store))
            night.finish()
        return run_in(tmp_path)

    return over


def letters(night: Night) -> None:
    """Two refusals and a poison message at one system, which another order waits behind."""
    for n in (1, 2):
        night.message(f"item:SKU-{n}", to="wms", state="dead", reason="refused", error=REFUSED)
    night.message("order:SO-9", to="wms", state="dead", reason="poison", error=DIED, tries=2)
    night.message("order:SO-9", to="wms", state="ready")


def test_dead_letters_of_several_reasons_are_told_apart(at: Over) -> None:
    erpsync = at(letters)
    assert f"3 dead letters to wms (2 refused, 1 poison), 1 waits behind: {REFUSED}" in erpsync("status").out


def test_dead_letters_of_one_reason_tell_their_error_alone(at: Over) -> None:
    def rows(night: Night) -> None:
        for n in (1, 2):
            night.message(f"item:SKU-{n}", to="wms", state="dead", reason="refused", error=REFUSED)

    erpsync = at(rows)
    assert f"2 dead letters to wms: {REFUSED}" in erpsync("status").out


def waiting(night: Night) -> None:
    """Three wait for a shop that is down, one of them in a worker's hands; two for a flow that is paused."""
    night.system("shop", state="down", since=night.at(5), last_error="no connection")
    for n in (1, 2):
        night.message(f"item:SKU-{n}", to="shop", state="ready")
    night.message("item:SKU-3", to="shop", state="leased")
    night.message("item:SKU-4", to="wms", state="ready")
    night.message("item:SKU-5", to="shop", state="done", reason="created")


def test_what_waits_for_a_system_that_is_down_is_listed_by_the_command_beside_it(
    at: Over,
) -> None:
    erpsync = at(waiting)
    lines = [line.strip() for line in erpsync("status").out.splitlines()]
    (every,) = [line.removeprefix("all: ") for line in lines if line.startswith("all: ")]
    assert lines[lines.index(f"all: {every}") - 1] == "run: erpsync systems probe shop"
    listed = json.loads(erpsync(*shlex.split(every)[1:], "-o", "json").out)["items"]
    assert {item["key"] for item in listed} == {"item:SKU-1", "item:SKU-2", "item:SKU-3"}
    (cause,) = erpsync("status", "-o", "json").json["causes"]
    assert (cause["list"], cause["messages"]) == (every, 3)


def test_every_cause_lists_as_many_as_it_counts(erpsync: Run) -> None:
    for cause in erpsync("status", "-o", "json").json["causes"]:
        listed = json.loads(erpsync(*shlex.split(cause["list"])[1:], "-o", "json").out)
        assert listed["total"] == cause["messages"], cause


def test_a_poison_message_names_the_workers_that_died_of_it(at: Over) -> None:
    def rows(night: Night) -> None:
        letter = night.message("order:SO-9", to="wms", state="dead", reason="poison", error=DIED, tries=2)
        worker = night.store.writer.call(
            lambda db: workers.arrive(db, host="db1", pid=7312, command="run", now=night.at(9))
        )
        night.attempt(letter, ago=8, outcome="worker_lost", worker_id=worker, request="POST /wms/outbound-orders")
        night.attempt(letter, ago=7, outcome="poison", worker_id=worker)

    erpsync = at(rows)
    shown = erpsync("messages", "show", "1").out
    assert "worker 1 (process 7312 on db1) was lost before an answer came" in shown
    assert "worker 1 (process 7312 on db1) was lost before anything was sent" in shown
    told = [one["worker"] for one in erpsync("messages", "show", "1", "-o", "json").json["attempts"]]
    assert told == ["worker 1 (process 7312 on db1)"] * 2
    letter = erpsync("dlq", "show", "1").out
    assert "next: look why the workers named ended, since the next one may too, then\n" in letter


def test_one_that_waits_behind_waits(at: Over) -> None:
    assert "; 1 waits behind it" in at(letters)("messages", "show", "3").out
