"""A whole key in a filter is looked up: what is found is what reading every row would find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from night_store import NIGHT, Night, tell_the_night

from erpsync.domain.filters import parse
from erpsync.store.connection import Connection
from erpsync.store.reading.asked import Selection
from erpsync.store.reading.events import events
from erpsync.store.reading.lanes import stuck_lanes
from erpsync.store.reading.messages import MessageRow, dead_letters, messages
from erpsync.store.store import Store

Rows = list[tuple[int, dict[str, str]]]
Listing = Callable[[Connection, Selection], Rows]


def _heads(db: Connection, asked: Selection) -> list[MessageRow]:
    return [lane.head for lane in stuck_lanes(db, asked).page.items]


def _messages(rows: Iterable[MessageRow]) -> Rows:
    return [(row.message_id, {"key": row.key, "lane": row.lane}) for row in rows]


LISTINGS: dict[str, Listing] = {
    "messages": lambda db, asked: _messages(messages(db, asked).items),
    "dead letters": lambda db, asked: _messages(dead_letters(db, asked).items),
    "lanes": lambda db, asked: _messages(_heads(db, asked)),
    "events": lambda db, asked: [(row.event_id, {"key": row.key}) for row in events(db, asked).items],
}
NUMBERS = ("SO-1", "SO-10498", "SO-20000", "CU-1107", "SKU-9", "A:B", "a/b", "G-1", "nobody")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """The night, with movements that queue under another key, odd numbers, and events that reached no record."""
    store = Store.create(tmp_path / "erpsync.db", now=NIGHT)
    night = Night(store)
    tell_the_night(night)
    night.message("shipment:SO-10498", to="erp", state="ready", queue="order:SO-10498")
    night.message("order:A:B", to="erp", state="dead")
    night.message("order:a/b", to="erp", state="dead", queue="order:A:B")
    for verdict in ("unreadable", "stale", "caught_up"):
        night.event("erp", "order:G-1", verdict=verdict, record_id=None)
    night.event("shop", "order:SO-10498", verdict="refused", record_id=None)
    night.event("shop", "order:other", record_id=night.record("order:SO-10498"))
    chain = night.event("erp", "customer:CU-1107", previous_id=0)
    last = night.event("erp", "customer:CU-1107", previous_id=chain)
    store.writer.call(
        lambda db: db.execute(
            "UPDATE records SET newest_id = ? WHERE kind = 'customer' AND number = 'CU-1107'", (last,)
        )
    )
    night.finish()
    with store, store.read() as reader:
        yield reader


def rows(db: Connection, listing: str, where: str) -> Rows:
    """All that a filter lets through."""
    return LISTINGS[listing](db, Selection(company="main", now=NIGHT, where=parse(where), limit=0))


def found(db: Connection, listing: str, where: str) -> list[int]:
    """The same, by id."""
    return [number for number, _ in rows(db, listing, where)]


@pytest.mark.parametrize(
    ("listing", "field"),
    [(listing, field) for listing in LISTINGS for field in ("key", "lane") if (listing, field) != ("events", "lane")],
)
def test_what_is_looked_up_is_what_reading_every_row_finds(listing: str, field: str, db: Connection) -> None:
    every = rows(db, listing, "")
    seen = 0
    for kind in ("order", "shipment", "customer", "item"):
        for number in NUMBERS:
            key = f"{kind}:{number}"
            wanted = [row_id for row_id, told in every if told[field] == key]
            assert found(db, listing, f"{field} = '{key}'") == wanted
            others = [row_id for row_id, told in every if told[field] != key]
            assert found(db, listing, f"{field} != '{key}'") == others
            assert found(db, listing, f"not ({field} = '{key}' and age > 0s)") == others
            seen += len(wanted)
    assert seen


def test_what_queues_under_another_key_is_found_by_both(db: Connection) -> None:
    (message,) = found(db, "messages", "key = shipment:SO-10498")
    assert message in found(db, "messages", "lane = order:SO-10498")
    assert message not in found(db, "messages", "key = order:SO-10498")


def test_kinds_in_the_plural_and_the_company_in_front_are_taken(db: Connection) -> None:
    one = found(db, "messages", "key = order:SO-10498")
    assert len(one) == 2
    for key in ("orders:SO-10498", "main/order:SO-10498", "main/orders:SO-10498"):
        assert found(db, "messages", f"key = {key}") == one
    assert found(db, "messages", "key = acme/order:SO-10498") == []
    assert len(found(db, "messages", "key != acme/order:SO-10498")) == len(found(db, "messages", ""))


@pytest.mark.parametrize(
    "text", ["''", "order", "':'", "'order:'", "':SO-1'", "x:SO-1", "'/order:SO-1'", "'\\x00:\\x00'"]
)
def test_what_is_no_key_of_ours_finds_nothing(text: str, db: Connection) -> None:
    for listing in LISTINGS:
        assert found(db, listing, f"key = {text}") == []


def test_an_event_that_reached_no_record_is_found_by_the_number_it_told(db: Connection) -> None:
    assert len(found(db, "events", "key = order:G-1")) == 3
    told = found(db, "events", "key = order:SO-10498")
    assert len(told) == 3, "of its record, under another number, and one that was refused before it"
    assert len(found(db, "events", "key = customer:CU-1107")) == 3, (
        "the first, and two that changed it one after the other"
    )
