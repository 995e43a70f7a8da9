"""Customers: kept by their owner, known by their number."""

from __future__ import annotations

from erpsync.domain.kinds import Kind, Nature, register

register(
    Kind(
        name="customer",
        plural="customers",
        document="erpsync.domain.documents.customer:Customer",
        nature=Nature.KEPT,
        number=lambda fields: str(fields["number"]),
        natural_key="number",
    )
)
