"""What a whole scan does not tell any more: removed, unless it is too much at once, or was there all the time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from erpsync.adapters.protocol import Page, Told
from erpsync.domain.messages import Once
from erpsync.engine.intake.removals import is_mass
from erpsync.errors import BadDocument


@pytest.fixture
def stocked(make_books):
    """Books in which the ERP's items (SKU-0 to SKU-19) are in the warehouse; ``settings`` as for ``make_books``."""

    def make(items=20, **settings):
        books = make_books(kinds=("item",), **settings)
        for n in range(items):
            books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill", price="10", currency="USD")
        books.sync()
        assert books.systems["wms"].count() == {"item": items}
        return books

    return make


def scan(books):
    books.clock.turn(seconds=1)
    return books.sync(full=True)


def removed(books):
    return sorted(str(row[0]) for row in books.rows("SELECT number FROM records WHERE removed = 1"))


def take_away(books, n):
    """The first ``n`` items gone at the ERP; returns all that was there, to be put back."""
    erp = books.systems["erp"]
    before = dict(erp.documents)
    for far_id in list(before)[:n]:
        del erp.documents[far_id]
    return before


def test_an_item_a_scan_does_not_tell_is_removed_and_the_warehouse_is_told(stocked):
    books = stocked()
    books.systems["erp"].remove("item", "SKU-7")
    scan(books)
    assert removed(books) == ["SKU-7"]
    wms = books.systems["wms"]
    assert wms.kept("item", "SKU-7") == []
    assert wms.count() == {"item": 19}
    assert b'"removed": true' in wms.writes[-1][2]
    assert books.open_cases() == []
    assert scan(books).written == 0


