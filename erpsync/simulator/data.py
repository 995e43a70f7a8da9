"""Made-up documents of a distributor: the same seed and position always give the same document, whatever else was made.

Numbers tell the position: ``SKU-0001``, ``CU-0001``, ``SO-1001``, ``SH-1001``, ``MV-100001``.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from erpsync.simulator.fields import Json, plain, stamp

_FIRST_DAY = date(2026, 9, 1)
_MAKES = ("Norvik", "Halden", "Brightwell", "Osterman", "Calder", "Tamsin", "Rowley", "Fenmark", "Lindqvist", "Ardmore")
_THINGS = (
    ("hex bolt", "Fasteners", "0.35"),
    ("wood screw", "Fasteners", "0.08"),
    ("angle grinder", "Power tools", "89.00"),
    ("cordless drill", "Power tools", "149.00"),
    ("work glove", "Safety", "4.20"),
    ("ear defender", "Safety", "17.50"),
    ("cable drum", "Electrical", "64.00"),
    ("junction box", "Electrical", "3.15"),
    ("ball valve", "Plumbing", "12.90"),
    ("copper elbow", "Plumbing", "1.45"),
    ("pallet wrap", "Packaging", "9.80"),
    ("shipping carton", "Packaging", "1.10"),
)
_SIZES = ("M6", "M8", "M10", "12 mm", "20 mm", "50 m", "18 V", "large", "heavy duty", "box of 100")
_TRADES = (
    "Builders Merchants",
    "Hardware",
    "Facility Services",
    "Marine Supply",
    "Electrical Wholesale",
    "Farm & Garden",
)
_NAMES = (
    "Okafor",
    "Bianchi",
    "Marsh",
    "Nygaard",
    "Petrov",
    "Delacroix",
    "Haas",
    "Quint",
    "Sorensen",
    "Vega",
    "Whitlock",
)
_GIVEN = ("Ada", "Bruno", "Carla", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas")
_PLACES = (
    ("Rotterdam", "Zuid-Holland", "3011", "NL"),
    ("Leeds", "Yorkshire", "LS1 4AP", "GB"),
    ("Bremen", "Bremen", "28195", "DE"),
    ("Lyon", "Auvergne-Rhône-Alpes", "69002", "FR"),
    ("Malmö", "Skåne", "211 20", "SE"),
    ("Portland", "OR", "97201", "US"),
    ("Gdańsk", "Pomorskie", "80-001", "PL"),
)
_STREETS = ("Dock Road", "Mill Lane", "Station Street", "Quay", "Foundry Way", "Harbour View")
_CARRIERS = (("Swiftline", "ground"), ("Northpost", "parcel"), ("Bluefreight", "pallet"))


def sku(position: int) -> str:
    """The SKU of the item at a position."""
    return f"SKU-{position + 1:04d}"


def customer_number(position: int) -> str:
    """The number of the customer at a position."""
    return f"CU-{position + 1:04d}"


def order_number(position: int) -> str:
    """The number of the order at a position."""
    return f"SO-{position + 1001}"


def item(seed: int, position: int) -> Json:
    """An item with its list price."""
    draw = random.Random(f"{seed}:item:{position}")
    thing, category, base = draw.choice(_THINGS)
    name = f"{draw.choice(_MAKES)} {thing} {draw.choice(_SIZES)}"
    return {
        "sku": sku(position),
        "name": name,
        "description": f"{name}, {category.lower()}",
        "unit": draw.choice(("each", "each", "box", "roll")),
        "price": plain((Decimal(base) * draw.randint(80, 140) / 100).quantize(Decimal("0.01"))),
        "currency": "USD",
        "barcode": f"40{draw.randrange(10**11):011d}",
        "category": category,
        "weight": plain(Decimal(draw.randint(10, 9_000)) / 1000),
        "reorder_point": str(draw.randrange(5, 60, 5)),
        "web_description": f"{name}: ready to ship.",
        "active": True,
    }


def customer(seed: int, position: int) -> Json:
    """A business that buys."""
    draw = random.Random(f"{seed}:customer:{position}")
    family, (city, region, postal_code, country) = draw.choice(_NAMES), draw.choice(_PLACES)
    given = draw.choice(_GIVEN)
    return {
        "number": customer_number(position),
        "name": f"{family} {draw.choice(_TRADES)}",
        "contact": f"{given} {family}",
        "email": f"{given}.{family}@example.com".lower(),
        "phone": f"+1 555 {draw.randrange(10_000):04d}",
        "street": f"{draw.randint(1, 180)} {draw.choice(_STREETS)}",
        "city": city,
        "region": region,
        "postal_code": postal_code,
        "country": country,
        "tax_number": f"{country}{draw.randrange(10**9):09d}",
        "currency": "USD",
        "active": True,
    }


def order(seed: int, position: int, *, items: int, customers: int) -> Json:
    """An order of one to five lines, for one of the first ``customers`` and of the first ``items``."""
    draw = random.Random(f"{seed}:order:{position}")
    buyer = customer(seed, draw.randrange(max(1, customers)))
    picked = draw.sample(range(max(1, items)), min(max(1, items), draw.randint(1, 5)))
    ordered_on = _FIRST_DAY + timedelta(days=position // 12)
    lines = [
        {
            "line": str(number),
            "sku": sku(which),
            "quantity": str(draw.randint(1, 40)),
            "unit_price": item(seed, which)["price"],
            "discount": draw.choice(("0", "0", "0", "0.05", "0.1", "0.15")),
        }
        for number, which in enumerate(picked, start=1)
    ]
    return {
        "number": order_number(position),
        "customer": buyer["number"],
        "currency": "USD",
        "ordered_on": ordered_on.isoformat(),
        "requested_on": (ordered_on + timedelta(days=draw.randint(1, 9))).isoformat(),
        "purchase_order": f"PO-{draw.randrange(10_000, 99_999)}",
        "ship_name": buyer["name"],
        **{f"ship_{part}": buyer[part] for part in ("street", "city", "region", "postal_code", "country")},
        "freight": plain(Decimal(draw.randint(0, 4_000)) / 100),
        "total": None,
        "note": draw.choice((None, None, "call before delivery", "leave at gate 4")),
        "cancelled": False,
        "lines": lines,
    }


def stock(seed: int, position: int, *, items: int) -> Json:
    """A stock level: the first ``items`` at WH1, then the same at WH2, and so on."""
    draw = random.Random(f"{seed}:stock:{position}")
    turn, which = divmod(position, max(1, items))
    on_hand = draw.randint(0, 400)
    reserved = draw.randint(0, on_hand // 4)
    levels = {"on_hand": str(on_hand), "reserved": str(reserved), "available": str(on_hand - reserved)}
    return {"sku": sku(which), "location": f"WH{turn + 1}", **levels, "unit": item(seed, which)["unit"]}


def movement(seed: int, position: int, *, items: int) -> Json:
    """A movement of one of the first ``items``, a few minutes after the one before."""
    draw = random.Random(f"{seed}:movement:{position}")
    kind = draw.choice(("receipt", "receipt", "pick", "ship", "adjustment", "return"))
    quantity = draw.randint(1, 60)
    return {
        "number": f"MV-{position + 100_001}",
        "type": kind,
        "sku": sku(draw.randrange(max(1, items))),
        "location": "WH1",
        "quantity": str(-quantity if kind in ("pick", "ship") else quantity),
        "happened_at": stamp(_moment(position)),
        "reference": order_number(draw.randrange(40)) if kind in ("pick", "ship") else None,
        "reason": "cycle count" if kind == "adjustment" else None,
    }


def shipment(seed: int, position: int, *, items: int, customers: int) -> Json:
    """The shipment of the order at the same position, complete."""
    draw = random.Random(f"{seed}:shipment:{position}")
    sent = order(seed, position, items=items, customers=customers)
    carrier, service = draw.choice(_CARRIERS)
    lines = [
        {**{name: line[name] for name in ("line", "sku", "quantity")}, "order_line": line["line"]}
        for line in sent["lines"]
    ]
    return {
        "number": f"SH-{position + 1001}",
        "order": sent["number"],
        "location": "WH1",
        "shipped_at": stamp(_moment(position * 20)),
        "carrier": carrier,
        "carrier_service": service,
        "tracking": f"{carrier[:2].upper()}{draw.randrange(10**10):010d}",
        "currency": "USD",
        "total": None,
        "cancelled": False,
        "lines": lines,
    }


def _moment(position: int) -> datetime:
    return datetime(2026, 9, 1, 6, 0, tzinfo=UTC) + timedelta(minutes=3 * position)
