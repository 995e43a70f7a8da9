"""Items: ``product.product`` and its template. The price and the name are the template's, whose stamp moves alone."""

from __future__ import annotations

from typing import Any

from erpsync.adapters.tryton.options import Options
from erpsync.adapters.tryton.shelf import STAMP, Follows, Record, Shelf, text


def _content(record: Record, about: Record, _: Options) -> dict[str, Any]:
    template = record["template."]
    return {
        "sku": record["code"] or "",
        "name": text(record["name"]),
        "description": text(record["description"]),
        "unit": template["default_uom."]["name"],
        "price": template["list_price"],
        "currency": about["currency"],
        "active": bool(record["active"]) and bool(template["active"]),
    }


ITEMS = Shelf(
    kind="item",
    model="product.product",
    fields=(
        "code",
        "name",
        "description",
        "active",
        STAMP,
        "template.active",
        "template.list_price",
        "template.default_uom.name",
        f"template.{STAMP}",
    ),
    number=lambda record: record["code"],
    content=_content,
    follows=(Follows("product.template", up="", by="template"),),
)
