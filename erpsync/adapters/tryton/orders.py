"""Orders: ``sale.sale``, found by its reference. A draft or a quotation is no order yet: it is not told, and read by its
id it says whose it is and no more, so that it never passes for what was ordered.

A line's id stands in its note, with the price and discount it was ordered at, as far as its unit price still is what
they come to; a line that Tryton's own people made goes by its record id.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from erpsync.adapters.tryton.options import Options
from erpsync.adapters.tryton.shelf import STAMP, Follows, Record, Shelf, text
from erpsync.domain.values import to_number

CARRIED = frozenset({"number", "customer", "currency", "ordered_on", "requested_on", "note", "cancelled", "lines"})
HEADER = {"ordered_on": "sale_date", "requested_on": "shipping_date", "note": "comment"}
TOLD_STATES = ("confirmed", "processing", "done", "cancelled")
WHOLE_STATES = ("confirmed", "processing", "done")
_NOTE = re.compile(r"line (?P<line>[^\n]+)(?:\nat (?P<price>[0-9.]+) less (?P<discount>[0-9.]+))?")


def line_note(line: str, *, price: Decimal, discount: Decimal | None) -> str:
    """What is written into a line's note so that the line is known again."""
    return f"line {line}" if discount is None else f"line {line}\nat {price:f} less {discount:f}"


def net_price(price: Decimal, discount: Decimal) -> Decimal:
    """The unit price after the discount, without needless zeros."""
    net = (price * (1 - discount)).normalize()
    return net if net.as_tuple().exponent <= 0 else net.quantize(Decimal(1))  # type: ignore[operator]  # finite


def goods_lines(record: Record) -> list[Record]:
    """The lines that order something."""
    return [line for line in record["lines."] if line["type"] == "line" and line["product."]]


def line_content(line: Record) -> dict[str, Any]:
    """A line in our words."""
    found = _NOTE.match(line["note"] or "")
    content = {
        "line": found["line"] if found else str(line["id"]),
        "sku": line["product."]["code"] or "",
        "quantity": line["quantity"],
        "unit_price": line["unit_price"],
    }
    if found and found["price"]:
        price, discount = to_number(found["price"]), to_number(found["discount"])
        if net_price(price, discount) == line["unit_price"]:
            content |= {"unit_price": price, "discount": discount}
    return content


def _content(record: Record, _: Record, __: Options) -> dict[str, Any]:
    head = {
        "number": record["reference"] or record["number"] or "",
        "customer": record["party."]["code"] or "",
        "currency": record["currency."]["code"],
    }
    if record["state"] not in TOLD_STATES:
        return head
    return {
        **head,
        **{ours: text(record[theirs]) for ours, theirs in HEADER.items()},
        "total": record["untaxed_amount"],
        "cancelled": record["state"] == "cancelled",
        "lines": tuple(line_content(line) for line in goods_lines(record)),
    }


ORDERS = Shelf(
    kind="order",
    model="sale.sale",
    fields=(
        "reference",
        "number",
        "state",
        "party.code",
        "currency.code",
        *HEADER.values(),
        "untaxed_amount",
        STAMP,
        "_timestamp",
        *(f"lines.{name}" for name in ("type", "note", "quantity", "unit_price", "product.code", STAMP)),
    ),
    number=lambda record: record["reference"] or record["number"],
    content=_content,
    follows=(Follows("sale.line", up="sale", by="id"),),
    domain=(["state", "in", list(TOLD_STATES)],),
    ordered=False,  # a line taken away takes its stamp with it
)
