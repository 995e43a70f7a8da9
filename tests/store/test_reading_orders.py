"""Listings in an order or by a name: what is shown is what reading and sorting every row would show, with fewer rows read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from night_store import NIGHT, Night, tell_the_night

from erpsync.domain.filters import parse
from erpsync.store.connection import Connection
from erpsync.store.reading.asked import Selection
from erpsync.store.reading.events import FIELDS as EVENT_FIELDS
from erpsync.store.reading.events import events
from erpsync.store.reading.messages import DEAD_FIELDS, FIELDS, dead_letters, messages
from erpsync.store.reading.xrefs import xrefs
from erpsync.store.store import Store

Listing = Callable[[Connection, Selection], Any]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """The night, to read."""
    store = Store.create(tmp_path / "erpsync.db", now=NIGHT)
    night = Night(store)
    tell_the_night(night)
    for system, key, far_id in (
        ("erp", "item:SKU-9", "77"),
        ("shop", "item:SKU-9", "77"),
        ("wms", "order:SO-10498", "W-1"),
    ):
        night.xref(system, key, far_id)
    night.finish()
    with store, store.read() as reader:
        yield reader


def of(where: str = "", *, sort: str = "", limit: int = 0) -> Selection:
    """What is asked for."""
    return Selection(company="main", now=NIGHT, where=parse(where), sort=sort, limit=limit)


ORDERS = [
    *((messages, name) for name in FIELDS),
    *((dead_letters, name) for name in DEAD_FIELDS),
    *((events, name) for name in EVENT_FIELDS),
]


@pytest.mark.parametrize("turned", ["", "-"])
@pytest.mark.parametrize(("listing", "field"), ORDERS, ids=lambda one: getattr(one, "__name__", one))
def test_the_first_of_an_order_are_the_first_of_all_in_that_order(
    db: Connection, listing: Listing, field: str, turned: str
) -> None:
    every = listing(db, of(sort=turned + field)).items
    assert len(every) > 2
    for limit in (1, 2, len(every), len(every) + 1):
        page = listing(db, of(sort=turned + field, limit=limit))
        assert page.items == every[:limit]
        assert page.total == len(every)


@pytest.mark.parametrize("where", ["system = erp", "system != erp", "system ~ E", "system = w*", "flow = items"])
@pytest.mark.parametrize("listing", [messages, dead_letters, events, xrefs])
def test_by_a_name_the_rows_of_that_name_are_found_and_counted(db: Connection, listing: Listing, where: str) -> None:
    if where.startswith("flow") and listing not in (messages, dead_letters):
        return
    fits = {
        "system = erp": lambda row: row.system == "erp",
        "system != erp": lambda row: row.system != "erp",
        "system ~ E": lambda row: "e" in row.system,
        "system = w*": lambda row: row.system.startswith("w"),
        "flow = items": lambda row: row.flow == "items",
    }[where]
    every = listing(db, of()).items
    wanted = [row for row in every if fits(row)]
    found = listing(db, of(where))
    assert (list(found.items), found.total) == (wanted, len(wanted))
    assert listing(db, of(where, limit=1)).total == len(wanted)


def test_what_a_system_calls_a_document_is_looked_up(db: Connection) -> None:
    every = xrefs(db, of()).items
    assert len(every) > 1
    for row in every:
        wanted = [other for other in every if other.far_id == row.far_id]
        assert list(xrefs(db, of(f"far = '{row.far_id}'")).items) == wanted
        assert list(xrefs(db, of(f"far != '{row.far_id}'")).items) == [one for one in every if one not in wanted]
        assert list(xrefs(db, of(f"key = {row.key}")).items) == [one for one in every if one.key == row.key]
    assert xrefs(db, of("far = nothing")).items == ()


@pytest.mark.parametrize(
    ("read", "step"),
    [
        (
            lambda db: xrefs(db, of("far = 10498", limit=50)),
            "SEARCH c USING INDEX sqlite_autoindex_xrefs_2 (company_id=? AND system_id=? AND kind=?",
        ),
        (lambda db: xrefs(db, of("key = order:SO-10498", limit=50)), "SEARCH x USING PRIMARY KEY"),
    ],
    ids=["a system's own number", "a key"],
)
def test_one_whole_value_is_found_by_index(db: Connection, read: Callable[[Connection], object], step: str) -> None:
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    read(db)
    db.set_trace_callback(None)
    (sql,) = [one for one in asked if "x.bound_at FROM" in one]
    plan = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(line.startswith(step) for line in plan), plan
    assert not any(line.split()[:2] == ["SCAN", "x"] for line in plan), plan


@pytest.mark.parametrize("where", ["system = erp", "flow = items", "error ~ price"])
def test_to_count_or_sort_by_what_stands_in_a_message_no_other_table_is_joined(db: Connection, where: str) -> None:
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    messages(db, of(where, sort="age", limit=1))
    db.set_trace_callback(None)
    reading = [one for one in asked if "FROM messages m" in one and "json_each" not in one]
    assert len(reading) == 1 or len(reading) == 2
    assert not any("records" in one for one in reading), reading
