"""A real Tryton in a landscape: what it owns goes on to the shop, and a hundred customers and orders reach it once."""

from __future__ import annotations

import csv
import dataclasses
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from killing_proxy import KillingProxy, Trap, killing_proxy
from practice import Practice
from simulation import Simulation
from tryton_server import TrytonServer

pytestmark = pytest.mark.long

SEED = 8
HOW_MANY = 100
WORKERS = 3
PARTY, CREATE, QUOTE, CONFIRM = (
    "model.party.party.create",
    *(f"model.sale.sale.{step}" for step in ("create", "quote", "confirm")),
)
ACTS = frozenset((PARTY, CREATE, QUOTE, CONFIRM))
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
limits = {{ concurrency = 4, timeout = "5s", deadline = "20s", settle_after = "2s" }}
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
options = {{ folder = "{folder}", quiet_seconds = 0 }}
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
line = "Line"
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


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory):
    with Simulation(tmp_path_factory.mktemp("sim"), seed=SEED, systems=("shop",)) as running:
        yield running


def practice_with(folder: Path, sim: Simulation, tryton: TrytonServer, text: str) -> Practice:
    """The command line over a landscape of the shop and the Tryton."""
    practice = Practice(folder, sim, flows=(), settings=text)
    practice.environ |= {"TRYTON_URL": tryton.url, "TRYTON_SECRET": tryton.password}
    return practice


def synced(practice: Practice, *words: str) -> dict[str, dict[str, Any]]:
    """What a sync did, by kind; it ends well."""
    ran = practice.run("sync", *words, "-o", "json", "--timeout", "4m", seconds=300)
    assert ran.code == 0, ran.out + ran.err
    return {row["kind"]: row for row in ran.content["items"]}


def levels(tryton: TrytonServer) -> dict[str, Decimal]:
    """What the warehouse has of each item: all that was moved into it, less all that was moved out."""
    (warehouse,) = tryton.records("stock.location", [["code", "=", "WH"]], ["code"])
    inside = {row["id"] for row in tryton.records("stock.location", [["parent", "child_of", [warehouse["id"]]]], ["code"])}
    had: dict[str, Decimal] = defaultdict(Decimal)
    fields = ["product.code", "quantity", "from_location", "to_location"]
    for move in tryton.records("stock.move", [["state", "=", "done"]], fields):
        into = (move["to_location"] in inside) - (move["from_location"] in inside)
        had[move["product."]["code"]] += into * Decimal(str(move["quantity"]))
    return dict(had)


def adjust(tryton: TrytonServer, sku: str, by: str) -> None:
    """Somebody counts, and finds more or less of an item than there should be."""
    (store,) = tryton.records("stock.location", [["code", "=", "STO"]], ["code"])
    made = tryton.rpc("model.stock.inventory.create", [{"location": store["id"], "empty_quantity": "keep"}])
    tryton.rpc("model.stock.inventory.complete_lines", made)
    counted = [["inventory", "in", made], ["product.code", "=", sku]]
    (line,) = tryton.records("stock.inventory.line", counted, ["expected_quantity"])
    tryton.rpc("model.stock.inventory.line.write", [line["id"]], {"quantity": line["expected_quantity"] + float(by)})
    tryton.rpc("model.stock.inventory.confirm", made)


def reprice(tryton: TrytonServer, sku: str, price: str) -> None:
    """Somebody changes a list price."""
    (product,) = tryton.records("product.product", [["code", "=", sku]], ["template"])
    money = {"__class__": "Decimal", "decimal": price}
    tryton.rpc("model.product.template.write", [product["template"]], {"list_price": money})


def at_the_shop(sim: Simulation, kind: str) -> dict[str, dict[str, Any]]:
    """The fields of what the shop holds, by number; it holds nothing twice."""
    documents = sim.control.documents("shop", kind)
    found = {document["number"]: document["fields"] for document in documents}
    assert len(found) == len(documents)
    return found


def test_items_customers_and_levels_are_read_and_go_on_to_the_shop(tmp_path, sim, tryton):
    rest = """
[owners]
item = "tryton"
customer = "tryton"
stock = "tryton"
[[flows]]
name = "customers"
kind = "customer"
from = "tryton"
to = ["shop"]
every = "15s"
"""
    practice = practice_with(tmp_path / "erpsync", sim, tryton, landscape(tryton, login="basic", rest=rest))
    kinds = ("item", "customer", "stock")
    started = time.monotonic()
    first = synced(practice, *kinds)
    took = time.monotonic() - started
    print(first, at_the_shop(sim, "item")["SKU-0001"], at_the_shop(sim, "stock"), at_the_shop(sim, "customer"), took)
    again = synced(practice, *kinds)
    print(again)
    adjust(tryton, "SKU-0004", "7")
    print(synced(practice, *kinds))
    reprice(tryton, "SKU-0009", "15.25")
    print(synced(practice, *kinds))
    print(sim.control.requests("shop")[-3:])
    adjust(tryton, "SKU-0004", "-7")
    reprice(tryton, "SKU-0009", "14.00")
