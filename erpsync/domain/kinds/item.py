"""Items: kept by their owner, known by their SKU."""

from __future__ import annotations

from erpsync.domain.kinds import Kind, Nature, register

register(
    Kind(
        name="item",
        plural="items",
        document="erpsync.domain.documents.item:Item",
        nature=Nature.KEPT,
        number=lambda fields: str(fields["sku"]),
        natural_key="sku",
    )
)
