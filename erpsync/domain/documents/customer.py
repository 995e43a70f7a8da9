"""Customers: who buys, and where the goods go."""

from __future__ import annotations

from erpsync.domain.document import Document
from erpsync.domain.field_types import Currency, Flag, Number, Text


class Customer(Document):
    """A customer as its owner tells it; ``number`` is its key."""

    number: Number
    name: Text | None = None
    contact: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    street: Text | None = None
    city: Text | None = None
    region: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None
    tax_number: Text | None = None
    currency: Currency | None = None
    active: Flag | None = None
