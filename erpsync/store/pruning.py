"""What retention removes, and what it never does. Rule: each step asks again, inside its transaction, what may go.

``survey`` looks without a lock and freezes what goes; the steps remove it, a little at a time. The last message, try and
exception stay, whatever their age: ids are never given twice, and how far the store has come never falls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from erpsync.store.connection import Connection
from erpsync.store.marks import Ids, named_by_books, named_by_log
from erpsync.store.schema import KEPT_BACK, NO_MINUTE, place
from erpsync.store.store import Store
from erpsync.store.telling import Telling
from erpsync.store.totals import Tally

_MINUTE_MS = 60_000
_LOOK_ROWS = 20_000
_FINISHED = "('done', 'skipped')"

# Closed for longer, and of no message that is still open: such a one remembers that a person has decided.
CASE_GOES = (
    "(e.state = 'closed' AND e.closed_at < :before AND e.exception_id < (SELECT max(exception_id) FROM exceptions) "
    f"AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.message_id = e.message_id AND o.state NOT IN {_FINISHED}))"
)
# The newest delivery of what has a current value (``kept``: JSON of such kinds) is the evidence of its picture.
_DELIVERED_LAST = (
    "m.state = 'done' AND EXISTS (SELECT 1 FROM pictures p WHERE p.record_id = m.record_id AND p.system_id = m.target_id "
    "AND p.present = 1) AND EXISTS (SELECT 1 FROM records r WHERE r.record_id = m.record_id "
    "AND r.kind IN (SELECT value FROM json_each(:kept))) AND NOT EXISTS (SELECT 1 FROM messages n WHERE n.lane_id = m.lane_id "
    f"AND {place('n.')} IN (0, 2) AND n.message_id > m.message_id AND n.record_id = m.record_id AND n.state = 'done')"
)
MESSAGE_GOES = (
    f"(m.state IN {_FINISHED} AND m.state_at < :before AND m.message_id < (SELECT max(message_id) FROM messages) "
    f"AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.message_id = m.message_id AND NOT {CASE_GOES}) "
    "AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = m.message_id "
    "AND a.attempt_id = (SELECT max(attempt_id) FROM attempts)) "
    f"AND NOT ({_DELIVERED_LAST}))"
)
RAW_GOES = (
    f"(e.raw_id IS NOT NULL AND e.received_at < :before AND NOT ({KEPT_BACK}) AND e.event_id NOT IN "
    "(SELECT event_id FROM exceptions WHERE state = 'open' AND event_id IS NOT NULL))"
)


@dataclass(slots=True)
class Counts:
    """How many of each: ``raws`` are contents as they came, ``minutes`` rows of per-minute counts; ``bytes`` of contents."""

    messages: int = 0
    attempts: int = 0
    exceptions: int = 0
    raws: int = 0
    minutes: int = 0
    contents: int = 0
    bytes: int = 0

    @property
    def any(self) -> bool:
        """Whether anything goes at all."""
        return any((self.messages, self.exceptions, self.raws, self.minutes, self.contents))


@dataclass(slots=True)
class Survey:
    """What goes, frozen. ``before`` in milliseconds; ``leases`` are those in workers' hands meanwhile."""

    before: int
    kept_kinds: str
    counts: Counts = field(default_factory=Counts)
    exceptions: list[int] = field(default_factory=list)
    messages: Ids = field(default_factory=Ids)
    raws: Ids = field(default_factory=Ids)
    marks: Ids = field(default_factory=Ids)
    last_content: int = 0
    leases: list[tuple[int, int]] = field(default_factory=list)

    @property
    def asked(self) -> dict[str, object]:
        """The parameters of the conditions above."""
        return {"before": self.before, "kept": self.kept_kinds}


