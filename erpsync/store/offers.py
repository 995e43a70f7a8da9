"""Offering: putting messages into their lanes, in order, a page of them at a time.

Everything is decided over what stands in the lanes now, read once, then written once; a message of this very page that
a later one clears is written as cleared. Rule: a lane with unfinished messages is left with one head, its oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from erpsync.domain.messages import Reason, State
from erpsync.store import cases
from erpsync.store.connection import Connection
from erpsync.store.rows import among, insert_numbered, insert_rows, listed, write_rows
from erpsync.store.schema import OPEN
from erpsync.store.totals import Tally

LANES_KNOWN = (  # and the last message's id, which would be a question of its own
    "SELECT target_id, lane_key, lane_id FROM lanes WHERE company_id = ? AND lane_key {any_of} "
    "UNION ALL SELECT 0, '', (SELECT COALESCE(max(message_id), 0) FROM messages)"
)
OPEN_OF_LANES = (
    "SELECT lane_id, message_id, record_id, target_id, flow_id, state, stake, currency, is_head, pinned_id IS NOT NULL FROM messages "
    f"INDEXED BY messages_lane WHERE state {OPEN} AND lane_id IN (SELECT value FROM json_each(?)) ORDER BY lane_id, message_id"
)


class Offer(NamedTuple):
    """A message to be put into a lane.

    ``supersedes``: it clears older ones of its record that still wait. ``cancels``: the document is cancelled and the
    target has none of it, so it and what waits cancel out. ``filtered``: the flow's ``where`` says no.
    """

    event_id: int | None
    target_id: int
    flow_id: int
    record_id: int
    lane_key: str
    supersedes: bool
    stake: int = 0
    currency: str = ""
    cancels: bool = False
    filtered: bool = False
    mends: bool = False
    waits_for_person: str = ""  # why it may not go without one


@dataclass(slots=True, eq=False)
class _Message:
    """One that stands in a lane, or is put there now (``offer``). ``by``: the message that cleared it."""

    lane_id: int
    message_id: int
    record_id: int
    target_id: int
    flow_id: int
    state: str
    stake: int
    currency: str
    is_head: bool = False
    pinned: bool = False
    offer: Offer | None = None
    reason: str = ""
    by: int | None = None


_MAY_BE_CLEARED = (State.READY, State.HELD, State.DEAD)


def offer(db: Connection, offers: Sequence[Offer], tally: Tally, *, now: int) -> list[int]:
    """Put messages into their lanes, in order; returns their ids. Newer ones clear older ones that may be cleared."""
    if not offers:
        return []
    lanes, lines, last_id = _lanes(db, tally.company_id, offers)
    new: list[_Message] = []
    cleared: list[_Message] = []
    for message_id, o in enumerate(offers, start=last_id + 1):
        lane_id = lanes[o.target_id, o.lane_key]
        message = _Message(
            lane_id, message_id, o.record_id, o.target_id, o.flow_id, State.READY, o.stake, o.currency, offer=o
        )
        new.append(message)
        line = lines.get(lane_id)
        if line is None:
            line = lines[lane_id] = []
        gone = _clear(message, o, line) if line else ()
        if o.filtered and message.state is State.READY:
            message.state, message.reason = State.SKIPPED, Reason.FILTERED
        elif o.waits_for_person and message.state is State.READY:
            message.state = State.HELD
        if gone:
            cleared += [m for m in gone if m.offer is None]
            lines[lane_id] = line = [m for m in line if m not in gone]
        if message.state is not State.SKIPPED:
            line.append(message)
    heads = [line[0] for line in lines.values() if line]
    promoted = [m.message_id for m in heads if m.offer is None and not m.is_head]
    for head in heads:
        head.is_head = True
    if cleared:
        _write_cleared(db, cleared, tally, now=now)
    _write_new(db, new, tally, now=now)
    if promoted:
        db.execute(
            "UPDATE messages SET is_head = 1 WHERE message_id IN (SELECT value FROM json_each(?))",
            (listed(promoted),),
        )
    return [m.message_id for m in new]


def _clear(message: _Message, o: Offer, line: Sequence[_Message]) -> Sequence[_Message]:
    """Those of its record that this message clears; each is told so. A cancelling one may be cleared with them."""
    mine = [m for m in line if m.record_id == o.record_id]
    waiting = [m for m in mine if not m.pinned and m.state in _MAY_BE_CLEARED]
    if o.cancels and waiting and len(waiting) == len(mine):
        reason = Reason.CANCELLED
        message.state, message.reason = State.SKIPPED, Reason.CANCELLED
        message.by = waiting[-1].message_id
    elif o.supersedes:
        reason = Reason.SUPERSEDED
    else:
        return ()
    for m in waiting:
        m.reason, m.by = reason, message.message_id
        if m.offer is not None:  # of this very page: written as it ends
            m.state = State.SKIPPED
    return waiting


def _lanes(
    db: Connection, company_id: int, offers: Iterable[Offer]
) -> tuple[dict[tuple[int, str], int], dict[int, list[_Message]], int]:
    """The lane of each (target, key), made where it is new; what stands in those that were there; the last message's id."""
    wanted = dict.fromkeys((o.target_id, o.lane_key) for o in offers)
    any_of, keys = among({key for _, key in wanted})
    *known, (_, _, last_id) = db.execute(LANES_KNOWN.format(any_of=any_of), (company_id, *keys)).fetchall()
    there = {(target, key): lane_id for target, key, lane_id in known}
    found = {lane: there[lane] for lane in wanted if lane in there}
    lines = _lines(db, found.values()) if found else {}
    if missing := [lane for lane in wanted if lane not in there]:
        rows = [(company_id, target, key) for target, key in missing]
        found.update(zip(missing, insert_numbered(db, "lanes (company_id, target_id, lane_key)", rows), strict=True))
    return found, lines, last_id


