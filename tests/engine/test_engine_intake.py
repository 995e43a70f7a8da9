"""What systems tell, and what is made of it: duplicates, conflicts, strays, what cannot be read, and bringing it back."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from far import FarSystem, lost
from hypothesis import given
from hypothesis import strategies as st

from erpsync.adapters.protocol import Revision, Told
from erpsync.config.landscape import Retry
from erpsync.domain.ownership import decide, differs, whole
from erpsync.errors import UsageError
from erpsync.store.checking import verify
from erpsync.store.lanes import messages_of
from erpsync.store.reading.events import events_of

DRILL = {"sku": "SKU-1", "name": "Drill", "price": "10", "currency": "USD"}


def record(books, key):
    kind, _, number = key.partition(":")
    ((fields,),) = books.rows(
        "SELECT content FROM records JOIN payloads ON payload_id = content_id WHERE kind = ? AND number = ?",
        kind,
        number,
    )
    return json.loads(fields)


def origins(books):
    ((text,),) = books.rows("SELECT origins FROM records")
    return json.loads(text)


# Sent with an id ---------------------------------------------------------------------------------------------------


def test_an_event_sent_twice_is_counted_and_not_applied_again(make_books):
    books = make_books(kinds=("item",))
    told = books.systems["erp"].send("E-1", "item", **DRILL)
    assert books.tell("erp", told) == {"accepted": 1}
    assert books.tell("erp", told, told) == {"duplicate": 2}
    assert books.rows("SELECT verdict, repeats FROM events") == [("accepted", 2)]
    assert books.states("wms") == {"item:SKU-1": [("ready", "")]}


def test_a_duplicate_does_not_undo_what_came_after_it(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    first = erp.send("E-1", "item", **DRILL)
    second = erp.send("E-2", "item", **DRILL | {"price": "12"})
    books.tell("erp", first, second, first)
    assert record(books, "item:SKU-1")["price"] == 12_000_000


def test_a_record_says_of_each_field_who_set_it_and_when(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    books.tell("erp", erp.send("E-1", "item", **DRILL))
    first = origins(books)
    assert list(first) == [""], "one entry for all fields told together"
    books.clock.turn(seconds=60)
    books.tell("erp", erp.send("E-2", "item", sku="SKU-1", price="12"))
    second = origins(books)
    assert second[""] == first[""]
    assert second["price"] == [first[""][0], first[""][1] + 60_000]


def test_the_same_event_id_with_other_content_is_a_conflict_and_changes_nothing(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    books.tell("erp", erp.send("E-1", "item", **DRILL))
    other = erp.send("E-1", "item", **DRILL | {"price": "99"})
    assert books.tell("erp", other) == {"conflicting": 1}
    assert books.open_cases() == [("event_conflict", "item:SKU-1")]
    assert record(books, "item:SKU-1")["price"] == 10_000_000
    assert books.tell("erp", other) == {"duplicate": 1}, "told again, it is the same conflict"
    assert books.rows("SELECT count(*), max(times) FROM exceptions") == [(1, 1)]
    assert books.rows("SELECT count(*) FROM events") == [(2,)]


def test_a_conflict_within_one_page_is_seen_too(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    first = erp.send("E-1", "item", **DRILL)
    assert books.tell("erp", first, erp.send("E-1", "item", **DRILL | {"price": "99"})) == {
        "accepted": 1,
        "conflicting": 1,
    }


def test_the_same_event_id_from_two_systems_is_two_events(make_books):
    books = make_books(kinds=("item",))
    books.tell("erp", books.systems["erp"].send("1", "item", **DRILL))
    told = books.systems["wms"].send("1", "item", **DRILL)
    assert books.tell("wms", told) == {"caught_up": 1}
    assert books.open_cases() == []


def test_what_happened_once_and_is_told_otherwise_is_a_conflict(make_books):
    books = make_books(kinds=("movement",))
    erp = books.systems["erp"]
    pick = {"number": "M-1", "type": "pick", "sku": "SKU-1", "location": "WH1", "quantity": -2}
    erp.keep("movement", **pick)
    books.tell("erp", erp.feed[-1])
    erp.keep("movement", **pick | {"quantity": -3})
    assert books.tell("erp", erp.feed[-1]) == {"conflicting": 1}
    assert record(books, "movement:M-1")["quantity"] == -2_000_000
    assert books.open_cases() == [("event_conflict", "movement:M-1")]


# Out of order ------------------------------------------------------------------------------------------------------


def test_an_older_feed_entry_that_comes_late_is_stale(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    for price in ("10", "11", "12"):
        erp.keep("item", **DRILL | {"price": price})
    old, middle, new = erp.feed
    assert books.tell("erp", new, old, middle) == {"accepted": 1, "stale": 2}
    assert record(books, "item:SKU-1")["price"] == 12_000_000


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_facts_ends_the_same_books(make_books, seed):
    """Every entry once or more, shuffled over pages: the record, the owner's picture and what goes out end alike."""
    rng = Random(seed)
    books = make_books(kinds=("item", "customer", "order"))
    erp = books.systems["erp"]
    for n in range(12):
        erp.keep("item", **DRILL | {"price": str(10 + n)})
        erp.keep("customer", number="CU-1", name=f"Tri-County {n}")
        line = {"line": "1", "sku": "SKU-1", "quantity": 1 + n}
        erp.keep("order", number="SO-1", customer="CU-1", currency="USD", lines=[line])
    entries = [*erp.feed, *rng.sample(erp.feed, 10)]
    rng.shuffle(entries)
    while entries:
        page = [entries.pop() for _ in range(min(len(entries), rng.randint(1, 5)))]
        for kind in ("item", "customer", "order"):
            if same := [told for told in page if told.kind == kind]:
                books.tell("erp", *same)
    books.run()
    wms = books.systems["wms"]
    assert record(books, "item:SKU-1")["price"] == 21_000_000
    assert wms.kept("item", "SKU-1")[0].fields["price"] == 21_000_000
    assert wms.kept("customer", "CU-1")[0].fields["name"] == "Tri-County 11"
    assert wms.kept("order", "SO-1")[0].fields["lines.1.quantity"] == 12_000_000
    assert wms.count() == {"item": 1, "customer": 1, "order": 1}
    assert books.open_cases() == []


