"""Lanes: which line something stands in is said by the key it queues under, whether anybody told of that key or not."""

from __future__ import annotations

import pytest
from night_store import Night

from erpsync.errors import NotFound
from erpsync.store.books import Record, insert_records
from erpsync.store.connection import Connection
from erpsync.store.lanes import lane_id, lane_records
from erpsync.store.reading.lanes import lane
from erpsync.store.reading.trace import find_subject
from erpsync.store.store import Store


def test_each_key_and_system_has_a_lane_of_its_own() -> None:
    assert len({lane_id(record_id, target_id) for record_id in range(1, 50) for target_id in range(1, 50)}) == 49 * 49


def test_keys_that_others_queue_under_get_one_record_each_and_those_that_are_known_keep_theirs(store: Store) -> None:
    def queue() -> dict[str, int]:
        return store.writer.call(lambda db: lane_records(db, 1, ["stock:A@1", "item:A", "stock:B@1", "stock:A@1"]))

    store.writer.call(lambda db: insert_records(db, 1, [Record(7, "item", "A", revision=1, changed_at=1)]))
    first = queue()
    assert first["item:A"] == 7
    assert len(set(first.values())) == 3
    assert queue() == first
    with store.read() as db:
        made = db.execute(
            "SELECT kind || ':' || number, revision, changed_at FROM records WHERE record_id <> 7 ORDER BY 1"
        )
        assert [tuple(row) for row in made] == [("stock:A@1", 0, 0), ("stock:B@1", 0, 0)]


def test_a_key_that_only_lends_its_lane_shows_its_line_and_has_nothing_to_trace(store: Store) -> None:
    night = Night(store)
    waiting = night.message("shipment:SH-1", to="wms", state="ready", queue="stock:A@1")
    store.writer.call(lambda db: db.execute("UPDATE records SET revision = 0, changed_at = 0 WHERE kind = 'stock'"))
    with store.read() as db:
        view = lane(db, "main", "wms", "stock:A@1", limit=5)
        assert view.head is not None
        assert (view.head.message_id, view.head.key, view.head.lane) == (waiting, "shipment:SH-1", "stock:A@1")
        assert not view.is_told
        assert lane(db, "main", "erp", "stock:A@1", limit=5).head is None
        with pytest.raises(NotFound, match="nobody has told of stock:A@1 yet; other documents queue under its key"):
            find_subject(db, "main", "stock", "A@1")
        with pytest.raises(NotFound, match="lane wms, stock:B@1 does not exist"):
            lane(db, "main", "wms", "stock:B@1", limit=5)


def test_a_company_that_is_not_the_first_finds_its_own_lanes(store: Store) -> None:
    night = Night(store)
    waiting = night.message("order:SO-1", to="wms", state="ready")

    def move(db: Connection) -> None:
        db.execute("INSERT INTO companies (company_id, name) VALUES (2, 'acme')")
        db.execute("UPDATE records SET company_id = 2")
        db.execute("UPDATE messages SET company_id = 2")

    store.writer.call(move)
    with store.read() as db:
        head = lane(db, "acme", "wms", "order:SO-1", limit=5).head
        assert head is not None
        assert (head.message_id, head.lane) == (waiting, "order:SO-1")
        with pytest.raises(NotFound):
            lane(db, "main", "wms", "order:SO-1", limit=5)
