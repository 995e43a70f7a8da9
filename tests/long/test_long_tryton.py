"""A real Tryton in a landscape: what it owns goes on to the shop, and a hundred customers and orders reach it once."""

from __future__ import annotations

import dataclasses
import random
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from killing_proxy import Trap, killing_proxy
from practice import Practice
from simulation import Simulation
from tryton_crew import WORKERS, Crew, asked
from tryton_office import CONCURRENCY, Ordered, fill_the_office, landscape, office, practice_with, reaching
from tryton_server import TrytonServer

pytestmark = pytest.mark.long

SEED = 8
HOW_MANY = 100
PARTY, CREATE, QUOTE, CONFIRM = (
    "model.party.party.create",
    *(f"model.sale.sale.{step}" for step in ("create", "quote", "confirm")),
)
ACTS = frozenset((PARTY, CREATE, QUOTE, CONFIRM))


@pytest.fixture
def sim(tmp_path: Path):
    with Simulation(tmp_path / "sim", seed=SEED, systems=("shop",)) as running:
        yield running


def synced(practice: Practice, *words: str) -> dict[str, dict[str, Any]]:
    """What a sync did, by kind; it ends well."""
    ran = practice.run("sync", *words, "-o", "json", "--timeout", "4m", seconds=300)
    assert ran.code == 0, ran.out + ran.err
    return {row["kind"]: row for row in ran.content["items"]}


def levels(tryton: TrytonServer) -> dict[str, Decimal]:
    """What the warehouse has of each item: all that was moved into it, less all that was moved out."""
    (warehouse,) = tryton.records("stock.location", [["code", "=", "WH"]], ["code"])
    inside = {
        row["id"] for row in tryton.records("stock.location", [["parent", "child_of", [warehouse["id"]]]], ["code"])
    }
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
    first = synced(practice)
    items, customers, stock = (at_the_shop(sim, kind) for kind in ("item", "customer", "stock"))

    everything = dataclasses.replace(tryton, context=tryton.context | {"active_test": False})
    fields = ["code", "name", "template.list_price", "template.default_uom.name"]
    products = {row["code"]: row for row in everything.records("product.product", [], fields)}
    assert items.keys() == products.keys()
    assert len(items) == first["item"]["created"] == 20
    for sku, row in products.items():
        price = Decimal(row["template."]["list_price"]["decimal"])
        known = (row["name"], row["template."]["default_uom."]["name"], price, "USD", True)
        told = items[sku]
        assert (told["name"], told["unit"], Decimal(told["price"]), told["currency"], told["active"]) == known

    fields = ["code", "name", "addresses.street", "addresses.city", "addresses.postal_code", "addresses.country.code",
              "contact_mechanisms.type", "contact_mechanisms.value"]  # fmt: skip
    parties = {row["code"]: row for row in everything.records("party.party", [], fields)}
    assert customers.keys() == parties.keys()
    assert len(customers) == first["customer"]["created"] >= 6
    for number, row in parties.items():
        address = row["addresses."][0] if row["addresses."] else {}
        country = address.get("country.") or {}
        mail = next((way["value"] for way in row["contact_mechanisms."] if way["type"] == "email"), None)
        known = (row["name"], address.get("street") or None, address.get("city") or None, country.get("code"), mail)
        assert tuple(customers[number][name] for name in ("name", "street", "city", "country", "email")) == known

    had = levels(tryton)
    assert {sku: Decimal(stock[f"{sku}@WH"]["on_hand"]) for sku in had} == had
    assert len(had) == len(stock) == 20

    writes = len(sim.control.requests("shop"))
    second = synced(practice)
    assert [(row["created"], row["updated"]) for row in second.values()] == [(0, 0)] * 3
    assert len(sim.control.requests("shop")) == writes

    try:
        adjust(tryton, "SKU-0004", "7")
        counted = synced(practice)
        assert levels(tryton) == had | {"SKU-0004": had["SKU-0004"] + 7}
        reprice(tryton, "SKU-0009", "15.25")
        repriced = synced(practice)
    finally:
        adjust(tryton, "SKU-0004", "-7")
        reprice(tryton, "SKU-0009", "14.00")

    assert {kind: row["updated"] for kind, row in counted.items()} == {"item": 0, "customer": 0, "stock": 1}
    assert {kind: row["updated"] for kind, row in repriced.items()} == {"item": 1, "customer": 0, "stock": 0}
    moved, dearer = sim.control.requests("shop")[writes:]
    assert (moved["kind"], moved["number"], dearer["kind"], dearer["number"]) == (
        "stock",
        "SKU-0004@WH",
        "item",
        "SKU-0009",
    )
    level, item = at_the_shop(sim, "stock")["SKU-0004@WH"], at_the_shop(sim, "item")["SKU-0009"]
    assert {Decimal(level[name]) for name in ("on_hand", "available")} == {had["SKU-0004"] + 7}
    assert item == items["SKU-0009"] | {"price": "15.25"}


def test_customers_and_orders_are_written_with_the_password_in_every_call(tmp_path, sim, tryton):
    towns, orders = fill_the_office(tmp_path / "office", random.Random(SEED), how_many=5, mark="BASIC")
    text = landscape(tryton, login="basic", rest=office(tmp_path / "office"))
    practice = practice_with(tmp_path / "erpsync", sim, tryton, text)
    first, second = synced(practice), synced(practice)
    assert [first[kind]["created"] for kind in ("customer", "order")] == [5, 5]
    assert {(row["created"], row["updated"]) for row in second.values()} == {(0, 0)}
    each_is_there_once(tryton, towns, orders, mark="BASIC")


