"""Holding: messages that wait for a person, and those waits answered. A held message has a row for each thing it waits for.

Rule: a message is ready again when its last wait is gone, never before; a lane's head stays its head all the while.
"""

from __future__ import annotations

from collections.abc import Iterable

from erpsync.domain.messages import BY_A_PERSON, Reason, State, Wait
from erpsync.store.connection import Connection
from erpsync.store.messages import Standing, shift
from erpsync.store.rows import listed
from erpsync.store.totals import Tally


def waits_of(db: Connection, message_ids: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
    """What held messages wait for, by id: (reason, what on), the oldest first."""
    found: dict[int, list[tuple[str, str]]] = {}
    for message_id, reason, waits_on in db.execute(
        "SELECT message_id, reason, waits_on FROM waits WHERE message_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY message_id, since",
        (listed(message_ids),),
    ):
        found.setdefault(int(message_id), []).append((str(reason), str(waits_on)))
    return found


def hold(db: Connection, standing: Standing, tally: Tally, *, now: int, reason: Wait, why: str) -> None:
    """Have a message wait for a person (or what becomes of its line) too; a ready one is held from now on."""
    if standing.state == State.READY:
        because = Reason.DISCARDED if reason is Wait.LINE else Reason.BY_PERSON
        shift(db, standing, State.HELD, tally, now=now, reason=because)
    db.execute(
        "INSERT OR IGNORE INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, ?, ?, ?, ?)",
        (standing.message_id, reason, standing.target_id, why, now),
    )


def answer(
    db: Connection,
    standing: Standing,
    tally: Tally,
    *,
    now: int,
    because: Reason,
    reasons: Iterable[Wait] = BY_A_PERSON,
) -> list[tuple[str, str]]:
    """Answer a held message's waits of these reasons; returns what it still waits for. Of nothing more: ready, due now."""
    message_id = standing.message_id
    db.execute(
        "DELETE FROM waits WHERE message_id = ? AND reason IN (SELECT value FROM json_each(?))",
        (message_id, listed(reasons)),
    )
    if rest := waits_of(db, [message_id]).get(message_id):
        return rest
    shift(db, standing, State.READY, tally, now=now, reason=because)
    db.execute(
        "UPDATE messages SET error = '', error_code = '', error_field = '' WHERE message_id = ? AND error <> ''",
        (message_id,),
    )
    return []
