"""The nasty cases of delivery, each as it was met."""

from __future__ import annotations

from datetime import timedelta

import pytest
from far import Answer, lost

from erpsync.config.landscape import Limits, Retry
from erpsync.domain.messages import Once
from erpsync.engine.deliver.by_hand import settle
from erpsync.engine.replay.letters import replay
from erpsync.engine.upkeep.systems import resume
from erpsync.errors import AccessDenied, Conflict, Refused, RetryLater, SystemDown, UsageError


def item(books, **content):
    books.systems["erp"].keep("item", **({"sku": "SKU-1", "name": "Drill", "price": "10", "currency": "USD"} | content))


def test_a_newer_price_clears_the_dead_one_before_it(make_books):
    books = make_books(kinds=("item",))
    item(books)
    books.systems["wms"].answers.append(Answer(Refused("price: too low", code="http_422", field="price")))
    assert books.sync().exit_code == 1
    assert books.states("wms")["item:SKU-1"] == [("dead", "refused")]
    item(books, price="12")
    assert books.sync().exit_code == 0
    assert books.states("wms")["item:SKU-1"] == [("skipped", "superseded"), ("done", "created")]
    assert books.systems["wms"].kept("item", "SKU-1")[0].fields["price"] == 12_000_000


def test_a_mended_refusal_goes_under_a_new_key_where_errors_are_kept_by_key(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(Answer(Refused("category unknown", code="http_422")))
    books.sync()
    replay(books, [books.message_id("wms", "item:SKU-1")], actor="mira", reason="category made", command="")
    books.run()
    first, second = wms.writes
    assert first[1] != second[1]
    assert first[1].endswith("-1")
    assert second[1].endswith("-2")
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]


def test_an_open_try_is_repeated_byte_for_byte_before_newer_content_follows(make_books):
    books = make_books(kinds=("item",), retry=Retry(first=timedelta(seconds=2)))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    assert books.states("wms")["item:SKU-1"] == [("ready", "answer_lost")]
    item(books, price="12")
    books.clock.turn(minutes=6)
    books.run()
    first, again, newer = wms.writes
    assert first == again
    assert newer[1] != first[1]
    assert [far.fields["price"] for far in wms.kept("item", "SKU-1")] == [12_000_000]
    assert books.states("wms")["item:SKU-1"] == [("done", "created"), ("done", "updated")]


def test_not_found_is_not_believed_before_its_time(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    wms = books.systems["wms"]
    item(books)

    def hide():
        for far in wms.documents.values():
            far.visible = False

    lost_and_hidden = lost(done=True)
    lost_and_hidden.then = hide
    wms.answers.append(lost_and_hidden)
    books.run(once=True)
    for _ in range(3):
        books.clock.turn(seconds=8)
        books.run(once=True)
    assert books.states("wms")["item:SKU-1"] == [("unknown", "answer_lost")]
    for far in wms.documents.values():
        far.visible = True
    books.clock.turn(seconds=60)
    books.run()
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]
    assert len(wms.kept("item", "SKU-1")) == 1


def test_what_was_never_done_is_written_again_once_not_found_is_believed(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=False))
    books.run(once=True)
    books.clock.turn(seconds=5)
    books.run(once=True)
    assert len(wms.writes) == 1
    books.clock.turn(seconds=40)
    books.run()
    assert len(wms.writes) == 2
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]
    asked_before = wms.finds_made.index(("item", "SKU-1"), 1)
    assert asked_before >= 1


