"""The audit log as people read it: what persons did and the engine decided, the newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erpsync.domain.messages import Reason
from erpsync.store.connection import Connection, moment
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.messages import MessageRow
from erpsync.store.reading.selecting import Page, company_id, limit_sql, order_sql, total_of, where_sql


@dataclass(frozen=True)
class Act:
    """What a person did, or the engine decided, on record. ``before`` and ``after`` as they were noted; None: not, or erased."""

    chain: str
    seq: int
    at: datetime
    actor: str
    what: str
    subject: str
    reason: str
    command: str
    before: bytes | None
    after: bytes | None
    previous: bytes
    hash: bytes

    @property
    def act_id(self) -> str:
        """How people name it: ``A-2208``, with its chain where that is not the first."""
        return act_id(self.chain, self.seq)


@dataclass(frozen=True)
class Newest:
    """The last act of a chain, and its hash: noted elsewhere, it shows later whether the end was cut off."""

    chain: str
    seq: int
    hash: bytes

    @property
    def act_id(self) -> str:
        """How people name it."""
        return act_id(self.chain, self.seq)


def act_id(chain: str, seq: int) -> str:
    """``A-2208``; of another chain than the first ``A-WH2-17``."""
    return f"A-{seq}" if chain in ("", "main") else f"A-{chain}-{seq}"


_COLUMNS = "chain, seq, at, actor, what, subject, reason, command, b.content, c.content, previous, audit.hash"
_TABLES = "audit LEFT JOIN payloads b ON b.payload_id = before_id LEFT JOIN payloads c ON c.payload_id = after_id"
_BY_HAND = (Reason.BY_PERSON, Reason.DISCARDED, Reason.RELEASED, Reason.REPLAYED, Reason.RESTORED, Reason.SETTLED)
# Those of the store itself belong to everybody.
_OWN = "company_id IN (0, ?)"

FIELDS: dict[str, Field] = {
    "actor": Field("actor"),
    "age": Field("at", Sort.AGE),
    "at": Field("at", Sort.MOMENT),
    "command": Field("command"),
    "id": Field("seq", Sort.NUMBER),
    "reason": Field("reason"),
    "subject": Field("subject"),
    "what": Field("what"),
}


def acts(db: Connection, selection: Selection, *, since: int | None = None) -> Page[Act]:
    """Acts, the newest first; ``since`` (milliseconds) leaves out what is older."""
    condition, values = where_sql(selection, FIELDS, subject="acts")
    order = order_sql(selection, FIELDS, usual="at DESC, chain, seq DESC", last="chain, seq")
    company = company_id(db, selection.company)
    own = f"{_OWN} AND at >= ?"
    asked = (company, since or 0, *values)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE {own} AND {condition} {order} {limit_sql(selection)}", asked
    ).fetchall()
    everything = int(db.execute(f"SELECT count(*) FROM audit WHERE {_OWN}", (company,)).fetchone()[0])
    counting = f"audit WHERE {own} AND {condition}"
    known = everything if since is None else None
    total = total_of(db, selection, counting, asked, shown=len(rows), everything=known)
    return Page(tuple(_act(row) for row in rows), total, everything)


def acts_on(db: Connection, company: str, subjects: Collection[str]) -> list[Act]:
    """What the audit log has about these subjects, oldest first; one act may name many (``42790,42801``)."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE company_id = ? "
        "AND (subject IN (SELECT value FROM json_each(?)) OR subject GLOB '*,*' OR subject GLOB '* and *') ORDER BY at, chain, seq",
        (company_id(db, company), json.dumps(sorted(subjects))),
    )
    found = [_act(row) for row in rows]
    return [act for act in found if act.subject in subjects or not subjects.isdisjoint(_named(act))]


def _named(act: Act) -> Collection[str]:
    """The ids an act names: those in its subject; where that says there are more, those it noted besides."""
    told, more, _ = act.subject.partition(" ")
    ids = set(told.split(","))
    if more and act.after:
        with suppress(ValueError, AttributeError, TypeError):
            noted = json.loads(act.after)
            ids |= {str(number) for part in ("messages", "line") for number in noted.get(part, ())}
    return ids


def act_of_message(db: Connection, company: str, message: MessageRow) -> Act | None:
    """The act by which a person brought a message to where it stands; None where nobody did."""
    if message.reason not in _BY_HAND:
        return None
    acts = acts_on(db, company, {str(message.message_id)})
    return next((act for act in reversed(acts) if act.at == message.state_at), None)


def newest(db: Connection) -> list[Newest]:
    """The end of each chain."""
    rows = db.execute(
        "SELECT chain, seq, hash FROM audit WHERE (chain, seq) IN (SELECT chain, max(seq) FROM audit GROUP BY chain) ORDER BY chain"
    )
    return [Newest(str(chain), int(seq), bytes(hash_)) for chain, seq, hash_ in rows]


def hash_of(db: Connection, chain: str, seq: int) -> bytes | None:
    """The hash of one act; None where it is not there."""
    row = db.execute("SELECT hash FROM audit WHERE chain = ? AND seq = ?", (chain, seq)).fetchone()
    return bytes(row[0]) if row else None


def _act(row: Sequence[Any]) -> Act:
    chain, seq, at, actor, what, subject, reason, command, before, after, previous, hash_ = row
    done = (moment(at), actor, what, subject, reason, command)
    return Act(chain, seq, *done, before, after, bytes(previous), bytes(hash_))
