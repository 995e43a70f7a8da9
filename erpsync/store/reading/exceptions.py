"""Exceptions as people read them: open ones by the money at stake."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erpsync.domain.exceptions import EXCEPTION_KINDS
from erpsync.errors import NotFound
from erpsync.store.connection import Connection
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.selecting import (
    Page,
    asks_about,
    company_id,
    limit_sql,
    moment_or_none,
    order_sql,
    total_of,
    where_sql,
)


@dataclass(frozen=True)
class ExceptionRow:
    """One exception. ``stake`` is in minor units of ``currency``; ``evidence`` is what the engine found."""

    exception_id: int
    kind: str
    subject: str
    system: str | None
    state: str
    record_id: int | None
    message_id: int | None
    event_id: int | None
    stake: int
    currency: str
    text: str
    evidence: dict[str, Any]
    times: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str


_COLUMNS = """x.exception_id, x.kind, x.subject, s.name, x.state, x.record_id, x.message_id, x.event_id, x.stake, x.currency,
    x.text, x.evidence, x.times, x.opened_at, x.closed_at, x.closed_by, x.close_reason"""
_TABLES = "exceptions x LEFT JOIN systems s ON s.system_id = x.system_id"

FIELDS: dict[str, Field] = {
    "age": Field("x.opened_at", Sort.AGE),
    "event": Field("x.event_id", Sort.NUMBER),
    "id": Field("x.exception_id", Sort.NUMBER),
    "key": Field("x.subject"),
    "kind": Field("x.kind", words=lambda: {name: name for name in EXCEPTION_KINDS}),
    "message": Field("x.message_id", Sort.NUMBER),
    "opened": Field("x.opened_at", Sort.MOMENT),
    "stake": Field("x.stake", Sort.MONEY, currency="x.currency"),
    "state": Field("x.state", words=lambda: {"open": "open", "closed": "closed"}),
    "subject": Field("x.subject"),
    "system": Field("s.name"),
    "text": Field("x.text"),
    "waiting": Field("x.opened_at", Sort.AGE),
}


def exception_row(row: Sequence[object]) -> ExceptionRow:
    """The exception in a row of the columns above."""
    values: list[object] = list(row)
    values[11] = _evidence(str(values[11]))
    values[13] = moment_or_none(values[13])  # type: ignore[arg-type]  # columns are typed by the schema (STRICT)
    values[14] = moment_or_none(values[14])  # type: ignore[arg-type]  # as above
    return ExceptionRow(*values)  # type: ignore[arg-type]  # as above


def _evidence(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def exceptions(db: Connection, selection: Selection) -> Page[ExceptionRow]:
    """Exceptions by money at stake, then the longest, then id: the open ones that last, unless ``state`` is asked for."""
    company = company_id(db, selection.company)
    condition, values = where_sql(selection, FIELDS, subject="exceptions", currencies=_currencies(db))
    order = order_sql(selection, FIELDS, usual="x.stake DESC, x.opened_at, x.exception_id", last="x.exception_id")
    base = f"x.company_id = {int(company)}"
    open_ones = f"{base} AND x.state = 'open' AND x.shows_at <= {selection.at}"
    wanted = base if asks_about(selection.where, "state") or asks_about(selection.where, "id") else open_ones
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE {wanted} AND {condition} {order} {limit_sql(selection)}", values
    ).fetchall()
    everything = int(db.execute(f"SELECT count(*) FROM exceptions x WHERE {open_ones}").fetchone()[0])
    counting = f"{_TABLES} WHERE {wanted} AND {condition}"
    total = total_of(db, selection, counting, values, shown=len(rows), everything=None)
    return Page(tuple(exception_row(row) for row in rows), total, everything)


def _currencies(db: Connection) -> list[str]:
    return [str(row[0]) for row in db.execute("SELECT DISTINCT currency FROM totals")]


def exception(db: Connection, company: str, exception_id: int) -> ExceptionRow:
    """One exception, open or closed; raises NotFound."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE x.company_id = ? AND x.exception_id = ?",
        (company_id(db, company), exception_id),
    ).fetchone()
    if row is None:
        raise NotFound(f"exception E-{exception_id} does not exist", hint="those open: erpsync exceptions list")
    return exception_row(row)


def exceptions_of(
    db: Connection, company: str, *, record_id: int, subject: str, message_ids: list[int]
) -> list[ExceptionRow]:
    """Every exception about a record or its messages, open and closed, oldest first."""
    own = company_id(db, company)
    found: dict[int, ExceptionRow] = {}
    for condition, value in (
        ("x.record_id = ?", record_id),
        ("x.subject = ?", subject),
        ("x.message_id IN (SELECT value FROM json_each(?))", json.dumps(message_ids)),
    ):
        query = f"SELECT {_COLUMNS} FROM {_TABLES} WHERE x.company_id = ? AND {condition}"
        found |= {row[0]: exception_row(row) for row in db.execute(query, (own, value)).fetchall()}
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class OpenOnes:
    """The open exceptions of one kind: how many, since when, and their sums at stake by currency."""

    kind: str
    count: int
    since: datetime | None
    stakes: tuple[tuple[str, int], ...]
    first_id: int


def open_by_kind(db: Connection, company: str, *, now_ms: int) -> list[OpenOnes]:
    """The open exceptions that are past their grace, by kind."""
    rows = db.execute(
        "SELECT kind, currency, count(*), min(opened_at), sum(stake), min(exception_id) FROM exceptions "
        "WHERE state = 'open' AND company_id = ? AND shows_at <= ? GROUP BY kind, currency ORDER BY kind",
        (company_id(db, company), now_ms),
    ).fetchall()
    found: dict[str, list[Any]] = {}
    for kind, currency, count, since, stake, first in rows:
        row = found.setdefault(kind, [0, since, [], first])
        row[0] += count
        row[1] = min(row[1], since)
        row[3] = min(row[3], first)
        if stake:
            row[2].append((currency, int(stake)))
    return [OpenOnes(kind, row[0], moment_or_none(row[1]), tuple(row[2]), row[3]) for kind, row in found.items()]
