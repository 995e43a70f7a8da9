"""Orders go to Tryton in several calls: whatever is lost on the way, each is there once and confirmed in the end."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tryton_kit import customer, item_for, order, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.domain.document import flatten
from erpsync.errors import (
    AccessDenied,
    CallError,
    Conflict,
    OutcomeUnknown,
    ParentMissing,
    Refused,
    SystemDown,
    Unmappable,
)

CREATE, QUOTE, CONFIRM = "sale.sale.create", "sale.sale.quote", "sale.sale.confirm"


async def _ids(far: StandIn, adapter: TrytonAdapter) -> dict[str, str]:
    far.goods(3)
    made = await write(adapter, customer())
    far.calls.clear()
    return {"customer:CU-7": made.far_id, "item:SKU-1": "1", "item:SKU-2": "2", "item:SKU-3": "3"}


def _sale(far: StandIn) -> dict:
    (sale,) = far.models["sale.sale"].values()
    return sale


def _lines(far: StandIn) -> list[tuple]:
    lines = [far.models["sale.line"][number] for number in _sale(far)["lines"]]
    return [(line["product"], line["quantity"], line["unit_price"]) for line in lines]


def test_an_order_is_made_quoted_and_confirmed_and_told_back_as_it_was_sent():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)

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
        ids = await _ids(far, adapter)
        await write(adapter, order(), ids=ids)
        far.calls.clear()

        again = await write(adapter, order(), ids=ids)

        assert (again.outcome, again.far_id) == ("unchanged", "1")
        assert far.calls == ["model.sale.sale.search_read"]

    play(story)


@pytest.mark.parametrize("step", [CREATE, QUOTE, CONFIRM])
@pytest.mark.parametrize(
    "fault", ["answer lost", "never arrives", 500, 504, b'{"id": 1, "resu', b'{"id":99,"result":[1]}']
)
def test_an_order_whose_answer_was_lost_at_any_step_is_gone_on_with_and_is_there_once(step, fault):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append((step, fault))

        lost = await write(adapter, order(), ids=ids)
        found = await adapter.find("order", "SO-1")
        half = await adapter.read("order", "1")
        again = await write(adapter, order(), ids=ids)

        assert isinstance(lost.error, OutcomeUnknown)
        assert lost.evidence.sent_at is not None
        assert again.error is None
        assert _sale(far)["state"] == "processing"
        assert len(_lines(far)) == 2
        assert far.count(QUOTE) <= 2
        arrived = step != CREATE or fault == "answer lost"
        assert len(found) == (1 if arrived else 0)
        confirmed = step == CONFIRM and fault == "answer lost"
        assert [receipt.whole for receipt in found] == [confirmed] * len(found)
        if arrived and not confirmed:
            head = {"number": "SO-1", "customer": "CU-7", "currency": "USD"}
            assert found[0].holds == head, "half an order must not pass for what was ordered"
            assert half.document is not None
            assert flatten(half.document) == head

    play(story)


@pytest.mark.parametrize("step", [QUOTE, CONFIRM])
def test_a_lock_met_after_the_order_was_made_does_not_hide_that_it_was_made(step):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append((step, 503))

        receipt = await write(adapter, order(), ids=ids)

        assert isinstance(receipt.error, OutcomeUnknown)
        assert receipt.error.code == "half_way"
        assert receipt.far_id == "1"

    play(story)


def test_a_refused_quotation_says_why_and_which_sale_it_is():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append((QUOTE, ["UserError", ["La quantité n'est\x1b[31m pas valide.", "", None]]))

        receipt = await write(adapter, order(), ids=ids)

        assert isinstance(receipt.error, Refused)
        assert "La quantité" in receipt.error.message
        assert receipt.far_id == "1"

    play(story)


def test_a_draft_that_says_something_else_is_put_right_before_it_is_quoted():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
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
        ids = await _ids(far, adapter)
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
        ids = await _ids(far, adapter)
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
        ids = await _ids(far, adapter)
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
        ids = await _ids(far, adapter)

        receipt = await write(adapter, order(cancelled=True), ids=ids)

        assert (receipt.outcome, receipt.far_id) == ("unchanged", "")
        assert far.count(CREATE) == 0

    play(story)


def test_a_discount_of_nothing_and_none_at_all_come_back_as_they_were_sent():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        line = {"sku": "SKU-1", "quantity": "1", "unit_price": "10.00"}
        lines = [{**line, "line": "7\u00e9 at 1 less 1", "discount": "0"}, {**line, "line": "8"}]
        receipt = await write(adapter, order(lines=lines), ids=ids)
        assert receipt.holds is not None
        assert receipt.holds["lines.7\u00e9 at 1 less 1.discount"] == 0
        assert receipt.holds["lines.8.unit_price"] == 10_000_000
        assert "lines.8.discount" not in receipt.holds

    play(story)


def test_two_sales_with_one_reference_are_both_found_and_a_third_is_not_made():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.add("sale.sale", reference="SO-1", party=1)
        far.add("sale.sale", reference="SO-1", party=1)

        receipt = await write(adapter, order(), ids=ids)
        found = await adapter.find("order", "SO-1")

        assert isinstance(receipt.error, OutcomeUnknown)
        assert receipt.error.code == "found_twice"
        assert [one.far_id for one in found] == ["1", "2"]
        assert far.count(CREATE) == 0

    play(story)


def test_an_order_waits_for_its_customer_and_its_items():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
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
        ids = await _ids(far, adapter)
        with pytest.raises(Unmappable) as unmappable:
            adapter.prepare(item_for(order(lines=[{"line": "1", "sku": "SKU-1", "quantity": "1", **line}]), ids=ids))
        assert unmappable.value.field == field

    play(story)


def test_the_same_order_is_prepared_as_the_same_bytes():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        one = adapter.prepare(item_for(order(), ids=ids))
        two = adapter.prepare(item_for(order(), ids=dict(reversed(ids.items()))))
        assert one == two
        assert one.request == "create, quote, confirm sale.sale SO-1"

    play(story)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (["ConcurrencyException", "Records were modified in the meanwhile"], Conflict),
        (["UserWarning", ["f00.credit_limit", "Crédit dépassé", ""]], Refused),
        (["LoginException", ["code", "Code", "char"]], AccessDenied),
        (["'nope'", ""], Refused),
        (401, AccessDenied),
        (403, AccessDenied),
        (422, Refused),
        (423, Conflict),
    ],
)
def test_what_tryton_answers_to_a_create_decides_what_happens_next(fault, error):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append((CREATE, fault))
        receipt = await write(adapter, order(), ids=ids)
        assert isinstance(receipt.error, error)
        assert receipt.evidence.answer

    play(story)


def test_a_question_is_answered_with_yes_only_where_the_landscape_says_so():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append((CONFIRM, ["UserWarning", ["f00.credit_limit", "Crédit dépassé", ""]]))
        receipt = await write(adapter, order(), ids=ids)
        assert receipt.outcome == "created"
        assert far.acknowledged == {"f00.credit_limit"}

    play(story, acknowledge="credit_limit")


def test_a_lost_look_up_sends_nothing_and_is_no_open_question():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        far.faults.append(("sale.sale.search_read", "never arrives"))
        receipt = await write(adapter, order(), ids=ids)
        assert isinstance(receipt.error, SystemDown)
        assert receipt.evidence.sent_at is None

    play(story)


def test_one_bad_order_of_a_batch_leaves_the_others_alone():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await _ids(far, adapter)
        bad = order(number="SO-2", lines=[])
        batch = [adapter.prepare(item_for(one, ids=ids)) for one in (order(), bad, order(number="SO-3"))]
        receipts = await adapter.write(batch)
        assert [receipt.outcome for receipt in receipts] == ["created", "", "created"]
        assert isinstance(receipts[1].error, CallError)
        assert [receipt.number for receipt in receipts] == ["SO-1", "SO-2", "SO-3"]

    play(story)
