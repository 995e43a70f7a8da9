"""A dry run says what a sync would write, field by field, and leaves nothing."""

from __future__ import annotations

import asyncio

from erpsync.engine.dryrun import preview


class Lender:
    """A workbench over a test's books."""

    def __init__(self, books):
        self.books = books
        self.landscape = books.context().routes.landscape
        self.now = books.clock

    def adapter(self, name):
        return self.books.systems[name]


def dry(books, **wish):
    return asyncio.run(preview(Lender(books), **({"kinds": ["item"]} | wish)))


def test_it_says_create_update_and_nothing_and_writes_nowhere(make_books):
    books = make_books(kinds=("item",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    for n in range(3):
        erp.keep("item", sku=f"SKU-{n}", name="Drill", price="10", currency="USD")
    books.sync()
    erp.keep("item", sku="SKU-1", price="12.50")
    erp.keep("item", sku="SKU-9", name="Saw", price="3", currency="USD")
    before = books.rows("SELECT count(*) FROM events"), books.rows("SELECT count(*) FROM messages"), len(wms.writes)
    report = dry(books)
    assert {(d.key, d.would) for d in report.documents} == {("item:SKU-1", "update"), ("item:SKU-9", "create")}
    (update,) = [d for d in report.documents if d.would == "update"]
    assert update.fields == (("price", "10", "12.5"),)
    assert update.far_id == wms.kept("item", "SKU-1")[0].far_id
    assert report.writes == 2
    assert (
        books.rows("SELECT count(*) FROM events"),
        books.rows("SELECT count(*) FROM messages"),
        len(wms.writes),
    ) == before
    books.sync()
    assert len(wms.writes) == before[2] + 2, "the sync then does what was said"


def test_before_the_first_sync_it_looks_for_what_it_would_create(make_books):
    books = make_books()
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("customer", number="CU-1", name="Tri-County")
    erp.keep("item", sku="SKU-1", name="Drill")
    erp.keep(
        "order", number="SO-1", customer="CU-1", currency="USD", lines=[{"line": "1", "sku": "SKU-1", "quantity": 1}]
    )
    wms.keep("item", sku="SKU-1", name="Drill")
    report = dry(books, kinds=["item", "customer", "order"])
    assert {(d.key, d.would) for d in report.documents} == {
        ("item:SKU-1", "nothing"),
        ("customer:CU-1", "create"),
        ("order:SO-1", "create"),
    }
    assert ("lines.1.quantity", None, "1") in next(d for d in report.documents if d.key == "order:SO-1").fields
    assert wms.writes == []


def test_a_sync_of_one_key_carries_that_document_alone(make_books):
    books = make_books(kinds=("item",))
    for n in range(3):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill")
    assert [d.key for d in dry(books, keys=["item:SKU-1"]).documents] == ["item:SKU-1"]
