"""Stock levels: kept by whoever keeps the stock, one for an item at a location."""

from __future__ import annotations

from erpsync.domain.kinds import Kind, Nature, register

register(
    Kind(
        name="stock",
        plural="stocks",
        document="erpsync.domain.documents.stock:Stock",
        nature=Nature.KEPT,
        number=lambda fields: f"{fields['sku']}@{fields['location']}",
        parents=lambda fields: (f"item:{fields['sku']}",),
        parent_kinds=("item",),
    )
)
