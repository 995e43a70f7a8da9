"""A night in four faults, each planted in a far system or on the network: every cause and every key is found, and no other.

Who finds them (``first_look``) knows nothing but what the commands print. Each fault is missing from what is found until
it is planted, and is gone from it as soon as it is mended with the command that was named: nothing is found that is not there.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from first_look import FirstLook, Trouble
from in_process import say
from practice import Practice
from simulation import Simulation

pytestmark = pytest.mark.long

TRIES = 2
Cause = tuple[str, str]


@dataclass
class Night:
    """What is planted: the keys by cause and system, the numbers that somebody may read out, and when it was planted."""

    practice: Practice
    planted: dict[Cause, set[str]] = field(default_factory=dict)
    read_out: dict[str, str] = field(default_factory=dict)
    between: dict[Cause, tuple[datetime, datetime]] = field(default_factory=dict)

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker meanwhile."""
        worker = self.practice.start("run")
        try:
            while not self.practice.run("workers", "list", "-o", "ids").out:
                time.sleep(0.1)
            yield
        finally:
            worker.terminate()
            worker.wait(timeout=30)

    def until_it_moved(self) -> None:
        """Wait until what can move has moved."""
        until = time.monotonic() + 20
        down = " and system != shop" if ("system_down", "shop") in self.planted else ""
        while self.practice.messages(f"(state = ready or state = leased){down}"):
            assert time.monotonic() < until
            time.sleep(0.1)

    @contextmanager
    def plants(self, cause: str, system: str, *keys: str) -> Iterator[None]:
        """What is done inside leads to this."""
        begun = datetime.now(UTC) - timedelta(seconds=1)
        yield
        self.planted[cause, system] = set(keys)
        self.between[cause, system] = (begun, datetime.now(UTC))

    def put(self, system: str, kind: str, **fields: object) -> None:
        """A new document made by a clerk."""
        self.practice.sim.control.post("put", system=system, kind=kind, fields=fields)

    def order(self, number: str, *, customer: str = "CU-0001") -> None:
        """An order that is new in the ERP, with a purchase order of its own."""
        lines = [{"line": "1", "sku": "SKU-0001", "quantity": "2", "unit_price": "5.00", "discount": "0"}]
        self.read_out[f"order:{number}"] = bought = f"PO-{number[3:]}77"
        self.put(
            "erp", "order", number=number, customer=customer, currency="USD", purchase_order=bought, lines=lines,
            cancelled=False,
        )  # fmt: skip


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """An evening on which all is well: an ERP that is asked before it is told, an idempotent shop, a blind warehouse."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=4, customers=3, orders=2)
        settings = (
            f'[retry]\nfirst = "100ms"\nlongest = "300ms"\ntries = {TRIES}\n'
            '[breaker]\nfailures = 2\nprobe = "300ms"\nprobe_longest = "500ms"'
        )
        limits = {"timeout": '"5s"', "deadline": '"5s"', "settle_after": '"1s"'}
        flows = ("items", "customers", "orders", "shipments")
        practice = Practice(tmp_path / "erpsync", sim, flows=flows, settings=settings, limits=limits)
        assert practice.run("sync", "--timeout", "30s").code == 0
        yield Night(practice)


def wrong_mapping(night: Night) -> None:
    """The warehouse knows no such country: it refuses whoever lives there, and what they order waits."""
    refuse = [{"kind": "customer", "field": "country", "value": "XK", "message": "unknown country XK"}]
    night.practice.sim.control.faults("wms", refuse=refuse)
    with night.plants("refused", "wms", "customer:CU-K1", "customer:CU-K2", "order:SO-K1"):
        for number in ("CU-K1", "CU-K2"):
            mail = f"desk@{number.lower()}.example.com"
            night.read_out[f"customer:{number}"] = mail
            night.put("erp", "customer", number=number, name=number, email=mail, country="XK", active=True)
        night.order("SO-K1", customer="CU-K1")
        assert night.practice.works("sync", "customer", "order", "--timeout", "20s") == 1


def lost_answers(night: Night) -> None:
    """The warehouse, which cannot be asked, took two orders or did not."""
    once = [{"fault": "lose_answer", "kind": "order", "number": number} for number in ("SO-L1", "SO-L2")]
    night.practice.sim.control.faults("wms", once=once)
    with night.plants("answer_lost", "wms", "order:SO-L1", "order:SO-L2"):
        night.order("SO-L1")
        night.order("SO-L2")
        assert night.practice.works("sync", "order", "--timeout", "2s") in (1, 8)


def poison(night: Night) -> None:
    """Whoever looks for this shipment in the ERP, dies of it: the network sees to that."""
    number, tracking = "SH-P1", "SW0099887766"
    night.practice.ends_workers("erp", on="asked", path=f"reference={number}", times=TRIES)
    lines = [{"line": "1", "order_line": "1", "sku": "SKU-0001", "quantity": "1"}]
    night.read_out[f"shipment:{number}"] = tracking
    with night.plants("poison", "erp", f"shipment:{number}"):
        night.put(
            "wms", "shipment", number=number, order="SO-1001", tracking=tracking, carrier="Swiftline", lines=lines
        )
        assert [night.practice.works("run") for _ in range(TRIES)] == [-signal.SIGKILL] * TRIES
        assert night.practice.works("sync", "shipment", "--timeout", "20s") == 1


def system_down(night: Night) -> None:
    """The shop takes nothing."""
    night.practice.sim.control.faults("shop", mode="down")
    with night.plants("system_down", "shop", "order:SO-D1", "customer:CU-0002"):
        night.order("SO-D1")
        control = night.practice.sim.control
        control.post("edit", system="erp", kind="customer", number="CU-0002", changes={"phone": "+1 555 7788"})
        night.read_out["customer:CU-0002"] = "+1 555 7788"
        assert night.practice.works("sync", "customer", "order", "--timeout", "4s") in (1, 8)


def look(night: Night) -> FirstLook:
    """Somebody who can run commands, and nothing else."""
    return FirstLook(partial(say, night.practice.folder, night.practice.environ))


def found_as_planted(night: Night) -> dict[Cause, Trouble]:
    """Every cause that is planted is found with exactly its keys, and no other."""
    found = look(night).troubles()
    assert {cause: set(trouble.keys) for cause, trouble in found.items()} == night.planted
    for cause, trouble in found.items():
        begun, ended = night.between[cause]
        assert trouble.since is not None
        assert begun <= trouble.since <= ended, cause
    return found


def callers_are_answered(night: Night) -> None:
    """Whatever number is read out leads to the document, first of all."""
    assert {key for keys in night.planted.values() for key in keys} == set(night.read_out)
    engineer = look(night)
    for key, number in night.read_out.items():
        assert engineer.called(number) == [key], number
        (system,) = {system for (_, system), keys in night.planted.items() if key in keys}
        state, run = engineer.stands(key)[system]
        assert state != "done"
        assert run.startswith("erpsync ")


def mend(night: Night, command: str) -> None:
    """Run a command that was printed, as it was printed."""
    program, *words = shlex.split(command)
    assert program == "erpsync"
    ran = night.practice.run(*words)
    assert ran.code == 0, (command, ran.err)


def shop_is_back(night: Night, found: Trouble) -> None:
    """It is started again, and asked whether it is there."""
    night.practice.sim.control.faults("shop", mode="up")
    mend(night, *found.run)


def somebody_looked(night: Night, found: Trouble) -> None:
    """What the warehouse has is looked up there by a person, who says so."""
    for command, key in zip(found.run, sorted(found.keys), strict=True):
        there = night.practice.sim.control.documents("wms", "order", key.partition(":")[2])
        mend(night, command.replace("ITS_NUMBER", there[0]["id"]) + " --yes")


def sent_again(night: Night, found: Trouble) -> None:
    """The warehouse has learnt of the country, or the network has calmed down: each letter goes again."""
    night.practice.sim.control.faults("wms", refuse=[])
    for command in found.run:
        letter = night.practice.run(*shlex.split(command)[1:], "-o", "json").content
        mend(night, letter["run"].replace("--dry-run", "--yes"))


FAULTS = (wrong_mapping, lost_answers, poison, system_down)
MENDS: Mapping[Cause, Callable[[Night, Trouble], None]] = {
    ("poison", "erp"): sent_again,
    ("answer_lost", "wms"): somebody_looked,
    ("system_down", "shop"): shop_is_back,
    ("refused", "wms"): sent_again,
}


def test_every_cause_and_every_key_of_a_night_is_found_and_none_that_is_not_there(night: Night) -> None:
    for plant in FAULTS:
        found_as_planted(night)
        plant(night)
    assert ("workers", None) in look(night).troubles(), "something waits, and nobody works"
    with night.working():
        found = found_as_planted(night)
        for (cause, _), trouble in found.items():
            ended = cause != "system_down"
            assert trouble.told == (trouble.at_once if ended else frozenset()), "the log has the same keys"
        callers_are_answered(night)
        for cause, mends in MENDS.items():
            mends(night, found[cause])
            del night.planted[cause]
            night.until_it_moved()
            found_as_planted(night)
    assert not night.planted
