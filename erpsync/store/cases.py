"""Exceptions in the store: one open case for a kind, a subject and a system; told again, it counts up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from erpsync.domain.exceptions import EXCEPTION_KINDS
from erpsync.store.connection import Connection
from erpsync.store.rows import listed

OPEN_SUBJECTS = (
    "SELECT DISTINCT subject FROM exceptions WHERE state = 'open' AND company_id = ? AND kind = ? "
    "AND subject IN (SELECT value FROM json_each(?))"
)
TROUBLED = (
    "SELECT DISTINCT message_id FROM exceptions WHERE state = 'open' AND message_id IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True)
class Case:
    """A business problem, as the engine found it. ``subject`` is a key, or ``system:NAME``."""

    kind: str
    subject: str
    text: str
    system_id: int | None = None
    record_id: int | None = None
    message_id: int | None = None
    event_id: int | None = None
    stake: int = 0
    currency: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)


def open_case(db: Connection, case: Case, *, company_id: int, now: int) -> int:
    """The id of the open case for it: the one there is, brought up to date, or a new one. ``now`` in milliseconds."""
    grace = int(EXCEPTION_KINDS[case.kind].grace.total_seconds() * 1000)
    evidence = json.dumps(dict(case.evidence), sort_keys=True)
    row = db.execute(
        """INSERT INTO exceptions (company_id, kind, subject, system_id, record_id, message_id, event_id, opened_at, shows_at,
               stake, currency, text, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (company_id, kind, subject, COALESCE(system_id, 0)) WHERE state = 'open' DO UPDATE SET times = times + 1,
               message_id = COALESCE(excluded.message_id, message_id), event_id = COALESCE(excluded.event_id, event_id),
               text = excluded.text, evidence = excluded.evidence, stake = excluded.stake, currency = excluded.currency
           RETURNING exception_id""",
        (
            *(company_id, case.kind, case.subject, case.system_id, case.record_id, case.message_id, case.event_id),
            *(now, now + grace, case.stake, case.currency, case.text, evidence),
        ),
    ).fetchone()
    return int(row[0])


def heal(
    db: Connection,
    kind: str,
    *,
    company_id: int,
    now: int,
    how: str,
    by: str = "engine",
    subject: str | None = None,
    system_id: int | None = None,
    message_id: int | None = None,
    record_id: int | None = None,
) -> list[int]:
    """Close the open cases of a kind that match all that is given; returns their ids."""
    wheres = ["state = 'open'", "company_id = ?", "kind = ?"]
    values: list[object] = [company_id, kind]
    given = {"subject": subject, "system_id": system_id, "message_id": message_id, "record_id": record_id}
    for column, value in given.items():
        if value is not None:
            wheres.append(f"{column} = ?")
            values.append(value)
    rows = db.execute(
        f"UPDATE exceptions SET state = 'closed', closed_at = ?, closed_by = ?, close_reason = ? WHERE {' AND '.join(wheres)} "
        "RETURNING exception_id",
        [now, by, how, *values],
    ).fetchall()
    return [int(row[0]) for row in rows]


def heal_message(db: Connection, message_id: int, *, now: int, how: str, by: str = "engine") -> list[int]:
    """Close every open case that hangs on a message, whatever its kind; returns their ids."""
    rows = db.execute(
        "UPDATE exceptions SET state = 'closed', closed_at = ?, closed_by = ?, close_reason = ? "
        "WHERE state = 'open' AND message_id = ? RETURNING exception_id",
        (now, by, how, message_id),
    ).fetchall()
    return [int(row[0]) for row in rows]


def open_subjects(
    db: Connection, kinds: Iterable[str], *, company_id: int, subjects: Iterable[str]
) -> set[tuple[str, str]]:
    """Which of these subjects have an open case of which of these kinds: (kind, subject)."""
    asked = listed(subjects)
    return {
        (kind, str(subject))
        for kind in kinds
        for (subject,) in db.execute(OPEN_SUBJECTS, (company_id, kind, asked)).fetchall()
    }


def troubled_messages(db: Connection, message_ids: Iterable[int]) -> set[int]:
    """Those of these messages on which an open case hangs."""
    return {int(row[0]) for row in db.execute(TROUBLED, (listed(message_ids),))}


def close_case(db: Connection, exception_id: int, *, now: int, by: str, reason: str) -> tuple[str, str, str] | None:
    """Close one by id; returns its (kind, subject, state before), None when there is no such exception."""
    row = db.execute("SELECT kind, subject, state FROM exceptions WHERE exception_id = ?", (exception_id,)).fetchone()
    if row is None:
        return None
    db.execute(
        "UPDATE exceptions SET state = 'closed', closed_at = ?, closed_by = ?, close_reason = ? "
        "WHERE exception_id = ? AND state = 'open'",
        (now, by, reason, exception_id),
    )
    return str(row[0]), str(row[1]), str(row[2])


def open_of_message(db: Connection, message_id: int) -> set[int]:
    """The open cases that hang on a message."""
    rows = db.execute("SELECT exception_id FROM exceptions WHERE message_id = ? AND state = 'open'", (message_id,))
    return {int(row[0]) for row in rows}


def heal_under(db: Connection, kind: str, prefix: str, *, company_id: int, now: int) -> None:
    """Close the open cases of a kind whose subject begins so: what nobody could name is not told any more."""
    db.execute(
        "UPDATE exceptions SET state = 'closed', closed_at = ?, closed_by = 'engine', close_reason = 'it is not told any more' "
        "WHERE state = 'open' AND company_id = ? AND kind = ? AND substr(subject, 1, ?) = ?",
        (now, company_id, kind, len(prefix), prefix),
    )
