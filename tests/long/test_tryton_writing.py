"""A real Tryton is written to: customers and orders arrive once, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from cutting_proxy import cutting_proxy
from tryton_server import TrytonServer
from tryton_ways import adapter_for, customer, everything, item_for, order

from erpsync.adapters.protocol import Item, Receipt
from erpsync.adapters.tryton import TrytonAdapter
from erpsync.domain.document import flatten
from erpsync.errors import OutcomeUnknown, Refused, RetryLater

pytestmark = pytest.mark.long
CREATE, QUOTE, CONFIRM = (f"model.sale.sale.{step}" for step in ("create", "quote", "confirm"))


async def _write(adapter: TrytonAdapter, items: list[Item]) -> list[Receipt]:
    """Written together; those whom a lock of Tryton's one-file database sends back come again, as the engine would do."""
    prepared = [adapter.prepare(item) for item in items]
    receipts = list(await adapter.write(prepared))
    for _ in range(20):
        back = [n for n, receipt in enumerate(receipts) if isinstance(receipt.error, RetryLater | OutcomeUnknown)]
        if not back:
            break
        for n, receipt in zip(back, await adapter.write([prepared[n] for n in back]), strict=True):
            receipts[n] = receipt
    return receipts


async def _ids(adapter: TrytonAdapter, buyers: list[str]) -> dict[str, str]:
    """What Tryton calls the items, and the customers, which are made."""
    ids = {f"item:{sku}": told.far_id for sku, told in (await everything(adapter, "item")).items()}
    made = await _write(adapter, [item_for(customer(number)) for number in buyers])
    return ids | {f"customer:{receipt.number}": receipt.far_id for receipt in made}


def _sales(tryton: TrytonServer, number: str) -> list[dict[str, Any]]:
    fields = [
        "state",
        "untaxed_amount",
        "tax_amount",
        "party.code",
        "lines.quantity",
        "sale_date",
        "shipments",
        "invoices",
    ]
    return tryton.records("sale.sale", [["reference", "=", number]], fields)


def test_five_customers_and_five_orders_are_written_and_read_back(tryton: TrytonServer):
    async def story() -> None:
        buyers = [f"FIVE-{number}" for number in range(1, 6)]
        orders = [order(f"SO-{buyer}", buyer, note="bitte klingeln") for buyer in buyers]
        async with adapter_for(tryton) as adapter:
            ids = await _ids(adapter, buyers)
            receipts = await _write(adapter, [item_for(one, ids=ids) for one in orders])
            again = await _write(adapter, [item_for(one, ids=ids) for one in orders])
            customers, sales = await everything(adapter, "customer"), await everything(adapter, "order")

        assert [receipt.error for receipt in receipts] == [None] * 5
        assert [receipt.outcome for receipt in again] == ["unchanged"] * 5
        assert [receipt.far_id for receipt in again] == [receipt.far_id for receipt in receipts]
        for buyer, receipt, one in zip(buyers, receipts, orders, strict=True):
            told = customers[buyer].document
            assert told is not None
            assert flatten(told).items() >= flatten(customer(buyer)).items()
            sale = sales[one.model_dump()["number"]].document
            assert sale is not None
            assert receipt.holds == flatten(sale)
            assert flatten(sale).items() >= flatten(one).items()
            (row,) = _sales(tryton, f"SO-{buyer}")
            assert (row["state"], row["untaxed_amount"]["decimal"]) == ("processing", "141.40")
            assert Decimal(row["tax_amount"]["decimal"]) == Decimal("14.14")
            assert len(row["shipments"]) == len(row["invoices"]) == 1

    asyncio.run(story())


@pytest.mark.parametrize("carried_out", [True, False], ids=["answer lost", "never arrived"])
@pytest.mark.parametrize("step", [CREATE, QUOTE, CONFIRM])
def test_an_order_cut_off_at_any_step_is_gone_on_with_and_is_there_once(
    tryton: TrytonServer, step: str, carried_out: bool
):
    async def story() -> None:
        number = f"CUT-{step.rpartition('.')[2]}-{carried_out}"
        async with adapter_for(tryton) as direct:
            ids = await _ids(direct, ["CUT-BUYER"])
        async with cutting_proxy(tryton.url) as proxy, adapter_for(tryton, url=proxy.url) as adapter:
            prepared = adapter.prepare(item_for(order(number, "CUT-BUYER"), ids=ids))
            proxy.cuts.append((step, carried_out))

            (lost,) = await adapter.write([prepared])
            found = await adapter.find("order", number)
            (again,) = await adapter.write([prepared])
            (once_more,) = await adapter.write([prepared])

        assert isinstance(lost.error, OutcomeUnknown)
        arrived = step != CREATE or carried_out
        assert len(found) == arrived
        assert [one.whole for one in found] == [step == CONFIRM and carried_out] * len(found)
        assert again.error is None
        assert once_more.outcome == "unchanged"
        (sale,) = _sales(tryton, number)
        assert (sale["state"], sale["untaxed_amount"]["decimal"], len(sale["lines."])) == ("processing", "141.40", 2)
        assert len(sale["shipments"]) == len(sale["invoices"]) == 1
        assert proxy.calls.count(CREATE) == (2 if step == CREATE and not carried_out else 1)

    asyncio.run(story())


