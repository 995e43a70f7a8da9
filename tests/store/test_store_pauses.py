"""What is paused, in the store: apart from the breaker, and how long nothing went anywhere for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erpsync.store import flows, standstills, systems
from erpsync.store.connection import Connection, DatabaseError
from erpsync.store.store import Store


def fill(db: Connection) -> None:
    db.executemany("INSERT INTO systems (system_id, name, since) VALUES (?, ?, 0)", [(1, "erp"), (2, "wms")])
    db.executemany("INSERT INTO flows (flow_id, name) VALUES (?, ?)", [(1, "items"), (2, "orders")])


@pytest.fixture
def filled(store: Store) -> Store:
    """Two systems and two flows."""
    store.writer.call(fill)
    return store


def test_what_is_paused_and_what_the_breaker_found_are_two_things(filled: Store) -> None:
    def both(db: Connection) -> list[tuple[str, str, str, str]]:
        told = []

        def tell() -> None:
            row = systems.system(db, 2)
            told.append((row.state, row.pause, row.outward, row.inward))

        systems.stop(db, 2, now=1, code="401", text="who are you", by="engine")
        for what in ("in", "out"):
            systems.pause(db, systems.system(db, 2), what, now=2, by="mira", reason="")
            tell()
        systems.resume(db, 2, now=3)
        tell()
        systems.lift(db, 2, now=4)
        tell()
        return told

    assert filled.writer.call(both) == [
        ("stopped", "in", "stopped", "paused"),
        ("stopped", "both", "paused", "paused"),
        ("up", "both", "paused", "paused"),
        ("up", "", "up", "up"),
    ]


def test_the_store_takes_no_other_pause(filled: Store) -> None:
    with pytest.raises(DatabaseError):
        filled.writer.call(lambda db: db.execute("UPDATE systems SET pause = 'maybe', paused_at = 1"))
    with pytest.raises(DatabaseError):
        filled.writer.call(lambda db: db.execute("UPDATE systems SET state = 'paused'"))


def test_a_pause_for_reading_alone_stops_no_clock(filled: Store) -> None:
    def act(db: Connection) -> int:
        systems.pause(db, systems.system(db, 2), "in", now=100, by="mira", reason="")
        return standstills.stood_still(db, 2, 1, since=0, now=500)

    assert filled.writer.call(act) == 0


def test_time_paused_twice_over_is_counted_once(filled: Store) -> None:
    def act(db: Connection) -> list[int]:
        systems.pause(db, systems.system(db, 2), "both", now=100, by="mira", reason="")
        flows.pause(db, 1, now=200, by="mira", reason="")
        systems.lift(db, 2, now=300)
        flows.resume(db, 1, now=400)
        systems.pause(db, systems.system(db, 2), "out", now=600, by="mira", reason="")
        return [
            standstills.stood_still(db, 2, 1, since=0, now=700),
            standstills.stood_still(db, 2, 2, since=0, now=700),
            standstills.stood_still(db, 1, 1, since=0, now=700),
            standstills.stood_still(db, 2, 1, since=250, now=650),
        ]

    assert filled.writer.call(act) == [400, 300, 200, 200]


@given(
    spans=st.lists(
        st.tuples(st.booleans(), st.sampled_from(("pause", "breaker")), st.integers(0, 50), st.integers(1, 20)),
        max_size=8,
    ),
    since=st.integers(0, 40),
    length=st.integers(1, 40),
)
def test_it_is_the_moments_in_which_nothing_could_go(
    spans: list[tuple[bool, standstills.Why, int, int]], since: int, length: int
) -> None:
    now, still = since + length, set[int]()
    with Connection(":memory:") as db:
        db.execute(
            "CREATE TABLE standstills (system_id, flow_id, why, began_at, ended_at, PRIMARY KEY (system_id, flow_id, why, began_at))"
        )
        for of_system, why, began, lasting in spans:
            ids = {"system_id": 2} if of_system else {"flow_id": 1}
            standstills.begin(db, why, **ids, now=began)
            standstills.end(db, why, **ids, now=began + lasting)
        for began, ended in db.execute("SELECT began_at, ended_at FROM standstills"):
            still |= set(range(max(began, since), min(ended, now)))
        assert standstills.stood_still(db, 2, 1, since=since, now=now) == len(still)
    db.close()


def test_a_flow_is_paused_once_and_says_by_whom(filled: Store) -> None:
    def act(db: Connection) -> list[object]:
        return [
            flows.pause(db, 2, now=5, by="mira", reason="prices"),
            flows.pause(db, 2, now=6, by="dana", reason=""),
            [(flow.name, flow.paused_at, flow.paused_by) for flow in flows.paused(db).values()],
            flows.resume(db, 2, now=7),
            flows.resume(db, 2, now=8),
            flows.paused(db),
        ]

    assert filled.writer.call(act) == [True, False, [("orders", 5, "mira")], True, False, {}]
