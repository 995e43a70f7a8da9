"""Lanes: what goes to one system about one key stands in one line. Which line that is, is said by its id alone.

The id is made of the record of the key and the system, so that no table of lanes is asked or written. A key that
messages queue under before anybody told of it (the stock that a movement is of) gets an empty record for its number.
"""

from __future__ import annotations

from collections.abc import Collection

from erpsync.store.connection import Connection
from erpsync.store.rows import among, insert_numbered
from erpsync.store.tables_queue import ELSEWHERE, OPEN, SYSTEM_BITS, place

# In SQL, of a message ``m``.
RECORD_OF_LANE = f"(m.lane_id >> {SYSTEM_BITS})"
TARGET_OF_LANE = f"(m.lane_id & {(1 << SYSTEM_BITS) - 1})"
# The lanes of what queues under a record's key, to any system; there follows which record.
LANES_OF_RECORD = f"SELECT record_id << {SYSTEM_BITS} | system_id FROM systems CROSS JOIN records WHERE record_id"


def messages_of(record: str) -> str:
    """SQL for the ids of all messages of a record (itself a parameter or column): under its own key or another."""
    return (
        f"(SELECT message_id FROM messages WHERE lane_id IN (SELECT {record} << {SYSTEM_BITS} | system_id FROM systems) "
        f"AND {place()} IN (0, 1) AND record_id = {record} UNION ALL "
        f"SELECT message_id FROM messages WHERE record_id = {record} AND {ELSEWHERE})"
    )


def open_messages_of(record: str, target: str) -> str:
    """SQL for the ids of the unfinished messages of a record on their way to a target (parameters or columns)."""
    return (
        f"(SELECT message_id FROM messages WHERE lane_id = {record} << {SYSTEM_BITS} | {target} AND {place()} = 1 "
        f"AND record_id = {record} UNION ALL SELECT message_id FROM messages "
        f"WHERE record_id = {record} AND {ELSEWHERE} AND target_id = {target} AND state {OPEN})"
    )


def lane_id(record_id: int, target_id: int) -> int:
    """The lane of what queues under a record's key on its way to a target."""
    return record_id << SYSTEM_BITS | target_id


def lane_records(db: Connection, company_id: int, keys: Collection[str]) -> dict[str, int]:
    """The records of keys (short form) that messages queue under, by key; one is made where there is none."""
    numbers: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        kind, _, number = key.partition(":")
        numbers.setdefault(kind, []).append(number)
    found: dict[str, int] = {}
    for kind, asked in numbers.items():
        any_of, values = among(asked)
        rows = db.execute(
            f"SELECT number, record_id FROM records WHERE company_id = ? AND kind = ? AND number {any_of}",
            (company_id, kind, *values),
        )
        there = dict(rows.fetchall())
        missing = [number for number in asked if number not in there]
        if missing:
            new = [(company_id, kind, number, "{}", 0, 0) for number in missing]
            ids = insert_numbered(db, "records (company_id, kind, number, origins, revision, changed_at)", new)
            there.update(zip(missing, ids, strict=True))
        found.update((f"{kind}:{number}", record_id) for number, record_id in there.items())
    return found
