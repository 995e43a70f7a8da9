"""Items: what is bought, kept and sold, with the list price."""

from __future__ import annotations

from erpsync.domain.document import Document
from erpsync.domain.field_types import Currency, Flag, Number, Quantity, Text, UnitPrice


class Item(Document):
    """An item as its owner tells it; ``sku`` is its key, ``price`` is for one ``unit``."""

    sku: Number
    name: Text | None = None
    description: Text | None = None
    unit: Text | None = None
    price: UnitPrice | None = None
    currency: Currency | None = None
    barcode: Text | None = None
    category: Text | None = None
    weight: Quantity | None = None
    reorder_point: Quantity | None = None
    web_description: Text | None = None
    active: Flag | None = None
