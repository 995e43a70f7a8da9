"""Documents travel from the system that owns them to those that need them: created, updated, left alone."""

from __future__ import annotations

from dataclasses import replace


def test_a_new_item_reaches_the_warehouse_once_and_a_second_run_writes_nothing(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill", price="10.50", currency="USD")
    report = books.sync()
    assert [(row.created, row.updated, row.unchanged, row.dead) for row in report.rows] == [(1, 0, 0, 0)]
    assert report.exit_code == 0
    again = books.sync(full=True)
    assert [(row.created, row.updated, row.unchanged) for row in again.rows] == [(0, 0, 1)]
    assert len(books.systems["wms"].writes) == 1
    assert books.systems["wms"].kept("item", "SKU-1")[0].fields["price"] == 10_500_000


def test_one_changed_price_is_one_update_of_one_field(make_books):
    books = make_books(kinds=("item",))
    for n in range(5):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill", price="10.50", currency="USD")
    books.sync()
    books.systems["erp"].keep("item", sku="SKU-3", price="11.00")
    books.sync()
    assert books.systems["wms"].writes[5:] == [
        (
            "PATCH /item",
            books.systems["wms"].writes[5][1],
            b'{"far_id": "wms-4", "fields": {"price": 11000000}, "number": "SKU-3", "removed": false}',
        )
    ]


def test_orders_wait_for_their_customer_and_items(make_books):
    books = make_books()
    erp = books.systems["erp"]
    erp.keep(
        "order",
        number="SO-1",
        customer="CU-1",
        currency="USD",
        lines=[{"line": "1", "sku": "SKU-1", "quantity": 2, "unit_price": "5"}],
    )
    books.sync("order")
    assert books.states("wms") == {"order:SO-1": [("held", "retry")]}
    erp.keep("customer", number="CU-1", name="Tri-County")
    erp.keep("item", sku="SKU-1", name="Drill")
    books.sync()
    assert books.states("wms")["order:SO-1"] == [("done", "created")]
    assert [write[0] for write in books.systems["wms"].writes][-1] == "POST /order"


def test_a_then_b_then_a_is_three_changes(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.ordered = False
    for price in ("10", "12", "10"):
        erp.keep("item", sku="SKU-1", price=price, currency="USD")
        books.clock.turn(seconds=1)
        books.sync(full=True)
    assert books.verdicts() == ["accepted"] * 3
    assert len(books.systems["wms"].writes) == 3


def test_a_message_held_for_what_its_target_owns_goes_when_the_target_tells_of_it(make_books):
    books = make_books(kinds=("customer",), targets=("wms",))
    books.flows = (
        *books.flows,
        *(replace(flow, name="orders", kind="order", source="wms", targets=("erp",)) for flow in books.flows),
    )
    books.owners = books.owners | {"order": "wms"}
    wms, erp = books.systems["wms"], books.systems["erp"]
    wms.keep("order", number="SO-1", customer="CU-1", currency="USD")
    books.sync("order")
    assert books.states("erp")["order:SO-1"] == [("held", "retry")]
    erp.keep("customer", number="CU-1", name="Tri-County")
    books.clock.turn(minutes=6)
    books.sync()
    assert books.states("erp")["order:SO-1"] == [("done", "created")]


def test_a_parent_delivered_in_the_same_moment_frees_what_was_about_to_wait_for_it(make_books):
    books = make_books()
    erp = books.systems["erp"]
    for n in range(12):
        erp.keep("customer", number=f"CU-{n}", name="Tri-County")
        erp.keep("item", sku=f"SKU-{n}", name="Drill")
        erp.keep(
            "order",
            number=f"SO-{n}",
            customer=f"CU-{n}",
            currency="USD",
            lines=[{"line": "1", "sku": f"SKU-{n}", "quantity": 1}],
        )
    books.run()
    assert {tuple(states) for states in books.states("wms").values()} == {(("done", "created"),)}
