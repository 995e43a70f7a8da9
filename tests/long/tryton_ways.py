"""An adapter for the real Tryton, and documents for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tryton_server import TrytonServer

from erpsync.adapters.protocol import Item, Told
from erpsync.adapters.tryton import TrytonAdapter
from erpsync.config.landscape import Limits, System
from erpsync.domain.document import Document, read_document
from erpsync.domain.kinds import kind_named

LIMITS = Limits(timeout=timedelta(seconds=30), deadline=timedelta(seconds=90))


@asynccontextmanager
async def adapter_for(server: TrytonServer, *, url: str = "", **options: Any) -> AsyncIterator[TrytonAdapter]:
    """An adapter that speaks to the server, or to what stands in front of it; closed in the end."""
    told = {**server.options, "login": "session", "country": "name", "countries": {"USA": "United States"}, **options}
    system = System(name="erp", role="erp", adapter="tryton", url=url or server.url, options=told, limits=LIMITS)
    adapter = TrytonAdapter(system, secret=server.password, currency="USD", now=lambda: datetime.now(UTC))
    try:
        yield adapter
    finally:
        await adapter.close()


async def everything(adapter: TrytonAdapter, kind: str) -> dict[str, Told]:
    """Every document of a kind by its number; none is unreadable."""
    told = [one async for page in adapter.scan(kind) for one in page.tolds]
    assert [one.error for one in told if one.error] == []
    assert len({one.number for one in told}) == len(told)
    return {one.number: one for one in told}


def customer(number: str, **values: Any) -> Document:
    """A customer in Berlin."""
    told = {"number": number, "name": f"Käufer {number}", "contact": "Ms Ö", "email": f"{number.lower()}@kaufen.test",
            "phone": "+49 30 555", "street": "Hafenstr. 1\nHinterhaus", "city": "Berlin", "postal_code": "01067",
            "country": "Germany", "active": True, **values}  # fmt: skip
    return read_document(kind_named("customer").model, told)


def order(number: str, buyer: str, **values: Any) -> Document:
    """An order of two lines that comes to 141.40."""
    lines = [
        {"line": "10", "sku": "SKU-0005", "quantity": "2", "unit_price": "14.00", "discount": "0.15"},
        {"line": "20", "sku": "SKU-0006", "quantity": "12", "unit_price": "9.80"},
    ]
    told = {
        "number": number,
        "customer": buyer,
        "currency": "USD",
        "ordered_on": "2026-10-01",
        "lines": lines,
        **values,
    }
    return read_document(kind_named("order").model, told)


def item_for(what: Document, **more: Any) -> Item:
    """A document on its way."""
    kind = type(what).__name__.lower()
    number = kind_named(kind).number(what.model_dump())
    values: dict[str, Any] = {"changed": frozenset(), "once_key": f"es-{number}", **more}
    return Item(kind, f"{kind}:{number}", number, what, **values)
