"""Pauses with real workers: whoever is paused hears nothing more within a couple of seconds, and afterwards all of it, once."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from practice import Practice
from simulation import Simulation

pytestmark = pytest.mark.long

ITEMS = 240
OBEYED_SECONDS = 2.0  # within which every worker has seen a pause ...
STILL_SECONDS = 2.0  # ... and for how long nothing happens after that


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """Items on their way from the ERP to a shop and a warehouse that take a moment for each."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=ITEMS, customers=40)
        for system in ("shop", "wms"):
            sim.control.faults(system, settings={"slow_seconds": 0.15}, writes={"slow": 1.0})
        yield Practice(tmp_path / "erpsync", sim, flows=("items", "customers"))


@contextmanager
def workers(practice: Practice, many: int = 1) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers as processes, killed at the end if they have not ended."""
    with ExitStack() as running:
        started = [practice.start("run") for _ in range(many)]
        for worker in started:
            running.callback(worker.wait)
            running.callback(worker.kill)
        yield started


def count(practice: Practice, system: str, what: str = "writes") -> int:
    """How many requests of a sort a system has received, whatever became of them."""
    return int(practice.sim.control.state(system)["requests"][what])


def stands_still(practice: Practice, system: str, what: str = "writes") -> int:
    """The count of requests that a system has come to, when it has had its time to and does not grow any more."""
    time.sleep(OBEYED_SECONDS)
    before = count(practice, system, what)
    time.sleep(STILL_SECONDS)
    assert count(practice, system, what) == before, f"{system} went on receiving {what}"
    return before


def until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.2)


def act(practice: Practice, *words: str) -> str:
    ran = practice.run(*words)
    assert ran.code == 0, ran.err
    return ran.out


def kept_once(practice: Practice, system: str, kind: str, many: int) -> bool:
    documents = practice.sim.control.documents(system, kind)
    assert practice.sim.control.state(system)["twice"] == {}
    return len(documents) == many


def tries_spent(practice: Practice, where: str) -> set[int]:
    return {int(message["tries"]) for message in practice.messages(where)}


def test_a_paused_target_receives_nothing_until_it_is_resumed_then_all_once(practice: Practice) -> None:
    with workers(practice, 2):
        practice.sim.control.wait("shop", "write_received", after=20, timeout=60)
        told = act(practice, "systems", "pause", "shop", "--out", "--reason", "their release")
        assert told.startswith("shop is paused: nothing is sent to it until it is resumed.")
        before = stands_still(practice, "shop")
        assert before < ITEMS, "there is a backlog"
        reads = count(practice, "erp", "reads")
        assert tries_spent(practice, "system = shop and state = ready") == {0}
        assert practice.messages("system = shop and (state = leased or state = unknown)") == []
        paused = next(
            cause for cause in practice.run("status", "-o", "json").content["causes"] if cause["system"] == "shop"
        )
        assert (paused["code"], paused["error"], paused["run"]) == (
            "system_paused",
            "their release",
            "erpsync systems resume shop",
        )
        until(lambda: kept_once(practice, "wms", "item", ITEMS))
        assert count(practice, "erp", "reads") > reads, "others go on, and reading too"
        assert "messages go now" in act(practice, "systems", "resume", "shop", "--yes")
        until(lambda: kept_once(practice, "shop", "item", ITEMS) and kept_once(practice, "shop", "customer", 40))
    assert count(practice, "shop") == ITEMS + 40, "no write was made twice for having been paused"


def test_of_a_paused_source_nothing_is_read_until_it_is_resumed(practice: Practice) -> None:
    with workers(practice, 2):
        until(lambda: count(practice, "erp", "reads") > 4)
        act(practice, "systems", "pause", "erp", "--in")
        stands_still(practice, "erp", "reads")
        practice.sim.control.post("seed", system="erp", seed=6, items=10, customers=0)
        time.sleep(1)
        known = len(practice.messages("flow = items"))
        said = practice.run("sync", "item", "--timeout", "30s")
        assert "paused   item is not read from erp" in said.out
        assert len(practice.messages("flow = items")) == known
        reads = count(practice, "erp", "reads")
        act(practice, "systems", "resume", "erp", "--yes")
        until(lambda: count(practice, "erp", "reads") > reads)


def test_along_a_paused_flow_nothing_goes_while_the_others_move(practice: Practice) -> None:
    with workers(practice, 2):
        practice.sim.control.wait("shop", "write_received", after=10, timeout=60)
        act(practice, "flows", "pause", "items", "--reason", "prices are wrong")
        time.sleep(OBEYED_SECONDS)

        def items_sent() -> int:
            return sum(request["kind"] == "item" for request in practice.sim.control.requests("shop"))

        before = items_sent()
        assert before < ITEMS
        until(lambda: kept_once(practice, "shop", "customer", 40))
        time.sleep(STILL_SECONDS)
        assert items_sent() == before
        listed = next(
            item for item in practice.run("flows", "list", "-o", "json").content["items"] if item["flow"] == "items"
        )
        assert (listed["state"], listed["pause_reason"]) == ("paused", "prices are wrong")
        assert listed["due"] > 0
        ended = practice.run("sync", "item", "--timeout", "60s")
        assert ended.code == 8, ended.out
        assert "paused   what is along flow items waits" in ended.out
        act(practice, "flows", "resume", "items", "--yes")
        until(lambda: kept_once(practice, "shop", "item", ITEMS))
    assert items_sent() == ITEMS


def test_a_worker_that_is_killed_meanwhile_changes_nothing(practice: Practice) -> None:
    with workers(practice) as (worker,):
        practice.sim.control.wait("shop", "write_received", after=20, timeout=60)
        act(practice, "systems", "pause", "shop")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    before, reads = count(practice, "shop"), count(practice, "shop", "reads")
    with workers(practice):
        assert stands_still(practice, "shop") == before, "the pause is the store's, not the worker's"
        assert count(practice, "shop", "reads") == reads
        idle = practice.run("run", "--until-idle", seconds=60)
        assert idle.code == 0, "what waits for a person is not waited for"
        act(practice, "systems", "resume", "shop", "--yes")
        until(lambda: kept_once(practice, "shop", "item", ITEMS))
