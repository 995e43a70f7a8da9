"""Workers as processes: asked to stop, each brings what is in flight to its end and leaves."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from practice import Practice
from simulation import Simulation


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """Items on their way to two systems that take their time."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=30)
        for system in ("shop", "wms"):
            sim.control.faults(system, settings={"slow_seconds": 0.3}, writes={"slow": 1.0})
        yield Practice(tmp_path / "erpsync", sim, flows=("items",))


def end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()


def at_work(practice: Practice, many: int) -> list[dict[str, object]]:
    """The workers on record, once there are so many."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        listed = practice.run("workers", "list", "-o", "json")
        if listed.code == 0 and len(listed.content["items"]) == many:
            items: list[dict[str, object]] = listed.content["items"]
            return items
        time.sleep(0.2)
    raise AssertionError(f"{many} workers did not come: {listed}")


def test_workers_that_are_asked_to_stop_finish_what_is_in_flight_and_leave(practice: Practice) -> None:
    with ExitStack() as running:
        workers = [practice.start("run") for _ in range(2)]
        for worker in workers:
            running.callback(end, worker)
        listed = at_work(practice, 2)
        assert {item["pid"] for item in listed} == {worker.pid for worker in workers}
        practice.sim.control.wait("shop", "write_received", after=2, timeout=30)
        one = practice.run("workers", "stop", str(listed[0]["worker"]), "--reason", "an update")
        assert (one.code, one.out.splitlines()[0]) == (0, "1 worker stopped.")
        first = next(worker for worker in workers if worker.pid == listed[0]["pid"])
        assert first.wait(timeout=5) == 0
        assert len(at_work(practice, 1)) == 1
        rest = practice.run("workers", "stop", "--all")
        assert rest.code == 0, rest.out + rest.err
        assert [worker.wait(timeout=5) for worker in workers] == [0, 0]
    assert practice.run("workers", "list").err == "0 workers\nnext: erpsync run\n"
    assert practice.messages("state = leased or state = unknown") == [], "nothing was cut off"
    log = (practice.folder / "workers.log").read_text(encoding="utf-8")
    assert log.count("asked it to stop") == 2
    assert practice.run("sync", "item", "--timeout", "60s").code == 0
    assert practice.sim.control.state("shop")["twice"] == {}


def test_a_sync_can_be_asked_too(practice: Practice) -> None:
    sync = practice.start("sync", "item")
    try:
        (listed,) = at_work(practice, 1)
        assert listed["runs"] == "sync"
        assert practice.run("workers", "stop", "--all").code == 0
        assert sync.wait(timeout=5) == 8, "something is still ready"
    finally:
        end(sync)
