"""Orders go to Tryton in several calls: made, quoted, confirmed; changed and cancelled as long as Tryton takes it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tryton_kit import ids_of_parents, item_for, order, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.errors import ParentMissing, Refused, Unmappable

CREATE, QUOTE, CONFIRM = "sale.sale.create", "sale.sale.quote", "sale.sale.confirm"


def _sale(far: StandIn) -> dict:
    (sale,) = far.models["sale.sale"].values()
    return sale


def _lines(far: StandIn) -> list[tuple]:
    lines = [far.models["sale.line"][number] for number in _sale(far)["lines"]]
    return [(line["product"], line["quantity"], line["unit_price"]) for line in lines]


def test_an_order_is_made_quoted_and_confirmed_and_told_back_as_it_was_sent():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)

        receipt = await write(adapter, order(note="ring twice"), ids=ids)

        assert receipt.error is None
        assert (receipt.outcome, receipt.far_id) == ("created", "1")
        assert receipt.holds == {
            "number": "SO-1",
            "customer": "CU-7",
            "currency": "USD",
            "ordered_on": "2026-10-01",
            "requested_on": None,
            "note": "ring twice",
            "total": 14140,
            "cancelled": False,
            "lines.10.sku": "SKU-1",
            "lines.10.quantity": 2_000_000,
            "lines.10.unit_price": 14_000_000,
            "lines.10.discount": 150_000,
            "lines.20.sku": "SKU-2",
            "lines.20.quantity": 12_000_000,
            "lines.20.unit_price": 9_800_000,
        }
        sale = _sale(far)
        assert (sale["state"], sale["shipment_cost_method"], sale["invoice_address"]) == ("processing", None, 1)
        assert _lines(far) == [(1, 2, Decimal("11.9")), (2, 12, Decimal("9.8"))]
        assert all(far.models["sale.line"][number]["taxes"] == [7] for number in sale["lines"])
        assert far.count(CREATE) == far.count(QUOTE) == far.count(CONFIRM) == 1

    play(story)


def test_an_order_that_is_there_is_left_as_it_is():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        await write(adapter, order(), ids=ids)
        far.calls.clear()

        again = await write(adapter, order(), ids=ids)

        assert (again.outcome, again.far_id) == ("unchanged", "1")
        assert far.calls == ["model.sale.sale.search_read"]

    play(story)


def test_a_draft_that_says_something_else_is_put_right_before_it_is_quoted():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((QUOTE, "never arrives"))
        await write(adapter, order(), ids=ids)
        newer = order(
            note="new",
            lines=[
                {"line": "20", "sku": "SKU-2", "quantity": "11", "unit_price": "9.80"},
                {"line": "30", "sku": "SKU-3", "quantity": "1", "unit_price": "7"},
            ],
        )

        receipt = await write(adapter, newer, ids=ids)

        assert receipt.error is None
        assert _sale(far)["state"] == "processing"
        assert _sale(far)["comment"] == "new"
        assert sorted(_lines(far)) == [(2, 11, Decimal("9.8")), (3, 1, Decimal("7"))]

    play(story)


def test_a_quotation_that_says_something_else_becomes_a_draft_first():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((CONFIRM, "never arrives"))
        await write(adapter, order(), ids=ids)

        receipt = await write(adapter, order(requested_on="2026-11-01"), ids=ids)

        assert receipt.error is None
        assert receipt.holds is not None
        assert receipt.holds["requested_on"] == "2026-11-01"
        assert far.count("sale.sale.draft") == 1

    play(story)


def test_a_confirmed_order_takes_a_note_and_refuses_another_quantity():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        await write(adapter, order(), ids=ids)

        noted = await write(adapter, order(note="late"), ids=ids, far_id="1", changed=frozenset({"note"}))
        less = order(lines=[{"line": "10", "sku": "SKU-1", "quantity": "1", "unit_price": "14.00", "discount": "0.15"}])
        changed = await write(adapter, less, ids=ids, far_id="1", changed=frozenset({"lines.10.quantity"}))

        assert noted.outcome == "updated"
        assert _sale(far)["comment"] == "late"
        assert isinstance(changed.error, Refused)
        assert changed.error.code == "fixed"
        assert len(_lines(far)) == 2

    play(story)


def test_an_order_is_cancelled_while_it_is_no_more_than_a_quotation():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((CONFIRM, "never arrives"))
        await write(adapter, order(), ids=ids)

        receipt = await write(adapter, order(cancelled=True), ids=ids)
        again = await write(adapter, order(cancelled=True), ids=ids)
        revived = await write(adapter, order(), ids=ids)

        assert (receipt.outcome, _sale(far)["state"]) == ("updated", "cancelled")
        assert again.outcome == "unchanged"
        assert isinstance(revived.error, Refused)
        assert len(far.models["sale.sale"]) == 1

    play(story)


def test_a_cancelled_order_that_never_was_there_is_not_made():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)

        receipt = await write(adapter, order(cancelled=True), ids=ids)

        assert (receipt.outcome, receipt.far_id) == ("unchanged", "")
        assert far.count(CREATE) == 0

    play(story)


def test_a_discount_of_nothing_and_none_at_all_come_back_as_they_were_sent():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        line = {"sku": "SKU-1", "quantity": "1", "unit_price": "10.00"}
        lines = [{**line, "line": "7\u00e9 at 1 less 1", "discount": "0"}, {**line, "line": "8"}]
        receipt = await write(adapter, order(lines=lines), ids=ids)
        assert receipt.holds is not None
        assert receipt.holds["lines.7\u00e9 at 1 less 1.discount"] == 0
        assert receipt.holds["lines.8.unit_price"] == 10_000_000
        assert "lines.8.discount" not in receipt.holds

    play(story)


def test_an_order_waits_for_its_customer_and_its_items():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        with pytest.raises(ParentMissing) as missing:
            adapter.prepare(item_for(order(), ids={key: value for key, value in ids.items() if key != "item:SKU-2"}))
        assert missing.value.key == "item:SKU-2"

        gone = await write(adapter, order(), ids={**ids, "item:SKU-2": "99"})

        assert isinstance(gone.error, ParentMissing)
        assert gone.error.key == "item:SKU-2"
        assert far.count(CREATE) == 0

    play(story)


@pytest.mark.parametrize(
    ("line", "field"),
    [({"unit_price": "0.12345"}, "lines.unit_price"), ({"unit_price": None}, "lines.unit_price")],
)
def test_a_price_tryton_cannot_keep_is_named_before_anything_is_sent(line, field):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        with pytest.raises(Unmappable) as unmappable:
            adapter.prepare(item_for(order(lines=[{"line": "1", "sku": "SKU-1", "quantity": "1", **line}]), ids=ids))
        assert unmappable.value.field == field

    play(story)


def test_the_same_order_is_prepared_as_the_same_bytes():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        one = adapter.prepare(item_for(order(), ids=ids))
        two = adapter.prepare(item_for(order(), ids=dict(reversed(ids.items()))))
        assert one == two
        assert one.request == "create, quote, confirm sale.sale SO-1"

    play(story)
