"""Orders: what a customer wants, line by line."""

from __future__ import annotations

from erpsync.domain.document import Document, Line
from erpsync.domain.field_types import Amount, Currency, Day, Flag, Number, Quantity, Rate, Text, UnitPrice


class OrderLine(Line):
    """So many of one item at a price for one, less a discount (0.15 is 15 %)."""

    line: Number
    sku: Number
    quantity: Quantity
    unit_price: UnitPrice | None = None
    discount: Rate | None = None


class Order(Document):
    """A customer's order; ``total`` is the net total of its lines where the source tells one."""

    number: Number
    customer: Number
    currency: Currency
    ordered_on: Day | None = None
    requested_on: Day | None = None
    purchase_order: Text | None = None
    ship_name: Text | None = None
    ship_street: Text | None = None
    ship_city: Text | None = None
    ship_region: Text | None = None
    ship_postal_code: Text | None = None
    ship_country: Text | None = None
    freight: Amount | None = None
    total: Amount | None = None
    note: Text | None = None
    cancelled: Flag | None = None
    lines: tuple[OrderLine, ...] | None = None