def test_two_far_documents_are_a_case_and_never_a_guess(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    wms = books.systems["wms"]
    twin = wms.keep("item", sku="SKU-1", name="Drill")
    wms.documents["wms-twin"] = type(twin)("wms-twin", "item", "SKU-1", dict(twin.fields), 9)
    item(books)
    books.sync()
    assert books.open_cases() == [("duplicate_far", "item:SKU-1")]
    assert books.states("wms")["item:SKU-1"] == [("held", "retry")]
    assert wms.writes == []


def test_a_blind_system_is_never_written_again_by_itself(make_books):
    books = make_books(kinds=("item",), wms=Once.BLIND)
    wms = books.systems["wms"]
    wms.reads_one = False
    item(books)
    wms.answers.append(lost(done=True))
    report = books.sync()
    assert report.exit_code == 8
    books.clock.turn(days=2)
    books.run()
    assert len(wms.writes) == 1
    assert books.open_cases() == [("outcome_unknown", "item:SKU-1")]
    message_id = books.message_id("wms", "item:SKU-1")
    done = settle(books, message_id, delivered="wms-1", not_delivered=False, actor="mira", reason="seen", command="")
    assert (done.state, done.far_id, len(done.closed)) == ("done", "wms-1", 1)
    item(books, price="12")
    books.sync()
    assert [w[0] for w in wms.writes] == ["POST /item", "PATCH /item"]


def test_a_blind_write_that_did_not_arrive_goes_again_when_a_person_says_so(make_books):
    books = make_books(kinds=("item",), wms=Once.BLIND)
    wms = books.systems["wms"]
    wms.reads_one = False
    item(books)
    wms.answers.append(lost(done=False))
    books.sync()
    message_id = books.message_id("wms", "item:SKU-1")
    settle(books, message_id, delivered=None, not_delivered=True, actor="mira", reason="not there", command="")
    books.run()
    assert len(wms.writes) == 2
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]
    with pytest.raises(UsageError, match="is not unknown, it is done"):
        settle(books, message_id, delivered="x", not_delivered=False, actor="mira", reason="", command="")


def test_a_rounded_echo_is_neither_a_change_nor_sent_again(make_books):
    books = make_books(kinds=("item",), watch=True)
    wms = books.systems["wms"]
    wms.rounds = lambda name, value: value // 10_000 * 10_000 if name == "price" else value
    item(books, price="10.005")
    books.sync()
    wms.feed.append(wms._told(wms.kept("item", "SKU-1")[0]))
    books.clock.turn(seconds=5)
    books.sync()
    assert books.open_cases() == []
    item(books, name="Drill 18V")
    books.sync()
    assert len(wms.writes) == 2
    assert b'"fields": {"name": "Drill 18V"}' in wms.writes[1][2]


def test_a_clerks_change_that_comes_with_our_own_is_seen_and_mended(make_books):
    books = make_books(kinds=("item",), watch=True)
    wms = books.systems["wms"]
    item(books)
    books.sync()
    item(books, price="12")
    books.sync("item", to=["wms"])
    wms.keep("item", sku="SKU-1", name="Dril", price="12", currency="USD")
    books.clock.turn(seconds=5)
    books.sync()
    assert books.open_cases() == [("ownership_refused", "item:SKU-1")]
    assert wms.kept("item", "SKU-1")[0].fields == {
        "sku": "SKU-1",
        "name": "Drill",
        "price": 12_000_000,
        "currency": "USD",
    }
    wms.keep("item", sku="SKU-1", name="Dril")
    books.clock.turn(seconds=5)
    books.sync()
    assert wms.kept("item", "SKU-1")[0].fields["name"] == "Dril", "the same stray value is mended once"