def moments(rng: random.Random) -> list[Trap | float]:
    """Twenty moments to kill a worker at: after or before a call of a kind was carried out, or after so many seconds."""

    def trap(method: str, *, carried_out: bool, arrives: bool = True) -> Trap:
        return Trap((method,), carried_out, arrives=arrives, skip=rng.randint(0, 4))

    customers = [trap(PARTY, carried_out=True), trap(PARTY, carried_out=True), trap(PARTY, carried_out=False)]
    orders: list[Trap | float] = [trap(step, carried_out=True) for step in (CREATE, QUOTE, CONFIRM) for _ in range(3)]
    orders += [trap(step, carried_out=False) for step in (CREATE, QUOTE, CONFIRM)]
    orders += [trap(CREATE, carried_out=False, arrives=False)]
    orders += [rng.uniform(0.1, 2) for _ in range(4)]
    rng.shuffle(orders)
    return [*customers, *orders]


def test_a_hundred_customers_and_orders_reach_tryton_once_though_workers_are_killed_twenty_times(tmp_path, sim, tryton):
    rng = random.Random(SEED)
    towns, orders = fill_the_office(tmp_path / "office", rng, how_many=HOW_MANY, mark="KILL")
    text = landscape(tryton, login="session", rest=office(tmp_path / "office"))
    practice = practice_with(tmp_path / "erpsync", sim, tryton, text)
    synced(practice, "item")
    plan = moments(rng)
    assert len(plan) == 20
    acts: list[str] = []
    begun: list[int] = []
    started = time.monotonic()
    with killing_proxy(tryton.url, acting=ACTS) as proxy:
        crew = Crew(practice, proxy)
        try:
            for moment in plan:
                victim, act = crew.kill_one(moment, rng)
                acts.append(act)
                begun.append(crew.replace(victim))
            killing = time.monotonic() - started
            there = len(sales(tryton, "KILL"))
            ran = reaching(practice, proxy.url_for("last")).run("run", "--until-idle", seconds=300)
            assert ran.code == 0, ran.out + ran.err
            assert crew.stop() == [143] * WORKERS, crew.log
        finally:
            crew.end()
        took = time.monotonic() - started
        assert "Traceback" not in (practice.folder / "workers.log").read_text()
        assert there < HOW_MANY, "the last kill came before the work was done"
        assert max(begun) <= CONCURRENCY, "a crash leaves no more questions than there may be writes in flight"

        last = synced(practice)
        assert {(row["created"], row["updated"]) for row in last.values()} == {(0, 0)}
        assert {message["state"] for message in practice.messages()} == {"done"}
        assert practice.run("store", "verify").code == 0
        each_is_there_once(tryton, towns, orders, mark="KILL")
        had = levels(tryton)
        assert {sku: Decimal(at_the_shop(sim, "stock")[f"{sku}@WH"]["on_hand"]) for sku in had} == had

        asked_for = Counter({method: proxy.calls[method] for method in ACTS})
        newcomer = practice_with(tmp_path / "newcomer", sim, tryton, text)
        synced(newcomer, "item")
        found = synced(reaching(newcomer, proxy.url_for("newcomer")), "customer", "order")
        assert [(row["created"], row["updated"], row["unchanged"]) for row in found.values()] == [(0, 0, HOW_MANY)] * 2
        assert {method: proxy.calls[method] for method in ACTS} == asked_for, (
            "a new store finds all of it, and writes nothing"
        )

    outcomes = dict(asked(practice, "SELECT what || ' ' || outcome, count(*) FROM attempts GROUP BY 1 ORDER BY 1"))
    print(f"\n{len(plan)} kills in {killing:.0f} s, {there} sales there by then; idle after {took:.0f} s")
    print(f"{sum(map(bool, acts))} kills hit an act in flight: {dict(Counter(filter(None, acts)))}")
    print(f"{sum(begun)} messages were begun and not ended: {begun}")
    print(f"asked for {dict(asked_for)}; attempts {outcomes}")


def sales(tryton: TrytonServer, mark: str) -> list[dict[str, Any]]:
    """The sales to the office's customers, whatever stands in their reference."""
    fields = ["reference", "state", "untaxed_amount", "comment", "party.code", "shipments", "invoices", "lines.moves",
              "lines.product.code", "lines.quantity", "lines.unit_price"]  # fmt: skip
    return tryton.records("sale.sale", [["party.code", "like", f"{mark}-%"]], fields)


def each_is_there_once(tryton: TrytonServer, towns: dict[str, str], orders: dict[str, Ordered], *, mark: str) -> None:
    """Every customer and every order is in Tryton, none twice, each order confirmed with its lines and its total."""
    parties = tryton.records("party.party", [["name", "like", f"Søn & Küche {mark} %"]], ["code", "addresses.city"])
    assert [
        (row["code"], [address["city"] for address in row["addresses."]])
        for row in sorted(parties, key=lambda row: row["code"])
    ] == [(number, [town]) for number, town in sorted(towns.items())]
    made = sorted(sales(tryton, mark), key=lambda sale: sale["reference"])
    assert [sale["reference"] for sale in made] == sorted(orders)
    for sale in made:
        ordered = orders[sale["reference"]]
        assert (sale["state"], sale["party."]["code"], sale["comment"] or "") == (
            "processing",
            ordered.customer,
            ordered.note,
        )
        lines = [
            (line["product."]["code"], Decimal(str(line["quantity"])), Decimal(line["unit_price"]["decimal"]))
            for line in sale["lines."]
        ]
        assert tuple(sorted(lines)) == ordered.lines
        assert Decimal(sale["untaxed_amount"]["decimal"]) == ordered.total
        assert len(sale["shipments"]) == len(sale["invoices"]) == 1
        assert {len(line["moves"]) for line in sale["lines."]} == {1}
