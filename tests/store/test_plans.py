"""Work stays quick behind any backlog: every statement on the worker's way is served by its index, none reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from erpsync.domain.messages import Once, Reason, State
from erpsync.store import books, cases, claims, events, messages, offers, results, xrefs
from erpsync.store.before import before_page, seen_before
from erpsync.store.claimed import load_claimed
from erpsync.store.claims import Share, Wanted
from erpsync.store.connection import Connection
from erpsync.store.finishing import finish
from erpsync.store.lanes import lane_id
from erpsync.store.offers import Offer
from erpsync.store.outcomes import Outcome
from erpsync.store.questions import anything_to_ask, claim_settling
from erpsync.store.store import Store
from erpsync.store.totals import Tally
from erpsync.store.tries import Begun, begin

NOW = 1_000_000
DUE = "messages_due (target_id=? AND flow_id=? AND due_at<?)"
NUMBERED = "sqlite_autoindex_records_1 (company_id=? AND kind=? AND number=?)"
WANTED = Wanted(
    target_id=2,
    room=10,
    shares=[Share(1, 1)],
    lease_ms=60_000,
    once={1: Once.IDEMPOTENT},
    upserts=frozenset(),
    most_tries=12,
)
DELIVERED = Outcome(
    message_id=1,
    lease_no=1,
    target_id=2,
    flow_id=1,
    lane_id=1,
    record_id=1,
    kind="item",
    number="SKU-1",
    stake=0,
    currency="",
    after=State.DONE,
    reason=Reason.CREATED,
    outcome="created",
    present=True,
    far_id="far-1",
)
SMALL = (
    "companies",
    "systems",
    "flows",
    "meta",
    "landscapes",
    "workers",
    "json_each",
    "j",
    "v",
    "page",
    "(subquery-1)",
)

Act = Callable[[Connection], object]
OFFERED: Act = lambda db: _offer(db, supersedes=True)  # noqa: E731  (a table of acts reads best)
JOINED: Act = lambda db: _offer(db, supersedes=False)  # noqa: E731  (as above)
CLAIMED: Act = lambda db: claims.claim(db, WANTED, Tally(1), worker_id=1, now=NOW)  # noqa: E731  (as above)

SEEN = "SEARCH seen USING PRIMARY KEY (company_id=? AND system_id=? AND dup_key=?)"
ON_ITS_WAY = ("messages_lane (lane_id=? AND <expr>=?)", "messages_elsewhere (record_id=?)")

ACTS: dict[str, tuple[tuple[Act, ...], Act, tuple[str, ...]]] = {
    "picking and leasing what is due": ((OFFERED,), CLAIMED, (DUE,)),
    "looking whether anything is due": ((), lambda db: claims.anything_due(db, 2, 1, now=NOW), (DUE,)),
    "counting what workers have in hand": ((), lambda db: claims.leased(db, 2, now=NOW), ("messages_leased",)),
    "reading what was claimed": ((OFFERED,), lambda db: load_claimed(db, [1]), ()),
    "putting a try on record": (
        (OFFERED, CLAIMED),
        lambda db: begin(db, [Begun(1, 1, "POST /", (), b"{}", {}, "es-1", 1)], landscape_id=1, now=NOW),
        ("SEARCH m USING INTEGER PRIMARY KEY",),
    ),
    "finishing": ((OFFERED, CLAIMED), lambda db: finish(db, [DELIVERED], Tally(1), now=NOW), ("messages_lane",)),
    "looking for a question": ((), lambda db: anything_to_ask(db, 2, before=NOW), ("messages_settling",)),
    "picking questions": (
        (),
        lambda db: claim_settling(db, 2, room=5, now=NOW, until=NOW + 9, worker_id=1),
        ("messages_settling",),
    ),
    "handing lanes on": ((), lambda db: messages.promote(db, [1]), ("messages_lane",)),
    "offering into lanes where others stand": (
        (OFFERED,),
        OFFERED,
        ("messages_lane (lane_id=? AND <expr>=?)",),
    ),
    "offering what only joins a line": ((JOINED, JOINED), JOINED, ("messages_lane (lane_id=? AND <expr>=?)",)),
    "what a page asks before it begins": (
        (),
        lambda db: before_page(db, 1, system_id=2, keys=["id:1"], kinds=("contract_violation", "unknown_key")),
        ("events_back (verdict=?)", "exceptions_open (company_id=? AND kind=?)", SEEN),
    ),
    "what a page of things that were not sent asks": ((), lambda db: before_page(db, 1, system_id=2), (SEEN,)),
    "whether a removal waits for a person": (
        (),
        lambda db: events.any_removal_held(db, 1, 1, "item"),
        ("events_back (verdict=?)",),
    ),
    "freeing what waited for a document": (
        (),
        lambda db: messages.release_waits_for(db, 2, ["item:SKU-1"], Tally(1), now=NOW),
        ("waits_on (target_id=? AND reason=? AND waits_on=?)",),
    ),
    "open tries of records": ((), lambda db: messages.open_tries(db, 2, [1]), ON_ITS_WAY),
    "what is on its way of keys": (
        (),
        lambda db: results.keys_on_their_way(db, 1, 2, ["item:SKU-1"]),
        (NUMBERED, *ON_ITS_WAY),
    ),
    "a message that a person finishes": (
        (OFFERED,),
        lambda db: messages.shift(
            db, messages.standings(db, 1, [1])[1], State.SKIPPED, Tally(1), now=NOW, reason=Reason.DISCARDED
        ),
        ("messages_lane (lane_id=? AND <expr>=?)",),
    ),
    "what is on its way of a record": ((), lambda db: messages.has_open_message(db, 2, 1), ON_ITS_WAY),
    "how much waits along a flow": ((), lambda db: messages.waiting_along(db, 1, 1), ("PRIMARY KEY",)),
    "how much waits for a system": ((), lambda db: messages.waiting_for(db, 1, 2), ("PRIMARY KEY",)),
    "records by number": ((), lambda db: books.records_named(db, 1, "item", ["SKU-1"]), (NUMBERED,)),
    "pictures of records": ((), lambda db: books.pictures(db, 2, [1]), ("PRIMARY KEY (record_id=? AND system_id=?)",)),
    "pictures of records at systems": (
        (),
        lambda db: books.pictures_for(db, [(1, 2)]),
        ("PRIMARY KEY (record_id=? AND system_id=?)",),
    ),
    "far ids of records": ((), lambda db: xrefs.far_ids(db, 2, [1]), ("PRIMARY KEY (system_id=? AND record_id=?)",)),
    "records bound to far ids": (
        (),
        lambda db: xrefs.bound_to(db, 1, 2, "item", ["far-1"]),
        ("(company_id=? AND system_id=? AND kind=? AND far_id=?)",),
    ),
    "what a system calls keys": (
        (),
        lambda db: xrefs.far_ids_of_keys(db, 1, 2, ["item:SKU-1"]),
        (NUMBERED, "PRIMARY KEY (system_id=? AND record_id=?)"),
    ),
    "what was seen before": (
        (),
        lambda db: seen_before(db, 1, 2, ["id:1"]),
        ("PRIMARY KEY (company_id=? AND system_id=? AND dup_key=?)",),
    ),
    "events that wait for an open try": (
        (),
        lambda db: events.anything_waits(db, 1),
        ("events_back", *ON_ITS_WAY),
    ),
    "open cases about keys": (
        (lambda db: cases.open_case(db, cases.Case("unknown_key", "item:SKU-1", ""), company_id=1, now=NOW),),
        lambda db: cases.open_subjects(db, ["unknown_key"], company_id=1, subjects=["item:SKU-1"]),
        ("exceptions_open (company_id=? AND kind=? AND subject=?)",),
    ),
    "cases that hang on messages": ((), lambda db: cases.troubled_messages(db, [1]), ("exceptions_message",)),
    "healing what hangs on a message": (
        (),
        lambda db: cases.heal_message(db, 1, now=NOW, how="delivered"),
        ("exceptions_message",),
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_work_is_served_by_its_indexes(store: Store, act: str) -> None:
    before, work, indexes = ACTS[act]

    def watched(db: Connection) -> list[str]:
        _fill(db)
        for earlier in before:
            earlier(db)
        seen: list[str] = []
        db.set_trace_callback(seen.append)
        try:
            work(db)
        finally:
            db.set_trace_callback(None)
        asked = dict.fromkeys(sql for sql in seen if re.match(r"(SELECT|UPDATE|DELETE|INSERT)\b", sql))
        return [str(row[3]) for sql in asked for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]

    plan = store.writer.call(watched)
    for index in indexes:
        assert any(index in step for step in plan), plan
    scans = [
        step for step in plan if step.startswith("SCAN") and step.split()[1] not in SMALL and "CONSTANT ROW" not in step
    ]
    assert not scans, scans


def test_a_long_line_is_not_read_for_what_only_joins_it(store: Store) -> None:
    def joined(db: Connection) -> tuple[list[str], int]:
        _fill(db)
        for _ in range(3):
            JOINED(db)
        seen: list[str] = []
        db.set_trace_callback(seen.append)
        JOINED(db)
        db.set_trace_callback(None)
        return seen, db.execute("SELECT sum(is_head) FROM messages").fetchone()[0]

    seen, heads = store.writer.call(joined)
    assert not any("pinned_id" in sql and sql.startswith("SELECT") for sql in seen), seen
    assert heads == 1


def _offer(db: Connection, *, supersedes: bool) -> list[int]:
    return offers.offer(db, [Offer(None, 2, 1, 1, lane_id(1, 2), supersedes)], Tally(1), now=NOW)


def _fill(db: Connection) -> None:
    """The least there must be for a message to exist."""
    db.execute("INSERT INTO companies (company_id, name) VALUES (1, 'main')")
    db.execute("INSERT INTO landscapes (landscape_id, digest, content, seen_at) VALUES (1, '', '', 0)")
    db.executemany("INSERT INTO systems (system_id, name, since) VALUES (?, ?, 0)", [(1, "erp"), (2, "wms")])
    db.execute("INSERT INTO flows (flow_id, name) VALUES (1, 'items')")
    books.insert_records(db, 1, [books.Record(1, "item", "SKU-1", fields={"sku": "SKU-1"})])
