"""Messages as people read them: the listing, the dead letters, one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from erpsync.errors import NotFound
from erpsync.store.connection import Connection, moment
from erpsync.store.lanes import LANES_OF_RECORD, RECORD_OF_LANE, messages_of
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.selecting import (
    Page,
    all_kind_words,
    company_id,
    in_their_order,
    is_own,
    limit_sql,
    only_equal,
    order_sql,
    state_words,
    where_sql,
)


@dataclass(frozen=True)
class WaitsFor:
    """One reason why a held message waits. ``waits_on`` is a parent's key, or words."""

    reason: str
    waits_on: str
    since: datetime


@dataclass(frozen=True)
class MessageRow:
    """One message. ``stake`` is in minor units of ``currency``; ``source`` the system whose event it came of, if any.

    ``is_pinned``: it repeats an open try, byte for byte.
    """

    message_id: int
    kind: str
    number: str
    system: str
    source: str | None
    flow: str
    lane: str
    lane_id: int
    record_id: int
    state: str
    reason: str
    error: str
    error_code: str
    error_field: str
    tries: int
    generation: int
    is_head: bool
    stake: int
    currency: str
    event_id: int | None
    superseded_by: int | None
    accepted_at: datetime
    state_at: datetime
    due_at: datetime
    far_id: str | None
    is_pinned: bool
    waits: tuple[WaitsFor, ...] = ()

    @property
    def key(self) -> str:
        """The key of its document, short form."""
        return f"{self.kind}:{self.number}"


COLUMNS = """m.message_id, r.kind, r.number, s.name, src.name, f.name, l.kind || ':' || l.number, m.lane_id, m.record_id, m.state, m.reason,
    m.error, m.error_code, m.error_field, m.tries, m.generation, m.is_head, m.stake, m.currency, m.event_id, m.superseded_by,
    m.accepted_at, m.state_at, m.due_at, x.far_id, m.pinned_id IS NOT NULL"""
# CROSS JOIN keeps messages outermost, so that their index gives the order and LIMIT ends the reading.
TABLES = f"""messages m CROSS JOIN records r ON r.record_id = m.record_id CROSS JOIN systems s ON s.system_id = m.target_id
    CROSS JOIN flows f ON f.flow_id = m.flow_id CROSS JOIN records l ON l.record_id = {RECORD_OF_LANE}
    LEFT JOIN events e ON e.event_id = m.event_id LEFT JOIN systems src ON src.system_id = e.system_id
    LEFT JOIN xrefs x ON x.system_id = m.target_id AND x.record_id = m.record_id"""

FIELDS: dict[str, Field] = {
    "age": Field("m.accepted_at", Sort.AGE),
    "cause": Field("m.reason"),
    "due": Field("m.due_at", Sort.MOMENT),
    "error": Field("m.error"),
    "event": Field("m.event_id", Sort.NUMBER),
    "field": Field("m.error_field"),
    "flow": Field("f.name", among="m.flow_id IN (SELECT f.flow_id FROM flows f WHERE {names})"),
    "from": Field("src.name"),
    "head": Field("m.is_head", Sort.FLAG),
    "id": Field("m.message_id", Sort.NUMBER),
    "key": Field("r.kind || ':' || r.number", exact=f"m.message_id IN {messages_of('{record}')}"),
    "kind": Field("r.kind", words=all_kind_words),
    "lane": Field("l.kind || ':' || l.number", exact=f"m.lane_id IN ({LANES_OF_RECORD} = {{record}})"),
    "stake": Field("m.stake", Sort.MONEY, currency="m.currency"),
    "state": Field("m.state", words=state_words),
    "system": Field("s.name", among="m.target_id IN (SELECT s.system_id FROM systems s WHERE {names})"),
    "tries": Field("m.tries", Sort.NUMBER),
    "waiting": Field("m.state_at", Sort.AGE),
}
DEAD_FIELDS = {
    **{name: known for name, known in FIELDS.items() if name not in ("due", "state")},
    "died": Field("m.state_at", Sort.MOMENT),
}


def message_row(row: Sequence[object]) -> MessageRow:
    """The message in a row of ``COLUMNS``."""
    values: list[object] = list(row)
    for place in (16, 25):
        values[place] = bool(values[place])
    for place in (21, 22, 23):
        values[place] = moment(values[place])  # type: ignore[arg-type]  # columns are typed by the schema (STRICT)
    return MessageRow(*values)  # type: ignore[arg-type]  # as above


def messages(db: Connection, selection: Selection) -> Page[MessageRow]:
    """Messages, the newest first."""
    company = company_id(db, selection.company)
    condition, values = where_sql(selection, FIELDS, subject="messages", currencies=currencies(db, company))
    order = order_sql(selection, FIELDS, usual="m.message_id DESC", last="m.message_id")
    everything = sum(counts_by_state(db, company).values())
    return _page(db, selection, company, condition, values, order, everything=everything, state=None)


