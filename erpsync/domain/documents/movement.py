"""Movements: a quantity of an item that came, went or moved, once."""

from __future__ import annotations

from typing import Literal

from erpsync.domain.document import Document
from erpsync.domain.field_types import Moment, Number, Quantity, Text

MovementType = Literal[
    "receipt",
    "putaway",
    "allocation",
    "deallocation",
    "pick",
    "pack",
    "ship",
    "return",
    "adjustment",
    "transfer_out",
    "transfer_in",
]


class Movement(Document):
    """One movement of stock; ``quantity`` is signed as seen from ``location``.

    Movements of one stock key queue in one lane, so that a target that keeps balances sees them in order.
    """

    number: Number
    type: MovementType
    sku: Number
    location: Number
    quantity: Quantity
    happened_at: Moment | None = None
    reference: Text | None = None
    reason: Text | None = None
