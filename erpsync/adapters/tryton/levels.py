"""Stock levels: what each warehouse has of each product, and what of it no move has reserved.

One rule: a level is only asked for with a location, and a warehouse in which every level is zero is not believed
unless the landscape says so: Tryton answers 0.0 to a question it did not understand. All of it is read before any
of it is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from erpsync.adapters.http.jsontext import canonical, read_strict
from erpsync.adapters.protocol import Page, Told
from erpsync.adapters.tryton.envelope import decode
from erpsync.adapters.tryton.errand import Errand
from erpsync.domain.document import read_document
from erpsync.domain.documents.stock import Stock
from erpsync.errors import BadDocument, Refused

_FIELDS = ["code", "quantity", "template.default_uom.name"]
_MILLIONTH = Decimal("0.000001")


async def scan_levels(errand: Errand) -> AsyncIterator[Page]:
    """Every level of every warehouse of the landscape, as of now."""
    pages = []
    for code, warehouse in errand.footing.warehouses:
        found = [page async for page in _warehouse(errand, code, warehouse)]
        levels = [told for page in found for told in page]
        if levels and errand.options.zero_levels == "refuse" and all(_is_zero(told) for told in levels):
            raise Refused(
                f"warehouse {code!r} has nothing of any of its {len(levels)} products",
                code="all_zero",
                hint='if that is so, set options.zero_levels = "believe"',
            )
        pages += found
    total = sum(len(page) for page in pages)
    read_at = errand.trail.now()
    for number, page in enumerate(pages, 1):
        yield Page(
            page, str(number), number < len(pages), read_at, total=total, calls=errand.trail.calls if number == 1 else 0
        )
    if not pages:
        yield Page((), "", more=False, read_at=read_at, total=0, calls=errand.trail.calls)


def understand_level(raw: bytes) -> Told:
    """What a kept level says."""
    number = far_id = ""
    try:
        kept = decode(read_strict(raw))
        record, warehouse = kept["record"], kept["warehouse"]
        far_id = f"{record['id']}@{warehouse}"
        number = f"{record['code'] or ''}@{warehouse}"
        on_hand, available = _level(record["quantity"]), _level(kept["not_reserved"])
        content = {
            "sku": record["code"] or "",
            "location": warehouse,
            "on_hand": on_hand,
            "reserved": on_hand - available,
            "available": available,
            "unit": record["template."]["default_uom."]["name"],
        }
        document = read_document(Stock, content, place=f"product.product,{record['id']}", number=number)
    except BadDocument as error:
        return Told("stock", raw, far_id=far_id, number=number, error=error)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        bad = BadDocument(f"level {far_id or '?'} has a form that is not known: {error!r}", number=number)
        return Told("stock", raw, far_id=far_id, number=number, error=bad)
    return Told("stock", raw, document=document, far_id=far_id, number=number)


async def _warehouse(errand: Errand, code: str, warehouse: int) -> AsyncIterator[list[Told]]:
    after, more = 0, True
    while more:
        rows = await _quantities(errand, warehouse, after, less_reserved=False)
        free = {row["id"]: row["quantity"] for row in await _quantities(errand, warehouse, after, less_reserved=True)}
        more = len(rows) == errand.options.page
        after = rows[-1]["id"] if rows else after
        yield [
            understand_level(
                canonical({"record": row, "not_reserved": free.get(row["id"], row["quantity"]), "warehouse": code})
            )
            for row in rows
        ]


async def _quantities(errand: Errand, warehouse: int, after: int, *, less_reserved: bool) -> list[dict[str, Any]]:
    domain = [["template.type", "in", ["goods", "assets"]], ["id", ">", after]]
    context = errand.footing.levels(warehouse, less_reserved=less_reserved)
    rows: list[dict[str, Any]] = await errand.rpc.call(
        "model.product.product.search_read",
        domain,
        0,
        errand.options.page,
        [["id", "ASC"]],
        _FIELDS,
        context,
        trail=errand.trail,
    )
    return rows


def _level(quantity: Any) -> Decimal:
    """A sum of floats, as exact as a millionth."""
    return Decimal(quantity).quantize(_MILLIONTH, ROUND_HALF_UP)


def _is_zero(told: Told) -> bool:
    return isinstance(told.document, Stock) and not told.document.on_hand and not told.document.available
