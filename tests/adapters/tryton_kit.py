"""What the tests of the Tryton adapter have in common: an adapter for a stand-in, documents, the way into asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from tryton_stand_in import DATABASE, NOON, PASSWORD, USER, StandIn, stand_in

from erpsync.adapters.protocol import Item, Page, Receipt
from erpsync.adapters.tryton import TrytonAdapter
from erpsync.config.landscape import Limits, System
from erpsync.domain.document import Document, read_document
from erpsync.domain.kinds import kind_named

LIMITS = Limits(timeout=timedelta(seconds=5), deadline=timedelta(seconds=10))


def play(
    story: Callable[[StandIn, TrytonAdapter], Awaitable[None]],
    *,
    secret: str = PASSWORD,
    limits: Limits = LIMITS,
    **options: Any,
) -> None:
    """Let a story happen between a stand-in and an adapter."""

    async def run() -> None:
        async with stand_in() as far, adapter_for(far.url, secret=secret, limits=limits, **options) as adapter:
            await story(far, adapter)

    asyncio.run(run())


@asynccontextmanager
async def adapter_for(
    url: str, *, secret: str = PASSWORD, limits: Limits = LIMITS, **options: Any
) -> AsyncIterator[TrytonAdapter]:
    """An adapter, closed in the end."""
    told = {"database": DATABASE, "user": USER, **options}
    system = System(name="erp", role="erp", adapter="tryton", url=url, options=told, limits=limits)
    adapter = TrytonAdapter(system, secret=secret, currency="USD", now=lambda: NOON)
    try:
        yield adapter
    finally:
        await adapter.close()


def document(kind: str, **values: Any) -> Document:
    """A document of a kind, with all that a test does not care about left out."""
    return read_document(kind_named(kind).model, values)


def customer(**values: Any) -> Document:
    """Customer CU-7."""
    told = {"number": "CU-7", "name": "Zoë & Söhne", "email": "buying@zoe.test", "street": "1 Quay Street",
            "city": "Boston", "postal_code": "02101", "country": "US", **values}  # fmt: skip
    return document("customer", **told)


def order(**values: Any) -> Document:
    """Order SO-1 of customer CU-7: two lines, 2 x 14.00 less 15 % and 12 x 9.80."""
    lines = [
        {"line": "10", "sku": "SKU-1", "quantity": "2", "unit_price": "14.00", "discount": "0.15"},
        {"line": "20", "sku": "SKU-2", "quantity": "12", "unit_price": "9.80"},
    ]
    told = {
        "number": "SO-1",
        "customer": "CU-7",
        "currency": "USD",
        "ordered_on": "2026-10-01",
        "lines": lines,
        **values,
    }
    return document("order", **told)


def item_for(what: Document, **more: Any) -> Item:
    """A document on its way."""
    kind = type(what).__name__.lower()
    number = kind_named(kind).number(what.model_dump())
    values: dict[str, Any] = {"changed": frozenset(), "once_key": "es-1", **more}
    return Item(kind, f"{kind}:{number}", number, what, **values)


async def write(adapter: TrytonAdapter, what: Document, **more: Any) -> Receipt:
    """What became of one document."""
    (receipt,) = await adapter.write([adapter.prepare(item_for(what, **more))])
    return receipt


async def pages(told: AsyncIterator[Page]) -> list[Page]:
    """Every page."""
    return [page async for page in told]


async def numbers(told: AsyncIterator[Page]) -> list[str]:
    """The business numbers on every page, in order."""
    return [one.number for page in await pages(told) for one in page.tolds]


async def ids_of_parents(far: StandIn, adapter: TrytonAdapter) -> dict[str, str]:
    """What Tryton calls customer CU-7 and three items, all of them made just now; the calls so far are forgotten."""
    far.goods(3)
    made = await write(adapter, customer())
    far.calls.clear()
    return {"customer:CU-7": made.far_id, "item:SKU-1": "1", "item:SKU-2": "2", "item:SKU-3": "3"}
