"""Holding, letting go, skipping and repeating by hand, with real workers and far systems that count what they get."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from practice import Practice
from simulation import Simulation


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """Items that the shop has, and that wait to go to the warehouse."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=6)
        made = Practice(tmp_path / "erpsync", sim, flows=("items",))
        assert made.run("sync", "item", "--to", "shop").code == 0
        yield made


def waiting(practice: Practice) -> list[int]:
    return sorted(message["id"] for message in practice.messages("system = wms and state = ready"))


def in_wms(practice: Practice) -> set[str]:
    return {str(found["number"]) for found in practice.sim.control.documents("wms", "item")}


def test_a_worker_leaves_alone_what_is_held_or_skipped_and_takes_it_when_it_is_let_go(practice: Practice) -> None:
    ids = waiting(practice)
    assert len(ids) == 6
    keys = {message["id"]: message["key"].partition(":")[2] for message in practice.messages("system = wms")}
    held, skipped, rest = ids[0], ids[1], ids[2:]
    assert practice.run("messages", "hold", str(held), "--yes", "--reason", "price in question").code == 0
    assert practice.run("messages", "skip", "-", "--yes", "--reason", "entered there", stdin=f"{skipped}\n").code == 0
    assert practice.run("run", "--until-idle").code == 0
    assert in_wms(practice) == {keys[number] for number in rest}
    lanes = practice.run("lanes", "list", "-o", "json").content["items"]
    assert [(lane["head"], lane["state"], lane["system"]) for lane in lanes] == [(held, "held", "wms")]
    assert practice.run("messages", "release", str(held), "--yes").code == 0
    assert practice.run("run", "--until-idle").code == 0
    assert in_wms(practice) == {keys[number] for number in (held, *rest)}
    assert practice.run("dlq", "restore", str(skipped), "--yes").code == 0
    assert practice.run("run", "--until-idle").code == 0
    assert in_wms(practice) == set(keys.values())
    assert practice.run("store", "verify").code == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("system", ["shop", "wms"])
def test_a_try_repeated_in_a_shell_is_the_same_request_byte_for_byte(practice: Practice, system: str) -> None:
    assert practice.run("run", "--until-idle").code == 0
    message = practice.messages(f"system = {system} and state = done")[0]
    number = message["key"].partition(":")[2]
    ran = practice.run("messages", "show", str(message["id"]), "--curl")
    assert ran.code == 0
    assert ("a second time" in ran.err) is (system == "wms")
    assert practice.sim.secret(system) not in ran.out + ran.err
    before = practice.sim.control.requests(system, number=number)
    done = subprocess.run(["bash", "-c", ran.out], env=practice.environ, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    *_, first, again = practice.sim.control.requests(system, number=number)
    assert first == before[-1]
    same = ("method", "path", "key", "body_sha256", "kind", "number")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    assert again["status"] in (200, 201), "it was let in"
    kept = practice.sim.control.documents(system, "item", number)
    assert len(kept) == (2 if system == "wms" else 1), "the warning was true"
