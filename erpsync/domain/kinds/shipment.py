"""Shipments: kept by their owner, worth what was told; they need their order."""

from __future__ import annotations

from erpsync.domain.flat import Flat
from erpsync.domain.kinds import Kind, Nature, Supersedes, register


def _stake(fields: Flat) -> tuple[int, str] | None:
    total, currency = fields.get("total"), fields.get("currency")
    return (total, str(currency)) if isinstance(total, int) and currency else None


register(
    Kind(
        name="shipment",
        plural="shipments",
        document="erpsync.domain.documents.shipment:Shipment",
        nature=Nature.KEPT,
        number=lambda fields: str(fields["number"]),
        supersedes=Supersedes.UNTIL_THERE,
        natural_key="number",
        parents=lambda fields: (f"order:{fields['order']}",),
        parent_kinds=("order",),
        stake=_stake,
        cancelled=lambda fields: fields.get("cancelled") is True,
    )
)
