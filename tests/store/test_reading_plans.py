"""Listings stay quick on a large store: each is served by an index, none reads every message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from night_store import NIGHT, make_night

from erpsync.domain.filters import parse
from erpsync.domain.messages import State
from erpsync.store.connection import Connection, ms
from erpsync.store.reading import completing
from erpsync.store.reading.asked import Selection
from erpsync.store.reading.attempts import attempts
from erpsync.store.reading.events import event, events, events_of
from erpsync.store.reading.exceptions import exceptions, open_by_kind
from erpsync.store.reading.flows import flow_standings, readings
from erpsync.store.reading.happenings import tail_of
from erpsync.store.reading.lanes import lane, stuck_lanes
from erpsync.store.reading.letters import around
from erpsync.store.reading.line import documents_behind, line_behind, members_behind
from erpsync.store.reading.messages import dead_letters, message, messages, messages_of_event, messages_with_ids
from erpsync.store.reading.status import status
from erpsync.store.reading.stops import stops
from erpsync.store.reading.systems import standings
from erpsync.store.reading.trace import find_subject, history, keys_called

ALL = Selection(company="main", now=NIGHT)


def of(where: str) -> Selection:
    """One row of those that a filter lets through; there are more, so they are counted too."""
    return Selection(company="main", now=NIGHT, where=parse(where), limit=1)


LARGE = ("messages", "attempts", "records", "pictures", "payloads", "waits", "xrefs", "seen", "counts")
ALIASES = {
    "m": "messages",
    "n": "messages",
    "h": "messages",
    "a": "attempts",
    "r": "records",
    "p": "payloads",
    "w": "waits",
    "l": "records",
    "x": "xrefs",
    **dict.fromkeys(("rc", "pc", "own", "raw", "canonical", "body", "asked"), "payloads"),
}

READS: dict[str, Callable[[Connection], object]] = {
    "keys that begin so": lambda db: completing.keys(db, "main", "order", "SO-"),
    "ids that begin so": lambda db: completing.message_ids(db, "main", "1", None),
    "dead ones that begin so": lambda db: completing.message_ids(db, "main", "", State.DEAD),
    "unknown ones that begin so": lambda db: completing.message_ids(db, "main", "", State.UNKNOWN),
    "held ones that begin so": lambda db: completing.message_ids(db, "main", "", State.HELD),
    "events that begin so": lambda db: completing.event_ids(db, "main", "1", kept_back=False),
    "events kept back that begin so": lambda db: completing.event_ids(db, "main", "", kept_back=True),
    "keys of one number": lambda db: keys_called(db, "main", "SO-1", kinds=["order", "item"]),
    "dead letters": lambda db: dead_letters(db, ALL),
    "dead letters of one system": lambda db: dead_letters(
        db, Selection(company="main", now=NIGHT, where=parse("system = erp"))
    ),
    "the newest messages": lambda db: messages(db, ALL),
    "one message": lambda db: message(db, "main", 1),
    "messages by id": lambda db: messages_with_ids(db, "main", [1, 2]),
    "messages of an event": lambda db: messages_of_event(db, 1),
    "the line behind": lambda db: line_behind(db, [3]),
    "who stands behind": lambda db: members_behind(db, 3, limit=5),
    "documents behind": lambda db: documents_behind(db, [3], most=10),
    "a lane": lambda db: lane(db, "main", "wms", "customer:CU-1107", limit=5),
    "tries": lambda db: attempts(db, [1, 2, 3]),
    "what lies around a message": lambda db: around(db, 1),
    "the newest events": lambda db: events(db, ALL),
    "one event": lambda db: event(db, "main", 1),
    "events of a record": lambda db: events_of(db, 1),
    "exceptions": lambda db: exceptions(db, ALL),
    "exceptions by kind": lambda db: open_by_kind(db, "main", now_ms=ms(NIGHT)),
    "flows": lambda db: (flow_standings(db, "main"), readings(db, "main"), stops(db)),
    "systems": lambda db: standings(db, "main", now_ms=ms(NIGHT)),
    "status": lambda db: status(db, "main", now_ms=ms(NIGHT)),
    "messages of a key": lambda db: messages(db, of("key = order:SO-10498")),
    "messages of one key or another": lambda db: messages(db, of("key = order:SO-10498 or key = item:SKU-9")),
    "messages of a lane to a system": lambda db: messages(db, of("lane = customer:CU-1107 and system = wms")),
    "dead letters of a key": lambda db: dead_letters(db, of("key = customers:CU-1107 and waiting > 1h")),
    "dead letters of a lane": lambda db: dead_letters(db, of("lane = customer:CU-1107")),
    "events of a key": lambda db: events(db, of("key = item:SKU-9 and verdict = refused")),
    "lanes that stand still": lambda db: stuck_lanes(db, ALL),
    "so many of them that they are counted": lambda db: stuck_lanes(db, Selection("main", NIGHT, limit=1, sort="head")),
    "a trace": lambda db: history(db, "main", find_subject(db, "main", "order", "SO-10498")),
    "what happens": lambda db: tail_of(db, "main", since_ms=0).look(db),
    "a trace by a system's own number": lambda db: find_subject(db, "main", "order", "10498"),
}


@pytest.fixture
def night_db(tmp_path: Path) -> Iterator[Connection]:
    """The night's store, open for reading."""
    store, _ = make_night(tmp_path)
    with store, store.read() as db:
        yield db


