"""Whatever is lost on the way, an order is in Tryton once and confirmed in the end; what Tryton says decides the rest."""

from __future__ import annotations

import pytest
from tryton_kit import ids_of_parents, item_for, order, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.domain.document import flatten
from erpsync.errors import AccessDenied, CallError, Conflict, OutcomeUnknown, Refused, SystemDown

CREATE, QUOTE, CONFIRM = "sale.sale.create", "sale.sale.quote", "sale.sale.confirm"


@pytest.mark.parametrize("step", [CREATE, QUOTE, CONFIRM])
@pytest.mark.parametrize(
    "fault", ["answer lost", "never arrives", 500, 504, b'{"id": 1, "resu', b'{"id":99,"result":[1]}']
)
def test_an_order_whose_answer_was_lost_at_any_step_is_gone_on_with_and_is_there_once(step, fault):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((step, fault))

        lost = await write(adapter, order(), ids=ids)
        found = await adapter.find("order", "SO-1")
        half = await adapter.read("order", "1")
        again = await write(adapter, order(), ids=ids)

        assert isinstance(lost.error, OutcomeUnknown)
        assert lost.evidence.sent_at is not None
        assert again.error is None
        assert far.models["sale.sale"][1]["state"] == "processing"
        assert len(far.models["sale.sale"]) == 1
        assert len(far.models["sale.line"]) == 2
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
        ids = await ids_of_parents(far, adapter)
        far.faults.append((step, 503))

        receipt = await write(adapter, order(), ids=ids)

        assert isinstance(receipt.error, OutcomeUnknown)
        assert receipt.error.code == "half_way"
        assert receipt.far_id == "1"

    play(story)


def test_a_refused_quotation_says_why_and_which_sale_it_is():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((QUOTE, ["UserError", ["La quantité n'est\x1b[31m pas valide.", "", None]]))

        receipt = await write(adapter, order(), ids=ids)

        assert isinstance(receipt.error, Refused)
        assert "La quantité" in receipt.error.message
        assert receipt.far_id == "1"

    play(story)


def test_two_sales_with_one_reference_are_both_found_and_a_third_is_not_made():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.add("sale.sale", reference="SO-1", party=1)
        far.add("sale.sale", reference="SO-1", party=1)

        receipt = await write(adapter, order(), ids=ids)
        found = await adapter.find("order", "SO-1")

        assert isinstance(receipt.error, OutcomeUnknown)
        assert receipt.error.code == "found_twice"
        assert [one.far_id for one in found] == ["1", "2"]
        assert far.count(CREATE) == 0

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
        ids = await ids_of_parents(far, adapter)
        far.faults.append((CREATE, fault))
        receipt = await write(adapter, order(), ids=ids)
        assert isinstance(receipt.error, error)
        assert receipt.evidence.answer

    play(story)


def test_a_question_is_answered_with_yes_only_where_the_landscape_says_so():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append((CONFIRM, ["UserWarning", ["f00.credit_limit", "Crédit dépassé", ""]]))
        receipt = await write(adapter, order(), ids=ids)
        assert receipt.outcome == "created"
        assert far.acknowledged == {"f00.credit_limit"}

    play(story, acknowledge="credit_limit")


def test_a_lost_look_up_sends_nothing_and_is_no_open_question():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        far.faults.append(("sale.sale.search_read", "never arrives"))
        receipt = await write(adapter, order(), ids=ids)
        assert isinstance(receipt.error, SystemDown)
        assert receipt.evidence.sent_at is None

    play(story)


def test_one_bad_order_of_a_batch_leaves_the_others_alone():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        ids = await ids_of_parents(far, adapter)
        bad = order(number="SO-2", lines=[])
        batch = [adapter.prepare(item_for(one, ids=ids)) for one in (order(), bad, order(number="SO-3"))]
        receipts = await adapter.write(batch)
        assert [receipt.outcome for receipt in receipts] == ["created", "", "created"]
        assert isinstance(receipts[1].error, CallError)
        assert [receipt.number for receipt in receipts] == ["SO-1", "SO-2", "SO-3"]

    play(story)
