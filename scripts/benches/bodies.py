"""The bodies that both sides of a delivery post: orders as a shop's interface takes them, some 465 bytes each."""

from __future__ import annotations

import json


def bodies(count: int) -> list[bytes]:
    """So many different bodies, the same ones at every call."""
    return [_body(number) for number in range(count)]


def _body(number: int) -> bytes:
    lines = [
        {"line": str(n + 1), "sku": f"SKU-{(number * 7 + n) % 977:04}", "quantity": f"{n + 1}", "unit_price": "19.95"}
        for n in range(3)
    ]
    order = {
        "reference": f"SO-{number:07}",
        "customer": f"CU-{number % 211:05}",
        "currency": "USD",
        "ordered_on": "2026-03-02",
        "ship_to": {"name": "Harbour Supply Co", "street": "12 Quay Road", "city": "Bristol", "country": "GB"},
        "lines": lines,
    }
    return json.dumps(order, separators=(",", ":")).encode()
