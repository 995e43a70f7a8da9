"""What people do to dead letters: replay, discard with what becomes of the line, restore; and what stands behind them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from far import Answer, lost

from erpsync.cli.main import main
from erpsync.domain.messages import Once
from erpsync.engine.deliver.parents import sweep
from erpsync.engine.replay.letters import discard, replay, restore
from erpsync.errors import NotFound, Refused, UsageError
from erpsync.store.messages import lonely_waits
from erpsync.store.reading.line import line_behind
from erpsync.workbench import Workbench

WHO = {"actor": "mira", "reason": "a test", "command": "erpsync dlq discard"}
REFUSED = Answer(Refused("tax_number: not valid", code="http_422", field="tax_number"))
LANDSCAPE = """\
name = "test"
currency = "USD"
store.url = "sqlite:///erpsync.db"
systems.erp = { role = "erp", adapter = "http", spec = "sim_erp", url = "http://127.0.0.1:9", secret = "env:S" }
systems.wms = { role = "wms", adapter = "http", spec = "sim_wms", url = "http://127.0.0.1:9", secret = "env:S", options = { user = "x" } }
owners = { item = "erp", customer = "erp", order = "erp" }
"""


def order(books, n, **content):
    line = {"line": "1", "sku": "SKU-1", "quantity": 2, "unit_price": "12.50"}
    books.systems["erp"].keep(
        "order", **{"number": f"SO-{n:02}", "customer": "CU-1", "currency": "USD", "lines": [line]} | content
    )


@pytest.fixture
def stuck(make_books):
    """A customer the warehouse refused, and forty orders of 25.00 each that wait for it; one order is changed since."""
    books = make_books()
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("customer", number="CU-1", name="Tri-County", tax_number="?")
    books.sync("item")
    books.systems["wms"].answers.append(REFUSED)
    books.sync("customer")
    for n in range(40):
        order(books, n)
    books.sync("order")
    assert books.states("wms")["customer:CU-1"] == [("dead", "refused")]
    assert sum(states == [("held", "retry")] for states in books.states("wms").values()) == 40
    return books


def dead(books):
    return books.message_id("wms", "customer:CU-1")


def ask(books, capsys, *words):
    (books.folder / "erpsync.toml").write_text(LANDSCAPE)
    bench = Workbench(folder=books.folder, environ={"S": "secret"}, clock=books.clock)
    capsys.readouterr()
    assert main(words, bench=bench) == 0
    return capsys.readouterr().out


def test_behind_a_dead_customer_stand_its_forty_orders_with_their_money(stuck, capsys):
    with stuck.store.read() as db:
        line = line_behind(db, [dead(stuck)])
    assert (line.count, line.more, line.stakes) == (40, False, (("USD", 100_000),))
    shown = ask(stuck, capsys, "dlq", "show", str(dead(stuck)))
    assert "40" in shown
    assert "1,000.00 USD" in shown
    lane = ask(stuck, capsys, "lanes", "show", "wms", "customer:CU-1")
    assert "40 wait behind it, 1,000.00 USD." in lane
    answer = json.loads(ask(stuck, capsys, "lanes", "show", "wms", "customer:CU-1", "-o", "json"))
    assert answer["line"] == 40
    listed = json.loads(ask(stuck, capsys, "dlq", "list", "-o", "json"))
    assert listed["items"][0]["line_behind"] == 40


def test_a_later_revision_of_an_order_behind_it_is_not_counted_twice(stuck):
    order(stuck, 7, note="leave at the gate")
    stuck.sync("order")
    with stuck.store.read() as db:
        line = line_behind(db, [dead(stuck)])
    assert (line.count, line.stakes) == (40, (("USD", 100_000),))


def test_a_mended_customer_lets_all_forty_go(stuck):
    stuck.systems["erp"].keep("customer", number="CU-1", name="Tri-County", tax_number="DE 1")
    stuck.sync()
    assert stuck.systems["wms"].count() == {"item": 1, "customer": 1, "order": 40}
    assert stuck.open_cases() == []


def test_a_replayed_customer_lets_all_forty_go(stuck):
    done = replay(stuck, [dead(stuck), 999], **WHO)
    assert done.done == [dead(stuck)]
    assert done.left_out == [(999, "not in the store (pruned, or never was)")]
    stuck.run()
    assert stuck.systems["wms"].count()["order"] == 40
    again = replay(stuck, [dead(stuck)], **WHO)
    assert (again.done, again.left_out, again.act) == ([], [(dead(stuck), "not dead, it is done")], None)


def test_children_of_a_discarded_customer_are_exceptions_and_go_when_it_is_restored_and_delivered(stuck):
    done = discard(stuck, [dead(stuck)], line="hold", **WHO)
    assert done.done == [dead(stuck)]
    cases = stuck.open_cases()
    assert len(cases) == 40
    assert {kind for kind, _ in cases} == {"parent_missing"}
    assert stuck.rows("SELECT sum(stake) FROM exceptions WHERE state = 'open'") == [(100_000,)]
    stuck.run()
    assert stuck.systems["wms"].count()["order"] == 0
    assert restore(stuck, [dead(stuck)], **WHO).done == [dead(stuck)]
    stuck.run()
    assert stuck.systems["wms"].count() == {"item": 1, "customer": 1, "order": 40}
    assert stuck.open_cases() == []
    assert stuck.rows("SELECT what FROM audit WHERE actor = 'mira' ORDER BY seq") == [
        ("message.discard",),
        ("message.restore",),
    ]


def test_children_of_a_customer_that_is_filtered_out_later_are_exceptions_too(stuck):
    stuck.flows = tuple(
        replace(flow, where="active != false") if flow.kind == "customer" else flow for flow in stuck.flows
    )
    stuck.systems["erp"].keep("customer", number="CU-1", name="Tri-County", active=False)
    stuck.sync("customer")
    assert stuck.states("wms")["customer:CU-1"] == [("skipped", "superseded"), ("skipped", "filtered")]
    with stuck.store.read() as db:
        lonely = lonely_waits(db, limit=100)
    stuck.store.writer.call(lambda db: sweep(db, stuck.context(), lonely))
    assert len(stuck.open_cases()) == 40
    with stuck.store.read() as db:
        assert lonely_waits(db, limit=100) == [], "said once"


# The line behind the discarded one ---------------------------------------------------------------------------------


@pytest.fixture
def queued(make_books):
    """Three movements of one stock key: the first dead, two behind it; returns the books and their message ids."""
    books = make_books(kinds=("item", "movement"))
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.sync("item")
    for n in (1, 2, 3):
        books.systems["erp"].keep("movement", number=f"M-{n}", type="pick", sku="SKU-1", location="WH1", quantity=-n)
    books.systems["wms"].answers.append(REFUSED)
    books.sync("movement")
    return books, [books.message_id("wms", f"movement:M-{n}") for n in (1, 2, 3)]


def states(books, ids):
    return [books.state_of(message_id) for message_id in ids]


def arrived(books):
    return [far.number for far in books.systems["wms"].documents.values() if far.kind == "movement"]


def test_discarded_with_line_go_the_line_goes_on(queued):
    books, ids = queued
    assert states(books, ids) == ["dead", "ready", "ready"]
    assert discard(books, ids[:1], line="go", **WHO).line == []
    books.run()
    assert states(books, ids) == ["skipped", "done", "done"]
    assert arrived(books) == ["M-2", "M-3"]


def test_discarded_with_line_hold_the_line_stays_until_its_head_is_restored_and_all_go_in_order(queued):
    books, ids = queued
    assert discard(books, ids[:1], line="hold", **WHO).line == ids[1:]
    books.run()
    assert states(books, ids) == ["skipped", "held", "held"]
    books.systems["erp"].keep("movement", number="M-4", type="pick", sku="SKU-1", location="WH1", quantity=-4)
    books.sync("movement")
    assert arrived(books) == [], "what comes later stands behind the held ones"
    restore(books, ids[:1], **WHO)
    books.run()
    assert states(books, ids) == ["done", "done", "done"]
    assert arrived(books) == ["M-1", "M-2", "M-3", "M-4"]


def test_a_held_line_goes_without_its_head_when_a_person_replays_it(queued):
    books, ids = queued
    discard(books, ids[:1], line="hold", **WHO)
    assert replay(books, ids[1:], **WHO).done == ids[1:]
    books.run()
    assert arrived(books) == ["M-2", "M-3"]


def test_discarded_with_line_discard_the_line_goes_too_and_restored_all_go_in_order(queued):
    books, ids = queued
    assert discard(books, ids[:1], line="discard", **WHO).line == ids[1:]
    books.run()
    assert states(books, ids) == ["skipped"] * 3
    assert restore(books, ids[::-1], **WHO).done == ids[::-1]
    books.run()
    assert arrived(books) == ["M-1", "M-2", "M-3"]


def test_naming_a_letter_and_one_of_its_line_puts_each_aside_once(make_books):
    books = make_books()
    wms = books.systems["wms"]
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("customer", number="CU-1", name="Tri-County")
    order(books, 1)
    books.sync()
    order(books, 1, note="a")
    wms.answers.append(REFUSED)
    books.sync("order")
    first = books.message_id("wms", "order:SO-01")
    discard(books, [first], line="go", **WHO)
    order(books, 1, note="b")
    wms.answers.append(REFUSED)
    books.sync("order")
    second = books.message_id("wms", "order:SO-01")
    restore(books, [first], **WHO)
    wms.answers.append(REFUSED)
    books.run()
    assert states(books, [first, second]) == ["dead", "dead"]
    done = discard(books, [first, second], line="discard", **WHO)
    assert (done.done, done.line, done.left_out) == ([first], [second], [])
    books.assert_sound()


@pytest.mark.parametrize("once", [Once.BLIND, Once.IDEMPOTENT])
def test_nothing_is_restored_in_front_of_one_whose_outcome_is_open(make_books, once):
    """At a blind system it would be there twice: the younger one may have arrived."""
    books = make_books(wms=once)
    wms = books.systems["wms"]
    wms.reads_one = wms.finds = False
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("customer", number="CU-1", name="Tri-County")
    books.sync()
    order(books, 1)
    wms.answers.append(REFUSED)
    books.sync("order")
    first = books.message_id("wms", "order:SO-01")
    discard(books, [first], line="go", **WHO)
    order(books, 1, note="x")
    books.tell("erp", books.systems["erp"].feed[-1])
    wms.answers.extend([lost(done=True), *[lost(done=True)] * 3])
    books.run(once=True)
    second = books.message_id("wms", "order:SO-01")
    done = restore(books, [first], **WHO)
    assert done.done == []
    assert f"message {second} of its lane has an open try" in done.left_out[0][1]
    assert len(wms.kept("order", "SO-01")) == 1


def test_what_cannot_be_done_is_said_and_nothing_else_is_done(queued):
    books, ids = queued
    with pytest.raises(UsageError, match="--line sell is not one of"):
        discard(books, ids[:1], line="sell", **WHO)
    with pytest.raises(NotFound, match="message 999 is not in the store"):
        discard(books, [ids[0], 999], line="go", **WHO)
    with pytest.raises(UsageError, match="no message ids were given"):
        replay(books, [], **WHO)
    with pytest.raises(UsageError, match="1,001 messages are more than 1,000 at once"):
        replay(books, range(1_001), **WHO)
    assert discard(books, ids[1:2], line="go", **WHO).left_out == [(ids[1], "not dead, it is ready")]
    assert restore(books, ids[:1], **WHO).left_out == [(ids[0], "not discarded, it is dead (refused)")]
    assert states(books, ids) == ["dead", "ready", "ready"]
