"""What is to be written, as bytes: made from an item before anything is asked, read again when it is sent.

One rule: the bytes hold every value and every far id the write needs; the same bytes are always the same write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from erpsync.adapters.http.jsontext import canonical, read_strict
from erpsync.adapters.protocol import Item, Prepared
from erpsync.adapters.tryton import customers, orders
from erpsync.adapters.tryton.options import Options
from erpsync.domain.documents.customer import Customer
from erpsync.domain.documents.order import Order, OrderLine
from erpsync.domain.flat import field_group
from erpsync.domain.values import json_default
from erpsync.errors import Defect, ParentMissing, Unmappable


@dataclass(frozen=True)
class Plan:
    """``values`` are the canonical fields told, numbers and days as text; ``changed`` the fields that differ there."""

    number: str
    far_id: str
    far_revision: str
    values: Mapping[str, Any]
    changed: frozenset[str]

    def due(self) -> dict[str, Any]:
        """The values to be brought about: those that differ where the document is bound, else all."""
        if not self.far_id:
            return dict(self.values)
        return {name: value for name, value in self.values.items() if name in self.changed}


def prepare(item: Item, options: Options) -> Prepared:
    """The request for an item; raises Unmappable and ParentMissing."""
    match item.document:
        case Customer() as customer:
            model, act, values = "party.party", "create", _customer(customer, options, removed=item.removed)
        case Order() as order:
            model, act, values = "sale.sale", "create, quote, confirm", _order(order, item, options)
        case _:
            raise Defect(f"a tryton system takes no {item.kind}", hint="the flow's targets say otherwise: report this")
    if item.far_id:
        act = "write" if model == "party.party" else "go on with"
    changed = {field_group(path) for path in item.changed} | ({"active"} if item.removed else set())
    body = {"changed": sorted(changed), "far_id": item.far_id, "number": item.number, "values": values}
    return Prepared(
        kind=item.kind,
        number=item.number,
        request=f"{act} {model} {item.far_id or item.number}",
        body=canonical(body),
        far_id=item.far_id,
        once_key=item.once_key,
        far_revision=item.far_revision,
    )


def read_plan(prepared: Prepared) -> Plan:
    """The plan in a prepared request."""
    body = read_strict(prepared.body)
    return Plan(body["number"], body["far_id"], prepared.far_revision, body["values"], frozenset(body["changed"]))


def far_number(key: str, ids: Mapping[str, str]) -> int:
    """What Tryton calls a parent; raises ParentMissing where the engine knows no id for it."""
    far_id = ids.get(key, "")
    if not far_id:
        raise ParentMissing(f"{key} is not there", key=key)
    if not (far_id.isascii() and far_id.isdigit() and len(far_id) < 19):
        raise Unmappable(f"{key} is bound to {far_id!r}, which is no id of Tryton's", field=key.partition(":")[0])
    return int(far_id)


def _customer(customer: Customer, options: Options, *, removed: bool) -> dict[str, Any]:
    told = customer.model_fields_set & customers.CARRIED
    values = {name: getattr(customer, name) for name in told}
    if values.get("country"):
        customers.their_country(values["country"], options)
    return values | ({"active": False} if removed else {})


def _order(order: Order, item: Item, options: Options) -> dict[str, Any]:
    told = order.model_fields_set & (orders.CARRIED - {"lines", "customer"})
    values: dict[str, Any] = {name: getattr(order, name) for name in told}
    values |= {day: json_default(values[day]) for day in ("ordered_on", "requested_on") if values.get(day)}
    values["customer"] = order.customer
    values["party"] = far_number(f"customer:{order.customer}", item.ids)
    if order.lines is not None:
        values["lines"] = [_line(line, item, options) for line in order.lines]
    return values


def _line(line: OrderLine, item: Item, options: Options) -> dict[str, Any]:
    if line.unit_price is None:
        raise Unmappable(f"line {line.line} has no unit price", field="lines.unit_price")
    net = orders.net_price(line.unit_price, line.discount or Decimal(0))
    exponent = net.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > options.price_digits:
        raise Unmappable(
            f"line {line.line} comes to {net} each, more than {options.price_digits} decimals",
            field="lines.unit_price",
            hint="Tryton's price decimals are options.price_digits",
        )
    return {
        "line": line.line,
        "sku": line.sku,
        "product": far_number(f"item:{line.sku}", item.ids),
        "quantity": format(line.quantity, "f"),
        "unit_price": format(net, "f"),
        "note": orders.line_note(line.line, price=line.unit_price, discount=line.discount),
    }
