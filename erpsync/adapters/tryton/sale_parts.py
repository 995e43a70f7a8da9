"""What a sale is put together from: the party's addresses and terms, the products' units and taxes, the currency.

One rule: Tryton's ``create`` fills in none of it, so all of it is looked up, and what is not there is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erpsync.adapters.tryton.errand import Errand
from erpsync.errors import ParentMissing, Refused, Unmappable


@dataclass(frozen=True)
class Product:
    """A product's unit and the taxes its category puts on a sale, by id."""

    unit: int
    taxes: tuple[int, ...]


@dataclass(frozen=True)
class Parts:
    """``party`` are the sale's fields that follow from its party."""

    party: dict[str, Any]
    products: Mapping[int, Product]
    currency: int | None


async def find_parts(errand: Errand, values: Mapping[str, Any]) -> Parts:
    """The parts for an order's values; raises ParentMissing, Unmappable, or Refused where the party has no address."""
    party, products, currency = await asyncio.gather(
        _party(errand, values), _products(errand, values), _currency(errand, values)
    )
    return Parts(party, products, currency)


async def _party(errand: Errand, values: Mapping[str, Any]) -> dict[str, Any]:
    has_terms = "party.party.customer_payment_term" in errand.footing.has
    fields = ["addresses.active", *(["customer_payment_term"] if has_terms else [])]
    rows = await errand.ask("party.party", [["id", "=", values["party"]]], fields)
    if not rows:
        key = f"customer:{values['customer']}"
        raise ParentMissing(f"party {values['party']} of {key} is gone", key=key)
    address = next((address["id"] for address in rows[0]["addresses."] if address["active"]), None)
    if address is None:
        raise Refused(
            f"party {values['party']} has no address to ship and invoice to",
            code="no_address",
            hint="give the customer an address, then replay",
        )
    fields_of_sale = {"party": values["party"], "invoice_address": address, "shipment_address": address}
    term = rows[0].get("customer_payment_term") or await _term(errand)
    return fields_of_sale | ({"payment_term": term} if term is not None else {})


async def _term(errand: Errand) -> int | None:
    name = errand.options.payment_term
    if not name:
        return None
    term = await errand.ground.word("account.invoice.payment_term", "name", name, trail=errand.trail)
    if term is None:
        raise Unmappable(
            f"payment term {name!r} is not there",
            field="payment_term",
            hint="options.payment_term is its name in Tryton",
        )
    return term


async def _products(errand: Errand, values: Mapping[str, Any]) -> dict[int, Product]:
    taxed = errand.options.taxes == "product" and "product.template.account_category" in errand.footing.has
    fields = ["default_uom", *(["template.account_category.customer_taxes_used"] if taxed else [])]
    lines = values.get("lines") or []
    ids = sorted({line["product"] for line in lines})
    rows = await errand.ask("product.product", [["id", "in", ids]], fields) if ids else []
    products = {row["id"]: Product(row["default_uom"], _taxes(row) if taxed else ()) for row in rows}
    for line in lines:
        if line["product"] not in products:
            key = f"item:{line['sku']}"
            raise ParentMissing(f"product {line['product']} of {key} is gone", key=key)
    return products


def _taxes(row: Mapping[str, Any]) -> tuple[int, ...]:
    category = row["template."]["account_category."]
    return tuple(category["customer_taxes_used"]) if category else ()


async def _currency(errand: Errand, values: Mapping[str, Any]) -> int | None:
    code = values.get("currency")
    if not code:
        return None
    currency = await errand.ground.word("currency.currency", "code", code, trail=errand.trail)
    if currency is None:
        raise Unmappable(f"currency {code} is not there", field="currency", hint="add the currency in Tryton")
    return currency
