"""The ERP as its clients meet it."""

from __future__ import annotations

import pytest
from simulation import Simulation

ITEMS = "/api/v1/items"


def test_the_erp_rounds_prices_to_the_cent_and_echoes_what_it_kept(sim: Simulation) -> None:
    made = sim.call("erp", "POST", ITEMS, {"sku": "ROUND-1", "name": "nut", "list_price": "1.005"})

    assert made.status == 201
    assert made.content["list_price"] == "1.01"
    assert made.headers["Location"] == f"{ITEMS}/{made.content['id']}"
    assert sim.call("erp", "GET", f"{ITEMS}/{made.content['id']}").content == made.content


def test_the_erp_keeps_two_documents_when_it_is_told_twice(sim: Simulation) -> None:
    for _ in range(2):
        assert sim.call("erp", "POST", ITEMS, {"sku": "TWICE-1"}, Idempotency_Key="same").status == 201

    found = sim.call("erp", "GET", f"{ITEMS}?sku=TWICE-1").content
    assert found["total"] == 2
    assert len(sim.control.state("erp")["twice"]["item"]["TWICE-1"]) == 2


def test_the_erp_pages_by_offset_and_says_how_many_there_are(sim: Simulation) -> None:
    sim.control.post("seed", system="erp", customers=7)
    seen: list[str] = []
    while True:
        page = sim.call("erp", "GET", f"/api/v1/customers?limit=3&offset={len(seen)}").content
        seen += [record["number"] for record in page["records"]]
        if len(seen) >= page["total"]:
            break
    assert len(seen) == len(set(seen)) == page["total"] >= 7


def test_the_erp_tells_what_changed_since_a_moment_that_moment_included(sim: Simulation) -> None:
    first = sim.call("erp", "POST", ITEMS, {"sku": "SINCE-1"}).content
    second = sim.call("erp", "POST", ITEMS, {"sku": "SINCE-2"}).content
    sim.call("erp", "PATCH", f"{ITEMS}/{first['id']}", {"name": "newer"})

    path = f"{ITEMS}?modified_since={second['modified_at']}&order=modified_at,id&limit=200"
    records = sim.call("erp", "GET", path).content["records"]

    assert {"SINCE-1", "SINCE-2"} <= {record["sku"] for record in records}
    places = [(record["modified_at"], record["id"]) for record in records]
    assert places == sorted(places)
    assert places[0][0] >= second["modified_at"]


def test_the_erp_shows_tombstones_to_those_who_ask(sim: Simulation) -> None:
    made = sim.call("erp", "POST", ITEMS, {"sku": "GONE-1"}).content
    assert sim.call("erp", "DELETE", f"{ITEMS}/{made['id']}").status == 204

    assert sim.call("erp", "GET", f"{ITEMS}/{made['id']}").status == 404
    assert sim.call("erp", "GET", f"{ITEMS}?sku=GONE-1").content["total"] == 0
    told = sim.call("erp", "GET", f"{ITEMS}?include_deleted=true&modified_since={made['modified_at']}").content[
        "records"
    ]
    assert [(record["sku"], record["deleted"]) for record in told if record["id"] == made["id"]] == [("GONE-1", True)]


def test_the_erp_refuses_a_change_of_a_version_that_is_no_longer(sim: Simulation) -> None:
    made = sim.call("erp", "POST", ITEMS, {"sku": "LOCK-1"})
    path = f"{ITEMS}/{made.content['id']}"
    assert made.headers["ETag"] == '"1"'

    assert sim.call("erp", "PATCH", path, {"name": "a"}, If_Match='"1"').content["version"] == 2
    late = sim.call("erp", "PATCH", path, {"name": "b"}, If_Match='"1"')
    assert (late.status, late.content["errors"][0]["code"]) == (412, "version_conflict")


def test_an_order_in_the_erp_names_customer_and_items_by_their_ids_or_numbers(sim: Simulation) -> None:
    customer = sim.call("erp", "POST", "/api/v1/customers", {"number": "CU-LINK", "name": "Link Ltd"}).content
    item = sim.call("erp", "POST", ITEMS, {"sku": "LINK-1"}).content
    line = {"line_no": "1", "quantity": "3", "unit_price": "9.99", "discount": "0.15"}

    by_id = {"reference": "SO-L1", "customer_id": customer["id"], "lines": [{**line, "item_id": item["id"]}]}
    by_number = {"reference": "SO-L2", "customer_number": "CU-LINK", "lines": [{**line, "sku": "LINK-1"}]}
    for body in (by_id, by_number):
        made = sim.call("erp", "POST", "/api/v1/orders", {**body, "currency": "USD"})
        assert made.status == 201
        assert (made.content["customer_id"], made.content["customer_number"]) == (customer["id"], "CU-LINK")
        assert (made.content["lines"][0]["item_id"], made.content["lines"][0]["sku"]) == (item["id"], "LINK-1")
        assert made.content["net_amount"] == "25.47"  # 3 x 9.99 x 0.85 = 25.4745


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": "no number"}, "sku", "required"),
        ({"sku": "X", "list_price": "abc"}, "list_price", "invalid"),
        ({"sku": "X", "colour": "red"}, "colour", "unknown_field"),
        ({"sku": "X", "active": 1}, "active", "invalid"),
    ],
)
def test_the_erp_names_the_field_that_is_wrong(sim: Simulation, body: dict[str, object], field: str, code: str) -> None:
    refused = sim.call("erp", "POST", ITEMS, body)

    assert refused.status == 422
    assert (refused.content["errors"][0]["field"], refused.content["errors"][0]["code"]) == (field, code)


def test_the_erp_refuses_an_order_of_a_customer_it_does_not_know(sim: Simulation) -> None:
    body = {"reference": "SO-ORPHAN", "customer_number": "CU-NOBODY", "currency": "USD", "lines": []}
    refused = sim.call("erp", "POST", "/api/v1/orders", body)

    assert refused.status == 422
    assert refused.content["errors"][0] == {
        "field": "customer_number",
        "code": "unknown_reference",
        "value": "CU-NOBODY",
        "message": "no customer has this number",
    }


def test_the_erp_lets_nobody_in_without_its_token(sim: Simulation) -> None:
    answer = sim.call("erp", "GET", "/api/v1/ping", Authorization="Bearer wrong")

    assert (answer.status, answer.content["errors"][0]["code"]) == (401, "unauthorized")


def test_the_erp_refuses_a_number_that_is_taken_where_that_is_its_rule(sim: Simulation) -> None:
    sim.control.faults("erp", rules={"unique": True})
    assert sim.call("erp", "POST", ITEMS, {"sku": "ONLY-1"}).status == 201

    refused = sim.call("erp", "POST", ITEMS, {"sku": "ONLY-1"})
    assert (refused.status, refused.content["errors"][0]["code"]) == (409, "duplicate")


def test_the_erp_says_what_query_it_does_not_understand(sim: Simulation) -> None:
    for query in ("limit=0", "limit=201", "sort=x", "modified_since=yesterday"):
        assert sim.call("erp", "GET", f"{ITEMS}?{query}").status == 400
