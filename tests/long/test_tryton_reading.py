"""A real Tryton is read: its items, customers and levels are what stands in its database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from tryton_server import TrytonServer
from tryton_ways import adapter_for, everything

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.domain.document import flatten
from erpsync.errors import AccessDenied

pytestmark = pytest.mark.long


async def _changed(adapter: TrytonAdapter, kind: str, cursor: str) -> tuple[set[str], str]:
    told = set()
    async for page in adapter.changes(kind, cursor):
        told |= {one.number for one in page.tolds}
        cursor = page.cursor
    return told, cursor


def test_every_item_is_read_with_its_price(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, page=7) as adapter:
            items = await everything(adapter, "item")
        assert {f"SKU-{number:04d}" for number in range(1, 21)} <= items.keys()
        document = items["SKU-0007"].document
        assert document is not None
        assert document.model_dump(include={"sku", "name", "unit", "currency", "active"}) == {
            "sku": "SKU-0007",
            "name": "Part 07",
            "unit": "Unit",
            "currency": "USD",
            "active": True,
        }

    asyncio.run(story())


def test_every_customer_is_read_with_its_address(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, page=3) as adapter:
            customers = await everything(adapter, "customer")
        assert {f"C-{number:02d}" for number in range(1, 6)} <= customers.keys()
        document = customers["C-02"].document
        assert document is not None
        assert flatten(document) == {
            "number": "C-02",
            "name": "Customer 2",
            "contact": None,
            "email": "buying@customer2.test",
            "phone": None,
            "street": "2 Quay Street",
            "city": "Boston",
            "region": None,
            "postal_code": "02102",
            "country": "USA",
            "tax_number": None,
            "active": True,
        }

    asyncio.run(story())


def test_every_level_is_that_of_the_warehouse(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, page=9) as adapter:
            levels = await everything(adapter, "stock")
        assert len(levels) == 20
        for number in range(1, 21):
            document = levels[f"SKU-{number:04d}@WH"].document
            assert document is not None
            flat = flatten(document)
            assert (flat["on_hand"], flat["reserved"]) == ((100 + number) * 1_000_000, 0)

    asyncio.run(story())


def test_a_price_and_a_street_changed_there_are_told_by_the_next_poll(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, overlap=timedelta(milliseconds=1)) as adapter:
            _, items = await _changed(adapter, "item", "")
            _, customers = await _changed(adapter, "customer", "")
            items_now, customers_now = await everything(adapter, "item"), await everything(adapter, "customer")
            template = tryton.records("product.product", [["code", "=", "SKU-0003"]], ["template"])[0]["template"]
            price = {"__class__": "Decimal", "decimal": "8.75"}
            tryton.rpc("model.product.template.write", [template], {"list_price": price})
            address = tryton.records("party.party", [["code", "=", "C-03"]], ["addresses"])[0]["addresses"][0]
            tryton.rpc("model.party.address.write", [address], {"city": "Salem"})

            dearer, _ = await _changed(adapter, "item", items)
            moved, _ = await _changed(adapter, "customer", customers)
            item = await adapter.read("item", items_now["SKU-0003"].far_id)
            customer = await adapter.read("customer", customers_now["C-03"].far_id)

        assert "SKU-0003" in dearer
        assert "C-03" in moved
        assert item.document is not None
        assert customer.document is not None
        assert item.document.model_dump()["price"] == Decimal("8.75")
        assert flatten(customer.document)["city"] == "Salem"
        assert item.revision is not None
        assert item.revision.order is not None
        before = items_now["SKU-0003"].revision
        assert before is not None
        assert before.order is not None
        assert item.revision.order > before.order

    asyncio.run(story())


def test_a_probe_and_a_wrong_password(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, login="basic") as adapter:
            health = await adapter.probe()
        assert health.text == "company Harbour Supply Co"
        assert health.clock_offset is not None
        assert abs(health.clock_offset) < timedelta(seconds=5)
        async with adapter_for(tryton, user="nobody") as stranger:
            with pytest.raises(AccessDenied):
                await stranger.probe()

    asyncio.run(story())
