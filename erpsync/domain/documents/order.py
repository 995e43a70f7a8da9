"""Orders: what a customer wants, line by line."""

from __future__ import annotations

from erpsync.domain.document import Document, Line
from erpsync.domain.kinds import Flat, Kind, Nature, Supersedes, register
from erpsync.domain.values import Amount, Currency, Day, Flag, Number, Quantity, Rate, Text, UnitPrice, line_amount


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


def net_total(fields: Flat) -> tuple[int, str]:
    """The order's net total in minor units and its currency: as told, else its lines, each rounded half up."""
    currency = str(fields.get("currency") or "USD")
    if isinstance(total := fields.get("total"), int):
        return total, currency
    amount = 0
    for path, quantity in fields.items():
        if path.startswith("lines.") and path.endswith(".quantity") and isinstance(quantity, int):
            prefix = path.removesuffix("quantity")
            price, discount = fields.get(prefix + "unit_price"), fields.get(prefix + "discount")
            amount += line_amount(
                quantity=quantity,
                unit_price=price if isinstance(price, int) else 0,
                discount=discount if isinstance(discount, int) else 0,
                currency=currency,
            )
    return amount, currency


def _parents(fields: Flat) -> tuple[str, ...]:
    skus = {
        f"item:{value}": None
        for path, value in fields.items()
        if path.startswith("lines.") and path.endswith(".sku") and value
    }
    return (f"customer:{fields['customer']}", *skus)


register(
    Kind(
        name="order",
        plural="orders",
        model=Order,
        nature=Nature.KEPT,
        number=lambda fields: str(fields["number"]),
        supersedes=Supersedes.UNTIL_THERE,
        natural_key="number",
        parents=_parents,
        parent_kinds=("customer", "item"),
        stake=net_total,
        cancelled=lambda fields: fields.get("cancelled") is True,
    )
)