@pytest.mark.parametrize("read", READS)
def test_no_large_table_is_read_from_end_to_end(read: str, night_db: Connection) -> None:
    asked: list[str] = []
    night_db.set_trace_callback(asked.append)
    READS[read](night_db)
    night_db.set_trace_callback(None)
    assert asked
    for sql in asked:
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        for _, _, _, detail in night_db.execute(f"EXPLAIN QUERY PLAN {sql}"):
            words = str(detail).split()
            assert "AUTOMATIC" not in words, f"{detail}: {sql}"
            if words[0] != "SCAN" or "VIRTUAL" in words or "USING" in words:
                continue
            table = "exceptions" if "FROM exceptions x" in sql else ALIASES.get(words[1], words[1])
            newest_first = table == "messages" and "ORDER BY m.message_id DESC" in sql and "LIMIT" in sql
            assert table not in LARGE or newest_first, f"{detail}: {sql}"


def test_what_waits_for_paused_ones_is_found_by_its_index(tmp_path: Path) -> None:
    store, _ = make_night(tmp_path)
    with store:
        store.writer.call(lambda db: db.execute("UPDATE systems SET pause = 'both', paused_at = 1, paused_by = 'mira'"))
        store.writer.call(lambda db: db.execute("UPDATE flows SET paused_at = 1, paused_by = 'mira'"))
        with store.read() as db:
            codes = {cause.code for cause in status(db, "main", now_ms=ms(NIGHT)).causes}
            assert {"system_paused", "flow_paused"} <= codes
            test_no_large_table_is_read_from_end_to_end("status", db)


def test_dead_letters_come_from_their_own_index(night_db: Connection) -> None:
    asked: list[str] = []
    night_db.set_trace_callback(asked.append)
    dead_letters(night_db, ALL)
    night_db.set_trace_callback(None)
    (sql,) = [sql for sql in asked if "FROM messages m CROSS JOIN records" in sql]
    plan = [str(row[3]) for row in night_db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("messages_dead" in line for line in plan)


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (lambda db: messages(db, of("key = order:SO-10498")), "SEARCH m USING INTEGER PRIMARY KEY"),
        (lambda db: dead_letters(db, of("key = customer:CU-1107")), "SEARCH m USING INTEGER PRIMARY KEY"),
        (lambda db: messages(db, of("lane = order:SO-10498")), "SEARCH m USING INDEX messages_lane"),
        (lambda db: dead_letters(db, of("lane = order:SO-10498")), "SEARCH m USING INDEX messages_lane"),
        (lambda db: events(db, of("key = order:SO-10498")), "SEARCH e USING INTEGER PRIMARY KEY"),
        (lambda db: stuck_lanes(db, ALL), "SEARCH m USING INDEX messages_stuck (company_id=?)"),
    ],
    ids=["messages", "dead letters", "a lane's messages", "a lane's dead letters", "events", "lanes that stand still"],
)
def test_what_is_asked_for_by_its_key_is_looked_up_and_nothing_is_sorted_that_stands_in_order(
    read: Callable[[Connection], object], index: str, night_db: Connection
) -> None:
    asked: list[str] = []
    night_db.set_trace_callback(asked.append)
    read(night_db)
    night_db.set_trace_callback(None)
    listed = [sql for sql in asked if "CROSS JOIN systems s" in sql]
    assert listed
    for sql in listed:
        plan = [str(row[3]) for row in night_db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert any(step.startswith(index) for step in plan), plan
        if "messages_stuck" in index:
            assert not any("TEMP B-TREE" in step for step in plan), plan
