"""A backup made while workers write, brought back later: far systems hold each document once, and the store is whole.

Each class of system is a target: the ERP findable, the shop idempotent, the warehouse blind. The simulator counts what they
keep. So is pruning beside a worker that delivers all the while.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from practice import Practice
from simulation import Simulation

from erpsync.store.store import Store

pytestmark = pytest.mark.long

KINDS = ("item", "customer", "order", "shipment")
FAST = '[retry]\nfirst = "200ms"\nlongest = "1s"\n[breaker]\nprobe = "200ms"\nprobe_longest = "500ms"'


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with Simulation(tmp_path / "sim", seed=11) as sim:
        yield Practice(
            tmp_path / "erpsync", sim, flows=("items", "customers", "orders", "shipments"), settings=FAST, every="500ms"
        )


@contextmanager
def workers(practice: Practice, many: int = 2) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers, which leave of themselves at the end."""
    with ExitStack() as running:
        started = [practice.start("run") for _ in range(many)]
        for worker in started:
            running.callback(end, worker)
        yield started
        for worker in started:
            worker.terminate()
        assert {worker.wait(timeout=20) for worker in started} == {143}


def end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()


def make(practice: Practice, number: int) -> None:
    """So many new orders with their items and customers at the ERP, and changes of those there were."""
    practice.sim.control.post("seed", system="erp", seed=number, items=number, customers=number, orders=number)


def settled(practice: Practice) -> list[dict[str, object]]:
    """Wait until nothing more moves by itself; returns what is left for a person, or for later."""
    for _ in range(10):
        ran = practice.run("sync", *KINDS, "--timeout", "30s")
        if ran.code in (0, 1):
            break
    return practice.messages("state != done and state != skipped")


def far(practice: Practice, system: str) -> dict[str, int]:
    """How many documents of each kind a system keeps; none of them twice."""
    state = practice.sim.control.state(system)
    assert state["twice"] == {}, (system, state["twice"])
    return {kind: int(number) for kind, number in state["documents"].items()}


def restore(practice: Practice, copy: Path) -> None:
    """As the help of ``store backup`` says."""
    store = practice.folder / "erpsync.db"
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            shutil.move(f"{store}{suffix}", f"{practice.folder / 'away'}{suffix}")
    shutil.copy(copy, store)


def delivered(practice: Practice, system: str) -> int:
    return int(practice.sim.control.state(system)["writes_received"])


def test_a_backup_made_while_workers_write_can_take_the_stores_place(practice: Practice) -> None:
    control = practice.sim.control
    for system in ("shop", "wms", "erp"):
        control.faults(system, settings={"slow_seconds": 0.02}, writes={"slow": 1.0})
    make(practice, 40)
    with workers(practice):
        control.wait("wms", "write_received", after=20, timeout=60)
        before = delivered(practice, "shop") + delivered(practice, "wms")
        made = practice.run("store", "backup", "copy.db", "-o", "json")
        assert made.code == 0, made.err
        assert made.content["unfinished"] > 0, "in the midst of it"
        control.wait("wms", "write_received", after=delivered(practice, "wms") + 10, timeout=60)
        assert delivered(practice, "shop") + delivered(practice, "wms") > before, "all went on"
        make(practice, 60)  # twenty more orders, which the copy will know nothing of
        time.sleep(3)
    assert practice.run("store", "verify").code == 0
    settled(practice)
    at_erp = far(practice, "erp")
    assert far(practice, "shop")["order"] == at_erp["order"] == 60
    blind = far(practice, "wms")

    restore(practice, practice.folder / "copy.db")
    with workers(practice):
        time.sleep(4)
    left = settled(practice)

    assert far(practice, "shop") == far(practice, "shop") | {
        kind: at_erp[kind] for kind in ("item", "customer", "order")
    }
    assert far(practice, "erp") == at_erp
    after = far(practice, "wms")
    assert all(after[kind] == blind[kind] for kind in ("item", "customer", "order")), "nothing is there twice"
    assert {message["system"] for message in left} <= {"wms"}, "only what cannot be asked is a question"
    assert {message["state"] for message in left} <= {"held", "unknown"}
    assert len(left) >= 20, "the warehouse had the twenty orders already"
    verified = practice.run("store", "verify")
    assert verified.code == 0, verified.out
    told = practice.run("store", "info", "-o", "json").content["store"]
    assert told["epoch"] == 2
    assert told["restored_at"] is not None
    assert practice.run("audit", "verify").code == 0


def age(practice: Practice, days: int) -> None:
    """What was finished is finished for so many days longer."""
    by = days * 86_400_000
    with Store.open(practice.folder / "erpsync.db", now=datetime.now(UTC)) as store:
        store.writer.call(
            lambda db: db.execute(
                "UPDATE messages SET state_at = state_at - ?, accepted_at = accepted_at - ?", (by, by)
            )
        )
        store.writer.call(lambda db: db.execute("UPDATE events SET received_at = received_at - ?", (by,)))
        store.writer.call(
            lambda db: db.execute("UPDATE exceptions SET closed_at = closed_at - ? WHERE state = 'closed'", (by,))
        )


def test_pruning_goes_on_beside_a_worker_and_hinders_it_in_nothing(practice: Practice) -> None:
    control = practice.sim.control
    make(practice, 120)
    assert settled(practice) == []
    age(practice, 100)
    for system in ("shop", "wms"):
        control.faults(system, settings={"slow_seconds": 0.1}, writes={"slow": 1.0})
    make(practice, 200)
    with workers(practice, 1):
        control.wait("wms", "write_received", after=delivered(practice, "wms") + 5, timeout=60)
        before = delivered(practice, "wms")
        pruned = practice.run("store", "prune", "--yes", "-o", "json")
        assert pruned.code == 0, pruned.err
        assert pruned.content["messages"] >= 240, "orders to two systems, at least"
        assert pruned.content["in_hands"] == 0
        assert delivered(practice, "wms") > before + 5, "it delivered all the while"
        assert practice.run("store", "verify").code == 0
    assert settled(practice) == []
    assert practice.run("store", "verify").code == 0
    at_erp = far(practice, "erp")
    for system in ("shop", "wms"):
        assert all(far(practice, system)[kind] == at_erp[kind] for kind in ("item", "customer", "order"))
    log = (practice.folder / "workers.log").read_text(encoding="utf-8")
    assert "locked" not in log
    assert "error" not in log.lower()
