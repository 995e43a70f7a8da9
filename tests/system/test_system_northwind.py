"""Northwind's tables, as their maker published them, carried from files into two simulated systems."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from northwind_office import CUSTOMERS, LINES, ORDERS, PRODUCTS, TARGETS, Office, body_hash
from simulation import Simulation

pytestmark = pytest.mark.real_data

WHOLE = {"item": 77, "customer": 91, "order": 560}
ORDER_LINES = 1_464
VALUE = Decimal("825169.34")
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    """Everything carried once; the tests that take it leave the systems as they are."""
    folder = tmp_path_factory.mktemp("northwind")
    with Simulation(folder / "sim", systems=TARGETS) as sim:
        office = Office(folder, sim)
        began = time.monotonic()
        report = office.sync()
        yield office, {"report": report, "seconds": time.monotonic() - began}


@pytest.fixture(scope="module")
def night_before(tmp_path_factory):
    """A folder in which both systems have all items, all customers and the first ten orders, as it was left at night."""
    folder = tmp_path_factory.mktemp("before")
    with Simulation(folder / "sim", systems=TARGETS) as sim:
        office = Office(folder, sim)
        office.keep_orders(10)
        assert office.sync()["code"] == 0
    return folder


@pytest.fixture
def office(tmp_path: Path, night_before: Path):
    """The office on the morning after: a copy of what was left, for one test to change."""
    folder = tmp_path / "morning"
    shutil.copytree(night_before, folder)
    with Simulation(folder / "sim", systems=TARGETS) as sim:
        yield Office(folder, sim)


def test_every_item_customer_order_and_line_is_in_both_systems(first_night):
    office, told = first_night
    assert told["report"]["code"] == 0
    assert {(row["kind"], row["to"]): row["created"] for row in told["report"]["items"]} == {
        (kind, system): n for kind, n in WHOLE.items() for system in TARGETS
    }
    for system in TARGETS:
        state = office.sim.control.state(system)
        assert state["documents"] == WHOLE
        assert state["twice"] == {}
        orders = office.sim.control.documents(system, "order")
        assert sum(len(order["fields"]["lines"]) for order in orders) == ORDER_LINES


def test_nothing_was_written_more_often_than_once(first_night):
    office, _ = first_night
    for system in TARGETS:
        written = Counter(
            (request["method"], request["kind"]) for request in office.writes(system)[: sum(WHOLE.values())]
        )
        assert written == {("POST", kind): n for kind, n in WHOLE.items()}


def test_the_value_of_the_orders_adds_up_in_the_tables_in_our_books_and_in_both_systems(first_night):
    office, _ = first_night
    tables = Decimal()
    for row in office.rows(LINES):
        price, pieces, discount = (Decimal(row[name]) for name in ("UnitPrice", "Quantity", "Discount"))
        tables += (price * pieces * (1 - discount)).quantize(CENT, ROUND_HALF_UP)
    assert tables == VALUE
    for system in TARGETS:
        ours = office.messages(f"kind = order and system = {system}")
        assert sum(Decimal(message["at_stake"]["amount"]) for message in ours) == VALUE
    bodies = {system: [d["body"] for d in office.sim.control.documents(system, "order")] for system in TARGETS}
    assert sum(Decimal(body["net_amount"]) for body in bodies["erp"]) == VALUE
    assert sum(Decimal(body["netAmount"]) for body in bodies["shop"]) * CENT == VALUE


def test_what_the_systems_hold_is_what_the_rows_say(first_night):
    office, _ = first_night
    lines = office.rows(LINES)
    for system in TARGETS:
        theirs = {
            kind: {d["number"]: d["fields"] for d in office.sim.control.documents(system, kind)} for kind in WHOLE
        }
        for row in office.rows(PRODUCTS):
            item = theirs["item"][row["ProductID"]]
            assert (item["name"], item["active"]) == (row["ProductName"], row["Discontinued"] == "0")
            assert Decimal(item["price"]) == Decimal(row["UnitPrice"])
        for row in office.rows(CUSTOMERS):
            customer = theirs["customer"][row["CustomerID"]]
            assert (customer["name"], customer["city"]) == (row["CompanyName"], row["City"])
            assert (customer["region"] or "") == row["Region"]
        for row in office.rows(ORDERS):
            order = theirs["order"][row["OrderID"]]
            month, day, year = (int(part) for part in row["OrderDate"].split("/"))
            assert order["ordered_on"] == f"{year:04}-{month:02}-{day:02}"
            assert (order["customer"], order["ship_name"]) == (row["CustomerID"], row["ShipName"])
            assert Decimal(order["freight"]) == Decimal(row["Freight"])
            assert {(line["sku"], Decimal(line["quantity"]), Decimal(line["discount"])) for line in order["lines"]} == {
                (line["ProductID"], Decimal(line["Quantity"]), Decimal(line["Discount"]))
                for line in lines
                if line["OrderID"] == row["OrderID"]
            }


def test_a_second_run_writes_nothing_nor_does_one_that_reads_everything_again(first_night):
    office, _ = first_night
    before = office.counts()
    assert office.sync()["code"] == 0
    again = office.run("sync", "item", "customer", "order", "--full", "-o", "json")
    assert (again.code, again.content["read"], again.content["written"]) == (0, sum(WHOLE.values()), 0)
    assert office.counts() == before
    assert office.exceptions() == []


def test_one_changed_price_is_one_update_of_one_field_at_each_system(office):
    before = office.counts()
    office.edit(PRODUCTS, "20 bags,18,", "20 bags,18.5,")
    report = office.sync()
    assert {(row["kind"], row["to"]): row["updated"] for row in report["items"] if row["updated"]} == {
        ("item", "erp"): 1,
        ("item", "shop"): 1,
    }
    assert office.since(before) == {system: [("PATCH", "item", "1")] for system in TARGETS}
    sent = {system: office.writes(system)[-1]["body_sha256"] for system in TARGETS}
    assert sent["erp"] == body_hash({"list_price": "18.5"})
    assert sent["shop"] == body_hash({"expectedVersion": 1, "price": {"amount": 1850}})
    assert office.prices("1") == ["18.5", "18.5"]


def test_a_price_that_goes_there_and_back_and_there_again_is_three_changes(office):
    before = office.counts()
    seen = []
    for old, new in (("18", "20"), ("20", "18"), ("18", "20")):
        office.edit(PRODUCTS, f"20 bags,{old},", f"20 bags,{new},")
        assert office.sync("item")["code"] == 0
        seen.append(office.prices("1"))
    assert seen == [["20", "20"], ["18", "18"], ["20", "20"]]
    assert office.since(before) == {system: [("PATCH", "item", "1")] * 3 for system in TARGETS}
    events = office.run("events", "list", "-o", "json", "--where", "key = 'item:1'").content["items"]
    assert [event["verdict"] for event in events] == ["accepted"] * 4


def test_a_row_that_is_gone_is_one_removal_and_stops_nothing_else(office):
    before = office.counts()
    office.drop(PRODUCTS, "77")
    office.edit(PRODUCTS, "20 bags,18,", "20 bags,18.5,")
    assert office.sync("item")["code"] == 0
    for system, written in office.since(before).items():
        assert sorted(written) == [("PATCH", "item", "1"), ("PATCH", "item", "77")], system
        assert office.theirs(system, "item", "77")["active"] is False, "out of use, never deleted"
        assert office.sim.control.state(system)["documents"]["item"] == 77
    assert office.exceptions() == []


def test_a_row_that_was_gone_and_comes_back_is_there_again_once(office):
    office.drop(PRODUCTS, "77")
    assert office.sync("item")["code"] == 0
    before = office.counts()
    office.mend(PRODUCTS)
    report = office.sync("item")
    assert report["code"] == 0, report
    assert office.since(before) == {system: [("PATCH", "item", "77")] for system in TARGETS}
    office.edit(PRODUCTS, "Original Frankfurter grüne Soße", "Grüne Soße")
    assert office.sync("item")["code"] == 0
    for system in TARGETS:
        item = office.theirs(system, "item", "77")
        assert (item["name"], item["active"]) == ("Grüne Soße", True)
        assert office.sim.control.state(system)["documents"]["item"] == 77
        assert office.sim.control.state(system)["twice"] == {}
    assert office.exceptions() == []


@pytest.mark.parametrize("fault", ["lose_answer", "error_before"])
def test_a_removal_that_was_not_answered_puts_the_item_out_of_use_all_the_same(office, fault):
    office.believe_soon()
    office.drop(PRODUCTS, "77")
    office.sim.control.faults("erp", writes={fault: 1.0})
    office.run("sync", "item", "--timeout", "3s")
    office.sim.control.faults("erp", reset=True)
    assert office.sync("item")["code"] == 0
    assert office.theirs("erp", "item", "77")["active"] is False
    assert {message["state"] for message in office.messages("key = 'item:77'")} == {"done"}


def test_a_broken_row_is_refused_alone_and_heals_by_itself_once_it_is_mended(office):
    before = office.counts()
    office.edit(PRODUCTS, "\n2,Chang,1,1,24 - 12 oz bottles,19,", "\n2,Chang,1,1,24 - 12 oz bottles,abc,")
    office.edit(PRODUCTS, "20 bags,18,", "20 bags,18.5,")
    broken = office.run("sync", "item")
    assert broken.code == 1
    assert "1 refused on reading" in broken.out
    (case,) = office.exceptions()
    assert (case["kind"], case["subject"], case["system"]) == ("contract_violation", "item:2", "office")
    assert case["text"] == 'office told item:2: products.csv:3:UnitPrice: "abc" is not a plain number'
    assert office.since(before) == {system: [("PATCH", "item", "1")] for system in TARGETS}, "the other row went on"
    assert [office.theirs(system, "item", "2")["price"] for system in TARGETS] == ["19", "19"], "it was not removed"

    office.edit(PRODUCTS, ",abc,", ",19,")
    assert office.sync("item")["code"] == 0
    assert office.exceptions() == [], "mended to what it was: there is nothing to send, and nothing to report any more"
    office.edit(PRODUCTS, "\n2,Chang,1,1,24 - 12 oz bottles,19,", "\n2,Chang,1,1,24 - 12 oz bottles,abc,")
    assert office.sync("item")["code"] == 1
    assert [case["subject"] for case in office.exceptions()] == ["item:2"], (
        "broken the same way again, it is told again"
    )
    office.edit(PRODUCTS, ",abc,", ",21,")
    assert office.sync("item")["code"] == 0
    assert office.exceptions() == []
    assert office.prices("2") == ["21", "21"]


def test_an_order_with_an_impossible_day_is_refused_alone_and_goes_out_once_it_is_mended(office):
    before = office.counts()
    office.edit(ORDERS, "10251,VICTE,3,7/8/1996,", "10251,VICTE,3,13/45/1996,")
    office.edit(ORDERS, ",2,65.83,", ",2,66.83,")
    assert office.sync("order")["code"] == 1
    (case,) = office.exceptions()
    assert case["subject"] == "order:10251"
    assert case["text"].endswith(f'{ORDERS}:5:OrderDate: "13/45/1996" is no day as %m/%d/%Y writes it')
    assert office.since(before) == {system: [("PATCH", "order", "10250")] for system in TARGETS}, (
        "the other one went on"
    )
    office.edit(ORDERS, "13/45/1996", "7/9/1996")
    assert office.sync("order")["code"] == 0
    assert office.exceptions() == []
    for system in TARGETS:
        assert office.since(before)[system][1:] == [("PATCH", "order", "10251")]
        assert office.theirs(system, "order", "10251")["ordered_on"] == "1996-07-09"
        assert office.sim.control.state(system)["documents"]["order"] == 10


def test_more_than_five_rows_in_a_hundred_gone_at_once_wait_for_a_person_who_lets_them_through(office):
    before = office.counts()
    gone = [str(number) for number in range(70, 78)]
    office.drop(PRODUCTS, *gone)
    office.edit(PRODUCTS, "20 bags,18,", "20 bags,18.5,")
    for _ in range(2):
        assert office.sync("item")["code"] == 0
        assert office.since(before) == {system: [("PATCH", "item", "1")] for system in TARGETS}
    (case,) = office.exceptions()
    assert (case["kind"], case["subject"]) == ("mass_removal", "system:office/item")
    assert case["text"] == "8 of 77 items are not in office any more; nothing was removed"
    held = office.held_removals()
    assert len(held) == len(gone)

    applied = office.run("events", "apply", "-", "--yes", "--reason", "out of the range", stdin="\n".join(held))
    assert applied.code == 0, applied.err
    assert office.exceptions() == [], "all of them were let through: nothing waits any more"
    assert office.sync("item")["code"] == 0
    for system, written in office.since(before).items():
        assert sorted(written) == [("PATCH", "item", "1"), *(("PATCH", "item", number) for number in gone)], system
        assert not any(office.theirs(system, "item", number)["active"] for number in gone)


def test_rows_that_come_back_before_a_person_decided_can_not_be_removed_any_more(office):
    before = office.counts()
    gone = [str(number) for number in range(70, 78)]
    office.drop(PRODUCTS, *gone)
    office.sync("item")
    held = office.held_removals()
    office.mend(PRODUCTS)
    assert office.sync("item")["code"] == 0
    assert office.exceptions() == []
    assert office.run("events", "apply", held[0], "--yes", "--reason", "too late").code == 2
    office.drop(PRODUCTS, *gone)
    office.sync("item")
    assert len(set(office.held_removals()) - set(held)) == len(gone), "gone again, they wait again"
    assert office.since(before) == {system: [] for system in TARGETS}


def test_a_file_that_is_half_written_is_left_alone_until_it_is_whole(office):
    before = office.counts()
    whole = (office.published / PRODUCTS).read_bytes().replace(b"20 bags,18,", b"20 bags,18.5,")
    office.put(PRODUCTS, whole[:3000])
    half = office.run("sync", "item", "customer")
    assert "unread   item from office: products.csv is being written to: it is left alone for now" in half.out
    assert half.code == 1, "customers were looked at, items were not"
    assert office.since(before) == {system: [] for system in TARGETS}
    assert office.exceptions() == []
    office.put(PRODUCTS, whole)
    assert office.sync("item")["code"] == 0
    assert office.since(before) == {system: [("PATCH", "item", "1")] for system in TARGETS}
