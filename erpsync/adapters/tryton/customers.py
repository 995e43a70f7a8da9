"""Customers: ``party.party``, found by its code; street and town are its first address, whose stamp moves alone.

Tryton keeps no currency with a party, and regions and tax numbers only where its tables of them are filled: the last
two are told, none of them is written.
"""

from __future__ import annotations

from typing import Any

from erpsync.adapters.tryton.options import Options
from erpsync.adapters.tryton.shelf import STAMP, Follows, Record, Shelf, text
from erpsync.errors import Unmappable

CARRIED = frozenset(
    {"number", "name", "contact", "email", "phone", "street", "city", "postal_code", "country", "active"}
)
ADDRESS = {"contact": "attn", "street": "street", "city": "city", "postal_code": "postal_code"}


def first_address(record: Record) -> Record | None:
    """The address that counts: the first in use."""
    return next((address for address in record["addresses."] if address["active"]), None)


def first_mechanism(record: Record, kind: str) -> Record | None:
    """The first way in use to reach the party by ``email`` or ``phone``."""
    return next((way for way in record["contact_mechanisms."] if way["type"] == kind and way["active"]), None)


def their_country(country: str, options: Options) -> str:
    """The word Tryton has for our country; raises Unmappable where it would be told back as another."""
    word = options.countries.get(country, country)
    if _our_country(word, options) != country:
        raise Unmappable(
            f"country {country!r} is not the name under which Tryton's {word!r} comes back",
            field="country",
            hint=f"options.countries maps our countries to Tryton's {options.country}, each to another",
        )
    return word


def _our_country(word: str, options: Options) -> str:
    return next((ours for ours, theirs in options.countries.items() if theirs == word), word)


def _content(record: Record, _: Record, options: Options) -> dict[str, Any]:
    address = first_address(record) or {}
    country, subdivision, tax = address.get("country."), address.get("subdivision."), record["tax_identifier."]
    word = country[options.country] if country else None
    email, phone = first_mechanism(record, "email"), first_mechanism(record, "phone")
    return {
        "number": record["code"] or "",
        "name": text(record["name"]),
        **{ours: text(address.get(theirs)) for ours, theirs in ADDRESS.items()},
        "region": text(subdivision["name"]) if subdivision else None,
        "country": _our_country(word, options) if word else None,
        "email": text(email["value"]) if email else None,
        "phone": text(phone["value"]) if phone else None,
        "tax_number": text(tax["code"]) if tax else None,
        "active": bool(record["active"]),
    }


CUSTOMERS = Shelf(
    kind="customer",
    model="party.party",
    fields=(
        "code",
        "name",
        "active",
        STAMP,
        "_timestamp",
        "tax_identifier.code",
        *(f"addresses.{name}" for name in ("active", "attn", "street", "city", "postal_code", STAMP)),
        *(f"addresses.country.{name}" for name in ("code", "code3", "name")),
        "addresses.subdivision.name",
        *(f"contact_mechanisms.{name}" for name in ("active", "type", "value", STAMP)),
    ),
    number=lambda record: record["code"],
    content=_content,
    follows=(
        Follows("party.address", up="party", by="id"),
        Follows("party.contact_mechanism", up="party", by="id"),
    ),
    ordered=False,  # an address taken away takes its stamp with it
)
