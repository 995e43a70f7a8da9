"""Holding back: what a person stopped does not go, whatever comes, until somebody lets it; and what is skipped is not sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from far import Answer, lost
from kit import Hands

from erpsync.domain.messages import Once, State
from erpsync.engine.replay.holding import hold, release
from erpsync.engine.replay.letters import discard, restore, skip
from erpsync.errors import Refused, UsageError
from erpsync.store.reading.audit import act_of_message, acts_on
from erpsync.store.reading.messages import message

WHO = {"actor": "mira", "reason": "price in question", "command": "erpsync messages hold"}
REFUSED = Answer(Refused("tax_number: not valid", code="http_422", field="tax_number"))


def order(books, n, **content):
    line = {"line": "1", "sku": "SKU-1", "quantity": 2, "unit_price": "12.50"}
    books.systems["erp"].keep(
        "order", **{"number": f"SO-{n:02}", "customer": "CU-1", "currency": "USD", "lines": [line]} | content
    )


def movement(books, n):
    books.systems["erp"].keep("movement", number=f"M-{n}", type="pick", sku="SKU-1", location="WH1", quantity=-n)


def tell_all(books, system="erp"):
    """Put what a system's feed has into the books, delivering nothing."""
    books.tell(system, *books.systems[system].feed)


def states(books, ids):
    return [books.state_of(message_id) for message_id in ids]


def arrived(books, kind="movement"):
    return [far.number for far in books.systems["wms"].documents.values() if far.kind == kind]


def waits(books, message_id):
    return books.rows("SELECT reason, waits_on FROM waits WHERE message_id = ? ORDER BY 1, 2", message_id)


@pytest.fixture
def line(make_books):
    """Three movements of one stock key on their way, in one lane; returns the books and their message ids."""
    books = make_books(kinds=("item", "movement"))
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.sync("item")
    for n in (1, 2, 3):
        movement(books, n)
        books.tell("erp", books.systems["erp"].feed[-1])
    ids = [books.message_id("wms", f"movement:M-{n}") for n in (1, 2, 3)]
    assert states(books, ids) == ["ready"] * 3
    return books, ids


@pytest.fixture
def stuck(make_books):
    """A customer the warehouse refused, and two orders that wait for it."""
    books = make_books()
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("customer", number="CU-1", name="Tri-County", tax_number="?")
    books.sync("item")
    books.systems["wms"].answers.append(REFUSED)
    books.sync("customer")
    order(books, 1)
    order(books, 2)
    books.sync("order")
    return books


# Held by a person -----------------------------------------------------------------------------------------------------


def test_what_is_held_does_not_go_and_its_lane_waits_behind_it(line):
    books, ids = line
    done = hold(books, ids[:1], **WHO)
    assert (done.done, done.left_out, done.act) == (ids[:1], [], 1)
    assert waits(books, ids[0]) == [("person", "mira holds it: price in question")]
    books.run()
    assert states(books, ids) == ["held", "ready", "ready"]
    assert arrived(books) == []
    assert release(books, ids[:1], **WHO).done == ids[:1]
    books.run()
    assert arrived(books) == ["M-1", "M-2", "M-3"]


def test_one_that_is_not_the_head_holds_what_is_behind_it_once_its_turn_comes(line):
    books, ids = line
    hold(books, ids[1:2], **WHO)
    books.assert_sound()
    books.run()
    assert states(books, ids) == ["done", "held", "ready"]
    assert books.rows("SELECT is_head FROM messages WHERE message_id = ?", ids[1]) == [(1,)]
    movement(books, 4)
    books.sync("movement")
    assert arrived(books) == ["M-1"], "what comes later stands behind it too"
    release(books, ids[1:2], **WHO)
    books.run()
    assert arrived(books) == ["M-1", "M-2", "M-3", "M-4"]


def test_what_is_released_is_due_now_and_what_went_wrong_before_does_not_hang_on_it(line):
    books, ids = line
    books.store.writer.call(
        lambda db: db.execute(
            "UPDATE messages SET due_at = due_at + 86400000, error = 'x' WHERE message_id = ?", ids[:1]
        )
    )
    hold(books, ids[:1], **WHO)
    books.clock.turn(minutes=5)
    release(books, ids[:1], **WHO)
    ((due, error, reason),) = books.rows("SELECT due_at, error, reason FROM messages WHERE message_id = ?", ids[0])
    assert (due, error, reason) == (books.context().now_ms, "", "released")
    books.run()
    assert arrived(books) == ["M-1", "M-2", "M-3"]