def survey(store: Store, *, before: int, kept_kinds: Iterable[str], tell: Telling) -> Survey:
    """What was finished before a moment (milliseconds) and may go; nothing is changed and nobody is held up."""
    found = Survey(before, json.dumps(sorted(kept_kinds)))
    with store.read() as db:
        # First: what is stored or claimed from here on is not looked at. A worker may have in its hands what a record held
        # when it claimed its message, and name that content later: see ``in_hands``.
        found.last_content = int(db.execute("SELECT COALESCE(max(payload_id), 0) FROM payloads").fetchone()[0])
        named_by_books(db, found.marks)
        found.leases = [
            (int(message_id), int(lease_no))
            for message_id, lease_no in db.execute("SELECT message_id, lease_no FROM messages WHERE state = 'leased'")
        ]
        rows = db.execute(f"SELECT exception_id FROM exceptions e WHERE {CASE_GOES}", found.asked)
        found.exceptions = [int(number) for (number,) in rows]
        found.counts.exceptions = len(found.exceptions)
        (found.counts.minutes,) = db.execute(
            "SELECT count(*) FROM counts WHERE minute < ?", (_first_minute(before),)
        ).fetchone()
        of_open = _survey_messages(db, found, tell)
        _survey_events(db, found, of_open, tell)
        _survey_attempts(db, found, tell)
        _survey_contents(db, found, tell)
    return found


def _survey_messages(db: Connection, found: Survey, tell: Telling) -> Ids:
    """Which messages go; returns the events of those that are open."""
    of_open, named, owned = Ids(), Ids(), []
    caused = "SELECT caused_by FROM events WHERE caused_by IS NOT NULL"
    named.update(row[0] for row in db.execute(caused))
    rows = db.execute(
        f"SELECT message_id, {MESSAGE_GOES}, state IN {_FINISHED}, event_id, superseded_by, own_id FROM messages m "
        "ORDER BY message_id",
        found.asked,
    )
    for message_id, goes, finished, event_id, superseded_by, own_id in _told(rows, tell, "messages looked through"):
        if own_id is not None:
            owned.append((message_id, own_id))
        if goes:
            found.messages.add(message_id)
        else:
            if superseded_by is not None:
                named.add(superseded_by)
            if not finished and event_id is not None:
                of_open.add(event_id)
    for message_id in named:
        found.messages.remove(message_id)
    found.marks.update(own_id for message_id, own_id in owned if message_id not in found.messages)
    found.counts.messages = len(found.messages)
    return of_open


def _survey_events(db: Connection, found: Survey, of_open: Ids, tell: Telling) -> None:
    rows = db.execute(f"SELECT event_id, {RAW_GOES}, raw_id, canonical_id FROM events e", found.asked)
    for event_id, goes, raw_id, canonical_id in _told(rows, tell, "events looked through"):
        if goes and event_id not in of_open:
            found.raws.add(event_id)
            found.counts.raws += 1
        elif raw_id is not None:
            found.marks.add(raw_id)
        if canonical_id is not None:
            found.marks.add(canonical_id)


def _survey_attempts(db: Connection, found: Survey, tell: Telling) -> None:
    rows = db.execute("SELECT message_id, body_id, content_id FROM attempts")
    for message_id, *named in _told(rows, tell, "tries looked through"):
        if message_id in found.messages:
            found.counts.attempts += 1
        else:
            found.marks.update(named)


def _survey_contents(db: Connection, found: Survey, tell: Telling) -> None:
    rows = db.execute(
        "SELECT payload_id, length(content) FROM payloads WHERE payload_id < ?", (found.last_content,)
    )  # the last one stays
    for payload_id, length in _told(rows, tell, "contents looked through"):
        if payload_id not in found.marks:
            found.counts.contents += 1
            found.counts.bytes += length


def _told(rows: Iterable[Sequence[int]], tell: Telling, what: str) -> Iterable[Sequence[int]]:
    for n, row in enumerate(rows):
        if n % _LOOK_ROWS == 0:
            tell(what, n, 0)
        yield row


def mark_again(db: Connection, found: Survey) -> None:
    """Mark what is named now as well: what was brought back since, and what was sent meanwhile."""
    named_by_books(db, found.marks)
    named_by_log(db, found.marks)


def in_hands(db: Connection, found: Survey, *, now: int) -> int:
    """How many of the messages that were in workers' hands during the survey still are; ``now`` in milliseconds.

    Until these are on record, or their leases are over, a content that nothing names may be named yet.
    """
    still = db.execute(
        "SELECT count(*) FROM json_each(?) j CROSS JOIN messages m ON m.message_id = j.value ->> 0 "
        "WHERE m.state = 'leased' AND m.lease_no = j.value ->> 1 AND m.due_at > ?",
        (json.dumps(found.leases), now),
    ).fetchone()
    return int(still[0])