def test_a_target_that_cannot_be_told_of_removals_is_left_alone(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    wms.removes = False
    for n in range(20):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill")
    books.sync()
    books.systems["erp"].remove("item", "SKU-7")
    scan(books)
    assert removed(books) == ["SKU-7"]
    assert books.states("wms")["item:SKU-7"] == [("done", "created"), ("skipped", "filtered")]
    assert wms.count() == {"item": 20}


def test_a_removal_of_what_the_target_never_had_is_nothing_to_do(stocked):
    books = stocked()
    books.flows = tuple(replace(flow, where="name != Saw") for flow in books.flows)
    books.systems["erp"].keep("item", sku="SAW", name="Saw")
    books.sync()
    assert books.states("wms")["item:SAW"] == [("skipped", "filtered")]
    books.systems["erp"].remove("item", "SAW")
    scan(books)
    assert books.states("wms")["item:SAW"][-1][0] == "skipped"
    assert books.systems["wms"].count() == {"item": 20}


def test_an_item_that_was_removed_and_comes_back_is_there_again(stocked):
    books = stocked()
    before = take_away(books, 1)
    scan(books)
    assert removed(books) == ["SKU-0"]
    books.systems["erp"].documents = before
    scan(books)
    assert removed(books) == []
    assert len(books.systems["wms"].kept("item", "SKU-0")) == 1


@pytest.mark.parametrize("once", [Once.IDEMPOTENT, Once.FINDABLE])
def test_what_comes_back_is_made_anew_where_the_target_had_deleted_it(stocked, once):
    books = stocked(wms=once)
    books.systems["wms"].refuses_gone = True
    before = take_away(books, 1)
    scan(books)
    books.systems["erp"].documents = before
    scan(books)
    assert books.states("wms")["item:SKU-0"][-1] == ("done", "created")
    assert books.open_cases() == []


def test_a_row_that_cannot_be_read_is_not_taken_for_removed(stocked):
    books = stocked()
    erp = books.systems["erp"]
    broken = {"SKU-3"}
    tell = erp._told

    def told(far):
        if far.number in broken:
            return Told("item", b"?", number=far.number, error=BadDocument("price is no number", number=far.number))
        return tell(far)

    erp._told = told
    scan(books)
    assert removed(books) == []
    assert books.open_cases() == [("contract_violation", "item:SKU-3")]
    broken.clear()
    erp.keep("item", sku="SKU-3", name="Drill 18V", price="10", currency="USD")
    scan(books)
    assert books.open_cases() == []


def test_a_row_of_which_only_the_far_id_can_be_read_is_not_taken_for_removed(stocked):
    books = stocked()
    erp = books.systems["erp"]
    tell = erp._told
    erp._told = lambda far: (
        Told("item", b"?", far_id=far.far_id, error=BadDocument("sku is missing"))
        if far.number == "SKU-3"
        else tell(far)
    )
    scan(books)
    assert removed(books) == []


def test_where_a_row_says_not_even_who_it_is_nothing_is_taken_for_removed(stocked):
    books = stocked()
    erp = books.systems["erp"]
    tell = erp._told
    erp._told = lambda far: (
        Told("item", b"?", error=BadDocument("the row is cut off")) if far.number == "SKU-3" else tell(far)
    )
    scan(books)
    assert removed(books) == []


def test_a_renamed_far_document_removes_nothing(stocked):
    books = stocked()
    (far,) = books.systems["erp"].kept("item", "SKU-3")
    far.number, far.fields["sku"], far.revision = "SKU-X", "SKU-X", 99
    scan(books)
    assert books.open_cases() == [("duplicate_far", "item:SKU-X")]
    assert removed(books) == []


def test_a_page_that_could_not_be_read_to_its_end_removes_nothing(stocked):
    books = stocked()
    erp = books.systems["erp"]

    async def torn(kind):
        tolds = [erp._told(far) for far in list(erp.documents.values())[1:]]
        yield Page(tolds, "", more=False, read_at=books.clock(), whole=False)

    erp.scan = torn
    scan(books)
    assert removed(books) == []


def test_what_was_delivered_while_the_target_was_scanned_is_not_taken_for_removed_there(stocked):
    books = stocked(watch=True)
    wms = books.systems["wms"]
    for n in range(5):
        books.systems["erp"].keep("item", sku=f"NEW-{n}", name="Drill")
    arrived = asyncio.Event()
    write = wms._write

    async def writing(prepared):
        books.clock.turn(seconds=1)
        receipt = await write(prepared)
        arrived.set()
        return receipt

    async def slowly(kind):
        read_at, tolds = books.clock(), [wms._told(far) for far in wms.documents.values()]
        yield Page(tolds[:10], "1", more=True, read_at=read_at)
        await arrived.wait()
        for _ in range(1_000):
            if all(books.states("wms").get(f"item:NEW-{n}") == [("done", "created")] for n in range(5)):
                break
            await asyncio.sleep(0.005)
        books.clock.turn(seconds=1)
        yield Page(tolds[10:], "", more=False, read_at=read_at)

    wms._write, wms.scan = writing, slowly
    scan(books)
    assert wms.count() == {"item": 25}
    assert books.open_cases() == []
    assert books.rows("SELECT count(*) FROM pictures WHERE present = 0") == [(0,)]


@pytest.mark.parametrize(
    ("gone", "known", "mass"),
    [(1, 20, False), (2, 20, True), (5, 100, False), (6, 100, True), (50, 5000, False), (51, 5000, True)],
)
def test_more_than_five_percent_or_fifty_are_too_many_at_once(gone, known, mass):
    assert is_mass(gone, known) is mass


def test_too_many_removals_wait_for_a_person_and_nothing_is_removed(stocked):
    books = stocked()
    take_away(books, 3)
    scan(books)
    assert removed(books) == []
    assert books.systems["wms"].count() == {"item": 20}
    assert books.open_cases() == [("mass_removal", "system:erp/item")]
    scan(books)
    assert len(books.events_with("held")) == 3, "seen again, they are the same three"
    assert books.rows("SELECT count(*) FROM exceptions") == [(1,)]


def test_removals_that_a_person_lets_through_are_made(stocked):
    books = stocked()
    take_away(books, 3)
    scan(books)
    assert books.apply_kept(*books.events_with("held")) == ["accepted"] * 3
    books.run()
    assert removed(books) == ["SKU-0", "SKU-1", "SKU-2"]
    assert books.systems["wms"].count() == {"item": 17}
    scan(books)
    assert books.open_cases() == []


def test_what_comes_back_by_itself_heals_the_case(stocked):
    books = stocked()
    before = take_away(books, 3)
    scan(books)
    books.systems["erp"].documents = before
    scan(books)
    assert books.open_cases() == []
    assert removed(books) == []
    assert len(books.systems["wms"].writes) == 20


def test_a_held_removal_of_what_came_back_removes_nothing_when_it_is_applied(stocked):
    books = stocked()
    before = take_away(books, 3)
    scan(books)
    ids = books.events_with("held")
    books.systems["erp"].documents = before
    scan(books)
    assert books.events_with("held") == []
    assert len(books.events_with("stale")) == len(ids)
    assert removed(books) == []


def test_the_same_items_gone_a_second_time_can_be_let_through_again(stocked):
    books = stocked()
    before = take_away(books, 3)
    scan(books)
    books.apply_kept(*books.events_with("held"))
    scan(books)
    books.systems["erp"].documents = dict(before)
    scan(books)
    assert removed(books) == []
    take_away(books, 3)
    scan(books)
    assert books.open_cases() == [("mass_removal", "system:erp/item")]
    assert books.apply_kept(*books.events_with("held")) == ["accepted"] * 3


def test_a_removal_at_a_system_that_does_not_own_it_is_a_case_and_is_not_followed(stocked):
    books = stocked(targets=("wms", "shop"), watch=True)
    books.systems["wms"].remove("item", "SKU-7")
    scan(books)
    assert removed(books) == []
    assert books.open_cases() == [("ownership_refused", "item:SKU-7")]
    assert len(books.systems["shop"].kept("item", "SKU-7")) == 1
    assert len(books.systems["erp"].kept("item", "SKU-7")) == 1
    scan(books)
    assert books.rows("SELECT times FROM exceptions") == [(1,)]


def test_a_removal_the_feed_tells_is_taken_from_the_owner_and_told_on(stocked):
    books = stocked()
    erp = books.systems["erp"]
    (far,) = erp.kept("item", "SKU-7")
    erp.remove("item", "SKU-7")
    erp.feed.append(Told("item", b'{"deleted": "erp-8"}', far_id=far.far_id, removed=True))
    books.clock.turn(seconds=1)
    books.sync()
    assert removed(books) == ["SKU-7"]
    assert books.systems["wms"].kept("item", "SKU-7") == []
