"""The three simulated systems through their spec files: every kind both ways, and what their faults come to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from simulation import Simulation

import erpsync.adapters
from erpsync.adapters.opening import open_adapter
from erpsync.adapters.protocol import Adapter, Item, Receipt
from erpsync.config.landscape import Limits, System
from erpsync.domain.document import Document, flatten
from erpsync.domain.documents.customer import Customer
from erpsync.domain.documents.item import Item as ItemDocument
from erpsync.domain.documents.movement import Movement
from erpsync.domain.documents.order import Order, OrderLine
from erpsync.domain.documents.shipment import Shipment, ShipmentLine
from erpsync.domain.documents.stock import Stock
from erpsync.domain.kinds import kind_named
from erpsync.errors import Conflict, OutcomeUnknown, ParentMissing, Refused, RetryLater

SPECS = Path(erpsync.adapters.__path__[0]) / "specs"
SYSTEMS = ("erp", "shop", "wms")
SEED = {"items": 130, "customers": 12, "orders": 15, "stock": 40}
T = TypeVar("T")
MORE = {"movements": 20, "shipments": 10}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with Simulation(tmp_path_factory.mktemp("simulation") / "sim") as simulation:
        for name in SYSTEMS:
            simulation.control.post("seed", system=name, seed=7, **SEED, **({} if name == "shop" else MORE))
        yield simulation


@pytest.fixture(autouse=True)
def _no_faults(sim: Simulation) -> None:
    sim.control.faults("all", reset=True, mode="up")


def play(sim: Simulation, name: str, story: Callable[[Adapter], Awaitable[T]]) -> T:
    """What comes of a story played with a simulated system."""

    async def go() -> T:
        limits = Limits(timeout=timedelta(seconds=2), deadline=timedelta(seconds=4))
        options = {"user": "erpsync"} if name == "wms" else {}
        spec = SPECS / f"sim_{name}.toml"
        system = System(
            name=name, role="other", adapter="http", url=sim.url(name), spec=spec, options=options, limits=limits
        )
        adapter = open_adapter(
            system, secret=sim.secret(name), currency="USD", now=lambda: datetime.now(UTC), company_zone="UTC"
        )
        try:
            return await story(adapter)
        finally:
            await adapter.close()

    return asyncio.run(go())


def an_item(document: Document, **more: Any) -> Item:
    kind = kind_named(type(document).__name__.lower())
    number = kind.number(flatten(document))
    given = {"changed": frozenset(flatten(document)), "once_key": f"es-7k3f.1-{number}-1", **more}
    return Item(kind=kind.name, key=f"{kind.name}:{number}", number=number, document=document, **given)


async def write(adapter: Adapter, document: Document, **more: Any) -> Receipt:
    return (await adapter.write([adapter.prepare(an_item(document, **more))]))[0]


@pytest.mark.parametrize("name", SYSTEMS)
def test_everything_seeded_is_read_by_scan_and_by_changes_as_the_system_keeps_it(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> None:
        for kind, can in adapter.capabilities().reads.items():
            kept = {one["number"]: one for one in sim.control.documents(name, kind) if not one["deleted"]}
            assert kept or (name, kind) == ("shop", "stock")
            for pages in [adapter.scan(kind)] + ([adapter.changes(kind, "")] if can.changes else []):
                tolds = [told async for page in pages for told in page.tolds]
                assert [told.error for told in tolds if told.error] == []
                assert {told.number for told in tolds} == set(kept)
                assert {told.far_id for told in tolds} == {one["id"] for one in kept.values()}
                for told in tolds:
                    assert told.document is not None
                    theirs = kept[told.number]["fields"]
                    assert str(getattr(told.document, "name", None)) == str(theirs.get("name"))

    play(sim, name, story)


CUSTOMER = Customer(number="CU-900", name="Zoë & Söhne", city="Berlin", country="DE", currency="EUR", active=True)
ITEM = ItemDocument(
    sku="SKU-900", name="Teapot", price=Decimal("12.50"), currency="EUR", weight=Decimal("0.75"), active=True
)
ORDER = Order(
    number="SO-900",
    customer="CU-900",
    currency="EUR",
    ordered_on=date(2026, 10, 1),
    ship_city="Graz",
    freight=Decimal("7.90"),
    cancelled=False,
    lines=(
        OrderLine(line="10", sku="SKU-900", quantity=Decimal(2), unit_price=Decimal("12.50"), discount=Decimal("0.15")),
        OrderLine(line="20", sku="SKU-900", quantity=Decimal("1.5"), unit_price=Decimal("9.80")),
    ),
)
SHIPMENT = Shipment(
    number="SH-900",
    order="SO-900",
    location="WH1",
    shipped_at=datetime(2026, 10, 2, 8, 30, tzinfo=UTC),
    carrier="UPS",
    cancelled=False,
    lines=(ShipmentLine(line="1", order_line="10", sku="SKU-900", quantity=Decimal(2)),),
)
MOVEMENT = Movement(
    number="MV-900",
    type="adjustment",
    sku="SKU-900",
    location="WH1",
    quantity=Decimal(-3),
    happened_at=datetime(2026, 7, 2, 8, 30, tzinfo=UTC),
)
STOCK = Stock(sku="SKU-900", location="WH1", on_hand=Decimal(12), available=Decimal("10.5"))


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_kind_is_written_and_comes_back_as_it_went(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> None:
        can = adapter.capabilities()
        ids: dict[str, str] = {}
        for document in (CUSTOMER, ITEM, ORDER, SHIPMENT, MOVEMENT, STOCK):
            item = an_item(document, ids=ids)
            if item.kind not in can.writes:
                continue
            receipt = await write(adapter, document, ids=ids)
            assert receipt.error is None, receipt.error
            ids[item.key] = receipt.far_id
            assert receipt.holds is not None
            assert {path: receipt.holds[path] for path in flatten(document)} == flatten(document)
            alone = await adapter.read(item.kind, receipt.far_id)
            assert alone.document is not None
            assert flatten(alone.document) == receipt.holds
            if can.writes[item.kind].finds:
                assert [found.far_id for found in await adapter.find(item.kind, item.number)] == [receipt.far_id]

    play(sim, name, story)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_changed_line_replaces_the_lines_and_leaves_the_rest(sim: Simulation, name: str) -> None:
    number = "SO-901"

    async def story(adapter: Adapter) -> None:
        ids = {"customer:CU-0001": sim.control.documents(name, "customer", "CU-0001")[0]["id"]}
        order = ORDER.model_copy(update={"number": number, "customer": "CU-0001", "note": "by the gate"})
        assert order.lines is not None
        order = order.model_copy(
            update={"lines": tuple(one.model_copy(update={"sku": "SKU-0001"}) for one in order.lines)}
        )
        created = await write(adapter, order, ids=ids)
        assert created.error is None, created.error
        assert order.lines is not None
        shorter = order.model_copy(update={"lines": order.lines[:1]})
        revision = created.far_revision.text if created.far_revision else ""
        changed = frozenset({"lines.20.quantity", "lines.20.sku"})
        updated = await write(
            adapter,
            shorter,
            far_id=created.far_id,
            far_revision=revision,
            changed=changed,
            ids=ids,
            once_key="es-7k3f.1-2-1",
        )
        assert updated.error is None, updated.error
        assert updated.holds is not None
        assert {path for path in updated.holds if path.startswith("lines.20.")} == set()
        assert updated.holds["note"] == "by the gate"
        assert updated.holds["lines.10.quantity"] == 2_000_000

    play(sim, name, story)


def test_a_customer_that_the_erp_does_not_have_is_a_missing_parent(sim: Simulation) -> None:
    async def story(adapter: Adapter) -> Receipt:
        return await write(adapter, ORDER.model_copy(update={"number": "SO-902", "customer": "CU-NONE"}))

    error = play(sim, "erp", story).error
    assert isinstance(error, ParentMissing)
    assert error.key == "customer:CU-NONE"


@pytest.mark.parametrize("name", ["erp", "shop"])
def test_a_document_that_a_clerk_changed_meanwhile_is_a_conflict(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> Receipt:
        sku = "SKU-0002"
        far_id = sim.control.documents(name, "item", sku)[0]["id"]
        told = await adapter.read("item", far_id)
        assert told.revision is not None
        sim.control.post("edit", system=name, kind="item", number=sku, changes={"name": "by a clerk"})
        document = ItemDocument(sku=sku, name="by us")
        return await write(
            adapter,
            document,
            far_id=far_id,
            far_revision=told.revision.text,
            changed=frozenset({"name"}),
            once_key=f"es-{name}",
        )

    assert isinstance(play(sim, name, story).error, Conflict)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_removal_is_told_where_the_system_tells_it(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> None:
        cursor = [page.cursor async for page in adapter.changes("customer", "")][-1]
        sim.control.post("delete", system=name, kind="customer", number="CU-0007")
        tolds = [told async for page in adapter.changes("customer", cursor) for told in page.tolds]
        (gone,) = [told for told in tolds if told.removed]
        assert gone.number == "CU-0007"

    play(sim, name, story)


@pytest.mark.parametrize("name", ["shop", "wms"])
def test_a_feed_that_repeats_and_reorders_loses_nothing(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> set[str]:
        sim.control.faults(name, feed={"duplicate": 0.4, "reorder": 0.4})
        return {told.event_id async for page in adapter.changes("item", "") for told in page.tolds}

    async def quiet(adapter: Adapter) -> set[str]:
        sim.control.faults(name, reset=True)
        return {told.event_id async for page in adapter.changes("item", "") for told in page.tolds}

    assert play(sim, name, story) == play(sim, name, quiet)


FAULTS: dict[str, dict[str, type]] = {
    "lose_answer": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "drop": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "cut_answer": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "garbage": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "error_before": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "error_after": dict.fromkeys(SYSTEMS, OutcomeUnknown),
    "throttle": dict.fromkeys(SYSTEMS, RetryLater),
}


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_comes_to_what_it_means(sim: Simulation, name: str, fault: str) -> None:
    async def story(adapter: Adapter) -> Receipt:
        sim.control.faults(name, writes={fault: 1})
        return await write(adapter, CUSTOMER.model_copy(update={"number": f"CU-{name}-{fault}"}))

    error = play(sim, name, story).error
    assert type(error) is FAULTS[fault][name], error
    if isinstance(error, RetryLater) and name != "wms":
        assert error.after == timedelta(seconds=1)


@pytest.mark.parametrize("name", SYSTEMS)
def test_faults_while_reading_are_asked_again_later(sim: Simulation, name: str) -> None:
    async def story(adapter: Adapter) -> None:
        for fault in ("error_before", "throttle", "drop", "cut_answer", "garbage"):
            sim.control.faults(name, reads={fault: 1})
            with pytest.raises(RetryLater):
                [page async for page in adapter.scan("item")]
            sim.control.faults(name, reset=True)

    play(sim, name, story)


def test_the_same_key_with_other_content_is_refused_by_the_shop(sim: Simulation) -> None:
    async def story(adapter: Adapter) -> Receipt:
        await write(adapter, CUSTOMER.model_copy(update={"number": "CU-910"}), once_key="es-same")
        return await write(adapter, CUSTOMER.model_copy(update={"number": "CU-911"}), once_key="es-same")

    error = play(sim, "shop", story).error
    assert isinstance(error, Refused)
    assert error.code == "IDEMPOTENCY_KEY_REUSED"


def test_a_hostile_text_of_a_clerk_is_told_as_it_is(sim: Simulation) -> None:
    name = "a\x1b]52;c;eA==\x07[/x]\u202e\nb"

    async def story(adapter: Adapter) -> str:
        made = sim.control.post("put", system="erp", kind="customer", fields={"number": "CU-920", "name": name})
        told = await adapter.read("customer", str(made["id"]))
        assert isinstance(told.document, Customer)
        return told.document.name or ""

    assert play(sim, "erp", story) == name
