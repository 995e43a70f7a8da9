"""What the tests of the files adapter share: an office of small made-up tables, and short ways to read them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from erpsync.adapters.files import FilesAdapter
from erpsync.adapters.protocol import Item, Page, Told
from erpsync.config.landscape import System
from erpsync.domain.document import Document
from erpsync.domain.kinds import kinds

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONG_AGO = NOON.timestamp() - 3600

ITEMS = """SKU,Name,Price,Gone
A-1,Rope,12.50,0
A-2,"Bolt, steel",0.07,0
A-3,Hammer,19,1
"""
ORDERS = """Order,Customer,Date,Place
1001,ALFKI,7/4/1996,Reims
1002,BERGS,12/31/1997,"Rua do Paço, 67"
1003,ALFKI,1/9/1998,
"""
LINES = """Order,SKU,Pieces,Price,Less
1001,A-1,3,12.50,0
1001,A-2,100,0.07,0.15
1002,A-3,1,19,0
1003,A-1,2,12.50,0.05
1003,A-3,4,19,0
"""

ITEM: dict[str, Any] = {
    "file": "items.csv",
    "columns": {
        "sku": "SKU",
        "name": "Name",
        "price": "Price",
        "active": {"column": "Gone", "map": {"0": True, "1": False}},
    },
    "constants": {"currency": "USD", "unit": "each"},
}
ORDER: dict[str, Any] = {
    "file": "orders.csv",
    "dates": "%m/%d/%Y",
    "columns": {"number": "Order", "customer": "Customer", "ordered_on": "Date", "ship_city": "Place"},
    "lines": {
        "file": "order_lines.csv",
        "join": "Order",
        "line": "item",
        "columns": {"sku": "SKU", "quantity": "Pieces", "unit_price": "Price", "discount": "Less"},
    },
}


class Office:
    """A folder with tables in it; what is put there is an hour old, so that it is read at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.put(name, text.replace(old, new, 1))

    def adapter(self, *, now: Callable[[], datetime] = lambda: NOON, **kinds_: Any) -> FilesAdapter:
        return adapter({"folder": str(self.folder), "kinds": kinds_ or {"item": ITEM, "order": ORDER}}, now=now)


def adapter(options: dict[str, Any], *, now: Callable[[], datetime] = lambda: NOON) -> FilesAdapter:
    system = System(name="office", role="erp", adapter="files", options=options)
    return FilesAdapter(system, currency="USD", now=now)


def scan(from_: FilesAdapter, kind: str) -> list[Page]:
    async def pages() -> list[Page]:
        return [page async for page in from_.scan(kind)]

    return asyncio.run(pages())


def changes(from_: FilesAdapter, kind: str, cursor: str) -> list[Page]:
    async def pages() -> list[Page]:
        return [page async for page in from_.changes(kind, cursor)]

    return asyncio.run(pages())


def tolds(pages: Sequence[Page]) -> list[Told]:
    return [told for page in pages for told in page.tolds]


def documents(pages: Sequence[Page]) -> dict[str, Any]:
    return {told.number: told.document for told in tolds(pages) if told.document is not None}


def bad(pages: Sequence[Page]) -> list[Told]:
    return [told for told in tolds(pages) if told.error is not None]


def an_item(document: Document, **more: Any) -> Item:
    kind = kinds()[type(document).__name__.lower()]
    number = more.pop("number", "") or kind.number(document.model_dump())
    defaults: dict[str, Any] = {"changed": frozenset(), "once_key": "es-7k3f.1-42790-1", "key": f"{kind.name}:{number}"}
    return Item(kind=kind.name, number=number, document=document, **(defaults | more))
