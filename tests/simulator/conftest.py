"""One simulator for all tests of a module's systems; each test begins without faults and uses numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from simulation import Simulation


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    """The three systems, up for the whole session."""
    with Simulation(tmp_path_factory.mktemp("landscape")) as sim:
        yield sim


@pytest.fixture
def sim(landscape: Simulation) -> Iterator[Simulation]:
    """The three systems without faults, before and after."""
    calm = {"rules": {"unique": False, "rate": None, "key_life": 86_400, "cache_5xx": False, "zone": "Europe/Berlin"}}
    landscape.control.faults("all", reset=True, **calm)
    landscape.control.post("clock", system="all", offset_seconds=0)
    yield landscape
    landscape.control.faults("all", reset=True, **calm)
    landscape.control.post("clock", system="all", offset_seconds=0)


@pytest.fixture
def own(tmp_path: Path) -> Simulation:
    """A simulator of the test's own, not started yet."""
    return Simulation(tmp_path / "sim")
