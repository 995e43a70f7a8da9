"""The grounds: each system there is an adapter for, and the stories of ``conformance.py`` played on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conformance import STORIES, Far
from simulation import Simulation
from tryton_stand_in import DATABASE, PASSWORD, USER, StandIn, stand_in

import erpsync.adapters
from erpsync.adapters.opening import ADAPTERS, open_adapter
from erpsync.adapters.protocol import Adapter
from erpsync.config.landscape import Limits, System

SPECS = Path(erpsync.adapters.__path__[0]) / "specs"
LIMITS = Limits(timeout=timedelta(seconds=3), deadline=timedelta(seconds=5))
Ground = Callable[[], "asynccontextmanager[Far]"]


def now() -> datetime:
    return datetime.now(UTC)


class _Far(Far):
    """What all have in common: a system, and adapters that are closed at the end."""

    def __init__(self, system: System, stack: AsyncExitStack) -> None:
        self._system, self._stack = system, stack

    def adapter(self, *, secret: str | None = None) -> Adapter:
        given = secret if secret is not None else self.secret or None
        opened = open_adapter(self._system, secret=given, currency="USD", now=now, company_zone="UTC")
        self._stack.push_async_callback(opened.close)
        return opened


class Simulated(_Far):
    """A simulated system, emptied before each story."""

    faults = frozenset({"lose_answer", "refuse", "down", "count"})

    def __init__(self, sim: Simulation, name: str, stack: AsyncExitStack) -> None:
        options = {"user": "erpsync"} if name == "wms" else {}
        spec = SPECS / f"sim_{name}.toml"
        url = sim.url(name)
        super().__init__(
            System(name=name, role="other", adapter="http", url=url, spec=spec, options=options, limits=LIMITS), stack
        )
        self.secret = sim.secret(name)
        self._sim, self._name = sim, name

    def lose_answer(self) -> None:
        self._sim.control.faults(
            self._name, once=[{"fault": "lose_answer", "kind": "customer", "number": "", "times": 1}]
        )

    def refuse(self, number: str) -> None:
        self._sim.control.faults(self._name, refuse=[{"kind": "customer", "number": number, "field": "name"}])

    def down(self) -> None:
        self._sim.control.faults(self._name, mode="down")

    def kept(self, number: str) -> int:
        return len([one for one in self._sim.control.documents(self._name, "customer", number) if not one["deleted"]])


class Shelf(_Far):
    """A folder that customers are put into as JSON."""

    faults = frozenset({"down"})

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        folder.mkdir()
        kinds = {"customer": {"write": {"folder": "customers"}}}
        options = {"folder": str(folder), "kinds": kinds}
        super().__init__(System(name="shelf", role="other", adapter="files", options=options), stack)
        self._folder = folder

    def down(self) -> None:
        self._folder.rename(self._folder.with_name("unplugged"))


class Tryton(_Far):
    """A stand-in for a Tryton server."""

    faults = frozenset({"lose_answer", "refuse", "count"})

    def __init__(self, far: StandIn, stack: AsyncExitStack) -> None:
        options = {"database": DATABASE, "user": USER}
        super().__init__(
            System(name="erp", role="erp", adapter="tryton", url=far.url, options=options, limits=LIMITS), stack
        )
        self.secret = PASSWORD
        self._far = far

    def lose_answer(self) -> None:
        self._far.faults.append(("party.party.create", "answer lost"))

    def refuse(self, number: str) -> None:
        self._far.faults.append(("party.party.create", ["UserError", ["no such number", number, None]]))

    def kept(self, number: str) -> int:
        return sum(party["code"] == number for party in self._far.models.get("party.party", {}).values())


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with Simulation(tmp_path_factory.mktemp("simulation") / "sim") as sim:
        yield sim


@pytest.fixture
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    name: str = request.param

    @asynccontextmanager
    async def made() -> AsyncIterator[Far]:
        async with AsyncExitStack() as stack:
            if name == "files":
                yield Shelf(tmp_path / "shelf", stack)
            elif name == "tryton":
                far = await stack.enter_async_context(stand_in())
                yield Tryton(far, stack)
            else:
                sim: Simulation = request.getfixturevalue("simulation")
                sim.control.faults(name, reset=True, mode="up")
                for one in sim.control.documents(name, "customer"):
                    if not one["deleted"]:
                        sim.control.post("delete", system=name, kind="customer", id=one["id"])
                yield Simulated(sim, name, stack)

    return made


GROUNDS = ("erp", "shop", "wms", "files", "tryton")


@pytest.mark.parametrize("ground", GROUNDS, indirect=True)
@pytest.mark.parametrize("told", STORIES)
def test_an_adapter_keeps_what_it_promises(ground: Ground, told: str) -> None:
    async def play() -> None:
        async with ground() as far:
            await STORIES[told](far)

    asyncio.run(play())


def test_every_adapter_there_is_stands_on_a_ground() -> None:
    assert {"http": 3, "files": 1, "tryton": 1}.keys() == set(ADAPTERS)
