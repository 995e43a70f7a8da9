"""Lanes: one head each, in order, one in flight; what clears what; who is claimed when room is short."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from far import Answer
from kit import Hands

from erpsync.config.landscape import Limits
from erpsync.domain.messages import Once, Reason, State
from erpsync.engine.deliver.by_hand import settle
from erpsync.engine.replay.letters import discard, replay, restore
from erpsync.errors import Refused, RetryLater
from erpsync.store.lanes import lane_id
from erpsync.store.offers import Offer, offer

WHO = {"actor": "mira", "reason": "a test", "command": ""}
REFUSED = Answer(Refused("422: no", code="http_422"))
SHORT = Limits(concurrency=1, timeout=timedelta(seconds=1), deadline=timedelta(seconds=2))


def order(books, number="SO-1", **content):
    line = {"line": "1", "sku": "SKU-1", "quantity": 1, "unit_price": "5"}
    content = {"number": number, "customer": "CU-1", "currency": "USD", "lines": [line]} | content
    books.systems["erp"].keep("order", **content)


@pytest.fixture
def ordered(make_books):
    """Books whose warehouse has the customer and the item that the orders name."""

    def make(**settings):
        books = make_books(**settings)
        books.systems["erp"].keep("customer", number="CU-1", name="Tri-County")
        books.systems["erp"].keep("item", sku="SKU-1", name="Drill", price="10", currency="USD")
        books.sync("item", "customer")
        return books

    return make


# What clears what --------------------------------------------------------------------------------------------------


def test_a_newer_order_clears_the_waiting_one_as_long_as_the_warehouse_has_none_of_it(ordered):
    books = ordered()
    order(books)
    books.systems["wms"].answers.append(REFUSED)
    books.sync("order")
    order(books, note="leave at the gate")
    books.sync("order")
    assert books.states("wms")["order:SO-1"] == [("skipped", "superseded"), ("done", "created")]
    assert books.systems["wms"].kept("order", "SO-1")[0].fields["note"] == "leave at the gate"


def test_once_the_warehouse_has_the_order_its_revisions_follow_in_order_and_none_is_cleared(ordered):
    books = ordered()
    order(books)
    books.sync("order")
    order(books, note="first change")
    books.systems["wms"].answers.append(REFUSED)
    books.sync("order")
    order(books, note="second change")
    books.sync("order")
    assert books.states("wms")["order:SO-1"] == [("done", "created"), ("dead", "refused"), ("ready", "")]
    replay(books, [books.message_id("wms", "order:SO-1") - 1], **WHO)
    books.run()
    assert books.states("wms")["order:SO-1"] == [("done", "created"), ("done", "updated"), ("done", "unchanged")]
    assert books.systems["wms"].kept("order", "SO-1")[0].fields["note"] == "second change"


def test_an_order_whose_first_try_is_open_is_not_cleared(ordered):
    books = ordered(wms=Once.BLIND)
    order(books)
    books.tell("erp", books.systems["erp"].feed[-1])
    hands = Hands(books, once=Once.BLIND)
    (message_id,) = hands.claim()
    hands.begin(message_id)
    order(books, note="a change")
    books.tell("erp", books.systems["erp"].feed[-1])
    assert [state for state, _ in books.states("wms")["order:SO-1"]] == ["leased", "ready"]
    order(books, note="another change")
    books.tell("erp", books.systems["erp"].feed[-1])
    assert [state for state, _ in books.states("wms")["order:SO-1"]] == ["leased", "skipped", "ready"]


def test_a_cancelled_order_the_warehouse_has_is_told_and_not_cancelled_out(ordered):
    books = ordered()
    order(books)
    books.sync("order")
    order(books, cancelled=True)
    books.sync("order")
    assert books.states("wms")["order:SO-1"] == [("done", "created"), ("done", "updated")]
    assert books.systems["wms"].kept("order", "SO-1")[0].fields["cancelled"] is True


def test_an_order_first_told_as_cancelled_is_cancelled_where_it_lives_from_before(ordered):
    books = ordered()
    wms = books.systems["wms"]
    wms.keep("order", number="SO-1", customer="CU-1", currency="USD")
    order(books, cancelled=True)
    order(books, "SO-2", cancelled=True)
    books.sync("order")
    assert wms.kept("order", "SO-1")[0].fields["cancelled"] is True
    assert wms.kept("order", "SO-2") == []
    assert books.states("wms")["order:SO-2"] == [("skipped", "cancelled")]


def move(books, n, quantity=-1, sku="SKU-1"):
    books.systems["erp"].keep("movement", number=f"M-{n}", type="pick", sku=sku, location="WH1", quantity=quantity)


def test_movements_of_one_stock_key_go_in_order_one_at_a_time_and_none_is_cleared(make_books):
    books = make_books(kinds=("item", "movement"))
    wms = books.systems["wms"]
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.systems["erp"].keep("item", sku="SKU-2", name="Saw")
    books.sync("item")
    wms.writes.clear()
    for n in range(1, 13):
        move(books, n, sku="SKU-1" if n % 3 else "SKU-2")
    wms.answers.extend([Answer(RetryLater("busy", after=timedelta(seconds=1), throttled=False))] * 3)
    in_flight: Counter[str] = Counter()
    worst: Counter[str] = Counter()
    write = wms._write

    async def writing(prepared):
        sku = json.loads(prepared.body)["fields"]["sku"]
        in_flight[sku] += 1
        worst[sku] = max(worst[sku], in_flight[sku])
        await asyncio.sleep(0.002)
        receipt = await write(prepared)
        in_flight[sku] -= 1
        return receipt

    wms._write = writing
    books.work_on(turns=6, seconds=2)
    books.run()
    kept = list(wms.documents.values())
    for sku in ("SKU-1", "SKU-2"):
        arrived = [far.number for far in kept if far.kind == "movement" and far.fields["sku"] == sku]
        assert arrived == sorted(arrived, key=lambda number: int(number[2:]))
    assert worst == {"SKU-1": 1, "SKU-2": 1}
    assert wms.count()["movement"] == 12
    assert books.rows("SELECT DISTINCT lane FROM v_messages WHERE lane LIKE 'stock:%' ORDER BY 1") == [
        ("stock:SKU-1@WH1",),
        ("stock:SKU-2@WH1",),
    ]


def test_a_stock_level_told_after_its_movements_stands_behind_them(make_books):
    books = make_books(kinds=("item", "movement", "stock"))
    erp = books.systems["erp"]
    erp.keep("item", sku="SKU-1", name="Drill")
    books.sync("item")
    move(books, 1)
    books.tell("erp", erp.feed[-1])
    erp.keep("stock", sku="SKU-1", location="WH1", on_hand="4")
    books.tell("erp", erp.feed[-1])
    move(books, 2)
    books.tell("erp", erp.feed[-1])
    assert books.rows("SELECT revision > 0 AND changed_at > 0 FROM records WHERE kind = 'stock'") == [(1,)]
    line = "SELECT key, is_head FROM v_messages WHERE system = 'wms' AND lane = 'stock:SKU-1@WH1' ORDER BY message_id"
    assert books.rows(line) == [("movement:M-1", 1), ("stock:SKU-1@WH1", 0), ("movement:M-2", 0)]
    books.run()
    assert [far.kind for far in books.systems["wms"].documents.values()] == ["item", "movement", "stock", "movement"]


def test_a_cleared_level_hands_the_line_to_the_oldest_movement_behind_it(make_books):
    books = make_books(kinds=("item", "movement", "stock"))
    erp = books.systems["erp"]
    erp.keep("item", sku="SKU-1", name="Drill")
    books.sync("item")

    def level(on_hand):
        erp.keep("stock", sku="SKU-1", location="WH1", on_hand=on_hand)
        books.tell("erp", erp.feed[-1])

    level("4")
    for n in (1, 2, 3):
        move(books, n)
        books.tell("erp", erp.feed[-1])
    level("1")
    line = "SELECT key, state, is_head FROM v_messages WHERE system = 'wms' AND lane = 'stock:SKU-1@WH1' ORDER BY message_id"
    assert books.rows(line) == [
        ("stock:SKU-1@WH1", "skipped", 0),
        ("movement:M-1", "ready", 1),
        ("movement:M-2", "ready", 0),
        ("movement:M-3", "ready", 0),
        ("stock:SKU-1@WH1", "ready", 0),
    ]
    books.assert_sound()


@pytest.mark.parametrize("seed", range(4))
def test_a_line_that_levels_and_movements_share_always_has_its_oldest_as_head(make_books, seed):
    books, rng = make_books(kinds=("item", "movement", "stock")), Random(seed)
    erp = books.systems["erp"]
    for sku in ("SKU-1", "SKU-2"):
        erp.keep("item", sku=sku, name="Drill")
    books.sync("item")
    for n in range(40):
        sku = rng.choice(("SKU-1", "SKU-2"))
        if rng.random() < 0.5:
            move(books, n, sku=sku)
        else:
            erp.keep("stock", sku=sku, location="WH1", on_hand=str(n))
        books.tell("erp", erp.feed[-1])
        books.assert_sound()
        if rng.random() < 0.1:
            books.run()
    books.run()
    assert books.rows("SELECT DISTINCT state FROM messages WHERE record_id <> lane_id >> 16") == [("done",)]


@pytest.mark.parametrize("by_movement", [True, False])
def test_a_level_that_the_target_told_itself_is_not_sent_to_it_however_its_key_was_known(make_books, by_movement):
    books = make_books(kinds=("item", "movement", "stock"), watch=True)
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("item", sku="SKU-1", name="Drill")
    books.sync("item")
    if by_movement:
        move(books, 1)
        books.sync("movement")
    wms.keep("stock", sku="SKU-1", location="WH1", on_hand="4")
    books.tell("wms", wms.feed[-1])
    erp.keep("stock", sku="SKU-1", location="WH1", on_hand="4")
    books.tell("erp", erp.feed[-1])
    assert "stock:SKU-1@WH1" not in books.states("wms")
    erp.keep("stock", sku="SKU-1", location="WH1", on_hand="3")
    books.tell("erp", erp.feed[-1])
    books.run()
    assert [far.fields["on_hand"] for far in wms.kept("stock", "SKU-1@WH1")] == [3_000_000]


def test_a_dead_movement_stops_those_behind_it_and_no_other_lane(make_books):
    books = make_books(kinds=("item", "movement"))
    wms = books.systems["wms"]
    for sku in ("SKU-1", "SKU-2"):
        books.systems["erp"].keep("item", sku=sku, name="Drill")
    books.sync("item")
    move(books, 1)
    wms.answers.append(REFUSED)
    books.sync("movement")
    move(books, 2)
    move(books, 3, sku="SKU-2")
    books.sync("movement")
    states = books.states("wms")
    assert states["movement:M-1"] == [("dead", "refused")]
    assert states["movement:M-2"] == [("ready", "")]
    assert states["movement:M-3"] == [("done", "created")]


# Workers that die --------------------------------------------------------------------------------------------------


def test_a_message_of_which_the_worker_dies_each_time_ends_dead_and_other_lanes_go_on(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", sku="POISON", name="Drill")
    books.tell("erp", books.systems["erp"].feed[-1])
    hands = Hands(books)
    for _ in range(4):
        assert hands.claim() == [1]
        books.clock.turn(minutes=1)
    assert hands.claim() == []
    assert books.states("wms") == {"item:POISON": [("dead", "poison")]}
    assert books.rows("SELECT tries, error FROM messages") == [(4, "the worker died of it each time")]
    assert books.rows("SELECT count(*), sum(outcome = 'worker_lost'), sum(outcome = 'poison') FROM attempts") == [
        (4, 3, 1)
    ]
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.sync()
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]


def test_a_message_of_which_the_worker_dies_each_time_it_has_sent_it_does_not_go_for_ever(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", sku="POISON", name="Drill")
    books.tell("erp", books.systems["erp"].feed[-1])
    hands = Hands(books)
    for _ in range(8):
        for message_id in hands.claim():
            hands.begin(message_id)
        books.clock.turn(minutes=1)
    assert books.rows("SELECT count(*) FROM attempts") == [(4,)]
    assert books.states("wms") == {"item:POISON": [("unknown", "worker_lost")]}, (
        "its last try is open: it is asked about"
    )


def test_what_a_dead_worker_had_begun_at_a_blind_target_is_unknown_and_what_it_had_not_goes_again(make_books):
    books = make_books(kinds=("item",), wms=Once.BLIND)
    for n in (1, 2):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill")
    books.tell("erp", *books.systems["erp"].feed)
    hands = Hands(books, once=Once.BLIND)
    first, second = hands.claim(2)
    hands.begin(first)
    books.clock.turn(minutes=1)
    assert hands.claim(2) == [second]
    assert (books.state_of(first), books.state_of(second)) == ("unknown", "leased")


def test_a_lease_that_moved_on_can_neither_send_nor_finish(make_books):
    books = make_books(kinds=("item",))
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.tell("erp", books.systems["erp"].feed[-1])
    late, quick = Hands(books), Hands(books)
    (message_id,) = late.claim(lease_seconds=10)
    old = late.lease_of(message_id)
    books.clock.turn(seconds=11)
    assert late.begin(message_id) is False, "past its lease nothing may leave any more"
    assert quick.claim() == [message_id]
    report = late.finish(message_id, State.DONE, Reason.CREATED, lease_no=old, far_id="late-1", present=True)
    assert (report.ours, report.late) == (set(), 1)
    assert books.state_of(message_id) == "leased"
    assert books.rows("SELECT count(*) FROM xrefs WHERE far_id = 'late-1'") == [(0,)]
    assert quick.begin(message_id) is True
    report = quick.finish(message_id, State.DONE, Reason.CREATED, far_id="wms-1", present=True)
    assert (report.ours, report.late) == ({(message_id, quick.lease_of(message_id))}, 0)
    assert books.rows("SELECT outcome FROM attempts ORDER BY attempt_id") == [("late:created",), ("created",)]
    assert quick.finish(message_id, State.DEAD, Reason.REFUSED).late == 1
    assert books.states("wms") == {"item:SKU-1": [("done", "created")]}


# Who goes when room is short ---------------------------------------------------------------------------------------


def backlog(books, **kinds):
    """So many items and customers, accepted and waiting, none of them delivered."""
    erp = books.systems["erp"]
    for kind, n in kinds.items():
        content = {"item": ("sku", "A"), "customer": ("number", "C")}[kind]
        for i in range(n):
            erp.keep(kind, **{content[0]: f"{content[1]}-{i}", "name": "x"})
        books.tell("erp", *(told for told in erp.feed if told.kind == kind))


def claimed_by_kind(books, hands, *, claims, room):
    counted: Counter[str] = Counter()
    for turn in range(claims):
        for message_id in hands.claim(room, turn=turn):
            ((kind,),) = books.rows(
                "SELECT kind FROM records JOIN messages USING (record_id) WHERE message_id = ?", message_id
            )
            counted[str(kind)] += 1
    return counted


@pytest.mark.parametrize("room", [1, 4, 8])
def test_flows_share_a_systems_room_by_their_weights(make_books, room):
    books = make_books(kinds=("item", "customer"))
    books.flows = tuple(replace(flow, weight=3 if flow.kind == "item" else 1) for flow in books.flows)
    backlog(books, item=60, customer=60)
    counted = claimed_by_kind(books, Hands(books), claims=40 // room, room=room)
    assert counted == {"item": 30, "customer": 10}


def test_what_one_flow_does_not_need_another_may_have(make_books):
    books = make_books(kinds=("item", "customer"))
    backlog(books, item=2, customer=30)
    hands = Hands(books)
    assert len(hands.claim(20)) == 20
    assert len(hands.claim(20)) == 12


def test_a_target_that_takes_one_at_a_time_gets_of_both_flows_in_turn(make_books):
    books = make_books(kinds=("item", "customer"), limits=SHORT)
    backlog(books, item=15, customer=15)
    books.run()
    kinds = [request.split("/")[1] for request, _, _ in books.systems["wms"].writes]
    assert {*kinds[:6]} == {"item", "customer"}
    assert Counter(kinds) == {"item": 15, "customer": 15}


@pytest.mark.parametrize("room", [1, 2, 4, 5, 10])
def test_new_traffic_is_not_starved_by_the_backlog(make_books, room):
    """One in five is taken from the newest, however little room there is."""
    books = make_books(kinds=("item",))
    backlog(books, item=60)
    books.clock.turn(seconds=5)
    books.systems["erp"].keep("item", sku="NEW", name="x")
    books.tell("erp", books.systems["erp"].feed[-1])
    hands = Hands(books)
    taken = [message_id for turn in range(30 // room) for message_id in hands.claim(room, turn=turn)]
    assert 61 in taken
    assert taken[0] == 1, "most are the oldest"


# Any order of acts -------------------------------------------------------------------------------------------------


class Random20:
    """A night of random acts on a few lanes, every one of them allowed; it keeps its own count of what was done."""

    def __init__(self, books, seed):
        self.books, self.rng = books, Random(seed)
        self.once = self.rng.choice([Once.IDEMPOTENT, Once.FINDABLE, Once.BLIND])
        self.hands = Hands(books, once=self.once)
        erp = books.systems["erp"]
        for n in range(4):
            erp.keep("order", number=f"SO-{n}", customer="CU-1", currency="USD", total="10.00")
        books.tell("erp", *erp.feed)
        self.records = [int(str(row[0])) for row in books.rows("SELECT record_id FROM records ORDER BY 1")]

    def ids(self, *states):
        marks = ", ".join("?" * len(states))
        return [
            int(str(row[0]))
            for row in self.books.rows(f"SELECT message_id FROM messages WHERE state IN ({marks})", *states)
        ]

    def offers(self):
        context, rng = self.books.context(), self.rng
        route = context.routes.all[0]
        page = [
            Offer(
                event_id=None,
                target_id=route.target_id,
                flow_id=route.flow_id,
                record_id=(record := rng.choice(self.records)),
                lane_id=lane_id(self.records[record % 3], route.target_id),
                supersedes=rng.random() < 0.4,
                stake=rng.randrange(500),
                currency=rng.choice(["USD", "EUR"]),
                cancels=rng.random() < 0.1,
                filtered=rng.random() < 0.1,
                waits_for_person="a test" if rng.random() < 0.1 else "",
            )
            for _ in range(rng.randint(1, 4))
        ]

        def write(db):
            tally = context.tally()
            offer(db, page, tally, now=context.now_ms)
            tally.write(db)

        self.books.store.writer.call(write)

    def claims(self):
        for message_id in self.hands.claim(self.rng.randint(1, 4)):
            if self.rng.random() < 0.7:
                self.hands.begin(message_id)

    def finishes(self):
        for message_id in self.ids("leased"):
            after = self.rng.choice(
                [State.DONE, State.DONE, State.SKIPPED, State.DEAD, State.READY, State.HELD, State.UNKNOWN]
            )
            begun = self.books.rows(
                "SELECT count(*) FROM attempts WHERE message_id = ? AND begun_at IS NOT NULL", message_id
            )
            if after is State.UNKNOWN and begun == [(0,)]:
                after = State.READY
            waits = [("parent", f"customer:CU-{self.rng.randrange(3)}")] if after is State.HELD else ()
            far = {"far_id": f"far-{message_id}", "present": True} if after is State.DONE else {}
            old = self.hands.lease_of(message_id) - (self.rng.random() < 0.1)
            self.hands.finish(
                message_id, after, "created" if after is State.DONE else "retry", waits=waits, lease_no=old, **far
            )

    def asks(self):
        for message_id in self.ids("unknown")[:2]:
            delivered = f"far-{message_id}" if self.rng.random() < 0.5 else None
            settle(self.books, message_id, delivered=delivered, not_delivered=delivered is None, **WHO)

    def discards(self):
        if letters := self.ids("dead", "held"):
            line = self.rng.choice(["go", "discard", "hold"])
            discard(self.books, self.rng.sample(letters, min(len(letters), 2)), line=line, **WHO)

    def restores(self):
        if letters := self.ids("skipped"):
            restore(self.books, self.rng.sample(letters, min(len(letters), 3)), **WHO)

    def replays(self):
        if letters := self.ids("dead", "held"):
            replay(self.books, letters, **WHO)

    def waits(self):
        self.books.clock.turn(seconds=self.rng.choice([1, 20, 60]))

    def step(self):
        acts = [
            self.offers,
            self.claims,
            self.finishes,
            self.asks,
            self.discards,
            self.restores,
            self.replays,
            self.waits,
        ]
        self.rng.choices(acts, weights=[4, 4, 4, 1, 1, 1, 1, 1])[0]()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_each_lane_has_one_head_its_oldest_and_totals_are_what_is_there(make_books, seed):
    books = make_books(kinds=("order",))
    night = Random20(books, seed)
    leases: dict[int, int] = {}
    for _ in range(60):
        night.step()
        books.assert_sound()
        for message_id, lease_no in books.rows("SELECT message_id, lease_no FROM messages"):
            assert lease_no >= leases.get(message_id, 0)
            leases[message_id] = lease_no
        in_flight = books.rows(
            "SELECT lane_id FROM messages WHERE state = 'leased' OR pinned_id IS NOT NULL OR state = 'unknown'"
        )
        assert len(in_flight) == len(set(in_flight)), "one open try a lane"
    assert books.rows("SELECT count(*) > 20 FROM messages") == [(1,)]
