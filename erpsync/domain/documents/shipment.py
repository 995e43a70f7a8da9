"""Shipments: what left the warehouse for an order, line by line."""

from __future__ import annotations

from erpsync.domain.document import Document, Line
from erpsync.domain.field_types import Amount, Currency, Flag, Moment, Number, Quantity, Text


class ShipmentLine(Line):
    """What went out of one order line; ``order_line`` is that line's id."""

    line: Number
    order_line: Number | None = None
    sku: Number
    quantity: Quantity


class Shipment(Document):
    """A shipment for an order; ``total`` is the net worth of what is in it where the source tells one."""

    number: Number
    order: Number
    location: Number | None = None
    shipped_at: Moment | None = None
    carrier: Text | None = None
    carrier_service: Text | None = None
    tracking: Text | None = None
    currency: Currency | None = None
    total: Amount | None = None
    cancelled: Flag | None = None
    lines: tuple[ShipmentLine, ...] | None = None
