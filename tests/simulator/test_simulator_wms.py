"""The warehouse as its clients meet it."""

from __future__ import annotations

from simulation import Simulation

ARTICLES = "/wms/articles"


def test_the_warehouse_keeps_two_of_what_it_is_told_twice(sim: Simulation) -> None:
    ids = {
        sim.call("wms", "POST", "/wms/shipments", {"shipmentNo": "SH-2X", "orderRef": "SO-1"}).content["id"]
        for _ in "ab"
    }

    assert len(ids) == 2
    assert sorted(sim.control.state("wms")["twice"]["shipment"]["SH-2X"]) == sorted(str(far_id) for far_id in ids)


def test_the_warehouse_ignores_a_search(sim: Simulation) -> None:
    for number in ("OB-1", "OB-2"):
        body = {"externalRef": number, "partnerNo": "CU-1", "currency": "USD", "positions": []}
        sim.call("wms", "POST", "/wms/outbound-orders", body)

    found = sim.call("wms", "GET", "/wms/outbound-orders?externalRef=OB-1").content["results"]
    assert {order["externalRef"] for order in found} >= {"OB-1", "OB-2"}


def test_the_warehouse_numbers_its_pages(sim: Simulation) -> None:
    sim.control.post("seed", system="wms", items=7)
    first = sim.call("wms", "GET", f"{ARTICLES}?page=1&per_page=3").content
    pages = [
        sim.call("wms", "GET", f"{ARTICLES}?page={number}&per_page=3").content["results"]
        for number in range(1, first["totalPages"] + 2)
    ]

    assert sum(len(page) for page in pages) == first["count"]
    assert pages[-1] == []
    assert all(len(page) == 3 for page in pages[:-2])


def test_every_answer_of_the_warehouse_is_a_200_and_errors_are_in_the_body(sim: Simulation) -> None:
    denied = sim.call("wms", "GET", "/wms/info", Authorization="Basic d3Jvbmc6d3Jvbmc=")
    missing = sim.call("wms", "GET", f"{ARTICLES}/999999")
    invalid = sim.call("wms", "POST", ARTICLES, {"salesPrice": "much"})

    assert [answer.status for answer in (denied, missing, invalid)] == [200, 200, 200]
    assert [answer.content["status_code"] for answer in (denied, missing, invalid)] == [401, 404, 400]
    assert invalid.content["detail"] == "articleNo: is required; salesPrice: is not a number"


def test_the_warehouse_shows_the_time_on_its_wall(sim: Simulation) -> None:
    body = {"shipmentNo": "SH-TZ", "orderRef": "SO-1", "shippedAt": "2026-07-01T10:00:00Z"}
    made = sim.call("wms", "POST", "/wms/shipments", body).content
    assert made["shippedAt"] == "2026-07-01T12:00:00"  # Berlin in summer

    sim.control.faults("wms", rules={"zone": "America/Chicago"})
    assert sim.call("wms", "GET", f"/wms/shipments/{made['id']}").content["shippedAt"] == "2026-07-01T05:00:00"
    assert sim.call("wms", "GET", "/wms/info").content["timezone"] == "America/Chicago"


def test_a_put_replaces_the_whole_document(sim: Simulation) -> None:
    made = sim.call("wms", "POST", ARTICLES, {"articleNo": "PUT-1", "description": "old", "salesPrice": 12.5}).content
    put = sim.call("wms", "PUT", f"{ARTICLES}/{made['id']}", {"articleNo": "PUT-1", "description": "new"}).content

    assert (made["salesPrice"], put["salesPrice"], put["description"]) == (12.5, None, "new")


def test_the_warehouse_numbers_its_changes_and_leaves_levels_out(sim: Simulation) -> None:
    start = sim.call("wms", "GET", "/wms/changes?since=0&per_page=500").content
    since = start["lastSeq"]
    while start["more"]:
        start = sim.call("wms", "GET", f"/wms/changes?since={since}&per_page=500").content
        since = start["lastSeq"]
    made = sim.call("wms", "POST", ARTICLES, {"articleNo": "CH-1"}).content
    sim.call("wms", "POST", "/wms/levels", {"articleNo": "CH-1", "warehouse": "WH1", "onHand": 4})
    sim.call("wms", "DELETE", f"{ARTICLES}/{made['id']}")

    changes = sim.call("wms", "GET", f"/wms/changes?since={since}").content
    told = [
        (change["entity"], change["ref"], change["action"], change["data"] is None) for change in changes["results"]
    ]
    assert told == [("article", "CH-1", "created", False), ("article", "CH-1", "deleted", True)]
    assert sim.call("wms", "GET", f"/wms/changes?since={changes['lastSeq']}").content["results"] == []
    assert any(
        level["articleNo"] == "CH-1" for level in sim.call("wms", "GET", "/wms/levels?per_page=500").content["results"]
    )


def test_a_status_stands_for_cancelled(sim: Simulation) -> None:
    body = {"externalRef": "OB-C", "partnerNo": "CU-1", "currency": "USD", "status": "CANCELLED", "positions": []}
    assert sim.call("wms", "POST", "/wms/outbound-orders", body).content["status"] == "CANCELLED"
    assert sim.control.documents("wms", "order", "OB-C")[0]["fields"]["cancelled"] is True