def test_a_newer_revision_takes_the_place_of_a_held_one(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    tell_all(books)
    held = books.message_id("wms", "item:SKU-1")
    hold(books, [held], **WHO)
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill 2")
    books.sync("item")
    assert books.states("wms")["item:SKU-1"] == [("skipped", "superseded"), ("done", "created")]
    assert waits(books, held) == []
    books.assert_sound()


def test_what_waits_for_a_parent_can_be_held_besides_and_stays_when_the_parent_has_come(stuck):
    first = stuck.message_id("wms", "order:SO-01")
    assert hold(stuck, [first], **WHO).done == [first]
    again = hold(stuck, [first], **WHO)
    assert again.done == []
    assert again.left_out == [(first, "held already, for a person: mira holds it: price in question")]
    stuck.systems["erp"].keep("customer", number="CU-1", name="Tri-County", tax_number="DE 1")
    stuck.sync()
    assert arrived(stuck, "order") == ["SO-02"]
    assert waits(stuck, first) == [("person", "mira holds it: price in question")]
    release(stuck, [first], **WHO)
    stuck.run()
    assert sorted(arrived(stuck, "order")) == ["SO-01", "SO-02"]


def test_a_person_cannot_let_go_what_waits_for_a_parent(stuck):
    first, second = (stuck.message_id("wms", f"order:SO-0{n}") for n in (1, 2))
    hold(stuck, [first], **WHO)
    done = release(stuck, [first, second], **WHO)
    assert done.done == [first]
    assert done.stays == [(first, "customer:CU-1")]
    assert done.left_out == [(second, "held for customer:CU-1, not for a person")]
    stuck.run()
    assert states(stuck, [first, second]) == ["held", "held"]
    assert arrived(stuck, "order") == []


def test_a_hold_does_not_close_what_is_open_about_a_missing_parent(stuck):
    discard(stuck, [stuck.message_id("wms", "customer:CU-1")], line="go", **WHO)
    first = stuck.message_id("wms", "order:SO-01")
    hold(stuck, [first], **WHO)
    assert release(stuck, [first], **WHO).closed == []
    assert stuck.open_cases() == [("parent_missing", "order:SO-01"), ("parent_missing", "order:SO-02")]


# What cannot be held, released, skipped -------------------------------------------------------------------------------


def skip_alone(bench, ids, **who):
    return skip(bench, ids, line="go", **who)


@pytest.mark.parametrize(("act", "takes"), [(hold, "ready"), (release, "held"), (skip_alone, "ready or held")])
def test_only_what_waits_can_be_stopped(make_books, act, takes):
    books = make_books(wms=Once.BLIND)
    wms = books.systems["wms"]
    wms.finds = wms.reads_one = False
    for sku, answer in (("done", None), ("dead", REFUSED), ("unknown", lost(done=True)), ("skipped", REFUSED)):
        books.systems["erp"].keep("item", sku=sku, name="Drill")
        if answer is not None:
            wms.answers.append(answer)
        books.sync("item", seconds=1)
    discard(books, [books.message_id("wms", "item:skipped")], line="go", **WHO)
    for state in ("done", "dead", "unknown", "skipped"):
        number = books.message_id("wms", f"item:{state}")
        assert books.state_of(number) == state
        assert act(books, [number], **WHO).left_out == [(number, f"{state}, not {takes}")]


@pytest.mark.parametrize("act", [hold, release, skip_alone])
def test_what_is_on_its_way_now_is_left_alone(line, act):
    books, ids = line
    assert Hands(books).claim() == ids[:1]
    assert act(books, ids[:1], **WHO).left_out == [(ids[0], "leased: it is on its way to wms now")]


def test_what_repeats_an_open_try_can_neither_be_held_nor_skipped(line):
    books, ids = line
    books.systems["wms"].answers.extend([lost(done=True)] * 2)
    books.run(once=True)
    assert books.rows("SELECT state, pinned_id IS NOT NULL FROM messages WHERE message_id = ?", ids[0]) == [
        ("ready", 1)
    ]
    why = "ready, but repeats an open try: the same bytes go until their outcome is known"
    assert hold(books, ids[:1], **WHO).left_out == [(ids[0], why)]
    assert skip(books, ids[:1], line="go", **WHO).left_out == [(ids[0], why)]
    books.work_on(seconds=5)
    assert arrived(books) == ["M-1", "M-2", "M-3"]


def test_a_message_that_a_worker_took_meanwhile_is_left_alone_and_the_others_are_held(line):
    books, ids = line
    assert Hands(books).claim() == ids[:1]
    done = hold(books, ids, **WHO)
    assert done.done == ids[1:]
    assert [number for number, _ in done.left_out] == ids[:1]
    assert states(books, ids) == ["leased", "held", "held"]
    assert hold(books, [999], **WHO).left_out == [(999, "not in the store (pruned, or never was)")]


def test_a_late_worker_cannot_finish_what_was_held_after_its_lease(line):
    books, ids = line
    hands = Hands(books)
    hands.claim()
    lease_no = hands.lease_of(ids[0])
    books.clock.turn(minutes=5)
    hands.claim()  # taken over: nothing of it had begun
    hands.finish(ids[0], State.READY, "retry")
    hold(books, ids[:1], **WHO)
    assert hands.finish(ids[0], State.DONE, "created", lease_no=lease_no, present=True, far_id="f").late == 1
    assert books.state_of(ids[0]) == "held"


# Everything that waits for a person can be let go ---------------------------------------------------------------------


def test_one_that_is_there_twice_is_looked_for_again_and_its_exception_closes(make_books):
    books = make_books(wms=Once.FINDABLE)
    wms = books.systems["wms"]
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    first = wms.keep("item", sku="SKU-1", name="Drill")
    wms.documents["twin"] = replace(first, far_id="twin")
    books.sync("item")
    held = books.message_id("wms", "item:SKU-1")
    assert waits(books, held) == [("person", "which of them it is")]
    assert [kind for kind, _ in books.open_cases()] == ["duplicate_far"]
    done = release(books, [held], **WHO)
    assert len(done.closed) == 1
    assert books.open_cases() == []
    books.run()
    assert books.state_of(held) == "held", "nothing was mended"
    assert [kind for kind, _ in books.open_cases()] == ["duplicate_far"]
    del wms.documents["twin"]
    release(books, [held], **WHO)
    books.run()
    assert books.state_of(held) == "done"
    assert books.open_cases() == []


def test_a_line_whose_head_was_discarded_is_let_go_one_by_one(line):
    books, ids = line
    books.systems["wms"].answers.append(REFUSED)
    books.run()
    discard(books, ids[:1], line="hold", **WHO)
    assert states(books, ids) == ["skipped", "held", "held"]
    assert release(books, ids[2:], **WHO).done == ids[2:]
    books.run()
    assert arrived(books) == [], "the other stands before it"
    release(books, ids[1:2], **WHO)
    books.run()
    assert arrived(books) == ["M-2", "M-3"]


def test_one_of_a_held_line_that_a_person_holds_too_stays_when_the_head_is_back(line):
    books, ids = line
    books.systems["wms"].answers.append(REFUSED)
    books.run()
    discard(books, ids[:1], line="hold", **WHO)
    assert hold(books, ids[1:2], **WHO).done == ids[1:2]
    restore(books, ids[:1], **WHO)
    books.run()
    assert states(books, ids) == ["done", "held", "ready"]
    release(books, ids[1:2], **WHO)
    books.run()
    assert arrived(books) == ["M-1", "M-2", "M-3"]


def test_what_a_removal_waits_for_is_for_a_person_to_say(line):
    books, ids = line
    hold(books, ids[:1], **WHO)
    books.store.writer.call(
        lambda db: db.execute("UPDATE waits SET reason = 'removal' WHERE message_id = ?", (ids[0],))
    )
    assert release(books, ids[:1], **WHO).done == ids[:1]
    assert books.state_of(ids[0]) == "ready"


def test_nothing_is_let_go_to_wait_for_a_flow_that_is_not_there(line):
    books, ids = line
    hold(books, ids[:1], **WHO)
    flows = books.flows
    books.flows = tuple(replace(flow, mode="off") if flow.kind == "movement" else flow for flow in flows)
    done = release(books, ids[:1], **WHO)
    assert done.left_out == [
        (ids[0], "held, and no flow takes movement to wms any more: put that back first, or skip it")
    ]
    assert skip(books, ids[:1], line="go", **WHO).done == ids[:1]
    books.flows = flows


# Skipped --------------------------------------------------------------------------------------------------------------


def test_what_is_skipped_is_not_sent_and_its_line_goes_on_or_stays_or_goes_with_it(line):
    books, ids = line
    done = skip(books, ids[1:2], line="go", **WHO)
    assert (done.done, done.line) == (ids[1:2], [])
    books.run()
    assert states(books, ids) == ["done", "skipped", "done"]
    assert arrived(books) == ["M-1", "M-3"]
    assert books.rows("SELECT reason FROM messages WHERE message_id = ?", ids[1]) == [("discarded",)]
    restore(books, ids[1:2], **WHO)
    books.run()
    assert arrived(books) == ["M-1", "M-3", "M-2"]


@pytest.mark.parametrize(("fate", "became"), [("go", "ready"), ("discard", "skipped"), ("hold", "held")])
def test_the_line_of_a_skipped_one_becomes_what_was_said(line, fate, became):
    books, ids = line
    done = skip(books, ids[:1], line=fate, **WHO)
    assert states(books, ids) == ["skipped", became, became]
    assert done.line == ([] if fate == "go" else ids[1:])
    with pytest.raises(UsageError, match="--line sell is not one of go, discard, hold"):
        skip(books, ids[:1], line="sell", **WHO)


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_in_one_lane_each_is_skipped_and_only_the_others_are_held(line, turned):
    books, ids = line
    done = skip(books, ids[:2][:: -1 if turned else 1], line="hold", **WHO)
    assert sorted(done.done) == ids[:2]
    assert done.line == ids[2:]
    assert states(books, ids) == ["skipped", "skipped", "held"]


def test_what_is_held_for_a_parent_can_be_skipped_and_what_it_asked_for_closes(stuck):
    discard(stuck, [stuck.message_id("wms", "customer:CU-1")], line="go", **WHO)
    first = stuck.message_id("wms", "order:SO-01")
    done = skip(stuck, [first], line="go", **WHO)
    assert done.done == [first]
    assert len(done.closed) == 1
    assert stuck.open_cases() == [("parent_missing", "order:SO-02")]
    assert waits(stuck, first) == []


def test_what_waited_for_a_skipped_document_does_not_sleep_unseen(make_books):
    books = make_books()
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("customer", number="CU-1", name="Tri-County")
    books.sync("item")
    books.tell("erp", books.systems["erp"].feed[-1])
    customer = books.message_id("wms", "customer:CU-1")
    hold(books, [customer], **WHO)
    order(books, 1)
    books.sync("order", to=["wms"])
    assert books.states("wms")["order:SO-01"] == [("held", "retry")]
    skip(books, [customer], line="go", **WHO)
    assert books.open_cases() == [("parent_missing", "order:SO-01")]
    books.assert_sound()


# On record ------------------------------------------------------------------------------------------------------------


def test_of_each_of_many_it_is_on_record_who_did_it_and_why(make_books):
    books = make_books(kinds=("item",))
    for n in range(30):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill")
    tell_all(books)
    ids = [books.message_id("wms", f"item:SKU-{n}") for n in range(30)]
    hold(books, ids, **WHO)
    assert books.rows("SELECT what, actor, subject FROM audit") == [
        ("message.hold", "mira", ",".join(map(str, ids[:20])) + " and 10 more")
    ]
    books.clock.turn(seconds=1)
    skip(books, ids[29:], line="go", **{**WHO, "reason": "entered there"})
    with books.store.read() as db:
        told = [act_of_message(db, "main", message(db, "main", number)) for number in (ids[28], ids[29])]
        assert [(act.what, act.reason) for act in told] == [
            ("message.hold", "price in question"),
            ("message.skip", "entered there"),
        ]
        assert [act.what for act in acts_on(db, "main", {str(ids[29])})] == ["message.hold", "message.skip"]
    books.assert_sound()


def test_what_went_with_the_line_is_on_record_too(line):
    books, ids = line
    skip(books, ids[:1], line="discard", **WHO)
    assert books.rows("SELECT subject FROM audit") == [(f"{ids[0]} and 2 of the line",)]
    with books.store.read() as db:
        assert act_of_message(db, "main", message(db, "main", ids[2])).what == "message.skip"
    with pytest.raises(UsageError, match="no message ids were given"):
        hold(books, [], **WHO)
