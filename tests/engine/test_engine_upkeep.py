"""Outages, throttles, open outcomes and how long a thing is tried: one outage stays one outage, and nothing goes for ever."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from random import Random

import pytest
from far import Answer, lost
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON

from erpsync.adapters.protocol import Receipt
from erpsync.config.landscape import Breaker, Limits, Retry
from erpsync.domain.messages import Once, Reason, State
from erpsync.domain.retry import MOST_CONFLICTS, Patience, ask_again, backoff, is_overdue, verdict
from erpsync.engine.upkeep.systems import probe, probe_due, resume
from erpsync.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    OutcomeUnknown,
    ParentMissing,
    Refused,
    RetryLater,
    SystemDown,
    Unmappable,
)

DOWN = SystemDown("connection refused", code="connect")
WHO = {"actor": "mira", "reason": "mended", "command": ""}
SLOW = Retry(first=timedelta(minutes=1), longest=timedelta(minutes=1), tries=4)


def item(books, sku="SKU-1", **content):
    books.systems["erp"].keep("item", **{"sku": sku, "name": "Drill", "price": "10", "currency": "USD"} | content)


def system(books, columns, name="wms"):
    (row,) = books.rows(f"SELECT {columns} FROM systems WHERE name = ?", name)
    return row if len(row) > 1 else row[0]


# Open tries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrived", [True, False])
def test_an_open_create_past_the_keys_life_is_looked_for_before_anything_is_sent(make_books, arrived):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    wms.key_life = timedelta(hours=24)
    item(books)
    wms.answers.append(lost(done=arrived))
    books.run(once=True)
    looked = len(wms.finds_made)
    wms.keys.clear()  # it has forgotten its keys
    books.clock.turn(hours=25)
    books.run()
    assert len(wms.finds_made) > looked
    assert len(wms.kept("item", "SKU-1")) == 1
    assert len(wms.writes) == (1 if arrived else 2)
    assert books.states("wms")["item:SKU-1"][0][0] == "done"
    if not arrived:
        assert wms.writes[0][1] != wms.writes[1][1], "a forgotten key is not used again"


def test_within_the_keys_life_the_same_bytes_go_under_the_same_key(make_books):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    wms.key_life = timedelta(hours=24)
    item(books)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    books.clock.turn(hours=23)
    books.run()
    assert wms.writes[0] == wms.writes[1]
    assert len(wms.documents) == 1


def test_an_open_change_past_the_keys_life_is_not_taken_for_made_because_the_document_is_there(make_books):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    wms.key_life = timedelta(hours=24)
    item(books)
    books.sync()
    item(books, price="12")
    wms.answers.append(lost(done=False))
    books.clock.turn(minutes=6)
    books.run(once=True)
    books.clock.turn(hours=25)
    books.run()
    assert wms.kept("item", "SKU-1")[0].fields["price"] == 12_000_000


def test_past_the_keys_life_a_system_that_cannot_be_asked_is_a_persons(make_books):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    wms.key_life, wms.finds, wms.reads_one = timedelta(hours=24), False, False
    item(books)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    books.clock.turn(hours=25)
    books.run()
    assert len(wms.writes) == 1
    assert books.states("wms")["item:SKU-1"][0][0] == "unknown"
    assert books.open_cases() == [("outcome_unknown", "item:SKU-1")]


def test_tries_that_end_while_one_is_open_end_unknown_and_not_dead(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    wms.finds = wms.reads_one = False
    item(books)
    wms.answers.extend([lost(done=True)] * 4)
    books.work_on(turns=8, seconds=1)
    books.run()
    assert books.states("wms")["item:SKU-1"] == [("unknown", "answer_lost")]
    assert len(set(wms.writes)) == 1, "each repeat is the same bytes under the same key"
    assert len(wms.writes) == 4
    assert books.open_cases() == [("outcome_unknown", "item:SKU-1")]


def test_an_open_try_followed_by_throttling_until_its_tries_end_is_unknown_too(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    wms.finds = wms.reads_one = False
    item(books)
    wms.answers.extend([lost(done=True), *[Answer(RetryLater("busy", throttled=False))] * 3])
    books.work_on(turns=8, seconds=1)
    assert books.states("wms")["item:SKU-1"] == [("unknown", "answer_lost")]


@pytest.mark.parametrize("once", [Once.FINDABLE, Once.IDEMPOTENT])
def test_a_document_on_which_the_target_breaks_each_time_ends_dead_after_its_tries(make_books, once):
    books = make_books(kinds=("item",), wms=once)
    wms = books.systems["wms"]
    item(books)
    wms.answers.extend([lost(done=False)] * 40)
    books.work_on(turns=25, seconds=40)
    assert books.states("wms")["item:SKU-1"] == [("dead", "exhausted")]
    assert len(wms.writes) == 4


def test_a_target_that_says_a_parent_is_missing_each_time_is_not_asked_without_end(make_books):
    books = make_books()
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("customer", number="CU-1", name="Tri-County")
    item(books)
    line = {"line": "1", "sku": "SKU-1", "quantity": 1}
    erp.keep("order", number="SO-1", customer="CU-1", currency="USD", lines=[line])
    write = wms._write

    async def writing(prepared):
        if prepared.kind != "order":
            return await write(prepared)
        wms.writes.append((prepared.request, prepared.once_key, prepared.body))
        return Receipt(error=ParentMissing("customer unknown", key="customer:CU-1"))

    wms._write = writing
    books.sync(seconds=2)
    books.work_on(turns=10, minutes=1)
    assert len(wms.writes_of("SO-1")) <= 6
    assert books.states("wms")["order:SO-1"][0][0] in ("dead", "held")


# Throttles ---------------------------------------------------------------------------------------------------------


def test_a_retry_after_far_in_the_future_is_capped_at_an_hour(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(Answer(RetryLater("429", after=timedelta(days=365))))
    books.run(once=True)
    books.clock.turn(minutes=59)
    books.run(once=True)
    assert len(wms.writes) == 1
    books.clock.turn(minutes=2)
    books.run()
    assert books.states("wms")["item:SKU-1"] == [("done", "created")]


def test_a_throttle_is_of_the_whole_system_and_for_all_workers(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    for n in range(8):
        item(books, f"SKU-{n}")
    wms.answers.append(Answer(RetryLater("429", after=timedelta(seconds=30))))
    books.run(once=True)
    assert len(wms.writes) == 1
    assert books.context().store is books.store
    books.run(once=True)
    assert len(wms.writes) == 1
    books.clock.turn(seconds=31)
    books.run()
    assert len(wms.documents) == 8


def test_a_systems_rate_holds_for_all_its_flows_together(make_books):
    limits = Limits(rate=5, concurrency=8, timeout=timedelta(seconds=1), deadline=timedelta(seconds=2))
    books = make_books(kinds=("item", "customer"), limits=limits)
    for n in range(20):
        item(books, f"SKU-{n}")
        books.systems["erp"].keep("customer", number=f"CU-{n}", name="Tri-County")
    for kind in ("item", "customer"):
        books.tell("erp", *(told for told in books.systems["erp"].feed if told.kind == kind))
    wms = books.systems["wms"]
    calls = lambda: len(wms.writes) + len(wms.finds_made)  # noqa: E731  (looking is a request, too)
    before = calls()
    for seconds in range(1, 4):
        books.sync(seconds=0.4)
        assert calls() - before <= 10 * seconds, "five a second, and the look that each of those still needed"
        books.clock.turn(seconds=1)
    assert calls() - before >= 10


# Outages -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def outage(make_books):
    """Ten items delivered, then the warehouse goes down with twenty more on their way: its breaker is open."""
    books = make_books(
        kinds=("item",), breaker=Breaker(failures=3, probe=timedelta(seconds=5), probe_longest=timedelta(seconds=40))
    )
    wms = books.systems["wms"]
    for n in range(10):
        item(books, f"OLD-{n}")
    books.sync()
    wms.answers.extend([Answer(DOWN)] * 50)
    wms.probe_error = DOWN
    for n in range(20):
        item(books, f"NEW-{n}")
    books.sync(seconds=0.25)
    assert system(books, "state") == "down"
    return books


def test_the_breaker_opens_and_what_waits_burns_no_tries(outage):
    assert outage.rows("SELECT max(tries) FROM messages WHERE state = 'ready'") == [(0,)]
    writes = len(outage.systems["wms"].writes)
    outage.run(once=True)
    assert len(outage.systems["wms"].writes) == writes, "to a system that is down nothing is sent"
    assert outage.rows("SELECT what, subject FROM audit WHERE what LIKE 'breaker%'") == [("breaker.open", "wms")]


def test_probes_back_off_up_to_their_longest(outage):
    context, waits = outage.context(), []
    for _ in range(6):
        due = system(outage, "probe_at")
        waits.append((due - context.now_ms) // 1000)
        outage.clock.turn(seconds=waits[-1])
        assert asyncio.run(probe_due(context)) == 0
        assert asyncio.run(probe_due(context)) == 0, "not due again yet"
    assert waits[0] <= 5
    assert waits[1:] == [10, 20, 40, 40, 40]
    assert outage.systems["wms"].probes == 6


def test_two_workers_do_not_both_probe(outage):
    outage.clock.turn(seconds=6)
    wms = outage.systems["wms"]
    both_asked = asyncio.Event()

    async def slowly():
        wms.probes += 1
        await both_asked.wait()
        raise DOWN

    wms.probe = slowly

    async def both():
        one, other = asyncio.create_task(probe_due(outage.context())), asyncio.create_task(probe_due(outage.context()))
        done, _ = await asyncio.wait({one, other}, return_when=asyncio.FIRST_COMPLETED)
        both_asked.set()
        return len(done), await one, await other

    assert asyncio.run(both()) == (1, 0, 0)
    assert wms.probes == 1


def test_when_it_is_back_one_is_in_flight_until_the_first_success_then_more(outage):
    wms = outage.systems["wms"]
    wms.answers.clear()
    wms.probe_error = None
    outage.clock.turn(minutes=1)
    in_flight, seen = [0], []
    write = wms._write

    async def writing(prepared):
        in_flight[0] += 1
        seen.append(in_flight[0])
        await asyncio.sleep(0.005)
        receipt = await write(prepared)
        in_flight[0] -= 1
        return receipt

    wms._write = writing
    outage.run()
    assert len(wms.documents) == 30
    assert seen[0] == 1
    assert seen[1] <= 2, "recovery doubles, it does not jump"
    assert max(seen) > 1
    assert outage.rows("SELECT max(tries) FROM messages") == [(1,)]


def test_a_system_that_fails_at_its_first_call_after_an_outage_is_down_again_at_once(outage):
    wms = outage.systems["wms"]
    wms.probe_error = None
    outage.clock.turn(minutes=1)
    writes = len(wms.writes)
    outage.run(once=True)
    outage.work_on(turns=1, seconds=0)
    assert system(outage, "state") == "down"
    assert len(wms.writes) - writes <= 2


def test_probing_by_hand_closes_the_breaker_and_says_what_waits(outage):
    assert asyncio.run(probe(outage, "wms")).ok is False
    outage.systems["wms"].probe_error = None
    found = asyncio.run(probe(outage, "wms"))
    assert (found.ok, found.state, found.waiting) == (True, "up", 20)
    with pytest.raises(NotFound, match="system mars is not in the landscape"):
        asyncio.run(probe(outage, "mars"))


def test_a_wrong_password_found_by_a_probe_stops_the_system(outage):
    outage.systems["wms"].probe_error = AccessDenied("401: who are you")
    outage.clock.turn(seconds=6)
    assert asyncio.run(probe_due(outage.context())) == 0
    assert system(outage, "state") == "stopped"
    assert outage.open_cases() == [("access_denied", "system:wms")]
    outage.clock.turn(days=1)
    probes = outage.systems["wms"].probes
    outage.run(once=True)
    assert outage.systems["wms"].probes == probes, "a stopped system is left alone: a person resumes it"


def test_resumed_a_stopped_system_goes_on_one_at_a_time(outage):
    wms = outage.systems["wms"]
    wms.probe_error = AccessDenied("401")
    asyncio.run(probe(outage, "wms"))
    wms.answers.clear()
    wms.probe_error = None
    done = resume(outage, "wms", **WHO)
    assert (done.before, done.waiting) == ("stopped", 20)
    assert system(outage, "state, ramp, proven") == ("up", 1, 0)
    assert outage.open_cases() == []
    outage.run()
    assert len(wms.documents) == 30
    with pytest.raises(NotFound, match="system mars"):
        resume(outage, "mars", **WHO)


def test_a_good_answer_that_comes_after_a_401_does_not_close_its_case(make_books):
    books = make_books(kinds=("item",))
    wms = books.systems["wms"]
    for n in range(8):
        item(books, f"SKU-{n}")
    books.sync()
    for n in range(8):
        item(books, f"SKU-{n}", price="12")
    sent = []
    write = wms._write

    async def writing(prepared):
        sent.append(prepared.number)
        if len(sent) == 1:
            for _ in range(1_000):
                if len(sent) > 1:
                    break
                await asyncio.sleep(0.005)
            return Receipt(error=AccessDenied("401: password expired"))
        for _ in range(1_000):
            if system(books, "state") == "stopped":
                break
            await asyncio.sleep(0.005)
        return await write(prepared)

    wms._write = writing
    books.clock.turn(minutes=6)
    books.sync(seconds=3)
    assert len(sent) > 1
    assert system(books, "state") == "stopped"
    assert books.open_cases() == [("access_denied", "system:wms")]


@pytest.mark.parametrize("error", [AccessDenied("401: password expired"), DOWN])
def test_after_the_system_stopped_or_went_down_nothing_more_leaves_than_was_in_flight(make_books, error):
    """A password that expires in the middle of the work: a 401 for each of sixteen locks the account."""
    books = make_books(kinds=("item",), breaker=Breaker(failures=2))
    wms = books.systems["wms"]
    for n in range(40):
        item(books, f"SKU-{n}")
    books.sync()
    for n in range(40):
        item(books, f"SKU-{n}", price="12")
    sent = len(wms.writes)
    wms.answers.extend([Answer(error)] * 40)
    wms.probe_error = DOWN
    books.clock.turn(minutes=6)
    books.sync(seconds=0.25)
    assert system(books, "state") in ("stopped", "down")
    assert len(wms.writes) - sent <= 2 * 4, "no more than twice its concurrency"
    assert books.rows("SELECT count(*) FROM messages WHERE state = 'leased'") == [(0,)]


# Retry, as a pure function -----------------------------------------------------------------------------------------

PATIENCE = Patience(first=timedelta(seconds=1), longest=timedelta(minutes=5), tries=12, expires=timedelta(days=3))
ERRORS = st.sampled_from(
    [
        Refused("x"),
        Unmappable("x"),
        AccessDenied("x"),
        SystemDown("x"),
        ParentMissing("x", key="item:1"),
        Conflict("x"),
        RetryLater("x"),
        RetryLater("x", after=timedelta(days=400)),
        RetryLater("x", after=timedelta(seconds=-1)),
        OutcomeUnknown("x"),
    ]
)


def judge(error, once=Once.IDEMPOTENT, *, tries=1, conflicts=0, age=timedelta(), seed=1):
    return verdict(error, tries=tries, conflicts=conflicts, age=age, once=once, patience=PATIENCE, rng=Random(seed))


@given(
    error=ERRORS,
    once=st.sampled_from(Once),
    tries=st.integers(1, 40),
    conflicts=st.integers(0, 9),
    age=st.timedeltas(timedelta(), timedelta(days=9)),
    seed=st.integers(0, 99),
)
def test_a_verdict_is_the_same_twice_and_never_sends_an_open_outcome_anew(error, once, tries, conflicts, age, seed):
    first = judge(error, once, tries=tries, conflicts=conflicts, age=age, seed=seed)
    assert first == judge(error, once, tries=tries, conflicts=conflicts, age=age, seed=seed)
    assert timedelta() <= first.due <= timedelta(hours=1)
    assert first.after in (State.READY, State.HELD, State.UNKNOWN, State.DEAD)
    if isinstance(error, OutcomeUnknown):
        assert first.after is not State.DEAD
        assert once is Once.IDEMPOTENT or first.after is State.UNKNOWN
    if isinstance(error, AccessDenied | SystemDown):
        assert (first.after, first.burn) == (State.READY, False)
    if first.after is State.READY and first.burn:
        assert tries < PATIENCE.tries
        assert age < PATIENCE.expires


@given(tries=st.integers(-1, 10_000), seed=st.integers(0, 999))
def test_waits_grow_to_a_cap_and_half_of_each_is_chance(tries, seed):
    wait = backoff(tries, PATIENCE, Random(seed))
    full = min(300.0, 2.0 ** (min(max(tries, 1), 60) - 1))
    assert full / 2 <= wait.total_seconds() <= full


@pytest.mark.parametrize(
    ("error", "after", "reason"),
    [
        (Refused("x"), State.DEAD, Reason.REFUSED),
        (Unmappable("x"), State.DEAD, Reason.UNMAPPABLE),
        (AccessDenied("x"), State.READY, Reason.ACCESS_DENIED),
        (SystemDown("x"), State.READY, Reason.SYSTEM_DOWN),
        (ParentMissing("x", key="item:1"), State.HELD, Reason.REFUSED),
        (Conflict("x"), State.READY, Reason.CONFLICT),
        (RetryLater("x"), State.READY, Reason.THROTTLED),
    ],
)
def test_each_error_has_its_own_consequence(error, after, reason):
    found = judge(error)
    assert (found.after, found.reason) == (after, reason)


def test_the_fifth_lost_compare_and_set_is_the_last():
    assert judge(Conflict("x"), conflicts=MOST_CONFLICTS - 2).after is State.READY
    assert judge(Conflict("x"), conflicts=MOST_CONFLICTS - 1).reason is Reason.CONFLICT
    assert judge(Conflict("x"), conflicts=MOST_CONFLICTS - 1).after is State.DEAD


def test_the_last_try_and_the_last_day_end_it():
    assert judge(RetryLater("x"), tries=12).reason is Reason.EXHAUSTED
    assert judge(RetryLater("x"), tries=11).after is State.READY
    assert judge(RetryLater("x"), age=timedelta(days=3)).reason is Reason.EXPIRED
    assert judge(SystemDown("x"), tries=99, age=timedelta(days=9)).after is State.READY, "an outage is nobody's fault"


@given(times=st.integers(0, 500), since=st.timedeltas(timedelta(), timedelta(hours=2)))
def test_asking_again_grows_and_is_never_later_than_five_minutes(times, since):
    wait = ask_again(times, since_sent=since, believes_after=timedelta(seconds=30))
    assert timedelta() < wait <= timedelta(minutes=5)
    assert ask_again(times + 1, since_sent=since, believes_after=timedelta(seconds=30)) >= wait


def test_an_outcome_open_for_its_time_is_a_persons():
    quarter = timedelta(minutes=15)
    assert not is_overdue(NOON, now=NOON + quarter - timedelta(seconds=1), unknown_after=quarter)
    assert is_overdue(NOON, now=NOON + quarter, unknown_after=quarter)


def test_what_was_sent_is_the_evidence_and_nothing_else(make_books):
    books = make_books(kinds=("item",))
    item(books)
    books.sync()
    ((request, body),) = books.rows(
        "SELECT a.request, p.content FROM attempts a JOIN payloads p ON p.payload_id = a.body_id"
    ) or [("", b"")]
    assert request == "POST /item"
    assert json.loads(body)["number"] == "SKU-1"
