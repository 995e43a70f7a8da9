"""Stock levels: how much of an item a location has, as its keeper tells it."""

from __future__ import annotations

from erpsync.domain.document import Document
from erpsync.domain.field_types import Number, Quantity, Text


class Stock(Document):
    """The level of one item at one location; its key is ``SKU@LOCATION``."""

    sku: Number
    location: Number
    on_hand: Quantity | None = None
    reserved: Quantity | None = None
    available: Quantity | None = None
    unit: Text | None = None
