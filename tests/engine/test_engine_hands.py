"""What a worker has in its hands: how much it takes, how it is shared, and what becomes of what it has not sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from far import Answer, FarSystem, lost
from kit import Books, Hands, MakeBooks

from erpsync.adapters.protocol import Prepared, Receipt
from erpsync.config.landscape import Breaker, Limits
from erpsync.domain.messages import Once, Reason, State
from erpsync.engine.crew import Crew, at_work
from erpsync.engine.deliver.ending import outcome_of
from erpsync.engine.deliver.pace import Pace
from erpsync.errors import AccessDenied, RetryLater, SystemDown
from erpsync.store import finishing, tries
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.connection import IntegrityError
from erpsync.store.tries import Begun


@dataclass
class Dock(FarSystem):
    """A warehouse that takes nothing in while its door is shut."""

    door: asyncio.Event = field(default_factory=asyncio.Event)
    at_the_door: int = 0

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        self.at_the_door += 1
        await self.door.wait()
        self.at_the_door -= 1
        return await super().write(batch)


@pytest.fixture
def books(make_books: MakeBooks) -> Books:
    """Eighty items on their way to a warehouse that takes four at once, each key once."""
    return with_items(make_books(kinds=("item",), limits=Limits(concurrency=4)))


def with_items(books: Books, n: int = 80) -> Books:
    wms = books.systems["wms"]
    books.systems["wms"] = Dock("wms", wms.once, books.clock, finds=False, kinds=wms.kinds)
    for number in range(n):
        books.systems["erp"].keep("item", sku=f"SKU-{number}", name="Drill")
    books.tell("erp", *books.systems["erp"].feed)
    return books


def dock(books: Books) -> Dock:
    found = books.systems["wms"]
    assert isinstance(found, Dock)
    return found


@asynccontextmanager
async def at_the_dock(books: Books, *, workers: int = 1) -> AsyncIterator[list[Crew]]:
    """So many workers while the warehouse, proven to be there, has its door shut; it opens when they are to stop."""
    async with AsyncExitStack() as stack:
        context = books.context()
        context.store.writer.call(lambda db: db.execute("UPDATE systems SET proven = 1, ramp = 64"))
        named = [await stack.enter_async_context(at_work(context, f"worker {n}")) for n in range(workers)]
        crews = [await stack.enter_async_context(Crew(one)) for one in named]
        yield crews
        for crew in crews:
            crew.stop()
        dock(books).door.set()
    for crew in crews:
        assert crew.defects == []


async def seen(look: Callable[[], bool]) -> None:
    """Until it can be seen."""
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110  (what is seen is in the store, which rings no bell)
            await asyncio.sleep(0.01)


def in_hand(books: Books) -> dict[object, int]:
    """By worker: how many messages it has in its hands."""
    rows = books.rows("SELECT leased_by, count(*) FROM messages WHERE state = 'leased' GROUP BY leased_by")
    return {worker: int(str(n)) for worker, n in rows}


def is_full(books: Books) -> bool:
    """Four at the door, and four more in hand behind them."""
    return dock(books).at_the_door == 4 and sum(in_hand(books).values()) == 8


def ends(books: Books) -> Counter[str]:
    """How tries ended."""
    return Counter(str(row[0]) for row in books.rows("SELECT outcome FROM attempts WHERE ended_at IS NOT NULL"))


# How much it takes -------------------------------------------------------------------------------------------------


def test_what_a_target_takes_in_two_seconds_decides_how_much_is_claimed_ahead() -> None:
    pace = Pace()
    pace.took(1, now=1000.0)
    assert pace.ahead(4) == 2, "nothing is known yet"
    pace.took(1, now=1000.0625)
    assert pace.ahead(4) == 2, "a look of less than a tenth of a second says nothing"
    pace.took(1, now=1000.125)
    assert pace.ahead(4) == 8, "16 a second are 32 in two seconds, four at once"
    pace.took(16, now=1000.25)
    assert pace.ahead(4) == 32, "256 in two seconds, but never more than thirty-two times"
    pace.took(4, now=1003.5)
    assert pace.ahead(4) == 2, "it has become slow"


def test_of_a_warehouse_that_takes_its_time_no_more_is_claimed_than_waits_for_one_call(books: Books) -> None:
    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: is_full(books))
            await asyncio.sleep(0.3)  # three more looks for work
            assert sum(in_hand(books).values()) == 8

    asyncio.run(day())


def test_of_a_blind_warehouse_no_more_is_on_record_as_sent_than_it_is_working_on(make_books: MakeBooks) -> None:
    books = with_items(make_books(kinds=("item",), wms=Once.BLIND, limits=Limits(concurrency=4)))
    dock(books).reads_one = dock(books).changes_offered = False

    async def day() -> None:
        async with at_the_dock(books, workers=2):
            await seen(lambda: dock(books).at_the_door == 4)
            await asyncio.sleep(0.3)  # three more looks for work
            assert books.rows("SELECT count(*) FROM attempts WHERE begun_at IS NOT NULL") == [(4,)]

    asyncio.run(day())


def test_two_workers_share_what_a_warehouse_can_take_and_neither_stands_idle(books: Books) -> None:
    async def day() -> None:
        async with at_the_dock(books, workers=2):
            await seen(lambda: len(in_hand(books)) == 2)
            await seen(lambda: dock(books).at_the_door == 4)
            await asyncio.sleep(0.3)  # three more looks for work
            assert set(in_hand(books).values()) == {4}
            assert dock(books).at_the_door == 4, "together no more than it may be asked at once"

    asyncio.run(day())


def test_more_workers_than_a_warehouse_has_doors_do_not_crowd_it(make_books: MakeBooks) -> None:
    books = with_items(make_books(kinds=("item",), limits=Limits(concurrency=2)))

    async def day() -> None:
        async with at_the_dock(books, workers=3):
            await seen(lambda: dock(books).at_the_door == 2)
            await asyncio.sleep(0.3)  # three more looks for work
            assert dock(books).at_the_door == 2

    asyncio.run(day())


# What it has not sent ----------------------------------------------------------------------------------------------


def test_a_worker_that_stops_gives_back_what_it_had_not_sent(books: Books) -> None:
    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: is_full(books))

    asyncio.run(day())
    assert len(dock(books).writes) == 4
    assert ends(books) == {"created": 4, "released": 4}
    assert books.rows("SELECT state, tries, count(*) FROM messages GROUP BY 1, 2 ORDER BY 1") == [
        ("done", 1, 4),
        ("ready", 0, 76),
    ]


def test_what_waits_is_given_back_without_a_try_when_the_system_goes_down(books: Books) -> None:
    books.breaker = Breaker(failures=1)
    dock(books).answers.extend([Answer(SystemDown("no connection"))] * 4)

    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: is_full(books))
            dock(books).door.set()
            await seen(lambda: not in_hand(books))

    asyncio.run(day())
    assert len(dock(books).writes) == 4, "only what was at the door"
    assert ends(books) == {"down": 4, "released": 4}
    assert books.rows("SELECT DISTINCT state, tries FROM messages") == [("ready", 0)]


def test_after_a_wrong_password_nothing_more_is_tried_though_much_waits(books: Books) -> None:
    dock(books).door.set()
    dock(books).answers.extend([*[Answer()] * 20, *[Answer(AccessDenied("401: wrong key"))] * 60])

    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: not in_hand(books) and len(dock(books).writes) > 20)

    asyncio.run(day())
    assert len(dock(books).writes) == 21
    assert ends(books)["denied"] == 1


def test_what_was_claimed_before_an_outage_does_not_crowd_in_before_the_first_success(books: Books) -> None:
    books.breaker = Breaker(failures=50)
    dock(books).answers.extend([lost(done=False)] * 8)

    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: is_full(books))
            books.store.writer.call(lambda db: db.execute("UPDATE systems SET proven = 0, ramp = 1"))  # seen by another
            dock(books).door.set()
            await seen(lambda: ends(books)["released"] == 4)

    asyncio.run(day())
    assert ends(books)["unknown"] >= 4
    assert len(dock(books).writes) < 8, "one at a time from here"


def test_one_connection_that_was_not_made_sends_nothing_else_back_to_the_queue(books: Books) -> None:
    dock(books).door.set()
    dock(books).answers.extend([*[Answer()] * 20, Answer(SystemDown("no connection"))])

    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: len(dock(books).documents) == 80)

    asyncio.run(day())
    assert ends(books) == {"created": 80, "down": 1}


def test_a_warehouse_that_asks_for_quiet_hears_nothing_of_what_waits_and_no_try_is_lost(books: Books) -> None:
    dock(books).answers.extend([Answer(RetryLater("429: slow down", after=timedelta(seconds=30)))] * 80)

    async def day() -> None:
        async with at_the_dock(books):
            await seen(lambda: is_full(books))
            dock(books).door.set()
            await seen(lambda: not in_hand(books))

    asyncio.run(day())
    assert len(dock(books).writes) == 4, "only what was at the door"
    assert ends(books) == {"throttled": 4, "released": 4}
    dock(books).answers.clear()
    books.clock.turn(seconds=31)
    books.run()
    assert len(dock(books).documents) == 80


# What came to its end twice, or made no sense ----------------------------------------------------------------------


def claimed_twice(make_books: MakeBooks) -> tuple[Hands, Claimed, Claimed]:
    """A message under a lease that has ended, and under the one it has now."""
    books = with_items(make_books(kinds=("item",)), 1)
    hands = Hands(books)
    (message_id,) = hands.claim(lease_seconds=10)

    def loaded() -> Claimed:
        with books.store.read() as db:
            return load_claimed(db, [message_id])[0]

    old = loaded()
    books.clock.turn(seconds=11)
    assert hands.claim() == [message_id]
    return hands, old, loaded()


def test_a_lease_that_moved_on_stays_late_though_both_come_to_their_end_together(make_books: MakeBooks) -> None:
    hands, old, new = claimed_twice(make_books)
    late = outcome_of(old, State.DONE, Reason.CREATED, "created")
    late.far_id, late.present = "late-1", True
    released = outcome_of(new, State.READY, Reason.RELEASED, "released")
    report = hands._write(lambda db, tally: finishing.finish(db, [late, released], tally, now=hands.context.now_ms))
    assert (report.ours, report.late) == ({(new.message_id, new.lease_no)}, 1)
    assert hands.books.state_of(new.message_id) == "ready"
    assert hands.books.rows("SELECT count(*) FROM xrefs WHERE far_id = 'late-1'") == [(0,)]


def test_of_two_leases_of_one_message_only_the_newer_may_send(make_books: MakeBooks) -> None:
    hands, old, new = claimed_twice(make_books)
    begun = [
        Begun(one.message_id, one.lease_no, "POST /item", (), b"{}", {}, once_key="k", generation=1)
        for one in (old, new)
    ]
    names, now = hands.context.routes.names, hands.context.now_ms
    ours = hands._write(lambda db, _: tries.begin(db, begun, landscape_id=names.landscape_id, now=now))
    assert ours == {(new.message_id, new.lease_no)}


def test_after_an_answer_that_makes_no_sense_the_target_is_asked_what_it_has(make_books: MakeBooks) -> None:
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    wms, really = books.systems["wms"], books.systems["wms"]._do
    wms._do = lambda prepared: replace(really(prepared), outcome="posted, sort of")  # type: ignore[method-assign]  # an adapter's defect
    books.run()
    assert ends(books) == {"unknown": 1, "settled": 1}
    assert (books.states("wms"), len(wms.writes)) == ({"item:SKU-1": [("done", "created")]}, 1)


def test_a_store_that_will_not_put_a_try_on_record_stops_the_worker_and_kills_no_document(
    make_books: MakeBooks,
) -> None:
    books = make_books(kinds=("item",), wms=Once.FINDABLE)
    books.systems["erp"].keep("item", sku="SKU-1", name="Drill")
    books.store.writer.call(
        lambda db: db.execute("CREATE TRIGGER stuck BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'stuck'); END")
    )
    with pytest.raises(IntegrityError):
        books.run()
    assert (books.states("wms"), books.systems["wms"].writes) == ({"item:SKU-1": [("leased", "")]}, [])
    books.store.writer.call(lambda db: db.execute("DROP TRIGGER stuck"))
    books.run()
    assert books.states("wms") == {"item:SKU-1": [("done", "created")]}