def _lines(db: Connection, lane_ids: Iterable[int]) -> dict[int, list[_Message]]:
    """The unfinished messages of these lanes, oldest first."""
    lines: dict[int, list[_Message]] = {}
    for row in db.execute(OPEN_OF_LANES, (listed(lane_ids),)):
        lines.setdefault(row[0], []).append(_Message(*row))
    return lines


_CLEARED = (
    "UPDATE messages SET state = 'skipped', is_head = 0, reason = v.column1, superseded_by = v.column2, state_at = v.column3 "
    "FROM (VALUES {rows}) v WHERE message_id = v.column4"
)


def _write_cleared(db: Connection, cleared: Sequence[_Message], tally: Tally, *, now: int) -> None:
    """Skip older messages that a newer one cleared, with what hangs on them."""
    for m in cleared:
        tally.move(
            flow_id=m.flow_id,
            target_id=m.target_id,
            before=m.state,
            after=State.SKIPPED,
            stake=m.stake,
            currency=m.currency,
        )
    write_rows(db, _CLEARED, [(m.reason, m.by, now, m.message_id) for m in cleared])
    if waited := [m.message_id for m in cleared if m.state == State.HELD]:
        db.execute("DELETE FROM waits WHERE message_id IN (SELECT value FROM json_each(?))", (listed(waited),))
    troubled = cases.troubled_messages(db, [m.message_id for m in cleared])
    for m in cleared:
        if m.message_id in troubled:
            cases.heal_message(db, m.message_id, now=now, how=f"superseded by message {m.by}")


def _write_new(db: Connection, new: Sequence[_Message], tally: Tally, *, now: int) -> None:
    company_id = tally.company_id
    counted: dict[tuple[int, int, str, str], list[int]] = {}
    rows, waits = [], []
    for m in new:
        o = m.offer
        assert o is not None  # noqa: S101  (each was made from its offer)
        count = counted.setdefault((m.flow_id, m.target_id, m.state, m.currency), [0, 0])
        count[0] += 1
        count[1] += m.stake
        if o.filtered:
            tally.happened(at=now, flow_id=m.flow_id, system_id=m.target_id, outcome="filtered")
        if m.state is State.HELD:
            waits.append((m.message_id, m.target_id, o.waits_for_person, now))
        rows.append(
            (
                *(m.message_id, company_id, o.event_id, m.target_id, m.lane_id, m.flow_id, m.record_id, m.state),
                *(m.is_head, now, m.reason, m.by, m.stake, m.currency, o.mends, now, now),
            )
        )
    for (flow_id, target_id, state, currency), (n, stake) in counted.items():
        tally.arrived(flow_id=flow_id, target_id=target_id, state=state, n=n, stake=stake, currency=currency)
    insert_rows(
        db,
        "messages (message_id, company_id, event_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, reason, "
        "superseded_by, stake, currency, mends, accepted_at, state_at)",
        rows,
    )
    if waits:
        db.executemany(
            "INSERT INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, 'person', ?, ?, ?)", waits
        )
