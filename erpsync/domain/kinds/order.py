"""Orders: kept by their owner, worth the net total of their lines; they need their customer and items."""

from __future__ import annotations

from erpsync.domain.flat import Flat
from erpsync.domain.kinds import Kind, Nature, Supersedes, register
from erpsync.domain.values import line_amount


def net_total(fields: Flat) -> tuple[int, str]:
    """The order's net total in minor units and its currency: as told, else its lines, each rounded half up."""
    currency = str(fields.get("currency") or "USD")
    if isinstance(total := fields.get("total"), int):
        return total, currency
    amount = 0
    for path in fields:
        if path[-11:] == ".unit_price" and path[:6] == "lines.":
            line = path[:-10]
            price, quantity, discount = fields[path], fields.get(line + "quantity"), fields.get(line + "discount")
            if isinstance(price, int) and isinstance(quantity, int):
                less = discount if isinstance(discount, int) else 0
                amount += line_amount(quantity=quantity, unit_price=price, discount=less, currency=currency)
    return amount, currency


def _parents(fields: Flat) -> tuple[str, ...]:
    skus = {
        f"item:{value}": None
        for path, value in fields.items()
        if path.endswith(".sku") and path.startswith("lines.") and value
    }
    return (f"customer:{fields['customer']}", *skus)


register(
    Kind(
        name="order",
        plural="orders",
        document="erpsync.domain.documents.order:Order",
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
