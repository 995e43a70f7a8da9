"""All that happened to one key, technical and business, on one line of time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from erpsync.errors import NotFound
from erpsync.store.connection import Connection, moment
from erpsync.store.lanes import messages_of
from erpsync.store.reading.attempts import Attempt, attempts
from erpsync.store.reading.audit import Act, acts_on
from erpsync.store.reading.events import EventRow, events_of
from erpsync.store.reading.exceptions import ExceptionRow, exceptions_of
from erpsync.store.reading.messages import COLUMNS, TABLES, MessageRow, message_row, with_waits
from erpsync.store.reading.selecting import company_id


@dataclass(frozen=True)
class Subject:
    """The record a key leads to. ``removed``: its owner says it is gone; ``told``: its owner has told of it."""

    record_id: int
    kind: str
    number: str
    removed: bool
    told: bool
    changed_at: datetime
    far_ids: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """Its key, short form."""
        return f"{self.kind}:{self.number}"


@dataclass(frozen=True)
class History:
    """Everything about one record, each list oldest first."""

    subject: Subject
    events: tuple[EventRow, ...]
    messages: tuple[MessageRow, ...]
    attempts: tuple[Attempt, ...]
    exceptions: tuple[ExceptionRow, ...]
    acts: tuple[Act, ...]


def find_subject(db: Connection, company: str, kind: str, number: str) -> Subject:
    """The record with this key, or the one that some system knows under this number; raises NotFound."""
    own = company_id(db, company)
    query = "SELECT record_id, kind, number, removed, revision, changed_at FROM records WHERE "
    row = db.execute(query + "company_id = ? AND kind = ? AND number = ?", (own, kind, number)).fetchone()
    if row is None:
        row = db.execute(
            query
            + "record_id = (SELECT x.record_id FROM systems s CROSS JOIN xrefs x ON x.company_id = ? AND x.system_id = s.system_id "
            "AND x.kind = ? AND x.far_id = ? LIMIT 1)",
            (own, kind, number),
        ).fetchone()
    if row is None:
        raise NotFound(
            f"{kind}:{number} is not in the store, as a key or as any system's own number",
            hint=_nearest(db, own, kind, number),
        )
    if not row[5]:
        raise NotFound(
            f"nobody has told of {kind}:{number} yet; other documents queue under its key",
            hint="what waits there: erpsync lanes show SYSTEM KEY",
        )
    far = db.execute(
        "SELECT s.name, x.far_id FROM xrefs x JOIN systems s ON s.system_id = x.system_id WHERE x.record_id = ? "
        "AND x.system_id IN (SELECT system_id FROM systems) ORDER BY s.name",
        (row[0],),
    ).fetchall()
    return Subject(
        int(row[0]),
        str(row[1]),
        str(row[2]),
        bool(row[3]),
        bool(row[4]),
        moment(row[5]),
        tuple((str(a), str(b)) for a, b in far),
    )


_MOST_NAMED = 10


def keys_called(db: Connection, company: str, number: str, *, kinds: Iterable[str]) -> list[str]:
    """The keys (short form) of what bears this number, ours or some system's own; at most ten."""
    own, every = company_id(db, company), json.dumps(list(kinds))
    rows = db.execute(
        "SELECT kind, number FROM records WHERE company_id = ?1 AND kind IN (SELECT value FROM json_each(?2)) "
        "AND number = ?3 AND changed_at > 0 UNION SELECT r.kind, r.number FROM systems s CROSS JOIN json_each(?2) k "
        "CROSS JOIN xrefs x ON x.company_id = ?1 AND x.system_id = s.system_id AND x.kind = k.value AND x.far_id = ?3 "
        "CROSS JOIN records r ON r.record_id = x.record_id LIMIT ?4",
        (own, every, number, _MOST_NAMED),
    )
    return [f"{kind}:{found}" for kind, found in rows]


def _nearest(db: Connection, company: int, kind: str, number: str) -> str:
    """A hint: a key that begins the same."""
    stem = number[: max(3, len(number) - 2)]
    row = db.execute(
        "SELECT number FROM records WHERE company_id = ? AND kind = ? AND number >= ? AND number < ? ORDER BY number LIMIT 1",
        (company, kind, stem, stem + "\U0010ffff"),
    ).fetchone()
    return (
        f"{kind}:{row[0]}? Others: erpsync messages list --where 'kind = {kind}'"
        if row
        else (f"what there is: erpsync events list --where 'kind = {kind}'")
    )


def history(db: Connection, company: str, subject: Subject) -> History:
    """All that is on record about it."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE m.message_id IN {messages_of('?1')} ORDER BY m.message_id",
        (subject.record_id,),
    ).fetchall()
    messages = with_waits(db, [message_row(row) for row in rows])
    ids = [message.message_id for message in messages]
    cases = exceptions_of(db, company, record_id=subject.record_id, subject=subject.key, message_ids=ids)
    events = events_of(db, subject.record_id)
    subjects = {subject.key, *map(str, ids), *(f"E-{case.exception_id}" for case in cases)}
    return History(
        subject=subject,
        events=tuple(events),
        messages=tuple(messages),
        attempts=tuple(attempts(db, ids, contents=False)),
        exceptions=tuple(cases),
        acts=tuple(acts_on(db, company, subjects)),
    )
