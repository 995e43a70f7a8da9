"""Offering: putting messages into their lanes, in order, a page of them at a time.

Everything is decided over what stands in the lanes now, read once, then written once; a message of this very page that
a later one clears is written as cleared. Rule: a lane with unfinished messages is left with one head, its oldest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from erpsync.domain.messages import Reason, State
from erpsync.store import cases
from erpsync.store.before import NEXT_MESSAGE
from erpsync.store.connection import Connection
from erpsync.store.rows import insert_rows, listed, write_rows
from erpsync.store.schema import place
from erpsync.store.totals import Tally

OPEN_OF_LANES = (
    "SELECT lane_id, message_id, record_id, target_id, flow_id, state, stake, currency, is_head, pinned_id IS NOT NULL FROM messages "
    f"INDEXED BY messages_lane WHERE {place()} = 1 AND lane_id IN (SELECT value FROM json_each(?)) ORDER BY lane_id, message_id"
)
TAKEN_LANES = (  # a long line is not read for what only joins it
    "SELECT value FROM json_each(?) WHERE EXISTS "
    f"(SELECT 1 FROM messages INDEXED BY messages_lane WHERE {place()} = 1 AND lane_id = value)"
)


@dataclass(slots=True, eq=False)
class Offer:
    """A message to be put into a lane.

    ``supersedes``: it clears older ones of its record that still wait. ``cancels``: the document is cancelled and the
    target has none of it, so it and what waits cancel out. ``filtered``: the flow's ``where`` says no.
    """

    event_id: int | None
    target_id: int
    flow_id: int
    record_id: int
    lane_id: int
    supersedes: bool
    stake: int = 0
    currency: str = ""
    cancels: bool = False
    filtered: bool = False
    mends: bool = False
    waits_for_person: str = ""  # why it may not go without one
    opens_lane: bool = False  # nothing has ever stood in its lane
    # What becomes of it, which ``offer`` decides; ``by``: the message that cleared it.
    message_id: int = 0
    state: State = State.READY
    is_head: bool = False
    reason: str = ""
    by: int | None = None
    pinned: ClassVar[bool] = False


@dataclass(slots=True, eq=False)
class _Standing:
    """A message that stands in a lane already. ``by``: the new one that clears it."""

    message_id: int
    record_id: int
    target_id: int
    flow_id: int
    state: str
    stake: int
    currency: str
    is_head: bool
    pinned: bool
    reason: str = ""
    by: int | None = None


_Line = list[Offer | _Standing]
_SOMEBODY = _Standing(0, 0, 0, 0, "", 0, "", is_head=True, pinned=False)  # stands for a line that nobody looks into
_MAY_BE_CLEARED = (State.READY, State.HELD, State.DEAD)


def offer(
    db: Connection, offers: Sequence[Offer], tally: Tally, *, now: int, next_message: int | None = None
) -> list[int]:
    """Put messages into their lanes, in order; returns their ids. Newer ones clear older ones that may be cleared.

    ``next_message``: the first id that is not taken, where that is known.
    """
    if not offers:
        return []
    if next_message is None:
        (next_message,) = db.execute(f"SELECT {NEXT_MESSAGE}").fetchone()
    lines = _lines(db, offers)
    cleared: list[_Standing] = []
    for message_id, o in enumerate(offers, start=next_message):
        o.message_id = message_id
        line = lines.get(o.lane_id)
        if line is None:
            line = lines[o.lane_id] = []
        gone = _clear(o, line) if line else ()
        if o.state is State.READY:
            if o.filtered:
                o.state, o.reason = State.SKIPPED, Reason.FILTERED
            elif o.waits_for_person:
                o.state = State.HELD
        if gone:
            cleared += [m for m in gone if isinstance(m, _Standing)]
            lines[o.lane_id] = line = [m for m in line if m not in gone]
        if o.state is not State.SKIPPED:
            line.append(o)
    promoted = []
    for line in lines.values():
        if line and not (head := line[0]).is_head:
            head.is_head = True
            if isinstance(head, _Standing):
                promoted.append(head.message_id)
    if cleared:
        _write_cleared(db, cleared, tally, now=now)
    _write_new(db, offers, tally, now=now)
    if promoted:
        db.execute(
            "UPDATE OR FAIL messages SET is_head = 1 WHERE message_id IN (SELECT value FROM json_each(?))",
            (listed(promoted),),
        )
    return [o.message_id for o in offers]


def _clear(o: Offer, line: _Line) -> _Line:
    """Those of its record that this message clears; each is told so. A cancelling one may be cleared with them."""
    if not _clears(o):
        return []
    mine = [m for m in line if m.record_id == o.record_id]
    waiting = [m for m in mine if not m.pinned and m.state in _MAY_BE_CLEARED]
    if o.cancels and waiting and len(waiting) == len(mine):
        reason = Reason.CANCELLED
        o.state, o.reason = State.SKIPPED, Reason.CANCELLED
        o.by = waiting[-1].message_id
    elif o.supersedes:
        reason = Reason.SUPERSEDED
    else:
        return []
    for m in waiting:
        m.reason, m.by = reason, o.message_id
        if isinstance(m, Offer):  # of this very page: written as it ends
            m.state = State.SKIPPED
    return waiting


def _lines(db: Connection, offers: Sequence[Offer]) -> dict[int, _Line]:
    """What stands in the lanes of these offers, as far as somebody must know."""
    there = {o.lane_id for o in offers if not o.opens_lane}
    if not there:
        return {}
    looked_into = {o.lane_id for o in offers if _clears(o)} & there
    lines = _standing(db, looked_into, {o.record_id for o in offers if _clears(o)})
    lines.update((lane_id, [_SOMEBODY]) for lane_id in _taken(db, there - looked_into))
    return lines


def _clears(o: Offer) -> bool:
    """Whether it may clear what stands before it."""
    return o.supersedes or o.cancels


def _taken(db: Connection, lane_ids: Collection[int]) -> list[int]:
    """Those of these lanes that have unfinished messages."""
    return [lane_id for (lane_id,) in db.execute(TAKEN_LANES, (listed(lane_ids),))] if lane_ids else []


def _standing(db: Connection, lane_ids: Collection[int], records: Collection[int]) -> dict[int, _Line]:
    """The unfinished messages of these lanes, oldest first: those of ``records``, and the oldest of the others.

    Of the others only the oldest can become the head by what happens to those of ``records``.
    """
    if not lane_ids:
        return {}
    lines: dict[int, _Line] = {}
    shared: set[int] = set()
    for lane_id, *row in db.execute(OPEN_OF_LANES, (listed(lane_ids),)):
        if row[1] not in records:
            if lane_id in shared:
                continue
            shared.add(lane_id)
        lines.setdefault(lane_id, []).append(_Standing(*row))
    return lines


_CLEARED = (
    "UPDATE OR FAIL messages SET state = 'skipped', is_head = 0, reason = v.column1, superseded_by = v.column2, state_at = v.column3 "
    "FROM (VALUES {rows}) v WHERE message_id = v.column4"
)


def _write_cleared(db: Connection, cleared: Sequence[_Standing], tally: Tally, *, now: int) -> None:
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


_NEW = (
    "message_id, company_id, event_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, reason, stake, currency, "
    "mends, accepted_at, state_at"
)


def _write_new(db: Connection, new: Sequence[Offer], tally: Tally, *, now: int) -> None:
    company_id = tally.company_id
    counted: dict[tuple[int, int, str, str], list[int]] = {}
    rows, cleared, waits = [], [], []
    for o in new:
        state = o.state._value_  # plain words and numbers: the driver asks any other object how it adapts itself
        place = (o.flow_id, o.target_id, state, o.currency)
        count = counted.get(place)
        if count is None:
            count = counted[place] = [0, 0]
        count[0] += 1
        count[1] += o.stake
        if o.filtered:
            tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome="filtered")
        if o.state is State.HELD:
            waits.append((o.message_id, o.target_id, o.waits_for_person, now))
        row = (
            *(o.message_id, company_id, o.event_id, o.target_id, o.lane_id, o.flow_id, o.record_id, state),
            *(1 if o.is_head else 0, now, o.reason, o.stake, o.currency, 1 if o.mends else 0, now, now),
        )
        if o.by is None:
            rows.append(row)
        else:
            cleared.append((*row, o.by))
    for (flow_id, target_id, state, currency), (n, stake) in counted.items():
        tally.arrived(flow_id=flow_id, target_id=target_id, state=state, n=n, stake=stake, currency=currency)
    insert_rows(db, f"messages ({_NEW})", rows)
    insert_rows(db, f"messages ({_NEW}, superseded_by)", cleared)
    if waits:
        db.executemany(
            "INSERT INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, 'person', ?, ?, ?)", waits
        )