def dead_letters(db: Connection, selection: Selection) -> Page[MessageRow]:
    """Dead letters: most money at stake first, then those longest dead, then by id."""
    company = company_id(db, selection.company)
    condition, values = where_sql(selection, DEAD_FIELDS, subject="dead letters", currencies=currencies(db, company))
    order = order_sql(selection, DEAD_FIELDS, usual="m.stake DESC, m.state_at, m.message_id", last="m.message_id")
    everything = counts_by_state(db, company).get("dead", 0)
    return _page(db, selection, company, condition, values, order, everything=everything, state="dead")


def _page(
    db: Connection,
    selection: Selection,
    company: int,
    condition: str,
    values: list[object],
    order: str,
    *,
    everything: int,
    state: str | None,
) -> Page[MessageRow]:
    base = f"m.company_id = {int(company)}" + (f" AND m.state = '{state}'" if state else "")
    own = "messages m" if is_own(selection, FIELDS, "m") else TABLES
    wanted = f"WHERE {base} AND {condition} {order} {limit_sql(selection)}"
    if selection.sort and selection.limit:
        by_id = f"SELECT {COLUMNS} FROM {TABLES} WHERE m.message_id IN (SELECT value FROM json_each(?))"
        rows = in_their_order(db, f"SELECT m.message_id FROM {own} {wanted}", by_id, values)
    else:
        rows = db.execute(f"SELECT {COLUMNS} FROM {TABLES} {wanted}", values).fetchall()
    items = with_waits(db, [message_row(row) for row in rows])
    if selection.limit == 0 or len(items) < selection.limit:
        total = len(items)
    elif condition == "1":
        total = everything
    elif (one := only_equal(selection.where)) and one[0] == "state":
        total = counts_by_state(db, company).get(one[1], 0)
    else:
        counting = f"SELECT count(*) FROM {own} WHERE {base} AND {condition}"
        total = int(db.execute(counting, values).fetchone()[0])
    return Page(tuple(items), total, everything)


def message(db: Connection, company: str, message_id: int) -> MessageRow:
    """One message; raises NotFound with the nearest id that could have been meant."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE m.company_id = ? AND m.message_id = ?",
        (company_id(db, company), message_id),
    ).fetchone()
    if row is None:
        raise NotFound(f"message {message_id} is not in the store (pruned, or never was)", hint=_meant(db, message_id))
    return with_waits(db, [message_row(row)])[0]


def messages_with_ids(db: Connection, company: str, ids: Iterable[int]) -> list[MessageRow]:
    """These messages, as far as they are there, by id."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE m.company_id = ? AND m.message_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY m.message_id",
        (company_id(db, company), json.dumps(list(ids))),
    ).fetchall()
    return with_waits(db, [message_row(row) for row in rows])


def _meant(db: Connection, message_id: int) -> str:
    """A hint: an id of which a digit was left out at the end."""
    if message_id < 10**15:
        row = db.execute(
            "SELECT message_id, state FROM messages WHERE message_id BETWEEN ? AND ? ORDER BY state = 'dead' DESC, message_id LIMIT 1",
            (message_id * 10, message_id * 10 + 9),
        ).fetchone()
        if row and message_id:
            noun = "dlq" if row[1] == "dead" else "messages"
            return f"cut off? {row[0]} is {row[1]}: erpsync {noun} show {row[0]}"
    return "those there are: erpsync messages list"


def with_waits(db: Connection, rows: list[MessageRow]) -> list[MessageRow]:
    """The same messages, the held ones with what they wait for."""
    held = [row.message_id for row in rows if row.state == "held"]
    if not held:
        return rows
    found: dict[int, list[WaitsFor]] = {}
    for message_id, reason, waits_on, since in db.execute(
        "SELECT message_id, reason, waits_on, since FROM waits WHERE message_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY message_id, since",
        (json.dumps(held),),
    ):
        found.setdefault(int(message_id), []).append(WaitsFor(str(reason), str(waits_on), moment(int(since))))
    return [replace(row, waits=tuple(found.get(row.message_id, ()))) for row in rows]


def counts_by_state(db: Connection, company: int) -> dict[str, int]:
    """How many messages are in each state, from the totals: the same cost at any size."""
    rows = db.execute("SELECT state, sum(n) FROM totals WHERE company_id = ? GROUP BY state", (company,))
    return {str(state): int(n) for state, n in rows}


def currencies(db: Connection, company: int) -> list[str]:
    """The currencies that messages have money in."""
    return [str(row[0]) for row in db.execute("SELECT DISTINCT currency FROM totals WHERE company_id = ?", (company,))]


def messages_of_event(db: Connection, event_id: int) -> list[MessageRow]:
    """The messages an event gave rise to."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE m.message_id IN "
        f"{messages_of('(SELECT record_id FROM events WHERE event_id = ?1)')} AND m.event_id = ?1 ORDER BY m.message_id",
        (event_id,),
    ).fetchall()
    return with_waits(db, [message_row(row) for row in rows])
