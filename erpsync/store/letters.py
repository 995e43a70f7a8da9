"""Dead letters and the line behind each, for acts of people."""

from __future__ import annotations

from erpsync.store.connection import Connection
from erpsync.store.schema import place


def followers(db: Connection, lane_id: int, message_id: int) -> list[int]:
    """The unfinished messages that wait behind one in its lane, in order."""
    rows = db.execute(
        f"SELECT message_id FROM messages WHERE lane_id = ? AND {place()} = 1 AND message_id > ? ORDER BY message_id",
        (lane_id, message_id),
    )
    return [int(row[0]) for row in rows]


def fresh_tries(db: Connection, message_id: int) -> None:
    """A person lets it be tried again: its tries and lost compare-and-sets count from zero, the old ones stay as evidence."""
    db.execute(
        "UPDATE messages SET tries = 0, conflicts = 0, error = '', error_code = '', error_field = '' WHERE message_id = ?",
        (message_id,),
    )


def held_for(db: Connection, target_id: int, key: str) -> list[int]:
    """The messages held at a target for the document of a key."""
    rows = db.execute(
        "SELECT message_id FROM waits WHERE target_id = ? AND reason = 'parent' AND waits_on = ?", (target_id, key)
    )
    return [int(row[0]) for row in rows]
