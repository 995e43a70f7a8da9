"""Pauses: what a person has paused stays where it is, costs nothing, and goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from far import Answer, lost

from erpsync.adapters.protocol import Page
from erpsync.config.landscape import Breaker, Limits, Retry
from erpsync.domain.messages import Once
from erpsync.engine.dryrun import preview
from erpsync.engine.intake.reading import Puller
from erpsync.engine.pauses import Pauses
from erpsync.engine.upkeep import flows, systems
from erpsync.engine.upkeep.systems import probe, probe_due, resume
from erpsync.errors import AccessDenied, Conflict, RetryLater, SystemDown
from erpsync.store import systems as store_systems
from erpsync.store.connection import ms

SLOW = Retry(first=timedelta(minutes=1), longest=timedelta(minutes=1), tries=9, expires=timedelta(days=3))
DOWN = SystemDown("connection refused", code="connect")
WHO = {"actor": "mira", "reason": "their release", "command": ""}


def item(books, sku="SKU-1", **content):
    books.systems["erp"].keep("item", **{"sku": sku, "name": "Drill", "price": "10", "currency": "USD"} | content)


def customer(books, number="CU-1"):
    books.systems["erp"].keep("customer", number=number, name="Tri-County")


def pause(books, what="both", name="wms"):
    return systems.pause(books.store, books.context().routes.names, name, what=what, now=books.clock(), **WHO)


def lift(books, name="wms"):
    return systems.lift(books.store, books.context().routes.names, name, now=books.clock(), **WHO)


def pause_flow(books, *names):
    return flows.pause(books.store, books.context().routes.names, names, now=books.clock(), **WHO)


def resume_flow(books, *names):
    return flows.resume(books.store, books.context().routes.names, names, now=books.clock(), **WHO)


def system(books, columns, name="wms"):
    (row,) = books.rows(f"SELECT {columns} FROM systems WHERE name = ?", name)
    return row if len(row) > 1 else row[0]


def states(books, target="wms"):
    return sorted(state for told in books.states(target).values() for state, _ in told)


# Systems -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["out", "both"])
def test_what_comes_for_a_paused_system_waits_at_no_try_and_goes_once_when_resumed(make_books, what):
    books = make_books(kinds=("item",), targets=("wms", "shop"))
    pause(books, what)
    for n in range(5):
        item(books, f"SKU-{n}")
    books.run()
    assert books.systems["wms"].writes == []
    assert len(books.systems["shop"].documents) == 5, "the others go on"
    assert books.rows("SELECT DISTINCT m.state, m.tries FROM messages m JOIN systems s ON s.system_id = m.target_id "
                      "WHERE s.name = 'wms'") == [("ready", 0)]  # fmt: skip
    assert lift(books).waiting == 5
    books.run()
    assert len(books.systems["wms"].writes) == len(books.systems["wms"].documents) == 5


def test_an_unknown_outcome_is_not_asked_about_while_its_system_is_paused(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=False))
    books.run(once=True)
    assert states(books) == ["unknown"], "it is not found, and that is too early to believe"
    pause(books, "out")
    looked = len(wms.finds_made)
    books.clock.turn(hours=1)
    books.run()
    assert len(wms.finds_made) == looked
    lift(books)
    books.run()
    assert len(wms.finds_made) > looked
    assert states(books) == ["done"]
    assert len(wms.writes) == 2


def test_a_repeat_does_not_leave_either(make_books):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=True))
    books.run(once=True)
    assert books.rows("SELECT state, pinned_id IS NOT NULL FROM messages") == [("ready", 1)]
    pause(books, "out")
    books.clock.turn(hours=1)
    books.run()
    assert len(wms.writes) == 1
    lift(books)
    books.run()
    assert wms.writes[0] == wms.writes[1], "the same bytes under the same key"


def test_of_a_system_paused_for_reading_nothing_is_read_and_what_waits_for_others_goes(make_books):
    books = make_books(kinds=("item",))
    item(books)
    books.tell("erp", *books.systems["erp"].feed)
    item(books, "SKU-2")
    pause(books, "in", "erp")
    report = books.sync()
    assert report.read == 0
    assert report.exit_code == 0, "somebody wants it so: that is no failure"
    assert [(stood.system, stood.kind, stood.by) for stood in report.paused] == [("erp", "item", "mira")]
    assert list(books.states("wms")) == ["item:SKU-1"]
    assert states(books) == ["done"]
    lift(books, "erp")
    books.run()
    assert states(books) == ["done", "done"]


def test_a_sync_of_single_documents_does_not_read_a_paused_system(make_books):
    books = make_books(kinds=("item",))
    item(books)
    pause(books, "in", "erp")
    from erpsync.engine.sync import sync  # noqa: PLC0415  (this one alone)

    report = asyncio.run(sync(books, kinds=("item",), keys=("item:SKU-1",), timeout=timedelta(seconds=5)))
    assert (report.read, [stood.kind for stood in report.paused], report.exit_code) == (0, ["item"], 0)
    assert books.states("wms") == {}


def test_a_sync_to_a_paused_system_ends_and_says_so(make_books):
    books = make_books(kinds=("item",))
    item(books)
    pause(books, "out")
    report = books.sync(seconds=20)
    assert report.seconds < 10
    assert (report.rows[0].waiting, report.exit_code) == (1, 8)
    assert [(stood.system, stood.kind, stood.by) for stood in report.paused] == [("wms", "", "mira")]


def test_a_reading_that_is_paused_stops_after_its_page_and_goes_on_there(make_books):
    books = make_books(kinds=("item",))
    erp = books.systems["erp"]
    for n in range(10):
        item(books, f"SKU-{n}")
    pages = []

    async def by_two(kind, cursor):
        for start in range(int(cursor or 0), len(erp.feed), 2):
            pages.append(start)
            if len(pages) == 2:
                await asyncio.to_thread(pause, books, "in", "erp")
                await asyncio.sleep(0.8)
            yield Page(
                erp.feed[start : start + 2], str(start + 2), more=start + 2 < len(erp.feed), read_at=books.clock()
            )

    erp.changes = by_two
    books.run()
    assert pages == [0, 2]
    assert len(books.rows("SELECT 1 FROM events")) == 4
    assert books.rows("SELECT leased_until, read_at FROM cursors WHERE kind = 'item'") == [(0, None)]
    lift(books, "erp")
    books.run()
    assert pages == [0, 2, 4, 6, 8]
    assert len(books.systems["wms"].documents) == 10
    assert len(books.rows("SELECT 1 FROM events")) == 10, "nothing was read twice"


@pytest.mark.parametrize("what", ["system", "flow"])
def test_what_a_worker_had_claimed_and_not_sent_is_given_back(make_books, what):
    limits = Limits(concurrency=4, timeout=timedelta(seconds=5), deadline=timedelta(seconds=5))
    books = make_books(kinds=("item",), limits=limits)
    wms = books.systems["wms"]
    for n in range(40):
        item(books, f"OLD-{n}")
    books.run()
    for n in range(40):
        item(books, f"NEW-{n}")
    books.clock.turn(hours=1)
    write, sent, claimed = wms._write, [], []

    async def slowly(prepared):
        sent.append(prepared.number)
        if len(sent) == 1:
            claimed.extend(books.rows("SELECT count(*) FROM messages WHERE state = 'leased'")[0])
            await asyncio.to_thread(
                pause if what == "system" else pause_flow, books, "out" if what == "system" else "items"
            )
        await asyncio.sleep(0.8)
        return await write(prepared)

    wms._write = slowly
    books.run()
    assert claimed[0] > 4, "more was claimed than may be in flight"
    assert len(sent) == 4, "the calls in flight came to their end, and no other began"
    assert sorted(set(states(books))) == ["done", "ready"]
    assert books.rows("SELECT max(tries) FROM messages WHERE state = 'ready'") == [(0,)]
    wms._write = write
    lift(books) if what == "system" else resume_flow(books, "items")
    books.run()
    assert len(wms.writes) == len(wms.documents) == 80


def test_a_lost_compare_and_set_is_not_read_again_at_a_system_that_was_paused_meanwhile(make_books):
    limits = Limits(concurrency=1, timeout=timedelta(seconds=5), deadline=timedelta(seconds=5))
    books = make_books(kinds=("item",), limits=limits)
    wms = books.systems["wms"]
    item(books)
    books.run()
    item(books, price="12")
    books.clock.turn(minutes=6)
    write, read, asked = wms._write, wms.read, []

    async def slowly(prepared):
        await asyncio.to_thread(pause, books)
        await asyncio.sleep(1.2)  # the worker has seen it
        return await write(prepared)

    async def listening(kind, far_id):
        asked.append(far_id)
        return await read(kind, far_id)

    wms._write, wms.read = slowly, listening
    wms.answers.append(Answer(Conflict("412: changed meanwhile", code="http_412")))
    books.run()
    assert (asked, states(books)) == ([], ["done", "ready"])
    wms._write = write
    lift(books)
    wms.answers.append(Answer(Conflict("412: changed meanwhile", code="http_412")))
    books.clock.turn(seconds=5)
    books.run()
    assert len(asked) == 1
    assert wms.kept("item", "SKU-1")[0].fields["price"] == 12_000_000


def test_a_reading_that_was_stopped_can_be_taken_up_by_anybody(make_books):
    books = make_books(kinds=("item",))
    item(books)
    context = books.context()
    puller = Puller(context, Pauses(unread=frozenset({"erp"})))
    report = asyncio.run(puller.pull("erp", "item", books.flows[0], force=True))
    assert (report.skipped, report.read) == ("paused", 1)
    assert books.rows("SELECT leased_until, leased_by FROM cursors") == [(0, None)]


def test_pausing_adds_to_what_is_paused_and_says_when_it_was_so(make_books):
    books = make_books(kinds=("item",))
    first = pause(books, "in")
    assert (first.before.pause, first.after.pause, first.act is not None) == ("", "in", True)
    assert pause(books, "in").act is None
    assert pause(books, "out").after.pause == "both"
    assert pause(books, "out").act is None
    assert system(books, "pause, paused_by, pause_reason") == ("both", "mira", "their release")
    assert lift(books).after.pause == ""
    assert lift(books).act is None
    acts = books.rows("SELECT what FROM audit WHERE chain = 'main' ORDER BY seq")
    assert acts == [("system.pause",), ("system.pause",), ("system.resume",)]
    told = books.rows(
        "SELECT b.content, a.content FROM audit JOIN payloads b ON b.payload_id = before_id "
        "JOIN payloads a ON a.payload_id = after_id ORDER BY seq DESC LIMIT 1"
    )[0]
    assert [json.loads(side)["pause"] for side in told] == ["both", None]


@pytest.fixture
def down(make_books):
    """The warehouse went down with an item on its way: its breaker is open."""
    books = make_books(kinds=("item",), breaker=Breaker(failures=1, probe=timedelta(seconds=5)))
    wms = books.systems["wms"]
    item(books)
    wms.answers.extend([Answer(DOWN)] * 50)
    wms.probe_error = DOWN
    books.sync(seconds=0.25)
    assert system(books, "state") == "down"
    return books


def test_a_system_that_was_down_is_down_after_a_pause_and_not_proven(down):
    before = system(down, "state, since, proven, ramp, failures, probe_at, probes")
    pause(down)
    lift(down)
    assert system(down, "state, since, proven, ramp, failures, probe_at, probes") == before


def test_of_two_who_resume_it_at_once_one_act_is_on_record(down):
    first, second = resume(down, "wms", **WHO), resume(down, "wms", **WHO)
    assert (first.before, first.act is not None) == ("down", True)
    assert (second.before, second.act) == ("up", None)
    assert down.rows("SELECT count(*) FROM audit WHERE what = 'system.resume'") == [(1,)]


@pytest.mark.parametrize(("what", "probes"), [("both", 0), ("out", 1), ("in", 1)])
def test_a_system_left_alone_altogether_is_not_probed(down, what, probes):
    before = down.systems["wms"].probes
    pause(down, what)
    down.clock.turn(minutes=1)
    asyncio.run(probe_due(down.context()))
    assert down.systems["wms"].probes - before == probes


def test_a_person_may_probe_a_paused_system_and_it_stays_paused(down):
    wms = down.systems["wms"]
    wms.probe_error = None
    wms.answers.clear()
    pause(down)
    found = asyncio.run(probe(down, "wms"))
    assert (found.ok, found.state, found.pause) == (True, "up", "both")
    down.run()
    assert states(down) == ["ready"]
    lift(down)
    down.run()
    assert states(down) == ["done"]


def test_resuming_after_an_outage_does_not_lift_a_pause(down):
    pause(down)
    resume(down, "wms", **WHO)
    assert system(down, "state, pause") == ("up", "both")


# Flows -------------------------------------------------------------------------------------------------------------


def test_along_a_paused_flow_nothing_goes_while_it_is_read_on(make_books):
    books = make_books(kinds=("item", "customer"))
    item(books)
    customer(books)
    (act,) = pause_flow(books, "items")
    assert (act.changed, act.waiting) == (True, 0)
    books.run()
    assert [key for key, told in books.states("wms").items() if told[-1][0] == "done"] == ["customer:CU-1"]
    item(books, name="Drill 18V")
    books.sync()
    assert states(books) == ["done", "ready", "skipped"], "the newer one took the place of the older: reading goes on"
    assert books.rows("SELECT max(tries) FROM messages WHERE state = 'ready'") == [(0,)]
    assert pause_flow(books, "items")[0].changed is False
    (act,) = resume_flow(books, "items")
    assert (act.changed, act.waiting) == (True, 1)
    books.run()
    assert books.systems["wms"].kept("item", "SKU-1")[0].fields["name"] == "Drill 18V"
    assert len(books.systems["wms"].writes) == 2


def test_a_sync_along_a_paused_flow_ends_and_says_so(make_books):
    books = make_books(kinds=("item",))
    item(books)
    pause_flow(books, "items")
    report = books.sync(seconds=20)
    assert report.seconds < 10
    assert (report.read, report.rows[0].waiting, report.exit_code) == (1, 1, 8)
    assert [(stood.flow, stood.by) for stood in report.paused] == [("items", "mira")]


def test_a_lost_answer_along_a_paused_flow_is_still_asked_about(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    item(books)
    books.systems["wms"].answers.append(lost(done=False))
    books.run(once=True)
    assert states(books) == ["unknown"], "it is not found, and that is too early to believe"
    pause_flow(books, "items")
    books.clock.turn(hours=1)
    books.run()
    assert states(books) == ["ready"], "it did not arrive; going again waits"
    assert len(books.systems["wms"].writes) == 1


def test_acts_on_flows_are_on_record_each(make_books):
    books = make_books(kinds=("item", "customer"))
    pause_flow(books, "items", "customers")
    pause_flow(books, "items")
    resume_flow(books, "items", "customers")
    assert books.rows("SELECT what, subject, actor, reason FROM audit ORDER BY seq") == [
        (what, name, "mira", "their release")
        for what in ("flow.pause", "flow.resume")
        for name in ("items", "customers")
    ]


# Clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paused", ["system", "flow", "nothing"])
def test_the_time_limit_of_a_message_stands_still_meanwhile(make_books, paused):
    books = make_books(kinds=("item",), retry=SLOW)
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(Answer(RetryLater("busy", code="busy")))
    books.run(once=True)
    if paused == "system":
        pause(books, "out")
    elif paused == "flow":
        pause_flow(books, "items")
    books.clock.turn(days=4)
    if paused == "system":
        lift(books)
    elif paused == "flow":
        resume_flow(books, "items")
    wms.answers.append(Answer(RetryLater("busy", code="busy")))
    books.run(once=True)
    assert states(books) == (["dead"] if paused == "nothing" else ["ready"])
    books.clock.turn(days=3)
    wms.answers.append(Answer(RetryLater("busy", code="busy")))
    books.run(once=True)
    assert states(books) == ["dead"], "time outside of the pause counts"


@pytest.mark.parametrize("ended_by", ["the system itself", "a probe", "a person"])
def test_the_time_limit_of_a_message_stands_still_in_an_outage(make_books, ended_by):
    books = make_books(kinds=("item",), retry=SLOW, breaker=Breaker(failures=1, probe=timedelta(seconds=5)))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(Answer(AccessDenied("wrong password", code="401") if ended_by == "a person" else DOWN))
    wms.probe_error = DOWN
    books.sync(seconds=0.25)
    assert system(books, "state") == ("stopped" if ended_by == "a person" else "down")
    books.clock.turn(days=4)
    wms.answers.append(Answer(RetryLater("busy", code="busy")))
    if ended_by == "a person":
        resume(books, "wms", **WHO)
    elif ended_by == "a probe":
        wms.probe_error = None
    else:
        wms_id = books.context().routes.names.systems["wms"]
        books.store.writer.call(lambda db: store_systems.note_success(db, wms_id, now=ms(books.clock()), most=4))
    books.run(once=True)
    books.run(once=True)
    assert states(books) == ["ready"], "its three days have hardly begun"
    books.clock.turn(days=4)
    wms.answers.append(Answer(RetryLater("busy", code="busy")))
    books.run(once=True)
    assert states(books) == ["dead"], "time after the outage counts"


@pytest.mark.parametrize("paused", [True, False])
def test_a_lost_answer_does_not_grow_old_meanwhile(make_books, paused):
    books = make_books(kinds=("item",), wms=Once.FINDABLE, retry=Retry(unknown_after=timedelta(hours=1)))
    wms = books.systems["wms"]
    item(books)
    wms.answers.append(lost(done=False))
    books.run(once=True)
    if paused:
        pause(books, "out")
    books.clock.turn(hours=2)
    if paused:
        lift(books)

    async def find(kind, number):
        raise DOWN

    wms.find = find
    books.run(once=True)
    assert (("outcome_unknown", "item:SKU-1") in books.open_cases()) is not paused


# Looking beforehand ------------------------------------------------------------------------------------------------


def test_a_dry_run_looks_nothing_up_in_a_paused_system(make_books):
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    item(books)
    pause(books, "out")

    class Lender:
        landscape = books.context().routes.landscape
        now = books.clock

        def adapter(self, name):
            return books.systems[name]

    found = asyncio.run(preview(Lender(), kinds=("item",)))
    (document,) = found.documents
    assert (document.would, document.reason) == ("held", "wms is paused: it was not looked for there")
    assert books.systems["wms"].finds_made == []
