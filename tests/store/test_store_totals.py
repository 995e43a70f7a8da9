"""What is counted as it happens: messages by state and their stakes, and what was done by the minute."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from erpsync.store.connection import ms
from erpsync.store.names import register
from erpsync.store.reading.messages import counts_by_state
from erpsync.store.reading.systems import SystemStanding, outcomes_of_last_hour, standings
from erpsync.store.store import Store
from erpsync.store.totals import Tally

NOW = ms(datetime(2026, 10, 15, 12, 0, tzinfo=UTC))
MINUTE = 60_000


@pytest.fixture
def system(store: Store) -> int:
    """One system's number."""
    names = store.writer.call(
        lambda db: register(db, company="main", systems=["wms"], flows=["orders"], now=NOW, digest="d", content="c")
    )
    return names.systems["wms"]


def called(store: Store, system: int, *took_us: int, ago: int = MINUTE, n: int = 1, outcome: str = "done") -> None:
    """Calls that took so long; 0: not timed."""
    tally = Tally(1)
    for us in took_us:
        tally.happened(at=NOW - ago, flow_id=1, system_id=system, outcome=outcome, took_us=us, n=n)
    store.writer.call(tally.write)


def standing(store: Store) -> SystemStanding:
    with store.read() as db:
        (found,) = standings(db, "main", now_ms=NOW)
    return found


def test_messages_that_move_are_counted_where_they_are_now(store: Store, system: int) -> None:
    of = {"flow_id": 1, "target_id": system}
    tally = Tally(1)
    tally.arrived(**of, state="ready", n=3, stake=900, currency="USD")
    tally.move(**of, before="ready", after="leased", stake=200, currency="USD")
    store.writer.call(tally.write)
    tally.move(**of, before="leased", after="dead", stake=200, currency="USD")
    tally.move(**of, before="ready", after="ready", stake=300, currency="USD")
    store.writer.call(tally.write)
    tally.arrived(**of, state="dead", n=1, stake=50, currency="EUR")
    store.writer.call(tally.write)
    with store.read() as db:
        assert counts_by_state(db, 1) == {"ready": 2, "leased": 0, "dead": 2}
    found = standing(store)
    assert found.stakes == {"ready": (("USD", 700),), "dead": (("EUR", 50), ("USD", 200))}
    assert found.due == 2


def test_what_was_written_is_not_written_again(store: Store, system: int) -> None:
    tally = Tally(1)
    tally.arrived(flow_id=1, target_id=system, state="ready", n=1, stake=5, currency="USD")
    tally.happened(at=NOW, flow_id=1, system_id=system, outcome="late")
    for _ in range(2):
        store.writer.call(tally.write)
    with store.read() as db:
        assert counts_by_state(db, 1) == {"ready": 1}
        assert outcomes_of_last_hour(db, "main", now_ms=NOW) == {"late": 1}


def test_an_hour_is_counted_by_what_came_of_it(store: Store, system: int) -> None:
    called(store, system, 0, n=7, outcome="told:accepted")
    called(store, system, 20_000, n=2)
    called(store, system, 20_000, ago=59 * MINUTE)
    called(store, system, 20_000, ago=60 * MINUTE, n=100)
    with store.read() as db:
        assert outcomes_of_last_hour(db, "main", now_ms=NOW) == {"told:accepted": 7, "done": 3}
        assert counts_by_state(db, 1) == {}


@pytest.mark.parametrize(
    ("quick", "slow", "shown"),
    [
        ((25_000, 19), (4_000_000, 1), "0.03"),
        ((25_000, 18), (4_000_000, 2), "10.0"),
        ((10_000, 1), (10_000, 1), "0.01"),
        ((10_001, 1), (10_001, 1), "0.03"),
        ((25_000, 9), (10_000_001, 1), ""),
    ],
)
def test_nineteen_of_twenty_calls_of_the_hour_stayed_within_the_bound_that_is_shown(
    store: Store, system: int, quick: tuple[int, int], slow: tuple[int, int], shown: str
) -> None:
    for took_us, n in (quick, slow):
        called(store, system, took_us, n=n)
    called(store, system, 60_000_000, n=50, ago=60 * MINUTE)
    called(store, system, 0, n=50, outcome="told:accepted")
    assert standing(store).p95 == shown


def test_where_nothing_was_called_there_is_no_time_and_no_rate(store: Store, system: int) -> None:
    called(store, system, 0, n=50, outcome="told:accepted")
    assert (standing(store).p95, standing(store).per_second) == (None, 0.0)


def test_the_rate_is_that_of_the_last_whole_minute(store: Store, system: int) -> None:
    called(store, system, 9_000, 900_000, n=60)
    called(store, system, 9_000, n=500, ago=0)
    called(store, system, 9_000, n=500, ago=2 * MINUTE)
    assert standing(store).per_second == 2.0
