"""What tests and people can do to the landscape from outside."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from simulation import Simulation

from erpsync.domain.document import flatten, read_document
from erpsync.domain.kinds import kind_named
from erpsync.simulator import data
from erpsync.simulator.control import Control, ControlError

WRITER = """
import sys, urllib.request
url, number = sys.argv[1:]
request = urllib.request.Request(url + "/api/v1/items", data=b'{"sku": "%s"}' % number.encode(), method="POST",
                                 headers={"Authorization": "Bearer erp-secret"})
sys.stdin.readline()
urllib.request.urlopen(request).read()
print("answered", flush=True)
sys.stdin.readline()
"""


def writer(sim: Simulation, number: str) -> subprocess.Popen[str]:
    """A process that writes one item when it is told to, and then waits."""
    command = [sys.executable, "-c", WRITER, sim.url("erp"), number]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


def test_a_clerk_changes_a_document_and_the_change_is_told_as_theirs(sim: Simulation) -> None:
    sim.call("erp", "POST", "/api/v1/items", {"sku": "CLERK-1", "list_price": "10"})
    writes = sim.control.state("erp")["requests"]["writes"]
    sim.control.post("edit", system="erp", kind="item", number="CLERK-1", changes={"price": "13.00"})

    (document,) = sim.control.documents("erp", "item", "CLERK-1")
    assert (document["body"]["list_price"], document["by"], document["version"]) == ("13.00", "clerk", 2)
    assert sim.control.state("erp")["requests"]["writes"] == writes


def test_wrong_and_hostile_values_can_be_planted(sim: Simulation) -> None:
    overlay = {"title": "\x1b]52;c;x\x07[/b]", "price": {"amount": "much"}}
    sim.control.post("put", system="shop", kind="item", fields={"sku": "HOSTILE-1", "currency": "USD"}, overlay=overlay)

    (product,) = sim.call("shop", "GET", "/v1/products?sku=HOSTILE-1").content["data"]
    assert product["title"] == "\x1b]52;c;x\x07[/b]"
    assert product["price"] == {"amount": "much", "currency": "USD"}


def test_a_second_document_with_the_same_number_can_be_planted(sim: Simulation) -> None:
    sim.call("erp", "POST", "/api/v1/items", {"sku": "DOUBLE-1"})
    sim.control.post("duplicate", system="erp", kind="item", number="DOUBLE-1")
    assert sim.call("erp", "GET", "/api/v1/items?sku=DOUBLE-1").content["total"] == 2


def test_a_document_can_be_deleted_by_hand(sim: Simulation) -> None:
    sim.call("erp", "POST", "/api/v1/items", {"sku": "DEL-1"})
    sim.control.post("delete", system="erp", kind="item", number="DEL-1")
    assert sim.control.documents("erp", "item", "DEL-1") == []


def test_the_log_of_requests_shows_key_and_body_of_each_write(sim: Simulation) -> None:
    for title in ("a", "a", "b"):
        sim.call("shop", "POST", "/v1/products", {"sku": "LOG-1", "title": title}, Idempotency_Key="log-1")

    requests = sim.control.requests("shop", number="LOG-1")
    assert [request["status"] for request in requests] == [200, 200, 422]
    assert [request["key"] for request in requests] == ["log-1"] * 3
    assert requests[0]["body_sha256"] == requests[1]["body_sha256"] != requests[2]["body_sha256"]
    assert [request["kind"] for request in requests] == ["item"] * 3


def test_one_can_wait_for_a_write(sim: Simulation) -> None:
    count = sim.control.state("erp")["writes_answered"]
    thread = threading.Timer(0.1, sim.call, ("erp", "POST", "/api/v1/items", {"sku": "WAIT-1"}))
    thread.start()
    assert sim.control.wait("erp", "write_answered", after=count, timeout=10) == count + 1
    thread.join()
    with pytest.raises(ControlError, match="saw no further"):
        sim.control.wait("erp", "write_answered", after=count + 1, timeout=0.05)


@pytest.mark.parametrize("on", ["received", "answered"])
def test_the_process_that_sent_a_write_is_killed_at_that_moment(sim: Simulation, on: str) -> None:
    bystander, sender = writer(sim, "BYSTANDER"), writer(sim, f"KILL-{on}")
    try:
        wish = {"system": "erp", "on": on, "count": 2, "pids": [bystander.pid, sender.pid]}
        sim.control.post("kill", **wish)
        sim.call("erp", "POST", "/api/v1/items", {"sku": "COUNTED-FIRST"})
        assert sim.control.get("kills")["kills"][-1]["done"] is False
        go(sender)
        assert sender.wait(timeout=10) == -9
        assert bystander.poll() is None

        kill = sim.control.get("kills")["kills"][-1]
        assert (kill["done"], kill["pid"]) == (True, sender.pid)
        (request,) = sim.control.requests("erp", number=f"KILL-{on}")
        assert kill["request"] == request["no"]
        assert request["committed"] is True
    finally:
        end(bystander)
        end(sender)


def test_whoever_asks_for_one_document_is_killed_and_nobody_who_asks_for_another(sim: Simulation) -> None:
    url = f"{sim.url('erp')}/api/v1/items?sku="
    code = f"import sys, urllib.request; sys.stdin.readline(); urllib.request.urlopen({url!r} + sys.argv[1]).read()"
    headers = (
        f"urllib.request.Request({url!r} + sys.argv[1], headers={{'Authorization': 'Bearer {sim.secret('erp')}'}})"
    )
    code = code.replace(f"{url!r} + sys.argv[1]", headers)
    asking = [subprocess.Popen([sys.executable, "-c", code, sku], stdin=subprocess.PIPE) for sku in ("OTHER", "WANTED")]
    try:
        pids = [process.pid for process in asking]
        sim.control.post("kill", system="erp", on="asked", path="sku=WANTED", pids=pids)
        for process in asking:
            process.communicate(b"\n", timeout=10)
        assert [process.returncode for process in asking] == [0, -9]
        with pytest.raises(ControlError, match="on must be received or answered"):
            sim.control.post("kill", system="erp", on="thought", pids=pids)
    finally:
        for process in asking:
            process.kill()
            process.wait()


def test_a_kill_draws_its_victim_from_a_seed(sim: Simulation, tmp_path: Path) -> None:
    processes = [writer(sim, f"DRAWN-{n}") for n in range(3)]
    try:
        pids = tmp_path / "pids"
        pids.write_text("\n".join(str(process.pid) for process in processes))
        sim.control.post("kill", system="erp", on="received", pid_file=str(pids), pick=5)
        sim.call("erp", "POST", "/api/v1/items", {"sku": "DRAWN"})
        victim = next(process for process in processes if process.pid == sim.control.get("kills")["kills"][-1]["pid"])
        assert victim.wait(timeout=10) == -9
        assert sum(process.poll() is None for process in processes) == 2
    finally:
        for process in processes:
            end(process)


def test_seeded_documents_are_the_same_for_the_same_seed_and_lawful(sim: Simulation) -> None:
    for position in range(40):
        for name, made in (
            ("item", data.item(3, position)),
            ("customer", data.customer(3, position)),
            ("order", data.order(3, position, items=20, customers=9)),
            ("stock", data.stock(3, position, items=20)),
            ("movement", data.movement(3, position, items=20)),
            ("shipment", data.shipment(3, position, items=20, customers=9)),
        ):
            kind = kind_named(name)
            assert kind.number(flatten(read_document(kind.model, made)))
    assert data.order(3, 5, items=20, customers=9) == data.order(3, 5, items=20, customers=9)
    assert data.order(3, 5, items=20, customers=9) != data.order(4, 5, items=20, customers=9)


def test_both_systems_can_be_full_of_the_same_items_and_traffic_goes_on_from_there(own: Simulation) -> None:
    with own as sim:
        for system in ("erp", "shop"):
            answer = sim.control.post("seed", system=system, seed=9, items=12, customers=4, orders=6)
            assert answer["put"] == {"item": 12, "customer": 4, "order": 6}
        more = sim.control.post("seed", system="shop", seed=9, orders=2, start={"orders": 6})
        assert more["put"] == {"order": 2}
        assert sim.control.post("seed", system="shop", seed=9, items=12)["put"] == {}

        erp = [document["fields"] for document in sim.control.documents("erp", "order")]
        shop = [document["fields"] for document in sim.control.documents("shop", "order")]
        assert erp == shop[:6]
        assert [fields["number"] for fields in shop[6:]] == ["SO-1007", "SO-1008"]


def test_the_control_takes_nothing_without_its_token_and_says_what_it_does_not_know(sim: Simulation) -> None:
    with pytest.raises(ControlError, match="token"):
        Control(sim.control.url, "wrong").get("state")
    for what, wish, text in (
        ("faults", {"system": "crm"}, "system must be one of"),
        ("faults", {"system": "erp", "writes": {"explode": 0.1}}, "writes.explode is no fault"),
        ("faults", {"system": "erp", "writes": {"drop": 7}}, "from 0 to 1"),
        ("faults", {"system": "erp", "rules": {"zone": "Mars/Base"}}, "is no time zone"),
        ("faults", {"system": "erp", "once": [{"fault": "lose_answer", "who": 1}]}, "once"),
        ("edit", {"system": "erp", "kind": "item", "number": "NONE"}, "has no item"),
        ("seed", {"system": "shop", "shipments": 1}, "keeps no shipments"),
        ("kill", {"on": "received", "pids": [1]}, "process ids"),
        ("dance", {}, "is not known"),
    ):
        with pytest.raises(ControlError, match=text):
            sim.control.post(what, **wish)


def test_what_was_kept_is_there_again_after_a_power_cut(own: Simulation) -> None:
    with own as sim:
        url = sim.url("shop")
        sim.control.post("seed", system="shop", seed=7, items=5)
        body = {"sku": "CUT-1", "title": "kept"}
        sim.call("shop", "POST", "/v1/products", body, Idempotency_Key="cut-1")
        sim.control.post("delete", system="shop", kind="item", number="SKU-0002")
        cursor = sim.call("shop", "GET", "/v1/events").content["next"]
        sim.kill()
        with (sim.folder / "shop.jsonl").open("a") as journal:
            journal.write('{"document": {"id": 99, "kin')  # what a cut leaves

        sim.start()
        assert sim.url("shop") == url
        numbers = [document["number"] for document in sim.control.documents("shop", "item")]
        assert numbers == ["SKU-0001", "SKU-0003", "SKU-0004", "SKU-0005", "CUT-1"]
        again = sim.call("shop", "POST", "/v1/products", body, Idempotency_Key="cut-1")
        assert again.headers["Idempotent-Replayed"] == "true"
        assert sim.call("shop", "GET", f"/v1/events?after={cursor}").content["data"] == []
        sim.call("shop", "POST", "/v1/products", {"sku": "AFTER-1"})
        assert len(sim.call("shop", "GET", f"/v1/events?after={cursor}").content["data"]) == 1


def test_it_stops_cleanly_and_takes_its_ready_file_away(own: Simulation) -> None:
    own.start()
    assert (own.folder / "ready.json").stat().st_mode & 0o777 == 0o600
    assert own.stop() == 0
    assert not (own.folder / "ready.json").exists()

    own.start()
    control = own.ready["control"]["url"]
    own.control.post("stop")
    assert own.wait() == 0
    with pytest.raises(URLError):
        urlopen(control, timeout=2)
    own.stop()


def test_ctrl_c_is_an_interrupt(own: Simulation) -> None:
    own.start()
    assert own.stop(2) == 130


def test_a_port_that_is_taken_is_said_by_name(own: Simulation) -> None:
    with own as sim:
        command = [sys.executable, "-m", "erpsync.simulator", "--folder", str(sim.folder)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        port = sim.url("erp").rpartition(":")[2]
        assert second.returncode == 1
        assert second.stderr.startswith(f"error: port {port} of erp is taken by another process\nhint: ")
        assert (sim.folder / "ready.json").exists()
        assert sim.call("erp", "GET", "/api/v1/ping").status == 200


def test_only_the_systems_asked_for_are_up(tmp_path: Path) -> None:
    with Simulation(tmp_path / "sim", systems=("wms",)) as sim:
        assert list(sim.ready["systems"]) == ["wms"]
        assert sim.ready["systems"]["wms"]["class"] == "blind"
