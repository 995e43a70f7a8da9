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


@pytest.fixture
def sim(tmp_path: Path):
    with Simulation(tmp_path / "sim", seed=SEED, systems=("shop",)) as running:
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

    fields = ["code", "name", "template.list_price", "template.default_uom.name"]
    products = {row["code"]: row for row in tryton.records("product.product", [], fields)}
    assert items.keys() == products.keys()
    assert len(items) == first["item"]["created"] == 20
    for sku, row in products.items():
        price = Decimal(row["template."]["list_price"]["decimal"])
        known = (row["name"], row["template."]["default_uom."]["name"], price, "USD", True)
        told = items[sku]
        assert (told["name"], told["unit"], Decimal(told["price"]), told["currency"], told["active"]) == known

    fields = ["code", "name", "addresses.street", "addresses.city", "addresses.postal_code", "addresses.country.code",
              "contact_mechanisms.type", "contact_mechanisms.value"]  # fmt: skip
    parties = {row["code"]: row for row in tryton.records("party.party", [], fields)}
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


def fill_the_office(
    folder: Path, rng: random.Random
) -> tuple[dict[str, dict[str, str]], dict[str, list[dict[str, str]]]]:
    """A hundred customers and an order of each, in tables; the customers by number, and the lines by their order's."""
    folder.mkdir()
    customers: dict[str, dict[str, str]] = {}
    orders: list[dict[str, str]] = []
    lines: dict[str, list[dict[str, str]]] = {}
    for count in range(1, HOW_MANY + 1):
        number, order = f"KD-{count:03d}", f"KS-{count:03d}"
        town, postcode, country = rng.choice(TOWNS)
        customers[number] = {"Customer": number, "Name": f"Søn & Küche {count}", "Contact": f"Ms {count}", "Mail": f"buy{count}@kd.test",
                             "Phone": f"+49 30 5550{count:03d}", "Street": f"{count} Crate Lane", "City": town, "Postcode": postcode,
                             "Country": country}  # fmt: skip
        orders.append(
            {"Order": order, "Customer": number, "Date": "2026-10-01", "Note": rng.choice(("", "ring twice"))}
        )
        skus = rng.sample(range(1, 21), rng.randint(1, 4))
        lines[order] = [
            {"Order": order, "Line": str(10 * n), "Item": f"SKU-{sku:04d}", "Quantity": str(rng.randint(1, 12)),
             "Price": f"{rng.randint(10, 400)}.{rng.randint(0, 9)}0", "Discount": rng.choice(("", "0.1"))}
            for n, sku in enumerate(skus, 1)
        ]  # fmt: skip
    tables = {
        "customers": list(customers.values()),
        "orders": orders,
        "lines": [line for of in lines.values() for line in of],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return customers, lines


class Crew:
    """Worker processes, each with its own way to the Tryton; one that was killed is replaced."""

    def __init__(self, practice: Practice, proxy: KillingProxy) -> None:
        self.practice, self.proxy = practice, proxy
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0
        for _ in range(WORKERS):
            self.add()

    def add(self) -> None:
        """One more."""
        self.started += 1
        name = f"w{self.started}"
        direct, self.practice.environ["TRYTON_URL"] = self.practice.environ["TRYTON_URL"], self.proxy.url_for(name)
        process = self.practice.start("run")
        self.practice.environ["TRYTON_URL"] = direct
        self.proxy.workers[name], self.processes[name] = process.pid, process

    def replace(self, name: str) -> int:
        """Take another in for one that was killed; how many messages it had in its hands, begun and not ended."""
        process = self.processes.pop(name)
        assert process.wait(timeout=10) == -signal.SIGKILL
        begun = begun_by(self.practice, process.pid)
        assert [other.poll() for other in self.processes.values()] == [None] * (WORKERS - 1), self.log
        self.add()
        return begun

    @property
    def log(self) -> str:
        """The end of what they said."""
        return (self.practice.folder / "workers.log").read_text()[-2000:]

    def stop(self) -> list[int]:
        """Ask all to stop; their exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(timeout=60) for process in self.processes.values()]


def begun_by(practice: Practice, pid: int) -> int:
    """How many messages a worker process that is gone had begun to send and not finished, as the store has it."""
    with sqlite3.connect(f"file:{practice.folder / 'erpsync.db'}?mode=ro", uri=True, timeout=5) as db:
        row = db.execute(
            "SELECT count(*) FROM attempts JOIN workers USING (worker_id) WHERE pid = ? AND begun_at IS NOT NULL AND ended_at IS NULL",
            (pid,),
        ).fetchone()
    db.close()
    return int(row[0])


def moments(rng: random.Random) -> list[Trap | float]:
    """Twenty moments to kill a worker at: after or before a call of a kind was carried out, or after so many seconds."""

    def trap(method: str, *, carried_out: bool, arrives: bool = True) -> Trap:
        return Trap((method,), carried_out, arrives=arrives, skip=rng.randint(0, 4))

    first: list[Trap | float] = [
        trap(PARTY, carried_out=True),
        trap(PARTY, carried_out=True),
        trap(PARTY, carried_out=False),
    ]
    then: list[Trap | float] = [trap(step, carried_out=True) for step in (CREATE, QUOTE, CONFIRM) for _ in range(3)]
    then += [trap(step, carried_out=False) for step in (CREATE, QUOTE, CONFIRM)]
    then += [trap(CREATE, carried_out=False, arrives=False)]
    then += [rng.uniform(0.1, 1.5) for _ in range(4)]
    rng.shuffle(then)
    return first + then


def test_a_hundred_customers_and_orders_reach_tryton_once_though_workers_are_killed_twenty_times(tmp_path, sim, tryton):
    rng = random.Random(SEED)
    customers, lines = fill_the_office(tmp_path / "office", rng)
    text = landscape(tryton, login="session", rest=office(tmp_path / "office"))
    practice = practice_with(tmp_path / "erpsync", sim, tryton, text)
    synced(practice, "item")
    plan = moments(rng)
    met: list[str] = []
    writing = 0
    started = time.monotonic()
    with killing_proxy(tryton.url, acting=ACTS) as proxy:
        crew = Crew(practice, proxy)
        for moment in plan:
            if isinstance(moment, Trap):
                proxy.trap = moment
                if not moment.sprung.wait(timeout=90):
                    print(crew.log, proxy.calls, practice.run("status").out)
                    raise AssertionError(moment)
                victim, met_now = (
                    moment.caught,
                    f"{moment.method} {'carried out' if moment.carried_out else 'on its way'}",
                )
                on = 1
            else:
                time.sleep(moment)
                victim = rng.choice(list(crew.processes))
                acts = proxy.kill(victim)
                on, met_now = len(acts), f"at random, {len(acts)} acts in flight"
            begun = crew.replace(victim)
            writing += bool(on)
            met.append(met_now)
            print(round(time.monotonic() - started, 1), victim, met_now, "begun", begun, dict(proxy.calls), flush=True)
        print("KILLED", round(time.monotonic() - started, 1), flush=True)
        ran = practice.run("run", "--until-idle", seconds=300)
        print(ran, round(time.monotonic() - started, 1), flush=True)
        assert crew.stop() == [143] * WORKERS, crew.log
    print(synced(practice))
    print(Counter(m["state"] for m in practice.messages()))
    print([m for m in practice.messages() if m["state"] not in ("done", "skipped")])
    print(practice.run("store", "verify"))
    sales = tryton.records(
        "sale.sale", [["reference", "like", "KS-%"]], ["reference", "state", "untaxed_amount", "lines.quantity"]
    )
    print(len(sales), Counter(s["state"] for s in sales), time.monotonic() - started)
    parties = tryton.records("party.party", [["code", "like", "KD-%"]], ["code"])
    print(len(parties), writing)
