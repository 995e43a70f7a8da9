"""Movements: a quantity of an item that came, went or moved, once."""

from __future__ import annotations

from typing import Literal

from erpsync.domain.document import Document
from erpsync.domain.kinds import Kind, Nature, Supersedes, register
from erpsync.domain.values import Moment, Number, Quantity, Text

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


register(
    Kind(
        name="movement",
        plural="movements",
        model=Movement,
        nature=Nature.HAPPENED,
        number=lambda fields: str(fields["number"]),
        supersedes=Supersedes.NEVER,
        natural_key="number",
        lane_key=lambda _, fields: f"stock:{fields['sku']}@{fields['location']}",
        parents=lambda fields: (f"item:{fields['sku']}",),
        parent_kinds=("item",),
    )
)