def test_create_and_cancel_that_both_wait_cancel_out(make_books):
    books = make_books(kinds=("order",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    order = {
        "number": "SO-1",
        "customer": "CU-1",
        "currency": "USD",
        "lines": [{"line": "1", "sku": "SKU-1", "quantity": 1}],
    }
    erp.keep("order", **order)
    books.sync()
    erp.keep("order", **order, cancelled=True)
    books.sync()
    assert books.states("wms")["order:SO-1"] == [("skipped", "cancelled"), ("skipped", "cancelled")]
    ((first, second),) = books.rows("SELECT min(superseded_by), max(superseded_by) FROM messages")
    assert (first, second) == (1, 2)
    assert wms.writes == []


def test_a_wrong_password_stops_the_system_after_one_try(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    for n in range(10):
        item(books, sku=f"SKU-{n}")
    wms.answers.extend([Answer(AccessDenied("401: wrong password", code="http_401"))] * 10)
    books.sync()
    books.run()
    assert len(wms.writes) == 1
    assert books.open_cases() == [("access_denied", "system:wms")]
    assert books.rows("SELECT max(tries) FROM messages") == [(0,)]
    wms.answers.clear()
    resume(books, "wms", actor="mira", reason="password mended", command="")
    books.run()
    assert len(wms.documents) == 10
    assert books.open_cases() == []


def test_one_outage_stays_one_outage(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    for n in range(30):
        item(books, sku=f"SKU-{n}")
    down = SystemDown("connection refused", code="connect")
    wms.answers.extend([Answer(down)] * 100)
    wms.probe_error = down
    report = books.sync(seconds=1)
    assert report.exit_code == 8
    assert len(wms.writes) <= 8
    assert books.rows("SELECT state FROM systems WHERE name = 'wms'") == [("down",)]
    wms.answers.clear()
    wms.probe_error = None
    books.clock.turn(minutes=10)
    books.run()
    assert len(wms.documents) == 30
    assert books.rows("SELECT max(tries) FROM messages") == [(1,)]


def test_a_clock_an_hour_off_writes_nothing_twice(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    books.clock.turn(hours=-1)
    books.run(once=True)
    item(books, sku="SKU-2")
    books.clock.turn(hours=2)
    books.run()
    books.clock.turn(hours=-1)
    item(books, sku="SKU-3")
    books.run()
    assert {far.number for far in wms.documents.values()} == {"SKU-1", "SKU-2", "SKU-3"}
    assert len(wms.documents) == 3


def test_throttling_is_obeyed_and_burns_out_only_after_all_tries(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(Answer(RetryLater("429", after=timedelta(seconds=30))))
    books.run(once=True)
    books.clock.turn(seconds=20)
    books.run(once=True)
    assert len(wms.writes) == 1
    books.clock.turn(seconds=20)
    books.run()
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]


def test_both_systems_full_of_the_same_items_end_bound_not_doubled(make_books):
    books = make_books(kinds=("item",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    for n in range(20):
        content = {"sku": f"SKU-{n}", "name": "Drill", "price": "10", "currency": "USD"}
        erp.keep("item", **content)
        wms.keep("item", **(content if n % 2 else content | {"price": "9"}))
    report = books.sync()
    assert len(wms.documents) == 20
    assert [(row.created, row.updated, row.unchanged) for row in report.rows] == [(0, 10, 10)]
    assert all(write[2].startswith(b'{"far_id": "wms-') for write in wms.writes)


def test_a_new_store_against_a_system_that_remembers_old_keys_makes_nothing_twice(make_books):
    books = make_books(kinds=("item",))
    item(books)
    books.sync()
    wms, erp = books.systems["wms"], books.systems["erp"]
    other = make_books(kinds=("item",))
    other.systems = {"erp": erp, "wms": wms}
    other.sync()
    assert len(wms.documents) == 1
    assert len(wms.writes) == 1
    assert other.states("wms")["item:SKU-1"] == [("done", "unchanged")]


def test_a_lost_compare_and_set_is_read_again_and_decided_anew(make_books):
    books = make_books(kinds=("item",), limits=Limits(timeout=timedelta(seconds=1), deadline=timedelta(seconds=2)))
    wms = books.systems["wms"]
    item(books)
    books.sync()
    item(books, price="12")
    wms.answers.append(
        Answer(
            Conflict("412: changed meanwhile", code="http_412"), then=lambda: wms.keep("item", sku="SKU-1", name="Dril")
        )
    )
    books.clock.turn(minutes=6)
    books.run(once=True)
    books.clock.turn(seconds=5)
    books.run()
    assert wms.kept("item", "SKU-1")[0].fields["price"] == 12_000_000
    assert wms.kept("item", "SKU-1")[0].fields["name"] == "Drill"
    assert books.open_cases() == [("ownership_refused", "item:SKU-1")]


def test_a_blind_warehouse_that_can_be_read_is_read_before_anything_is_made_there(make_books):
    books = make_books(kinds=("item",), wms=Once.BLIND)
    erp, wms = books.systems["erp"], books.systems["wms"]
    for n in range(10):
        item(books, sku=f"SKU-{n}")
        wms.keep("item", sku=f"SKU-{n}", name="Drill", price="10" if n % 2 else "9", currency="USD")
    item(books, sku="SKU-10")
    books.sync()
    assert sorted(write[0] for write in wms.writes) == ["PATCH /item"] * 5 + ["POST /item"]
    assert len(wms.documents) == 11
    assert erp.writes == []


def test_nothing_is_made_at_a_blind_warehouse_that_could_not_be_read_yet(make_books):
    books = make_books(kinds=("item",), wms=Once.BLIND)
    wms = books.systems["wms"]
    item(books)
    wms.read_error = SystemDown("connection refused", code="connect")
    assert books.sync(seconds=1).exit_code == 8
    assert wms.writes == []
    wms.read_error = None
    books.clock.turn(minutes=6)
    books.sync()
    assert len(wms.documents) == 1
