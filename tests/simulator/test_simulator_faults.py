"""Every fault really happens, and is counted."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from urllib.error import URLError

import pytest
from simulation import Answered, Simulation

ITEMS = "/api/v1/items"


def aim(sim: Simulation, system: str, fault: str, number: str, **settings: object) -> None:
    sim.control.faults(system, settings=settings, once=[{"fault": fault, "number": number}])


def write(sim: Simulation, number: str, *, seconds: float = 10) -> Answered:
    return sim.call("erp", "POST", ITEMS, {"sku": number}, timeout=seconds)


def kept(sim: Simulation, number: str) -> int:
    return len(sim.control.documents("erp", "item", number))


def test_an_error_before_keeps_nothing_and_an_error_after_keeps_it(sim: Simulation) -> None:
    aim(sim, "erp", "error_before", "F-1", status=503)
    assert write(sim, "F-1").status == 503
    assert kept(sim, "F-1") == 0

    aim(sim, "erp", "error_after", "F-1")
    assert write(sim, "F-1").status == 503
    assert kept(sim, "F-1") == 1
    assert [request["committed"] for request in sim.control.requests("erp", number="F-1")] == [False, True]


def test_a_lost_answer_is_one_to_a_write_that_took_effect(sim: Simulation) -> None:
    aim(sim, "erp", "lose_answer", "F-2")
    with pytest.raises((RemoteDisconnected, URLError)):
        write(sim, "F-2")

    (request,) = sim.control.requests("erp", number="F-2")
    assert (request["fault"], request["committed"], request["answered"]) == ("lose_answer", True, False)
    assert kept(sim, "F-2") == 1
    assert write(sim, "F-2").status == 201, "aimed at the next one alone"


def test_a_dropped_request_leaves_nothing(sim: Simulation) -> None:
    aim(sim, "erp", "drop", "F-3")
    with pytest.raises((RemoteDisconnected, URLError)):
        write(sim, "F-3")
    assert kept(sim, "F-3") == 0


def test_a_cut_answer_ends_before_its_length(sim: Simulation) -> None:
    aim(sim, "erp", "cut_answer", "F-4")
    with pytest.raises((IncompleteRead, URLError)) as cut:
        write(sim, "F-4")
    assert isinstance(cut.value, HTTPException | URLError)
    assert kept(sim, "F-4") == 1


def test_garbage_comes_under_a_good_status(sim: Simulation) -> None:
    aim(sim, "erp", "garbage", "F-5")
    with pytest.raises(json.JSONDecodeError):
        write(sim, "F-5")
    assert sim.control.requests("erp", number="F-5")[0]["status"] == 200
    assert kept(sim, "F-5") == 1


@pytest.mark.parametrize(("fault", "kept_at_once"), [("slow", 1), ("late", 0)])
def test_a_slow_write_takes_effect_at_once_and_a_late_one_after_all(
    sim: Simulation, fault: str, kept_at_once: int
) -> None:
    number = f"F-{fault}"
    aim(sim, "erp", fault, number, slow_seconds=1.5)
    with pytest.raises(TimeoutError):
        write(sim, number, seconds=0.5)
    assert kept(sim, number) == kept_at_once

    until = time.monotonic() + 10
    while not kept(sim, number) and time.monotonic() < until:
        time.sleep(0.05)
    assert kept(sim, number) == 1


def test_a_dripping_answer_comes_a_byte_at_a_time(sim: Simulation) -> None:
    aim(sim, "erp", "drip", "F-6", drip_seconds=0.001)
    began = time.monotonic()
    answer = write(sim, "F-6")
    assert answer.content["sku"] == "F-6"
    assert time.monotonic() - began > 0.1


def test_a_huge_answer_does_not_end_soon(sim: Simulation) -> None:
    aim(sim, "erp", "huge", "F-10", huge_bytes=3_000_000)
    with pytest.raises((IncompleteRead, ConnectionResetError, URLError)) as cut:
        write(sim, "F-10")
    assert not isinstance(cut.value, IncompleteRead) or len(cut.value.partial) >= 65_536
    assert kept(sim, "F-10") == 1


def test_pages_that_are_stuck_show_the_first_one_for_ever(sim: Simulation) -> None:
    for system, first, second in (
        ("erp", "/api/v1/items?limit=2&offset=0", "/api/v1/items?limit=2&offset=2"),
        ("wms", "/wms/articles?per_page=2&page=1", "/wms/articles?per_page=2&page=2"),
    ):
        sim.control.post("seed", system=system, items=5)
        assert sim.call(system, "GET", first).content != sim.call(system, "GET", second).content
        sim.control.faults(system, settings={"stuck_pages": True})
        rows = [
            next(v for v in sim.call(system, "GET", path).content.values() if isinstance(v, list))
            for path in (first, second)
        ]
        assert rows[0] == rows[1]

    sim.control.post("seed", system="shop", items=5)
    sim.control.faults("shop", settings={"stuck_pages": True})
    page = sim.call("shop", "GET", "/v1/products?first=2").content
    assert sim.call("shop", "GET", f"/v1/products?first=2&after={page['next']}").content == page


@pytest.mark.parametrize(("after", "header"), [(7, "7"), (-3, "-3"), ("date", "GMT")])
def test_a_throttled_request_is_told_when_to_come_back(sim: Simulation, after: object, header: str) -> None:
    aim(sim, "erp", "throttle", "F-7", retry_after=after)
    answer = write(sim, "F-7")
    assert answer.status == 429
    assert answer.headers["Retry-After"].endswith(header)
    assert kept(sim, "F-7") == 0


def test_the_warehouse_tells_errors_and_throttles_in_the_body_alone(sim: Simulation) -> None:
    for fault, code in (("error_before", 500), ("throttle", 429)):
        aim(sim, "wms", fault, "F-8")
        answer = sim.call("wms", "POST", "/wms/articles", {"articleNo": "F-8"})
        assert (answer.status, answer.content["status_code"]) == (200, code)


def test_reads_can_fail_too(sim: Simulation) -> None:
    sim.control.faults("erp", reads={"error_before": 1.0})
    assert sim.call("erp", "GET", ITEMS).status == 500
    assert write(sim, "F-9").status == 201


def test_rates_are_kept_and_the_same_seed_meets_the_same_faults(sim: Simulation) -> None:
    runs = []
    for run in range(2):
        sim.control.faults("erp", reset=True, seed=42, writes={"error_before": 0.3, "throttle": 0.1})
        runs.append([write(sim, f"SEED-{run}-{n}").status for n in range(150)])
    assert runs[0] == runs[1]
    assert 25 <= runs[0].count(500) <= 65
    assert 4 <= runs[0].count(429) <= 28

    sim.control.faults("erp", reset=True, seed=43, writes={"error_before": 0.3, "throttle": 0.1})
    assert [write(sim, f"SEED-3-{n}").status for n in range(150)] != runs[0]


def test_a_system_that_is_down_refuses_connections_and_comes_back_at_the_same_address(sim: Simulation) -> None:
    sim.control.faults("erp", mode="down")
    for _ in range(2):
        with pytest.raises(URLError) as refused:
            sim.call("erp", "GET", "/api/v1/ping")
        assert isinstance(refused.value.reason, ConnectionRefusedError)
    assert sim.call("shop", "GET", "/v1/shop").status == 200

    sim.control.faults("erp", mode="up")
    assert sim.call("erp", "GET", "/api/v1/ping").status == 200


def test_a_system_comes_back_by_itself_after_its_time(sim: Simulation) -> None:
    sim.control.faults("erp", mode="down", for_seconds=0.4)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            answer = sim.call("erp", "GET", "/api/v1/ping")
        except URLError:
            time.sleep(0.05)
        else:
            break
    assert answer.status == 200
    assert sim.control.state("erp")["mode"] == "up"


def test_open_connections_end_when_a_system_goes_down(sim: Simulation) -> None:
    port = int(sim.url("erp").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        request = b"GET /api/v1/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer erp-secret\r\n\r\n"
        line.sendall(request)
        assert line.recv(12) == b"HTTP/1.1 200"
        sim.control.faults("erp", mode="down")
        while line.recv(4096):
            pass
    sim.control.faults("erp", mode="up")


def test_a_system_that_hangs_takes_requests_and_answers_none(sim: Simulation) -> None:
    sim.control.faults("erp", mode="hang")
    with pytest.raises(TimeoutError):
        write(sim, "HANG-1", seconds=0.3)
    sim.control.faults("erp", mode="up")
    assert kept(sim, "HANG-1") == 0
    assert sim.control.requests("erp", number="HANG-1")[0]["answered"] is False


def test_a_changed_password_denies_everything(sim: Simulation) -> None:
    denied = sim.control.state("shop")["requests"]["denied"]
    sim.control.faults("all", mode="denied")
    assert sim.call("erp", "GET", "/api/v1/ping").status == 401
    assert sim.call("shop", "GET", "/v1/shop").status == 401
    assert sim.call("wms", "GET", "/wms/info").content["status_code"] == 401
    assert sim.control.state("shop")["requests"]["denied"] == denied + 1


def test_the_feed_repeats_and_moves_entries_and_loses_none(sim: Simulation) -> None:
    sim.control.post("seed", system="shop", seed=7, items=60)
    sim.control.post("seed", system="wms", seed=7, items=60)
    sim.control.post("seed", system="erp", seed=7, items=60)
    whole = {e["id"] for e in sim.call("shop", "GET", "/v1/events?topic=product&limit=250").content["data"]}
    sim.control.faults("all", feed={"duplicate": 0.2, "reorder": 0.2})

    ids: list[str] = []
    after = ""
    while True:
        page = sim.call("shop", "GET", f"/v1/events?topic=product&limit=20{after}").content
        ids += [event["id"] for event in page["data"]]
        after = f"&after={page['next']}"
        if not page["hasMore"]:
            break
    assert set(ids) >= whole
    assert len(ids) > len(set(ids))
    assert ids != sorted(ids)

    seqs = [c["seq"] for c in sim.call("wms", "GET", "/wms/changes?entity=article&per_page=500").content["results"]]
    assert len(seqs) > len(set(seqs))
    assert seqs != sorted(seqs)
    since = "modified_since=2020-01-01T00:00:00Z&limit=200"
    records = sim.call("erp", "GET", f"/api/v1/items?{since}").content["records"]
    assert [r["modified_at"] for r in records] != sorted(r["modified_at"] for r in records)
    assert sim.control.state("shop")["faults"]["duplicate"] > 0


def test_a_new_document_is_not_found_at_once_where_searches_lag(sim: Simulation) -> None:
    sim.control.faults("erp", settings={"find_blind_seconds": 3600})
    made = write(sim, "BLIND-1").content
    assert sim.call("erp", "GET", f"{ITEMS}?sku=BLIND-1").content["total"] == 0
    assert sim.call("erp", "GET", f"{ITEMS}/{made['id']}").status == 200

    sim.control.faults("erp", settings={"find_blind_seconds": 0})
    assert sim.call("erp", "GET", f"{ITEMS}?sku=BLIND-1").content["total"] == 1


def test_a_lost_answer_under_a_key_is_given_again_to_the_repeat(sim: Simulation) -> None:
    aim(sim, "shop", "error_after", "KEEP-1")
    body = {"sku": "KEEP-1"}
    assert sim.call("shop", "POST", "/v1/products", body, Idempotency_Key="keep-1").status == 500
    again = sim.call("shop", "POST", "/v1/products", body, Idempotency_Key="keep-1")
    assert (again.status, again.content["data"]["sku"]) == (200, "KEEP-1")

    sim.control.faults("shop", rules={"cache_5xx": True}, once=[{"fault": "error_after", "number": "KEEP-2"}])
    for _ in range(2):
        assert sim.call("shop", "POST", "/v1/products", {"sku": "KEEP-2"}, Idempotency_Key="keep-2").status == 500


def test_a_rule_refuses_one_value_and_takes_the_mended_one(sim: Simulation) -> None:
    rule = {"kind": "customer", "field": "tax_number", "value": "BAD", "code": "invalid", "message": "is not valid"}
    sim.control.faults("erp", refuse=[rule])
    refused = sim.call("erp", "POST", "/api/v1/customers", {"number": "CU-R1", "tax_number": "BAD"})
    assert refused.content["errors"] == [
        {"field": "tax_number", "code": "invalid", "value": "BAD", "message": "is not valid"}
    ]
    assert sim.call("erp", "POST", "/api/v1/customers", {"number": "CU-R1", "tax_number": "DE1"}).status == 201


def test_a_clock_an_hour_off_shows_in_header_and_stamps(sim: Simulation) -> None:
    before = write(sim, "CLOCK-1")
    sim.control.post("clock", system="erp", offset_seconds=3600)
    after = write(sim, "CLOCK-2")

    assert after.content["created_at"][:13] > before.content["created_at"][:13]
    assert after.headers["Date"] != before.headers["Date"]


def test_writes_at_once_are_all_counted(sim: Simulation) -> None:
    before = sim.control.state("erp")
    threads = [threading.Thread(target=write, args=(sim, f"MANY-{n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = sim.control.state("erp")

    assert after["writes_received"] - before["writes_received"] == 20
    assert after["writes_answered"] - before["writes_answered"] == 20
    assert after["committed"] - before["committed"] == 20
