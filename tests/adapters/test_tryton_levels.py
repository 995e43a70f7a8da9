"""Levels are asked for with their warehouse, and a warehouse where everything is zero is not believed."""

from __future__ import annotations

import pytest
from tryton_kit import numbers, pages, play
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.domain.document import flatten
from erpsync.errors import Refused


def test_a_level_says_what_is_there_and_what_of_it_is_reserved():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(3)
        far.quantities[2] = 0.1 + 0.2  # what a sum of floats looks like
        far.reserved[1] = 4.0
        told = [one for page in await pages(adapter.scan("stock")) for one in page.tolds]
        assert [one.number for one in told] == ["SKU-1@WH", "SKU-2@WH", "SKU-3@WH"]
        assert told[0].document is not None
        assert told[1].document is not None
        assert flatten(told[0].document) == {
            "sku": "SKU-1",
            "location": "WH",
            "on_hand": 101_000_000,
            "reserved": 4_000_000,
            "available": 97_000_000,
            "unit": "Unit",
        }
        assert flatten(told[1].document)["on_hand"] == 300_000
        assert adapter.understand("stock", told[0].raw) == told[0]

    play(story, warehouse="WH", page=2)


def test_every_warehouse_of_the_landscape_is_told_in_its_order():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(1)
        far.add("stock.location", code="WH2", type="warehouse")
        assert await numbers(adapter.scan("stock")) == ["SKU-1@WH2", "SKU-1@WH"]

    play(story, warehouse=["WH2", "WH"])


def test_a_warehouse_where_everything_is_zero_is_not_believed():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(3)
        far.quantities.clear()
        with pytest.raises(Refused) as refused:
            await pages(adapter.scan("stock"))
        assert refused.value.code == "all_zero"
        assert "zero_levels" in refused.value.hint

    play(story, warehouse="WH")


def test_a_warehouse_where_everything_is_zero_is_believed_when_the_landscape_says_so():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.goods(2)
        far.quantities.clear()
        assert await numbers(adapter.scan("stock")) == ["SKU-1@WH", "SKU-2@WH"]

    play(story, warehouse="WH", zero_levels="believe")


def test_without_a_warehouse_there_are_no_levels_to_read():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        assert set(adapter.capabilities().reads) == {"item", "customer", "order"}

    play(story)