@pytest.mark.parametrize("carried_out", [True, False], ids=["answer lost", "never arrived"])
def test_a_customer_cut_off_is_there_once(tryton: TrytonServer, carried_out: bool):
    async def story() -> None:
        number = f"CUT-{carried_out}"
        async with cutting_proxy(tryton.url) as proxy, adapter_for(tryton, url=proxy.url) as adapter:
            proxy.cuts.append(("model.party.party.create", carried_out))
            prepared = adapter.prepare(item_for(customer(number)))
            (lost,) = await adapter.write([prepared])
            (again,) = await adapter.write([prepared])
        assert isinstance(lost.error, OutcomeUnknown)
        assert again.error is None
        assert len(tryton.records("party.party", [["code", "=", number]], ["name"])) == 1

    asyncio.run(story())


def test_a_customer_is_changed_field_by_field(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton) as adapter:
            (made,) = await _write(adapter, [item_for(customer("CHANGED"))])
            newer = customer("CHANGED", phone=None, email="new@kaufen.test", city="Potsdam", country="USA", name="X")
            changed = frozenset({"phone", "email", "city", "country"})
            assert made.far_revision is not None
            item = item_for(newer, far_id=made.far_id, far_revision=made.far_revision.text, changed=changed)
            (receipt,) = await _write(adapter, [item])
            (removed,) = await _write(adapter, [item_for(newer, far_id=made.far_id, removed=True)])
        assert receipt.outcome == "updated"
        assert receipt.holds == {**flatten(newer), "name": "Käufer CHANGED", "region": None, "tax_number": None}
        assert removed.holds == {**receipt.holds, "active": False}

    asyncio.run(story())


def test_an_order_changed_before_it_was_confirmed_and_one_changed_after(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton) as direct:
            ids = await _ids(direct, ["AMEND-BUYER"])
        fewer = [{"line": "20", "sku": "SKU-0006", "quantity": "11", "unit_price": "9.80"}]
        async with cutting_proxy(tryton.url) as proxy, adapter_for(tryton, url=proxy.url) as adapter:
            proxy.cuts.append((CONFIRM, False))
            await adapter.write([adapter.prepare(item_for(order("AMEND-1", "AMEND-BUYER"), ids=ids))])
            newer = order("AMEND-1", "AMEND-BUYER", lines=fewer)
            (before,) = await _write(adapter, [item_for(newer, ids=ids)])
            other = order("AMEND-1", "AMEND-BUYER", note="late")
            noted = item_for(other, ids=ids, far_id=before.far_id, changed=frozenset({"note"}))
            more = item_for(other, ids=ids, far_id=before.far_id, changed=frozenset({"lines.10.quantity"}))
            noted_receipt, refused = (*await _write(adapter, [noted]), *await _write(adapter, [more]))
        assert before.error is None
        (sale,) = _sales(tryton, "AMEND-1")
        assert (sale["state"], sale["untaxed_amount"]["decimal"]) == ("processing", "107.80")
        assert noted_receipt.outcome == "updated"
        assert isinstance(refused.error, Refused)

    asyncio.run(story())


def test_a_quotation_is_cancelled_and_a_confirmed_order_is_not(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton) as direct:
            ids = await _ids(direct, ["CANCEL-BUYER"])
        async with cutting_proxy(tryton.url) as proxy, adapter_for(tryton, url=proxy.url) as adapter:
            proxy.cuts.append((CONFIRM, False))
            await adapter.write([adapter.prepare(item_for(order("CANCEL-1", "CANCEL-BUYER"), ids=ids))])
            (cancelled,) = await _write(adapter, [item_for(order("CANCEL-1", "CANCEL-BUYER", cancelled=True), ids=ids)])
            await _write(adapter, [item_for(order("CANCEL-2", "CANCEL-BUYER"), ids=ids)])
            (refused,) = await _write(adapter, [item_for(order("CANCEL-2", "CANCEL-BUYER", cancelled=True), ids=ids)])
        assert cancelled.outcome == "updated"
        assert [sale["state"] for sale in _sales(tryton, "CANCEL-1")] == ["cancelled"]
        assert isinstance(refused.error, Refused)

    asyncio.run(story())


def test_a_password_with_every_call_serves_as_well_as_a_session(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton, login="basic") as adapter:
            ids = await _ids(adapter, ["BASIC-BUYER"])
            (receipt,) = await _write(adapter, [item_for(order("BASIC", "BASIC-BUYER"), ids=ids)])
        assert receipt.outcome == "created"
        assert [sale["state"] for sale in _sales(tryton, "BASIC")] == ["processing"]

    asyncio.run(story())


def test_a_quantity_tryton_refuses_says_so_in_its_own_words(tryton: TrytonServer):
    async def story() -> None:
        async with adapter_for(tryton) as adapter:
            ids = await _ids(adapter, ["HALF-BUYER"])
            half = [{"line": "1", "sku": "SKU-0006", "quantity": "1.5", "unit_price": "9.80"}]
            (receipt,) = await _write(adapter, [item_for(order("HALF", "HALF-BUYER", lines=half), ids=ids)])
        assert isinstance(receipt.error, Refused)
        assert "digits" in receipt.error.message
        assert _sales(tryton, "HALF") == []

    asyncio.run(story())
