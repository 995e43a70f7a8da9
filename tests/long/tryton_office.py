"""A landscape around a real Tryton: the shop it tells of its items and levels, and an office that orders.

``fill_the_office`` writes the office's tables: a customer a row, an order for each, and its lines.
"""

from __future__ import annotations

import copy
import csv
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from practice import Practice
from simulation import Simulation
from tryton_server import TrytonServer

CONCURRENCY = 4
CUSTOMER = {"number": "Customer", "name": "Name", "contact": "Contact", "email": "Mail", "phone": "Phone", "street": "Street",
            "city": "City", "postal_code": "Postcode", "country": "Country"}  # fmt: skip
ORDER = {"number": "Order", "customer": "Customer", "ordered_on": "Date", "note": "Note"}
LINE = {"sku": "Item", "quantity": "Quantity", "unit_price": "Price", "discount": "Discount"}
TOWNS = (("Boston", "02101", "US"), ("Berlin", "10115", "DE"), ("Lyon", "69001", "FR"), ("Malmö", "21119", "SE"))


def landscape(tryton: TrytonServer, *, login: str, rest: str) -> str:
    """The landscape around a Tryton that owns items and levels; ``rest`` says who owns what else."""
    options = "\n".join(f"{name} = {value!r}" for name, value in (tryton.options | {"login": login}).items())
    return f"""
[retry]
first = "200ms"
longest = "2s"
tries = 40
[breaker]
probe = "500ms"
probe_longest = "2s"
[systems.tryton]
role = "erp"
adapter = "tryton"
url = "${{TRYTON_URL}}"
secret = "env:TRYTON_SECRET"
limits = {{ concurrency = {CONCURRENCY}, timeout = "10s", deadline = "30s", settle_after = "5s" }}
[systems.tryton.options]
{options}
[[flows]]
name = "items"
kind = "item"
from = "tryton"
to = ["shop"]
every = "15s"
[[flows]]
name = "levels"
kind = "stock"
from = "tryton"
to = ["shop"]
every = "15s"
{rest}"""


def office(folder: Path) -> str:
    """What the landscape says of an office whose tables have the customers and the orders."""

    def columns(of: dict[str, str]) -> str:
        return "{ " + ", ".join(f'{name} = "{column}"' for name, column in of.items()) + " }"

    return f"""
[owners]
item = "tryton"
stock = "tryton"
customer = "office"
order = "office"
[systems.office]
role = "commerce"
adapter = "files"
options.folder = "{folder}"
options.quiet_seconds = 0
[systems.office.options.kinds.customer]
file = "customers.csv"
columns = {columns(CUSTOMER)}
constants = {{ active = true }}
[systems.office.options.kinds.order]
file = "orders.csv"
columns = {columns(ORDER)}
constants = {{ currency = "USD" }}
[systems.office.options.kinds.order.lines]
file = "lines.csv"
join = "Order"
line = {{ column = "Line" }}
columns = {columns(LINE)}
[[flows]]
name = "customers"
kind = "customer"
from = "office"
to = ["tryton"]
every = "1s"
[[flows]]
name = "orders"
kind = "order"
from = "office"
to = ["tryton"]
every = "1s"
"""


def practice_with(folder: Path, sim: Simulation, tryton: TrytonServer, text: str) -> Practice:
    """The command line over a landscape of the shop and the Tryton."""
    practice = Practice(folder, sim, flows=(), settings=text)
    practice.environ |= {"TRYTON_URL": tryton.url, "TRYTON_SECRET": tryton.password}
    return practice


def reaching(practice: Practice, url: str) -> Practice:
    """The same, where the Tryton is reached by another way."""
    other = copy.copy(practice)
    other.environ = practice.environ | {"TRYTON_URL": url}
    return other


@dataclass(frozen=True)
class Ordered:
    """What the office ordered under a number; ``lines``: item, quantity, and price for one after the discount."""

    customer: str
    note: str
    lines: tuple[tuple[str, Decimal, Decimal], ...]

    @property
    def total(self) -> Decimal:
        """The net total; prices are made up so that each line comes to whole cents."""
        return sum((quantity * price for _, quantity, price in self.lines), Decimal(0))


def fill_the_office(
    folder: Path, rng: random.Random, *, how_many: int, mark: str
) -> tuple[dict[str, str], dict[str, Ordered]]:
    """So many made-up customers with an order each: the towns of the customers and the orders, by their numbers.

    ``mark`` begins all their numbers, and ends the name of the family.
    """
    folder.mkdir()
    tables: dict[str, list[dict[str, str]]] = {"customers": [], "orders": [], "lines": []}
    towns: dict[str, str] = {}
    orders: dict[str, Ordered] = {}
    for count in range(1, how_many + 1):
        number, order, note = f"{mark}-C{count:03d}", f"{mark}-S{count:03d}", rng.choice(("", "ring twice"))
        town, postcode, country = rng.choice(TOWNS)
        towns[number] = town
        tables["customers"].append(
            {"Customer": number, "Name": f"Søn & Küche {mark} {count}", "Contact": f"Ms {count}", "Mail": f"buy{count}@{mark.lower()}.test",
             "Phone": f"+49 30 5550{count:03d}", "Street": f"{count} Crate Lane", "City": town, "Postcode": postcode,
             "Country": country}
        )  # fmt: skip
        tables["orders"].append({"Order": order, "Customer": number, "Date": "2026-10-01", "Note": note})
        lines = []
        for line, item in enumerate(rng.sample(range(1, 21), rng.randint(1, 4)), 1):
            sku, quantity, price = f"SKU-{item:04d}", rng.randint(1, 12), Decimal(rng.randint(100, 4000)) / 10
            discount = rng.choice(("", "0.1"))
            tables["lines"].append(
                {"Order": order, "Line": str(10 * line), "Item": sku, "Quantity": str(quantity), "Price": f"{price:.2f}",
                 "Discount": discount}
            )  # fmt: skip
            lines.append((sku, Decimal(quantity), price * (1 - Decimal(discount or 0))))
        orders[order] = Ordered(number, note, tuple(sorted(lines)))
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return towns, orders
