"""Workers that stop or die with something in their hands: the next one on the machine takes it back at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from far import Answer
from kit import Books, Hands, MakeBooks

from erpsync.engine.elsewhere import Waiting, elsewhere
from erpsync.engine.worker import run_worker
from erpsync.errors import StoreFull
from erpsync.store import systems, workers
from erpsync.store.workers import Elsewhere


def arrived(books: Books, *, pid: int = 1) -> int:
    """A worker that is on record."""
    now = books.context().now_ms
    return books.store.writer.call(lambda db: workers.arrive(db, host="dock-3", pid=pid, command="run", now=now))


def bury(books: Books, worker_id: int) -> None:
    """The worker is found to be gone."""
    now = books.context().now_ms
    books.store.writer.call(lambda db: workers.bury(db, worker_id, now=now))


def first_call_is_free(books: Books, target: str = "wms") -> bool:
    """Whether somebody may make the first call to a system in doubt now."""
    (row,) = books.rows("SELECT proven, proving_until FROM systems WHERE name = ?", target)
    return row == (0, 0)


def with_a_first_call_in_hand(books: Books, worker_id: int, *, lease_seconds: float = 30) -> Hands:
    """A worker that has claimed one message of a system that has not answered yet, to see whether it does."""
    hands = Hands(books)
    now = books.context().now_ms
    until = now + int(lease_seconds * 1000)
    assert books.store.writer.call(lambda db: systems.prove(db, hands.target_id, now=now, until=until))
    assert len(hands.claim(lease_seconds=lease_seconds)) == 1
    books.store.writer.call(
        lambda db: db.execute("UPDATE messages SET leased_by = ? WHERE state = 'leased'", (worker_id,))
    )
    return hands


@pytest.fixture
def books(make_books: MakeBooks) -> Books:
    """Three items on their way to the warehouse."""
    books = make_books(kinds=("item",))
    for n in (1, 2, 3):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill")
    books.tell("erp", *books.systems["erp"].feed)
    return books


def test_the_first_call_of_a_worker_that_died_is_made_by_the_next_at_once(books: Books) -> None:
    dead = arrived(books)
    with_a_first_call_in_hand(books, dead)
    assert not first_call_is_free(books)
    bury(books, dead)
    assert first_call_is_free(books)
    books.run()
    assert books.states("wms") == {f"item:SKU-{n}": [("done", "created")] for n in (1, 2, 3)}


def test_a_first_call_that_another_worker_makes_stays_its_own(books: Books) -> None:
    dead, alive = arrived(books, pid=1), arrived(books, pid=2)
    with_a_first_call_in_hand(books, alive)
    bury(books, dead)
    assert not first_call_is_free(books)


def test_a_worker_stopped_by_a_full_disk_leaves_nothing_behind_to_wait_for(books: Books) -> None:
    def fill(most: int) -> None:
        books.store.writer.call(lambda db: db.execute(f"PRAGMA max_page_count = {most}").fetchall())

    for n in range(4, 40):
        books.systems["erp"].keep("item", sku=f"SKU-{n}", name="Drill", description="sturdy " * 500)
    books.systems["wms"].answers.append(Answer(done=True, then=lambda: fill(1)))
    with pytest.raises(StoreFull):
        asyncio.run(run_worker(books, until_idle=True))
    fill(2**30)
    assert books.rows("SELECT count(*) FROM messages WHERE state = 'leased' AND due_at > 0") == [(0,)]
    books.run()
    assert books.rows("SELECT DISTINCT state FROM messages") == [("done",)], "no document died of it"
    assert max(len(books.systems["wms"].kept("item", f"SKU-{n}")) for n in range(1, 40)) == 1, "nothing was made twice"


def told(books: Books, worker_id: int, **by: float) -> Elsewhere | None:
    """What this worker would say it waits for, so long after now."""
    books.clock.turn(**by)
    context = books.context()
    targets = [route.target_id for route in context.routes.all]
    return asyncio.run(elsewhere(replace(context, worker_id=worker_id), targets))


def test_a_worker_says_what_it_waits_for_and_until_when(books: Books) -> None:
    one, other = arrived(books, pid=1), arrived(books, pid=2)
    assert told(books, other) is None
    began = books.clock()
    with_a_first_call_in_hand(books, one, lease_seconds=30)
    until = began + timedelta(seconds=30)
    assert told(books, other) == Elsewhere(1, ("wms",), until, silent=False)
    assert told(books, one) is None, "its own hands are not another's"
    assert told(books, other, seconds=12) == Elsewhere(1, ("wms",), until, silent=True)
    bury(books, one)
    assert told(books, other) is None


def test_it_is_said_once_and_not_at_once(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_first_call_in_hand(books, arrived(books, pid=1))
    said: list[Elsewhere] = []
    passed = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    waiting = Waiting(books.context(), said.append)
    for seconds in (1.0, 3.0, 6.0, 9.0):
        passed[0] = seconds
        asyncio.run(waiting.look(only_silent=False))
    assert [found.messages for found in said] == [1]
    asyncio.run(Waiting(books.context(), said.append).look(only_silent=True))
    assert len(said) == 1
