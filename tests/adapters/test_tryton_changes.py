"""What changed in Tryton is told, late rows and children's changes too; what had settled is not told again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tryton_kit import customer, numbers, order, pages, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.adapters.tryton.envelope import decode, moment, money
from erpsync.errors import Refused


async def _poll(adapter: TrytonAdapter, kind: str, cursor: str) -> tuple[list[str], str]:
    told = await pages(adapter.changes(kind, cursor))
    assert [page.more for page in told] == [True] * (len(told) - 1) + [False]
    return [one.number for page in told for one in page.tolds], told[-1].cursor


def test_the_first_poll_tells_every_item_once_page_by_page_and_the_next_one_nothing():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(5)
        far.at += timedelta(hours=1)

        first, cursor = await _poll(adapter, "item", "")
        second, cursor = await _poll(adapter, "item", cursor)

        assert first == ["SKU-1", "SKU-2", "SKU-3", "SKU-4", "SKU-5"]
        assert second == []

    play(story, page=2)


def test_an_item_says_its_price_exactly_and_in_the_companys_currency():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(1)
        far.change("product.template", 1, list_price=Decimal("12345678901.2345"))
        far.at += timedelta(hours=1)
        page, *_ = await pages(adapter.changes("item", ""))
        (told,) = page.tolds
        assert told.document is not None
        assert told.document.model_dump(exclude_unset=True) == {
            "sku": "SKU-1",
            "name": "Part 1",
            "description": None,
            "unit": "Unit",
            "price": Decimal("12345678901.2345"),
            "currency": "USD",
            "active": True,
        }
        assert adapter.understand("item", told.raw) == told

    play(story)


def test_a_new_price_is_told_though_the_products_own_stamp_stays():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(3)
        far.at += timedelta(hours=1)
        _, cursor = await _poll(adapter, "item", "")
        far.at += timedelta(hours=1)
        far.change("product.template", 2, list_price=Decimal("99"))

        told, cursor = await _poll(adapter, "item", cursor)
        read = await adapter.read("item", "2")

        assert told == ["SKU-2"]
        assert read.revision is not None
        assert read.at == far.at

    play(story)


def test_a_new_street_or_phone_is_told_though_the_partys_own_stamp_stays():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        await write(adapter, customer(number="CU-1", phone="+1 555"))
        await write(adapter, customer(number="CU-2"))
        far.at += timedelta(hours=1)
        _, cursor = await _poll(adapter, "customer", "")
        far.at += timedelta(hours=1)
        far.change("party.address", 2, street="2 Quay Street")
        told, cursor = await _poll(adapter, "customer", cursor)
        assert told == ["CU-2"]
        far.at += timedelta(hours=1)
        far.change("party.contact_mechanism", 1, value="new@zoe.test")
        told, cursor = await _poll(adapter, "customer", cursor)
        assert "CU-1" in told

    play(story)


def test_a_row_that_turns_up_late_behind_one_already_told_is_told():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(1)
        far.at += timedelta(hours=1)
        far.change("product.product", 1, name="Quick")
        began = far.at - timedelta(minutes=2)
        quick, cursor = await _poll(adapter, "item", "")
        far.at, now = began, far.at
        far.goods(2)  # a long transaction: stamped when it began, seen when it ended
        far.at = now + timedelta(minutes=1)

        late, cursor = await _poll(adapter, "item", cursor)
        far.at += timedelta(hours=1)
        await _poll(adapter, "item", cursor)
        settled, _ = await _poll(adapter, "item", (await _poll(adapter, "item", cursor))[1])

        assert quick == ["SKU-1"]
        assert {"SKU-1", "SKU-2"} <= set(late)
        assert settled == [], "what had settled is not told for ever"

    play(story)


def test_a_poll_cut_short_goes_on_where_it_stopped():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(5)
        whole = await pages(adapter.changes("item", ""))
        rest, _ = await _poll(adapter, "item", whole[0].cursor)
        assert rest[:3] == ["SKU-3", "SKU-4", "SKU-5"]

    play(story, page=2)


def test_four_hundred_rows_of_one_moment_are_paged_and_not_told_again():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(400)
        far.at += timedelta(hours=1)
        first, cursor = await _poll(adapter, "item", "")
        second, _ = await _poll(adapter, "item", cursor)
        assert (len(first), len(set(first)), second) == (400, 400, [])

    play(story, page=150)


def test_a_draft_is_no_order_yet():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(2)
        made = await write(adapter, customer())
        far.add("sale.sale", reference="DRAFT", party=1)
        await write(adapter, order(), ids={"customer:CU-7": made.far_id, "item:SKU-1": "1", "item:SKU-2": "2"})
        far.at += timedelta(hours=1)
        assert await numbers(adapter.changes("order", "")) == ["SO-1"]
        assert await numbers(adapter.scan("order")) == ["SO-1"]

    play(story)


def test_a_product_without_a_code_is_reported_and_stops_no_other():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(3)
        far.change("product.product", 2, code=None)
        told = [one for page in await pages(adapter.scan("item")) for one in page.tolds]
        assert [one.error is None for one in told] == [True, False, True]
        assert told[1].error is not None
        assert told[1].error.field == "sku"
        assert told[1].far_id == "2"

    play(story)


def test_a_scan_tells_everything_once_with_how_many_there_are():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(5)
        far.change("product.product", 4, active=0)
        told = await pages(adapter.scan("item"))
        assert [len(page.tolds) for page in told] == [2, 2, 1]
        assert {page.total for page in told} == {5}
        assert [page.more for page in told] == [True, True, False]

    play(story, page=2)


def test_a_record_that_is_gone_is_told_as_removed():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        assert (await adapter.read("item", "77")).removed
        assert (await adapter.read("item", "seventy; drop")).removed

    play(story)


def test_hostile_text_stays_text():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        name = "\x1b[31m[/red] =cmd|' /C calc'!A0 \u202e"
        receipt = await write(adapter, customer(name=name))
        assert receipt.holds is not None
        assert receipt.holds["name"] == name

    play(story)


def test_a_cursor_of_another_system_is_refused():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        for cursor in ("17", "{}", '{"v":1,"places":[null],"turn":0,"began":null}', "\x00"):
            with pytest.raises(Refused):
                await pages(adapter.changes("item", cursor))

    play(story)


def test_values_go_into_their_envelopes_and_come_out_the_same(noon):
    assert decode(moment(noon)) == noon
    assert decode({"a": [money(Decimal("8.00"))]}) == {"a": [Decimal("8.00")]}
    for wrong in (
        {"__class__": "Decimal", "decimal": "NaN"},
        {"__class__": "date", "year": "x"},
        {"__class__": "Decimal"},
    ):
        with pytest.raises(ValueError, match=r"Decimal|date"):
            decode(wrong)
