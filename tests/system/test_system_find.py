"""``find`` beside a worker: it fills the index of words as documents come and go, and nothing depends on it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from practice import Practice
from simulation import Simulation

from erpsync.store.words import path_beside


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """Customers on their way from the ERP to two systems."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=20, customers=10)
        yield Practice(tmp_path / "erpsync", sim, flows=("items", "customers"))


def filled(index: Path) -> int:
    """How many documents the index of words has taken in."""
    if not index.is_file():
        return 0
    with closing(sqlite3.connect(index)) as db:
        try:
            return int(db.execute("SELECT sum(id) FROM marks").fetchone()[0])
        except sqlite3.Error:
            return 0


def wait_until_filled(index: Path) -> None:
    until = time.monotonic() + 30
    while filled(index) < 60:
        assert time.monotonic() < until, "no worker fills the index"
        time.sleep(0.2)


def test_a_worker_makes_the_index_and_makes_it_anew_when_it_is_broken(practice: Practice) -> None:
    index = path_beside(practice.folder / "erpsync.db")
    worker = practice.start("run")
    try:
        wait_until_filled(index)
        (message, *_) = practice.messages("state = done and kind = customer")
        number = message["key"].partition(":")[2]
        found = practice.run("find", number.lower(), "-o", "json")
        assert found.code == 0, found.err
        assert found.content["items"][0]["key"] == message["key"]
        assert {item["in"] for item in found.content["items"]} >= {"key", "content", "sent"}
        assert found.content["looked"]["missed"] == 0
    finally:
        worker.terminate()
        assert worker.wait(timeout=30) in (0, 143)
    index.write_bytes(b"no index at all" * 1_000)
    again = practice.run("find", number.lower(), "-o", "json")
    assert again.content["items"] == found.content["items"]
    worker = practice.start("run")
    try:
        wait_until_filled(index)
    finally:
        worker.terminate()
        assert worker.wait(timeout=30) in (0, 143)
    assert practice.run("store", "verify").code == 0
