"""What a source sends: canonical events as raw JSON, a third each orders, movements and stock levels, some 465 bytes each.

Every event has an id of its own; keys come again, as they do in a shop: a stock level is told anew, an order changes.
"""

from __future__ import annotations

import json
from typing import Any


def happenings(count: int) -> list[bytes]:
    """So many different events, the same ones at every call."""
    return [_happening(number) for number in range(count)]


def _happening(number: int) -> bytes:
    kind, document = (("order", _order), ("movement", _movement), ("stock", _level))[number % 3]
    event = {
        "id": f"ev-{number:08}",
        "kind": kind,
        "at": f"2026-03-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "revision": number,
        "document": document(number // 3),
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _order(number: int) -> dict[str, Any]:
    changed, number = divmod(number, 40_000)
    lines = [
        {
            "line": str(n + 1),
            "sku": f"SKU-{(number * 7 + n) % 977:04}",
            "quantity": n + 1 + changed,
            "unit_price": 19.95,
        }
        for n in range(5)
    ]
    return {
        "number": f"SO-{number:07}",
        "customer": f"CU-{number % 211:05}",
        "currency": "USD",
        "ordered_on": "2026-03-02",
        "requested_on": "2026-03-09",
        "purchase_order": f"PO-{number * 13 % 99991}",
        "ship_name": "Harbour Supply Co",
        "ship_street": "12 Quay Road",
        "ship_city": "Bristol",
        "ship_region": "Avon",
        "ship_postal_code": "BS1 4QD",
        "ship_country": "GB",
        "freight": 12.5,
        "note": "Leave at the gate; ring the bell at bay 4 and ask for Ms Okafor.",
        "lines": lines,
    }


def _movement(number: int) -> dict[str, Any]:
    return {
        "number": f"MV-{number:08}",
        "type": ("receipt", "pick", "ship", "adjustment")[number % 4],
        "sku": f"SKU-{number % 977:04}",
        "location": f"WH{number % 3 + 1}",
        "quantity": number % 40 - 12,
        "happened_at": "2026-03-02T11:15:00Z",
        "reference": f"SO-{number % 40000:07}",
        "reason": "cycle count of the picking aisle, second pass",
    }


def _level(number: int) -> dict[str, Any]:
    return {
        "sku": f"SKU-{number % 977:04}",
        "location": f"WH{number // 977 % 3 + 1}",
        "on_hand": number % 900,
        "reserved": number % 40,
        "available": number % 900 - number % 40,
        "unit": "each",
    }