def test_an_order_told_before_its_customer_waits_at_the_target_and_not_in_the_books(make_books):
    books = make_books()
    erp = books.systems["erp"]
    line = {"line": "1", "sku": "SKU-1", "quantity": 2}
    erp.keep("order", number="SO-1", customer="CU-1", currency="USD", lines=[line])
    assert books.tell("erp", erp.feed[-1]) == {"accepted": 1}
    books.run()
    assert books.rows("SELECT waits_on FROM waits ORDER BY 1") == [("customer:CU-1",), ("item:SKU-1",)]
    assert books.systems["wms"].writes == []
    assert books.open_cases() == [("parent_missing", "order:SO-1")]
    ((opened, shows),) = books.rows("SELECT opened_at, shows_at FROM exceptions")
    assert shows - opened == 120_000, "facts out of order heal in seconds: it is shown after two minutes"
    erp.keep("customer", number="CU-1", name="Tri-County")
    erp.keep("item", **DRILL)
    books.sync()
    assert books.states("wms")["order:SO-1"] == [("done", "created")]
    assert books.open_cases() == []


def test_a_document_made_anew_over_there_may_count_its_revisions_from_one_again(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.keep("item", **DRILL)
    told = replace(erp.feed[-1], far_id="4711", revision=Revision("9", 9))
    books.tell("erp", told)
    books.clock.turn(seconds=1)
    books.tell("erp", Told("item", b"gone", number="SKU-1", far_id="4711", removed=True, revision=Revision("10", 10)))
    assert books.rows("SELECT removed FROM records") == [(1,)]
    books.clock.turn(seconds=1)
    assert books.tell("erp", replace(told, far_id="4712", revision=Revision("1", 1))) == {"accepted": 1}
    assert books.rows("SELECT removed FROM records") == [(0,)]


# Whose it is -------------------------------------------------------------------------------------------------------


def test_an_unknown_key_is_shown_after_a_grace_and_heals_when_the_owner_tells_of_it(make_books):
    books = make_books(kinds=("item",), watch=True)
    wms = books.systems["wms"]
    wms.keep("item", **DRILL | {"price": "9"})
    assert books.tell("wms", wms.feed[-1]) == {"unknown_key": 1}
    assert books.open_cases() == [("unknown_key", "item:SKU-1")]
    assert books.rows("SELECT shows_at - opened_at FROM exceptions") == [(120_000,)]
    assert wms.writes == []
    books.systems["erp"].keep("item", **DRILL)
    books.sync()
    assert books.open_cases() == []
    assert [write[0] for write in wms.writes] == ["PATCH /item"], "what it had is bound, not made again"
    assert wms.kept("item", "SKU-1")[0].fields["price"] == 10_000_000


def test_a_stray_value_is_refused_and_mended_once_and_its_case_stays_open(make_books):
    books = make_books(kinds=("item",), watch=True)
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("item", **DRILL)
    books.sync()

    def stray(name):
        wms.keep("item", **DRILL | {"name": name})
        books.clock.turn(seconds=5)
        books.sync()
        return wms.kept("item", "SKU-1")[0].fields["name"]

    assert stray("Dril") == "Drill"
    assert books.open_cases() == [("ownership_refused", "item:SKU-1")]
    assert stray("Dril") == "Dril", "the same stray value is mended once"
    assert books.rows("SELECT times FROM exceptions") == [(2,)]
    assert stray("Drilll") == "Drill", "another stray value is mended, too"
    books.clock.turn(seconds=5)
    erp.keep("item", **DRILL | {"price": "11"})
    books.sync()
    assert books.open_cases() == [("ownership_refused", "item:SKU-1")]
    assert record(books, "item:SKU-1")["name"] == "Drill"
    assert len(books.events_with("refused")) == 3


def test_a_stray_price_is_shown_as_people_write_it(make_books):
    books = make_books(kinds=("item",), watch=True)
    books.systems["erp"].keep("item", **DRILL | {"price": "19.95"})
    books.sync()
    books.systems["wms"].keep("item", **DRILL | {"price": "21"})
    books.clock.turn(seconds=5)
    books.sync()
    ((text, evidence),) = books.rows("SELECT text, evidence FROM exceptions")
    assert text == 'wms set price "21": erp owns item'
    assert json.loads(evidence)["fields"] == {"price": {"stray": "21", "ours": "19.95"}}


def test_a_system_that_catches_up_in_one_field_and_strays_in_another_is_refused_in_part(make_books):
    books = make_books(kinds=("item",), watch=True)
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("item", **DRILL)
    books.tell("erp", erp.feed[-1])
    wms.keep("item", **DRILL | {"name": "Dril"})
    books.tell("wms", wms.feed[-1])
    assert books.verdicts() == ["accepted", "in_part"]
    assert books.rows("SELECT detail FROM events WHERE verdict = 'in_part'") == [("erp owns name",)]


def test_the_echo_of_an_open_try_is_nobodys_change(make_books):
    books = make_books(kinds=("item",), watch=True, retry=Retry(first=timedelta(minutes=1)))
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("item", **DRILL)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    erp.keep("item", **DRILL | {"price": "12"})
    books.tell("erp", erp.feed[-1])
    books.clock.turn(seconds=1)
    books.tell("wms", wms._told(wms.kept("item", "SKU-1")[0]))
    assert books.open_cases() == []


def test_one_far_document_under_two_numbers_is_a_case_and_a_rename_removes_nothing(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.keep("item", **DRILL)
    books.tell("erp", erp.feed[-1])
    erp.keep("item", **DRILL | {"sku": "SKU-2"})
    renamed = replace(erp.feed[-1], far_id="erp-1")
    assert books.tell("erp", renamed) == {"conflicting": 1}
    assert books.tell("erp", renamed) == {"conflicting": 1}
    assert books.open_cases() == [("duplicate_far", "item:SKU-2")]
    assert books.rows("SELECT times FROM exceptions") == [(1,)]
    assert books.rows("SELECT number FROM records") == [("SKU-1",)]


# What cannot be read -----------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_kept_raw_and_told_again_unchanged_it_is_the_same_one(make_books):
    books = make_books(kinds=("item",))
    told = books.systems["erp"].garble("item", "SKU-1", b'{"price": "ten"}')
    assert books.tell("erp", told) == {"unreadable": 1}
    assert books.tell("erp", told, told) == {"unreadable": 2}
    assert books.rows("SELECT count(*), max(repeats) FROM events") == [(1, 2)]
    assert books.rows("SELECT content FROM payloads JOIN events ON raw_id = payload_id") == [(b'{"price": "ten"}',)]
    assert books.open_cases() == [("contract_violation", "item:SKU-1")]
    assert books.rows("SELECT detail FROM events") == [("items.csv:17:3: price is no number",)]
    assert books.tell("erp", books.systems["erp"].garble("item", "SKU-1", b'{"price": "eleven"}')) == {"unreadable": 1}
    assert books.rows("SELECT count(*) FROM events") == [(2,)]


def test_one_bad_row_stops_no_other(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.keep("item", **DRILL)
    good = erp.feed[-1]
    assert books.tell("erp", erp.garble("item", "SKU-9"), good) == {"unreadable": 1, "accepted": 1}


def test_a_violation_heals_when_a_readable_one_follows(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    books.tell("erp", erp.garble("item", "SKU-1"))
    books.clock.turn(seconds=1)
    erp.keep("item", **DRILL)
    books.tell("erp", erp.feed[-1])
    assert books.open_cases() == []
    assert books.rows("SELECT close_reason FROM exceptions") == [("a readable one followed",)]


def test_a_row_mended_back_to_what_it_was_heals_its_violation(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.keep("item", **DRILL)
    good = erp.feed[-1]
    books.tell("erp", good)
    books.tell("erp", erp.garble("item", "SKU-1"))
    books.clock.turn(seconds=1)
    books.tell("erp", good)
    assert books.open_cases() == []


def test_a_row_broken_again_the_same_way_is_said_again(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    bad = erp.garble("item", "SKU-1")
    books.tell("erp", bad)
    erp.keep("item", **DRILL)
    books.clock.turn(seconds=1)
    books.tell("erp", erp.feed[-1])
    assert books.open_cases() == []
    books.clock.turn(seconds=1)
    books.tell("erp", bad)
    assert books.open_cases() == [("contract_violation", "item:SKU-1")]


def _raw(far_id, **fields):
    return json.dumps({"id": far_id, "fields": fields}).encode()


def test_after_the_mapping_was_mended_a_kept_event_of_a_new_item_is_applied_and_travels(make_books):
    books = make_books(kinds=("item",))
    told = books.systems["erp"].garble("item", "SKU-1", _raw("erp-7", sku="SKU-1", name="Drill"))
    books.tell("erp", told)
    assert books.apply_kept(1) == ["accepted"]
    assert books.open_cases() == []
    books.run()
    assert books.systems["wms"].kept("item", "SKU-1")[0].fields["name"] == "Drill"
    assert books.rows("SELECT what, subject, reason FROM audit WHERE what = 'event.apply'") == [
        ("event.apply", "1", "mapping mended")
    ]
    with pytest.raises(UsageError, match="event 1 is accepted: there is nothing left to apply"):
        books.apply_kept(1)


def test_after_the_mapping_was_mended_a_kept_change_of_a_known_item_is_applied(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    erp.keep("item", **DRILL)
    books.sync()
    books.clock.turn(seconds=1)
    books.tell("erp", erp.garble("item", "SKU-1", _raw("erp-1", sku="SKU-1", name="Drill 18V")))
    (event_id,) = books.events_with("unreadable")
    assert books.apply_kept(event_id) == ["accepted"]
    assert books.open_cases() == []
    books.run()
    assert books.systems["wms"].kept("item", "SKU-1")[0].fields["name"] == "Drill 18V"


def test_a_kept_event_that_still_cannot_be_read_stays_kept(make_books):
    books = make_books(kinds=("item",))
    books.tell("erp", books.systems["erp"].garble("item", "SKU-1"))
    assert books.apply_kept(1) == ["unreadable"]
    assert books.open_cases() == [("contract_violation", "item:SKU-1")]
    assert books.rows("SELECT count(*) FROM events") == [(1,)]


def test_a_kept_event_that_is_older_than_what_came_since_ends_stale(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    books.tell("erp", erp.garble("item", "SKU-1", _raw("erp-1", sku="SKU-1", name="Dril")))
    books.clock.turn(seconds=5)
    erp.keep("item", **DRILL)
    books.tell("erp", erp.feed[-1])
    assert books.apply_kept(1) == ["stale"]
    assert record(books, "item:SKU-1")["name"] == "Drill"


def test_an_event_id_once_unreadable_is_no_conflict_when_it_is_sent_again_unchanged(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    told = replace(erp.garble("item", "SKU-1", _raw("erp-7", sku="SKU-1", name="Drill")), event_id="E-1")
    books.tell("erp", told)
    books.apply_kept(1)
    books.tell("erp", replace(erp.understand("item", told.raw), event_id="E-1"))
    assert books.open_cases() == []


# Deciding, as a pure function --------------------------------------------------------------------------------------

SCALARS = st.sampled_from([None, "a", "b", 1, 2, True])
PATHS = st.sampled_from(["name", "price", "active", "lines.1.sku", "lines.2.sku"])
FIELDS = st.dictionaries(PATHS, SCALARS, max_size=5)


@given(told=FIELDS, picture=FIELDS | st.none(), ours=FIELDS | st.none(), owns=st.booleans())
def test_deciding_twice_says_nothing_new(told, picture, ours, owns):
    first = decide(told, picture, ours, owns=owns)
    picture_now, ours_now = {**(picture or {}), **first.seen}, {**(ours or {}), **first.accepted}
    again = decide(told, picture_now, ours_now, owns=owns)
    assert (again.seen, again.accepted, again.refused) == ({}, {}, {})


@given(told=FIELDS, picture=FIELDS | st.none(), ours=FIELDS | st.none())
def test_an_owner_is_never_refused_and_nobody_else_changes_the_record(told, picture, ours):
    owner, other = decide(told, picture, ours, owns=True), decide(told, picture, ours, owns=False)
    assert owner.refused == {}
    assert other.accepted == {}
    assert {**(ours or {}), **owner.accepted} == {**(ours or {}), **{k: told[k] for k in owner.seen}}
    assert other.refused.items() <= other.seen.items() <= told.items()


@given(told=FIELDS, ours=FIELDS, asked=FIELDS)
def test_what_an_open_try_asked_for_is_no_stray_value(told, ours, asked):
    refused = decide(told, None, ours, owns=False, asked=asked).refused
    assert not any(asked.get(name, ...) == value for name, value in refused.items())


@given(ours=FIELDS, held=FIELDS)
def test_a_system_given_what_differs_differs_no_more(ours, held):
    asked = {path: ours.get(path) for path in differs(ours, held)}
    assert differs(ours, {**held, **asked}) == frozenset()


@given(told=FIELDS, known=FIELDS)
def test_a_line_no_longer_told_is_told_to_be_empty(told, known):
    complete = whole(told, known)
    assert {path for path in complete if path not in told} == {
        path for path in known if path.startswith("lines.") and path not in told
    }
    assert all(complete[path] is None for path in complete if path not in told)


def test_every_order_of_an_owners_and_a_strays_facts_ends_with_the_owners_record(make_books):
    books = make_books(kinds=("item",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    for sku, order in zip(("A", "B", "C", "D", "E", "F"), itertools.permutations((0, 1, 2)), strict=True):
        feeds: list[tuple[FarSystem, Told]] = []
        for system, price in ((erp, "10"), (erp, "12"), (wms, "99")):
            system.keep("item", sku=sku, name="Drill", price=price, currency="USD")
            feeds.append((system, system.feed[-1]))
        for n in order:
            books.tell(feeds[n][0].system, feeds[n][1])
        assert record(books, f"item:{sku}")["price"] == 12_000_000, order


# What lies where ---------------------------------------------------------------------------------------------------


def test_what_a_document_says_lies_once_for_all_who_say_the_same(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", **DRILL)
    books.sync()
    ((told,),) = books.rows("SELECT canonical_id FROM events")
    assert books.rows("SELECT content_id FROM records") == [(told,)]
    assert books.rows("SELECT content_id FROM attempts") == [(told,)]
    assert set(books.rows("SELECT content_id FROM pictures")) == {(told,)}


def test_a_change_leaves_what_was_said_before_as_it_was(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", **DRILL)
    books.sync()
    books.systems["erp"].keep("item", **{**DRILL, "price": "11"})
    books.sync()
    first, second = books.rows(
        "SELECT content FROM events JOIN payloads ON payload_id = canonical_id ORDER BY event_id"
    )
    assert json.loads(first[0])["price"] == 10_000_000
    assert record(books, "item:SKU-1") == json.loads(second[0])
    books.assert_sound()


# Found again -------------------------------------------------------------------------------------------------------


def found_from_their_records(books):
    """Events and messages by record, as ``trace`` finds them."""
    with books.store.read() as db:
        ids = [row[0] for row in db.execute("SELECT record_id FROM records ORDER BY 1")]
        events = [(record_id, event.event_id) for record_id in ids for event in events_of(db, record_id)]
        messages = [
            (record_id, row[0])
            for record_id in ids
            for row in db.execute(f"SELECT message_id FROM {messages_of('?1')} ORDER BY 1", (record_id,))
        ]
    return events, messages


def test_every_event_and_message_is_found_from_its_document_whatever_became_of_it(make_books):
    books = make_books(kinds=("item", "movement", "stock"))
    erp, wms = books.systems["erp"], books.systems["wms"]
    first = erp.send("E-1", "item", **DRILL)
    books.tell("erp", first, erp.send("E-2", "item", **DRILL | {"price": "12"}))
    books.tell(
        "erp", erp.send("E-3", "item", **DRILL | {"price": "12"}), erp.send("E-1", "item", **DRILL | {"price": "9"})
    )
    books.tell("wms", wms.send("W-1", "item", **DRILL | {"price": "99"}))
    books.tell("erp", erp.send("E-4", "item", **DRILL | {"price": "14"}), first)
    books.tell("erp", erp.send("E-5", "movement", number="M-1", type="pick", sku="SKU-1", location="WH1", quantity=-2))
    books.tell("erp", erp.send("E-6", "stock", sku="SKU-1", location="WH1", on_hand="7"))
    (conflicting,) = books.events_with("conflicting")
    books.apply_kept(conflicting)
    books.tell("erp", erp.send("E-7", "item", **DRILL | {"price": "15"}))
    events, messages = found_from_their_records(books)
    assert len(events) == 8
    assert events == books.rows("SELECT record_id, event_id FROM events ORDER BY 1, 2")
    assert len(messages) >= 6
    assert messages == books.rows("SELECT record_id, message_id FROM messages ORDER BY 1, 2")
    books.assert_sound()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE records SET newest_id = 1", ["event 2 changed item:SKU-1, but is not found from there"]),
        (
            "UPDATE records SET newest_id = 9",
            ["item:SKU-1 names event 9 as its newest, which did not change it", "event 2 "],
        ),
        ("UPDATE events SET previous_id = 2 WHERE event_id = 1", ["event 1 names event 2 before it"]),
        (
            "UPDATE events SET previous_id = 9 WHERE event_id = 2",
            ["event 2 names event 9 before it", "event 1 changed"],
        ),
        (
            "UPDATE records SET newest_id = 0; UPDATE events SET previous_id = 2 WHERE event_id = 1",
            ["event 1 names event 2 before it"],
        ),
    ],
)
def test_events_that_are_not_found_from_their_document_any_more_are_a_damage(make_books, damage, said):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    books.tell("erp", erp.send("E-1", "item", **DRILL), erp.send("E-2", "item", **DRILL | {"price": "12"}))

    def write(statements):
        books.store.writer.call(lambda db: [db.execute(one) for one in statements.split(";")])

    write(damage)
    with books.store.read() as db:
        found = [problem.text for problem in verify(db)]
    write(
        "UPDATE records SET newest_id = 2; UPDATE events SET previous_id = 0 WHERE event_id = 1; "
        "UPDATE events SET previous_id = 1 WHERE event_id = 2"
    )
    assert len(found) == len(said)
    assert all(text.startswith(begin) for text, begin in zip(found, said, strict=True))