# Steps: each within a writing transaction that is the caller's --------------------------------------------------------


def remove_exceptions(db: Connection, found: Survey, ids: Sequence[int], gone: Counts) -> None:
    """Remove those of these exceptions that still may go."""
    gone.exceptions += db.execute(
        f"DELETE FROM exceptions AS e WHERE exception_id IN (SELECT value FROM json_each(:ids)) AND {CASE_GOES}",
        {**found.asked, "ids": json.dumps(ids)},
    ).rowcount


def remove_messages(db: Connection, found: Survey, ids: Sequence[int], gone: Counts) -> None:
    """Remove those of these messages that still may go, with their tries and waits; totals follow."""
    rows = db.execute(
        "SELECT message_id, company_id, flow_id, target_id, state, stake, currency FROM messages m "
        f"WHERE message_id IN (SELECT value FROM json_each(:ids)) AND {MESSAGE_GOES} "
        "AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.message_id = m.message_id)",
        {**found.asked, "ids": json.dumps(ids)},
    ).fetchall()
    tallies: dict[int, Tally] = {}
    for _, company_id, flow_id, target_id, state, stake, currency in rows:
        tally = tallies.setdefault(company_id, Tally(company_id))
        tally.move(flow_id=flow_id, target_id=target_id, before=state, after=None, stake=stake, currency=currency)
    going = json.dumps([row[0] for row in rows])
    these = "WHERE message_id IN (SELECT value FROM json_each(?))"
    db.execute(f"DELETE FROM waits {these}", (going,))
    gone.attempts += db.execute(f"DELETE FROM attempts {these}", (going,)).rowcount
    gone.messages += db.execute(f"DELETE FROM messages {these}", (going,)).rowcount
    for tally in tallies.values():
        tally.write(db)


def forget_raws(db: Connection, found: Survey, ids: Sequence[int], gone: Counts) -> None:
    """Let those of these events that still may forget what came: the event itself and what was read of it stay."""
    gone.raws += db.execute(
        f"UPDATE events AS e SET raw_id = NULL WHERE event_id IN (SELECT value FROM json_each(:ids)) AND {RAW_GOES}",
        {**found.asked, "ids": json.dumps(ids)},
    ).rowcount


def remove_contents(db: Connection, ids: Sequence[int], gone: Counts) -> None:
    """Remove contents that nothing names."""
    asked = (json.dumps(ids),)
    these = "WHERE payload_id IN (SELECT value FROM json_each(?))"
    (size,) = db.execute(f"SELECT COALESCE(sum(length(content)), 0) FROM payloads {these}", asked).fetchone()
    gone.bytes += int(size)
    gone.contents += db.execute(f"DELETE FROM payloads {these}", asked).rowcount


def old_minutes(db: Connection, found: Survey) -> list[int]:
    """The minutes whose counts go, oldest first."""
    rows = db.execute(
        "SELECT DISTINCT minute FROM counts WHERE minute < ? ORDER BY minute", (_first_minute(found.before),)
    )
    return [int(minute) for (minute,) in rows]


def remove_minutes(db: Connection, minutes: Sequence[int], gone: Counts) -> None:
    """Remove what was counted in these minutes."""
    gone.minutes += db.execute(
        "DELETE FROM counts WHERE minute IN (SELECT value FROM json_each(?))", (json.dumps(minutes),)
    ).rowcount


def unnamed(db: Connection, found: Survey, after: int) -> tuple[list[int], int | None]:
    """Contents that nothing names, of the next ones after an id; and how far that looked (None: to the end)."""
    rows = db.execute(
        f"SELECT payload_id FROM payloads WHERE payload_id > ? AND payload_id < ? ORDER BY payload_id LIMIT {_LOOK_ROWS}",
        (after, found.last_content),
    ).fetchall()
    ids = [int(number) for (number,) in rows]
    return [number for number in ids if number not in found.marks], ids[-1] if len(ids) == _LOOK_ROWS else None


def free_bytes(db: Connection) -> int:
    """What of the file holds nothing and is written into before it grows."""
    row = db.execute(
        "SELECT (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)"
    ).fetchone()
    return int(row[0])


def _first_minute(before: int) -> int:
    return min(before // _MINUTE_MS, NO_MINUTE)
