"""A store brought back from a backup: it does not know what it sent since, and nothing is there twice for it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from far import Answer

from erpsync.config.landscape import Retry
from erpsync.domain.messages import Once
from erpsync.errors import RetryLater


def item(books, sku="SKU-1", **content):
    books.systems["erp"].keep("item", **{"sku": sku, "name": "Drill", "price": "10", "currency": "USD"} | content)


def night(make_books, **settings):
    """OLD was delivered, then the backup was made, then NEW was delivered and OLD changed, then the backup came back."""
    books = make_books(kinds=("item",), **settings)
    item(books, "OLD")
    books.sync()
    copy = books.backup()
    books.clock.turn(minutes=10)
    item(books, "NEW")
    item(books, "OLD", price="11")
    books.sync()
    books.clock.turn(minutes=10)
    books.bring_back(copy)
    return books


def test_a_store_from_a_backup_has_a_new_epoch_and_never_uses_an_old_key_again(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    item(books, "OLD")
    books.sync()
    assert books.store.epoch == 1
    copy = books.backup()
    assert books.store.epoch == 1, "a copy that is made is no backup brought back"
    item(books, "NEW")
    books.sync()
    before = {key for _, key, _ in wms.writes}
    books.bring_back(copy)
    assert books.store.epoch == 2
    books.clock.turn(minutes=10)
    item(books, "OTHER")
    item(books, "OLD", price="12")
    books.sync()
    after = [key for _, key, _ in wms.writes][len(before) :]
    assert after
    assert not before & set(after)
    assert all(".2-" in key for key in after)
    assert books.rows("SELECT what FROM audit WHERE what = 'store.epoch'") == [("store.epoch",)]


@pytest.mark.parametrize("once", [Once.FINDABLE, Once.IDEMPOTENT])
def test_a_system_that_can_be_asked_ends_with_nothing_twice(make_books, once):
    books = night(make_books, wms=once)
    books.sync()
    wms = books.systems["wms"]
    assert wms.count() == {"item": 2}
    asked = Counter(w[0] for w in wms.writes)
    assert asked["POST /item"] == 2, "each was created once, before the restore"
    assert set(asked) == {"POST /item", "PATCH /item"}
    assert books.states("wms")["item:NEW"] == [("done", "unchanged")]
    assert wms.kept("item", "OLD")[0].fields["price"] == 11_000_000


def test_a_blind_system_is_not_written_without_a_person(make_books):
    books = night(make_books, wms=Once.BLIND)
    wms = books.systems["wms"]
    wms.reads_one = False
    writes = len(wms.writes)
    books.sync()
    books.work_on(turns=2, hours=1)
    assert books.states("wms")["item:NEW"] == [("held", "")]
    assert books.rows("SELECT reason, waits_on FROM waits") == [
        ("person", "the store was restored from a backup, and this may have been sent before")
    ]
    assert [w for w in wms.writes[writes:] if w[0].startswith("POST")] == []
    assert wms.count() == {"item": 2}


def test_what_its_source_tells_of_as_new_after_the_restore_goes_to_a_blind_system(make_books):
    books = night(make_books, wms=Once.BLIND)
    books.clock.turn(minutes=1)
    item(books, "LATER")
    books.sync()
    assert books.states("wms")["item:LATER"] == [("done", "created")]


def test_a_system_that_knows_keys_but_cannot_be_asked_counts_as_blind_after_a_restore(make_books):
    books = make_books(kinds=("item",))
    books.systems["wms"].finds = books.systems["wms"].reads_one = False
    item(books, "OLD")
    books.sync()
    copy = books.backup()
    item(books, "NEW")
    books.sync()
    books.clock.turn(minutes=10)
    books.bring_back(copy)
    books.sync()
    assert books.systems["wms"].count() == {"item": 2}
    assert books.states("wms")["item:NEW"] == [("held", "")]


@pytest.mark.parametrize("once", [Once.BLIND, Once.IDEMPOTENT])
def test_what_stood_ready_in_the_backup_and_went_out_since_does_not_go_again(make_books, once):
    books = make_books(kinds=("item",), wms=once, retry=Retry(first=timedelta(seconds=30)))
    wms = books.systems["wms"]
    wms.finds = wms.reads_one = False
    item(books)
    wms.answers.append(Answer(RetryLater("busy", after=timedelta(seconds=30))))
    books.run(once=True)
    assert books.states("wms")["item:SKU-1"] == [("ready", "throttled")]
    copy = books.backup()
    books.work_on(turns=3, seconds=40)
    assert wms.count() == {"item": 1}
    books.bring_back(copy)
    books.work_on(turns=3, seconds=40)
    assert wms.count() == {"item": 1}
    assert [state for state, _ in books.states("wms")["item:SKU-1"]] == ["held"]
