"""Faults of every sort at all three classes of system: kept once, in order, nothing unaccounted for."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict

import pytest
from practice import Practice
from simulation import Simulation

WRITES = {"error_before": 0.15, "error_after": 0.15, "lose_answer": 0.1}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One bad night, played once; the tests below look at what is left of it."""
    folder = tmp_path_factory.mktemp("night")
    with Simulation(folder / "sim", seed=11) as sim:
        control = sim.control
        control.post("seed", system="erp", seed=7, items=24, customers=10, orders=24)
        control.post("seed", system="wms", seed=7, stock=24)
        limits = {"timeout": '"1s"', "deadline": '"3s"', "settle_after": '"1s"'}
        settings = '[retry]\nfirst = "100ms"\nlongest = "1s"\ntries = 40\n[breaker]\nprobe = "200ms"\nprobe_longest = "1s"\nfailures = 8'
        flows = ("items", "customers", "orders", "levels", "shipments", "movements")
        practice = Practice(folder / "erpsync", sim, flows=flows, settings=settings, limits=limits)
        control.faults("all", seed=11, writes=WRITES, feed={"duplicate": 0.2, "reorder": 0.2})

        def down_for_a_while() -> None:
            time.sleep(1.5)
            control.faults("shop", mode="down", for_seconds=2)

        outage = threading.Thread(target=down_for_a_while)
        outage.start()
        first = practice.run("sync", "item", "customer", "order", "stock", "--timeout", "60s")
        outage.join()
        blind_before = control.requests("wms")
        settled = 0
        for _ in range(30):
            some = practice.settle_by_looking("wms")
            settled += some
            last = practice.run("sync", "item", "customer", "order", "stock", "--timeout", "60s")
            if not some and last.code == 0:
                break
        for n in range(1, 11):
            control.post("edit", system="erp", kind="item", number=f"SKU-{n:04d}", changes={"price": f"{n}.25"})
        control.post("seed", system="wms", seed=7, stock=24, movements=24, shipments=12)
        kinds = ("item", "customer", "order", "stock", "shipment", "movement")
        for _ in range(30):
            last = practice.run("sync", *kinds, "--timeout", "60s")
            if not practice.settle_by_looking("wms") and last.code == 0:
                break
        yield practice, {"first": first, "last": last, "blind_before": blind_before, "settled": settled}


def test_the_night_ends_well_and_nothing_is_unaccounted_for(night):
    practice, told = night
    assert told["last"].code == 0, told["last"].out + told["last"].err
    open_ones = [
        (m["key"], m["system"], m["state"], m["error"])
        for m in practice.messages()
        if m["state"] not in ("done", "skipped")
    ]
    assert open_ones == []
    assert practice.run("store", "verify").code == 0
    state = {system: practice.sim.control.state(system) for system in ("erp", "shop", "wms")}
    assert all(state[system]["twice"] == {} for system in state)
    for system in ("shop", "wms"):
        assert {kind: state[system]["documents"][kind] for kind in ("item", "customer", "order")} == {
            kind: state["erp"]["documents"][kind] for kind in ("item", "customer", "order")
        }
    assert {kind: state["erp"]["documents"][kind] for kind in ("shipment", "movement")} == {
        "shipment": 12,
        "movement": 24,
    }


def test_the_faults_were_really_met(night):
    practice, told = night
    assert told["first"].code in (1, 8)
    assert told["settled"] > 0
    for system in ("erp", "shop", "wms"):
        faults = practice.sim.control.state(system)["faults"]
        assert all(faults.get(name, 0) > 0 for name in WRITES), (system, faults)


def test_the_idempotent_shop_saw_repeats_only_under_the_same_key_and_bytes(night):
    practice, _ = night
    by_key = defaultdict(set)
    for request in practice.sim.control.requests("shop"):
        assert request["key"], request
        by_key[request["key"]].add((request["method"], request["path"], request["body_sha256"]))
    assert max(len(seen) for seen in by_key.values()) == 1
    assert len(practice.sim.control.requests("shop")) > len(by_key), "some were repeated"


def test_the_findable_erp_was_asked_before_any_second_create(night):
    practice, _ = night
    requests = practice.sim.control.get("requests", system="erp", after=0, writes="false")["requests"]
    unknown: dict[str, bool] = {}
    looked = 0
    for request in requests:
        number = request["number"] or request["path"].partition("?reference=")[2].partition("&")[0]
        if request["method"] == "POST":
            assert not unknown.get(number), f"{number} was created again before it was looked for"
            unknown[number] = request["status"] != 201 or not request["answered"]
        elif request["method"] == "GET" and number:
            looked += unknown.get(number, False)
            unknown[number] = False
    assert looked, "some outcomes were unknown, and were looked for"


def test_nothing_was_written_twice_by_itself_at_the_blind_warehouse(night):
    _, told = night
    creates = defaultdict(int)
    for request in told["blind_before"]:
        if request["method"] == "POST":
            creates[request["number"], request["kind"]] += 1
    assert creates
    assert max(creates.values()) == 1


def test_what_arrived_is_what_the_owner_says(night):
    practice, _ = night
    control = practice.sim.control
    ours = {found["number"]: found["fields"] for found in control.documents("erp", "item")}
    for system in ("shop", "wms"):
        theirs = {found["number"]: found["fields"] for found in control.documents(system, "item")}
        for number, fields in ours.items():
            assert (theirs[number]["price"], theirs[number]["name"]) == (fields["price"], fields["name"]), (
                system,
                number,
            )


def test_lanes_were_served_in_order(night):
    practice, _ = night
    for number in {f"SKU-{n:04d}" for n in range(1, 11)}:
        shop = [request["method"] for request in practice.sim.control.requests("shop", number=number)]
        assert shop == sorted(shop, key=lambda method: method != "POST"), f"{number}: {json.dumps(shop)}"
