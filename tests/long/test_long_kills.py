"""Workers killed at fifty moments, and one that stands still past its lease: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest
from practice import Practice
from simulation import Simulation

pytestmark = pytest.mark.long

KILLS_ON_RECEIVING = 15
KILLS_ON_ANSWERING = 15
KILLS_AT_RANDOM = 20
BLIND_IN_FLIGHT = 3


class Crew:
    """Three worker processes; a dead one is replaced."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self.workers = [practice.start("run") for _ in range(3)]

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self.workers]

    def replace_dead(self, *, within: float = 0) -> int:
        """Start a new worker for each dead one; returns how many had died."""
        until = time.monotonic() + within
        while True:
            dead = [worker for worker in self.workers if worker.poll() is not None]
            if dead or time.monotonic() > until:
                break
            time.sleep(0.02)
        for worker in dead:
            assert worker.returncode == -signal.SIGKILL, (self.practice.folder / "workers.log").read_text()[-2000:]
            self.workers.remove(worker)
            self.workers.append(self.practice.start("run"))
        return len(dead)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def stop(self) -> list[int]:
        """Ask all to stop; their exit codes."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        return [worker.wait(timeout=30) for worker in self.workers]


@pytest.fixture
def practice(tmp_path):
    with Simulation(tmp_path / "sim", seed=5) as sim:
        limits = {"timeout": '"1s"', "deadline": '"1s"', "settle_after": '"1s"', "concurrency": str(BLIND_IN_FLIGHT)}
        settings = (
            '[retry]\nfirst = "100ms"\nlongest = "1s"\ntries = 60\n[breaker]\nprobe = "200ms"\nprobe_longest = "500ms"'
        )
        flows = ("items", "customers", "orders", "levels", "shipments", "movements")
        yield Practice(tmp_path / "erpsync", sim, flows=flows, settings=settings, limits=limits)


@contextlib.contextmanager
def ended(worker: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is killed at the end, if it still runs."""
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def stop_between_writes(worker: subprocess.Popen[bytes], practice: Practice) -> None:
    """Stop a worker while it waits for an answer, not in the middle of a write to the store: that would lock out everybody."""
    for _ in range(200):
        worker.send_signal(signal.SIGSTOP)
        os.waitpid(worker.pid, os.WUNTRACED)  # it stands now, and not only soon
        with (
            contextlib.closing(
                sqlite3.connect(practice.folder / "erpsync.db", timeout=0.02, isolation_level=None)
            ) as db,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
            return
        worker.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    raise AssertionError("the worker never stood between two writes")


def unknown_at_blind(practice: Practice) -> int:
    """How many messages are unknown at the warehouse, as the store has it."""
    with sqlite3.connect(f"file:{practice.folder / 'erpsync.db'}?mode=ro", uri=True, timeout=5) as db:
        row = db.execute(
            "SELECT count(*) FROM messages JOIN systems ON system_id = target_id WHERE messages.state = 'unknown' AND name = 'wms'"
        ).fetchone()
    db.close()
    return int(row[0])


def questions_by_worker(practice: Practice) -> dict[int, int]:
    """How many writes at the warehouse each killed worker left begun and unanswered."""
    with sqlite3.connect(f"file:{practice.folder / 'erpsync.db'}?mode=ro", uri=True, timeout=5) as db:
        rows = db.execute(
            "SELECT worker_id, count(*) FROM attempts JOIN messages USING (message_id) JOIN systems ON system_id = target_id "
            "WHERE name = 'wms' AND what = 'write' AND begun_at IS NOT NULL AND attempts.outcome IN ('', 'worker_lost') GROUP BY 1"
        ).fetchall()
    db.close()
    return dict(rows)


def kill_fifty(practice, crew, rng, moments, made) -> int:
    """Kill at each of the moments while documents flow; returns how many workers died."""
    control, killed = practice.sim.control, 0
    for moment in moments:
        control.post(
            "seed",
            system="erp",
            seed=3,
            items=4,
            customers=4,
            orders=4,
            start={"items": made, "customers": made, "orders": made},
        )
        control.post(
            "seed", system="wms", seed=3, movements=2, shipments=1, start={"movements": made, "shipments": made}
        )
        made += 4
        if moment == "random":
            time.sleep(rng.random() * 0.8)
            victim = rng.choice(crew.workers)
            victim.kill()
            victim.wait()
        else:
            system = rng.choice(("wms", "shop"))
            control.post("kill", system=system, on=moment, count=rng.randint(1, 4), pids=crew.pids, pick="sender")
        killed += crew.replace_dead(within=15)
        assert unknown_at_blind(practice) <= BLIND_IN_FLIGHT * killed
    assert killed >= len(moments)
    assert set(crew.stop()) <= {143, -signal.SIGTERM}, "a clean stop, or one before the worker had begun"
    return killed


def test_fifty_kills_of_three_workers_lose_and_double_nothing(practice):
    control, rng = practice.sim.control, random.Random(2026)
    control.post("seed", system="erp", seed=3, items=10, customers=10, orders=10)
    control.post("seed", system="wms", seed=3, stock=10)
    assert practice.run("sync", "item", "customer", "order", "stock").code == 0
    control.faults("all", settings={"slow_seconds": 0.15}, writes={"slow": 0.5})
    moments = ["received"] * KILLS_ON_RECEIVING + ["answered"] * KILLS_ON_ANSWERING + ["random"] * KILLS_AT_RANDOM
    rng.shuffle(moments)
    with Crew(practice) as crew:
        killed = kill_fifty(practice, crew, rng, moments, 10)
    control.faults("all", reset=True)
    time.sleep(3)
    questions = questions_by_worker(practice)
    assert max(questions.values(), default=0) <= BLIND_IN_FLIGHT, (
        "a crash leaves no more questions than it had in flight"
    )
    kinds = ("item", "customer", "order", "stock", "shipment", "movement")
    creates_before = creates(control.requests("wms"))
    for _ in range(12):
        last = practice.run("sync", *kinds, "--timeout", "40s")
        if not practice.settle_by_looking("wms") and last.code == 0:
            break
    assert last.code == 0, last.out + last.err
    assert [m for m in practice.messages() if m["state"] not in ("done", "skipped")] == []
    assert practice.run("store", "verify").code == 0
    state = {system: control.state(system) for system in ("erp", "shop", "wms")}
    assert all(state[system]["twice"] == {} for system in state), {s: state[s]["twice"] for s in state}
    for system in ("shop", "wms"):
        for kind in ("item", "customer", "order"):
            assert state[system]["documents"][kind] == state["erp"]["documents"][kind]
    for kind in ("shipment", "movement"):
        assert state["erp"]["documents"][kind] == state["wms"]["documents"][kind]
    assert max(creates_before.values()) == 1, "at the blind warehouse nothing was written twice by itself"
    keys = defaultdict(set)
    for request in control.requests("shop"):
        keys[request["key"]].add(request["body_sha256"])
    assert max(len(bodies) for bodies in keys.values()) == 1
    assert len(control.get("kills")["kills"]) == KILLS_ON_RECEIVING + KILLS_ON_ANSWERING
    asked = sum(questions.values())
    print(f"{killed} kills, {asked} questions and {sum(creates_before.values())} creates at the blind warehouse")


def creates(requests):
    """How often each document was created, by kind and number."""
    counted = defaultdict(int)
    for request in requests:
        if request["method"] == "POST":
            counted[request["kind"], request["number"]] += 1
    return counted


def test_a_worker_that_stands_still_past_its_lease_cannot_finish(practice):
    control = practice.sim.control
    control.post("seed", system="erp", seed=3, items=3)
    control.faults("shop", settings={"slow_seconds": 0.6}, writes={"slow": 1.0})
    after = control.state("shop")["writes_received"]
    with ended(practice.start("run")) as worker:
        control.wait("shop", "write_received", after=after, timeout=30)
        stop_between_writes(worker, practice)
        control.faults("shop", reset=True)
        time.sleep(14)  # its lease is three deadlines and ten seconds
        other = practice.run("sync", "item", "--timeout", "40s")
        assert other.code in (0, 8), (
            other.out + other.err
        )  # 8: what was in flight at the blind warehouse is a question now
        worker.send_signal(signal.SIGCONT)
        time.sleep(2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 143
    with sqlite3.connect(f"file:{practice.folder / 'erpsync.db'}?mode=ro", uri=True) as db:
        late = db.execute("SELECT count(*) FROM attempts WHERE outcome LIKE 'late:%'").fetchone()[0]
    db.close()
    assert late >= 1
    assert control.state("shop")["twice"] == {}
    assert {m["state"] for m in practice.messages("system = shop")} == {"done"}


def test_a_crash_anywhere_leaves_few_questions_at_a_blind_system(practice):
    control = practice.sim.control
    control.post("seed", system="erp", seed=3, items=30)
    control.faults("wms", settings={"slow_seconds": 0.5}, writes={"slow": 1.0})
    with ended(practice.start("run")):
        control.wait("wms", "write_received", after=3, timeout=30)
    control.faults("wms", reset=True)
    time.sleep(14)
    practice.run("sync", "item", "--timeout", "20s")
    assert 1 <= len(practice.messages("state = unknown")) <= BLIND_IN_FLIGHT
