"""Movements: each happened once, and those of one stock key queue in one lane."""

from __future__ import annotations

from erpsync.domain.kinds import Kind, Nature, Supersedes, register

register(
    Kind(
        name="movement",
        plural="movements",
        document="erpsync.domain.documents.movement:Movement",
        nature=Nature.HAPPENED,
        number=lambda fields: str(fields["number"]),
        supersedes=Supersedes.NEVER,
        natural_key="number",
        lane_key=lambda _, fields: f"stock:{fields['sku']}@{fields['location']}",
        parents=lambda fields: (f"item:{fields['sku']}",),
        parent_kinds=("item",),
    )
)
