"""The shop as its clients meet it."""

from __future__ import annotations

import threading
from typing import Any

from simulation import Answered, Simulation

PRODUCTS = "/v1/products"


def code(answer: Answered) -> str:
    return str(answer.content["userErrors"][0]["code"])


def feed(sim: Simulation, topic: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after = ""
    while True:
        page = sim.call("shop", "GET", f"/v1/events?topic={topic}&limit=20{after}").content
        events += page["data"]
        after = f"&after={page['next']}"
        if not page["hasMore"]:
            return events


def test_the_shop_does_a_write_once_under_its_key_and_says_so(sim: Simulation) -> None:
    body = {"sku": "KEY-1", "title": "Lamp", "price": {"amount": 1250, "currency": "USD"}}
    first = sim.call("shop", "POST", PRODUCTS, body, Idempotency_Key="key-1")
    again = sim.call("shop", "POST", PRODUCTS, body, Idempotency_Key="key-1")

    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(sim.control.documents("shop", "item", "KEY-1")) == 1
    assert [request["replayed"] for request in sim.control.requests("shop", number="KEY-1")] == [False, True]


def test_the_shop_keeps_two_without_a_key(sim: Simulation) -> None:
    for _ in range(2):
        sim.call("shop", "POST", PRODUCTS, {"sku": "NOKEY-1"})
    assert len(sim.control.documents("shop", "item", "NOKEY-1")) == 2


def test_the_shop_refuses_another_body_under_the_same_key(sim: Simulation) -> None:
    sim.call("shop", "POST", PRODUCTS, {"sku": "OTHER-1"}, Idempotency_Key="key-2")
    refused = sim.call("shop", "POST", PRODUCTS, {"sku": "OTHER-1", "title": "x"}, Idempotency_Key="key-2")

    assert (refused.status, code(refused)) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_the_shop_remembers_a_refusal_under_its_key_until_another_key_comes(sim: Simulation) -> None:
    sim.control.faults(
        "shop", refuse=[{"kind": "item", "field": "name", "number": "MEND-1", "message": "is forbidden"}]
    )
    body = {"sku": "MEND-1", "title": "x"}
    refused = sim.call("shop", "POST", PRODUCTS, body, Idempotency_Key="mend-1")
    sim.control.faults("shop", refuse=[])

    again = sim.call("shop", "POST", PRODUCTS, body, Idempotency_Key="mend-1")
    assert again.content == refused.content
    assert (again.status, code(again), again.content["userErrors"][0]["field"]) == (200, "REFUSED", "title")
    assert sim.call("shop", "POST", PRODUCTS, body, Idempotency_Key="mend-2").content["data"]["sku"] == "MEND-1"


def test_the_shop_forgets_a_key_at_the_end_of_its_life(sim: Simulation) -> None:
    sim.call("shop", "POST", PRODUCTS, {"sku": "LIFE-1"}, Idempotency_Key="life-1")
    sim.control.post("clock", system="shop", offset_seconds=90_000)
    sim.call("shop", "POST", PRODUCTS, {"sku": "LIFE-1"}, Idempotency_Key="life-1")

    assert len(sim.control.documents("shop", "item", "LIFE-1")) == 2


def test_the_shop_says_when_the_same_key_is_still_under_way(sim: Simulation) -> None:
    sim.control.faults("shop", settings={"slow_seconds": 1}, once=[{"fault": "late", "number": "WAY-1"}])
    received = sim.control.state("shop")["writes_received"]
    answers: list[Answered] = []

    def write() -> None:
        answers.append(sim.call("shop", "POST", PRODUCTS, {"sku": "WAY-1"}, Idempotency_Key="way-1"))

    first = threading.Thread(target=write)
    first.start()
    sim.control.wait("shop", "write_received", after=received)
    write()
    first.join()

    assert [(answer.status, code(answer)) for answer in answers[:1]] == [(409, "IDEMPOTENCY_IN_PROGRESS")]
    assert answers[1].content["data"]["sku"] == "WAY-1"


def test_the_shop_counts_money_in_cents_and_nests_its_objects(sim: Simulation) -> None:
    sim.call("shop", "POST", "/v1/customers", {"externalNumber": "CU-NEST", "defaultAddress": {"city": "Bremen"}})
    sim.call("shop", "POST", PRODUCTS, {"sku": "NEST-1"})
    order = sim.call(
        "shop",
        "POST",
        "/v1/orders",
        {
            "reference": "SO-NEST",
            "customer": {"externalNumber": "CU-NEST"},
            "currency": "USD",
            "shippingAddress": {"city": "Leeds", "zip": "LS1"},
            "lineItems": [{"lineId": "1", "sku": "NEST-1", "quantity": 3, "unitAmount": 999, "discountPercent": 15}],
        },
    ).content["data"]

    assert order["netAmount"] == 2547
    assert order["shippingAddress"]["city"] == "Leeds"
    assert order["customer"]["id"].startswith("cus_")
    kept = sim.control.documents("shop", "order", "SO-NEST")[0]["fields"]
    assert kept["lines"] == [{"line": "1", "sku": "NEST-1", "quantity": "3", "unit_price": "9.99", "discount": "0.15"}]
    moved = sim.call("shop", "PATCH", f"/v1/orders/{order['id']}", {"shippingAddress": {"zip": "LS2"}}).content["data"]
    assert (moved["shippingAddress"]["city"], moved["shippingAddress"]["zip"]) == ("Leeds", "LS2")


def test_yen_have_no_cents(sim: Simulation) -> None:
    made = sim.call("shop", "POST", PRODUCTS, {"sku": "YEN-1", "price": {"amount": 500, "currency": "JPY"}})
    assert made.content["data"]["price"] == {"amount": 500, "currency": "JPY"}
    assert sim.control.documents("shop", "item", "YEN-1")[0]["fields"]["price"] == "500"


def test_the_shop_tells_business_errors_under_a_good_status(sim: Simulation) -> None:
    for body, field, error in (
        ({"title": "x"}, "sku", "REQUIRED"),
        ({"sku": "E-1", "price": {"amount": 1.5}}, "price.amount", "INVALID"),
        ({"sku": "E-1", "price": {"sum": 1}}, "price.sum", "UNKNOWN_FIELD"),
    ):
        answer = sim.call("shop", "POST", PRODUCTS, body)
        assert (answer.status, answer.content["data"], code(answer)) == (200, None, error)
        assert answer.content["userErrors"][0]["field"] == field
    assert code(sim.call("shop", "GET", f"{PRODUCTS}/prd_999999")) == "NOT_FOUND"


def test_the_shop_says_that_a_document_was_changed_meanwhile(sim: Simulation) -> None:
    made = sim.call("shop", "POST", PRODUCTS, {"sku": "STALE-1"}).content["data"]
    path = f"{PRODUCTS}/{made['id']}"
    assert sim.call("shop", "PATCH", path, {"title": "a", "expectedVersion": 1}).content["data"]["version"] == 2
    assert code(sim.call("shop", "PATCH", path, {"title": "b", "expectedVersion": 1})) == "STALE"


def test_a_level_is_set_by_item_and_place_and_never_kept_twice(sim: Simulation) -> None:
    sim.call("shop", "POST", PRODUCTS, {"sku": "LEVEL/1"})
    sim.call("shop", "PUT", "/v1/inventory/LEVEL%2F1/WH1", {"available": 5})
    sim.call("shop", "PUT", "/v1/inventory/LEVEL%2F1/WH1", {"available": 4.5})
    sim.call("shop", "POST", "/v1/inventory", {"sku": "LEVEL/1", "location": "WH1", "onHand": 9})

    (level,) = sim.call("shop", "GET", "/v1/inventory?sku=LEVEL%2F1&location=WH1").content["data"]
    assert (level["available"], level["onHand"], level["version"]) == (4.5, 9, 3)


def test_the_shop_hands_out_a_cursor_for_the_next_page(sim: Simulation) -> None:
    sim.control.post("seed", system="shop", items=9)
    seen, after = [], ""
    while True:
        page = sim.call("shop", "GET", f"{PRODUCTS}?first=4{after}").content
        seen += [product["id"] for product in page["data"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == sim.control.state("shop")["documents"]["item"]


def test_the_shop_tells_every_change_as_an_event(sim: Simulation) -> None:
    made = sim.call("shop", "POST", PRODUCTS, {"sku": "FEED-1", "title": "a"}).content["data"]
    sim.control.post("edit", system="shop", kind="item", number="FEED-1", changes={"name": "b"})
    sim.call("shop", "DELETE", f"{PRODUCTS}/{made['id']}")

    events = [event for event in feed(sim, "product") if event["object"]["number"] == "FEED-1"]
    assert [event["type"] for event in events] == ["product.created", "product.updated", "product.deleted"]
    assert [event["data"] and event["data"]["title"] for event in events] == ["a", "b", None]


def test_the_shop_throttles_above_its_rate_and_says_when_to_come_back(sim: Simulation) -> None:
    sim.control.faults("shop", rules={"rate": 5})
    answers = [sim.call("shop", "GET", "/v1/shop") for _ in range(12)]

    throttled = [answer for answer in answers if answer.status == 429]
    assert throttled
    assert code(throttled[0]) == "RATE_LIMITED"
    assert throttled[0].headers["Retry-After"] == "1"
    assert answers[0].headers["X-RateLimit-Limit"] == "5"


def test_the_shop_lets_nobody_in_without_its_key(sim: Simulation) -> None:
    answer = sim.call("shop", "GET", "/v1/shop", X_Api_Key="wrong")
    assert (answer.status, code(answer)) == (401, "UNAUTHENTICATED")
