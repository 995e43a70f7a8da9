"""Listings stay quick on a large store: each is served by an index, none reads every message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from night_store import NIGHT, make_night

from erpsync.domain.filters import parse
from erpsync.store.connection import Connection, ms
from erpsync.store.reading.asked import Selection
from erpsync.store.reading.attempts import attempts
from erpsync.store.reading.events import event, events, events_of
from erpsync.store.reading.exceptions import exceptions, open_by_kind
from erpsync.store.reading.happenings import tail_of
from erpsync.store.reading.lanes import lane
from erpsync.store.reading.letters import around
from erpsync.store.reading.line import documents_behind, line_behind, members_behind
from erpsync.store.reading.messages import dead_letters, message, messages, messages_of_event, messages_with_ids
from erpsync.store.reading.status import status
from erpsync.store.reading.systems import standings
from erpsync.store.reading.trace import find_subject, history

ALL = Selection(company="main", now=NIGHT)
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
    "systems": lambda db: standings(db, "main", now_ms=ms(NIGHT)),
    "status": lambda db: status(db, "main", now_ms=ms(NIGHT)),
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


def test_dead_letters_come_from_their_own_index(night_db: Connection) -> None:
    asked: list[str] = []
    night_db.set_trace_callback(asked.append)
    dead_letters(night_db, ALL)
    night_db.set_trace_callback(None)
    (sql,) = [sql for sql in asked if "FROM messages m CROSS JOIN records" in sql]
    plan = [str(row[3]) for row in night_db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("messages_dead" in line for line in plan)
