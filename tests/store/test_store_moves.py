"""The schema itself refuses a state that is none, and a move that is not allowed."""

from __future__ import annotations

import pytest

from erpsync.domain.messages import MOVES, State
from erpsync.store import books
from erpsync.store.connection import Connection, IntegrityError
from erpsync.store.store import Store

AT = 1_792_000_000_000


def put(db: Connection, state: str) -> None:
    """One message in a state, with the least there must be for it."""
    books.insert_records(db, 1, [books.Record(1, "item", "SKU-1", fields={"sku": "SKU-1"})])
    db.execute(
        "INSERT INTO messages (message_id, company_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, accepted_at, "
        "state_at) VALUES (1, 1, 2, 1, 1, 1, ?, 0, ?, ?, ?)",
        (state, AT, AT, AT),
    )


def move(db: Connection, before: str, after: str) -> bool:
    """Whether the store lets a message go from one state to another."""
    put(db, before)
    try:
        db.execute("UPDATE messages SET state = ? WHERE message_id = 1", (after,))
    except IntegrityError as error:
        if "may not move so" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_a_message_moves_as_it_may_and_no_other_way(store: Store, before: State, after: State) -> None:
    assert store.writer.call(lambda db: move(db, before, after)) is (before is after or after in MOVES[before])


@pytest.mark.parametrize("state", ["lost", "", "READY"])
def test_there_are_no_other_states(store: Store, state: str) -> None:
    with pytest.raises(IntegrityError, match="CHECK constraint failed"):
        store.writer.call(lambda db: put(db, state))


def test_what_has_left_its_lane_is_no_head(store: Store) -> None:
    def crown(db: Connection) -> None:
        put(db, State.DONE)
        db.execute("UPDATE messages SET is_head = 1")

    with pytest.raises(IntegrityError, match="is_head = 0"):
        store.writer.call(crown)


def test_only_what_is_on_its_way_repeats_a_try(store: Store) -> None:
    def pin(db: Connection) -> None:
        put(db, State.HELD)
        db.execute("UPDATE messages SET pinned_id = 1")

    with pytest.raises(IntegrityError, match="pinned_id IS NULL"):
        store.writer.call(pin)


def test_a_lease_number_only_grows(store: Store) -> None:
    def back(db: Connection) -> None:
        put(db, State.READY)
        db.execute("UPDATE messages SET lease_no = 3")
        db.execute("UPDATE messages SET lease_no = 2")

    with pytest.raises(IntegrityError, match="lease_no only grows"):
        store.writer.call(back)
