"""Finishing: what became of tries, in one transaction with everything that follows from it.

A lease that moved on is left alone: its new holder decides (promise 7). A done message binds its document, moves the
target's picture, hands its lane on, and frees what was held for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from erpsync.domain.flat import Fields
from erpsync.domain.messages import Reason, State
from erpsync.store import cases
from erpsync.store.books import Picture, pictures_for, write_pictures
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.messages import promote, release_waits_for
from erpsync.store.rows import insert_rows, update_rows
from erpsync.store.totals import Tally
from erpsync.store.xrefs import Binding, bind, bound_otherwise

_OURS = (
    "SELECT json_group_array(json_array(m.message_id, m.lease_no)) FROM json_each(?) j JOIN messages m ON m.message_id = j.value ->> 0 "
    "WHERE m.lease_no = j.value ->> 1 AND m.state = j.value ->> 2"
)
_ENDED = (
    "attempts (message_id, lease_no, try_no, generation, worker_id, claimed_at, ended_at, sent_at, outcome, status, answer, "
    "answer_cut, error, error_code, took_us)"
)
_ENDED_BEGUN = (  # nearly always it is on record since before it left
    "ON CONFLICT DO UPDATE SET ended_at = excluded.ended_at, sent_at = excluded.sent_at, outcome = excluded.outcome, "
    "status = excluded.status, answer = excluded.answer, answer_cut = excluded.answer_cut, error = excluded.error, "
    "error_code = excluded.error_code, took_us = excluded.took_us WHERE ended_at IS NULL OR outcome = 'worker_lost'"
)
_OVER = (
    "UPDATE messages SET state = v.column1, is_head = 0, reason = v.column2, state_at = v.column3, pinned_id = NULL, "
    "unknown_since = NULL, error = '', error_code = '', error_field = '' FROM (VALUES {rows}) v WHERE message_id = v.column4"
)


@dataclass(slots=True)
class Outcome:
    """What one try came to, decided outside the transaction.

    ``outcome`` is what the try was, for the attempt and the counts (``of_generation``: that of its once_key); ``after`` and
    ``reason`` are where the message goes. ``holds`` is what the target now holds (None: as asked), ``asked`` what we asked
    of it (``asked_id``: where that lies); ``present`` None leaves the picture alone. ``burn`` False gives the try back.
    ``settles``: it answers a question about an unknown message.
    """

    message_id: int
    lease_no: int
    target_id: int
    flow_id: int
    lane_id: int
    record_id: int
    kind: str
    number: str
    stake: int
    currency: str
    after: State
    reason: str
    outcome: str
    try_no: int = 1
    of_generation: int = 1
    worker_id: int | None = None
    claimed_at: int = 0
    due_at: int = 0
    error: str = ""
    error_code: str = ""
    error_field: str = ""
    burn: bool = True
    pin: bool = False
    pinned_id: int | None = None
    generation: int | None = None
    conflict: bool = False
    far_id: str = ""
    far_revision: str | None = None
    far_order: int | None = None
    present: bool | None = None
    holds: Fields | None = None
    asked: Fields = field(default_factory=dict)
    asked_id: int | None = None
    waits: Sequence[tuple[str, str]] = ()
    cases: Sequence[Case] = ()
    status: int | None = None
    answer: bytes = b""
    answer_cut: bool = False
    took_us: int = 0
    sent_at: int | None = None
    settles: bool = False
    unknown_since: int | None = None

    @property
    def key(self) -> str:
        """Its document's key, short form."""
        return f"{self.kind}:{self.number}"

    @property
    def lease(self) -> tuple[int, int]:
        """Under which it was tried: two leases of one message may come to their end together, and one of them is late."""
        return self.message_id, self.lease_no


@dataclass
class Finished:
    """What a finish changed: the leases (message id, lease number) that were still ours, how many were late, what it set free."""

    ours: set[tuple[int, int]] = field(default_factory=set)
    late: int = 0
    freed: list[int] = field(default_factory=list)


def finish(db: Connection, outcomes: Sequence[Outcome], tally: Tally, *, now: int) -> Finished:
    """Record what became of tries; returns which of them were still ours to finish."""
    report = Finished()
    expected = [(o.message_id, o.lease_no, State.UNKNOWN if o.settles else State.LEASED) for o in outcomes]
    (found,) = db.execute(_OURS, (json.dumps(expected),)).fetchone()  # one row: see ``tries.begin``
    report.ours.update((message_id, lease_no) for message_id, lease_no in json.loads(found))
    ours: list[Outcome] = []
    for o in outcomes:
        if o.lease in report.ours:
            ours.append(o)
        else:
            report.late += 1
            tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome="late")
    _write_attempts(db, outcomes, report.ours, now=now)
    _write_messages(db, ours, tally, now=now)
    for o in ours:  # before the books: what is bound in this very transaction frees them again
        _write_waits(db, o, now=now)
    _write_books(db, ours, tally, report, now=now)
    troubled = cases.troubled_messages(db, [o.message_id for o in ours])
    for o in ours:
        _after_words(db, o, tally, troubled, now=now)
    return report


def _write_attempts(
    db: Connection, outcomes: Sequence[Outcome], ours: Collection[tuple[int, int]], *, now: int
) -> None:
    insert_rows(
        db,
        _ENDED,
        [
            (
                *(o.message_id, o.lease_no, o.try_no, o.of_generation, o.worker_id, o.claimed_at, now, o.sent_at),
                *(o.outcome if o.lease in ours else f"late:{o.outcome}", o.status, o.answer or None),
                *(int(o.answer_cut), o.error, o.error_code, o.took_us),
            )
            for o in outcomes
        ],
        conflict=_ENDED_BEGUN,
    )


def _write_messages(db: Connection, ours: Sequence[Outcome], tally: Tally, *, now: int) -> None:
    finished = [o for o in ours if o.after in (State.DONE, State.SKIPPED)]
    update_rows(db, _OVER, [(o.after, o.reason, now, o.message_id) for o in finished])
    db.executemany(
        "UPDATE messages SET state = ?, reason = ?, state_at = CASE WHEN state = ? THEN state_at ELSE ? END, due_at = ?, error = ?, "
        "error_code = ?, error_field = ?, tries = max(0, tries - ?), conflicts = conflicts + ?, generation = COALESCE(?, generation), "
        "pinned_id = CASE WHEN ? THEN (SELECT attempt_id FROM attempts a WHERE a.message_id = messages.message_id "
        "AND a.lease_no = messages.lease_no) ELSE ? END, unknown_since = ? WHERE message_id = ?",
        [
            (
                *(
                    o.after,
                    o.reason,
                    o.after,
                    now,
                    o.due_at,
                    o.error,
                    o.error_code,
                    o.error_field,
                    int(not o.burn),
                    int(o.conflict),
                ),
                *(o.generation, o.pin, o.pinned_id, o.unknown_since, o.message_id),
            )
            for o in ours
            if o.after not in (State.DONE, State.SKIPPED)
        ],
    )
    promote(db, [o.lane_id for o in finished])
    for o in ours:
        before = State.UNKNOWN if o.settles else State.LEASED
        tally.move(
            flow_id=o.flow_id, target_id=o.target_id, before=before, after=o.after, stake=o.stake, currency=o.currency
        )
        tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome=o.outcome, took_us=o.took_us)


def _write_books(db: Connection, ours: Sequence[Outcome], tally: Tally, report: Finished, *, now: int) -> None:
    known = [o for o in ours if o.present is not None]
    if not known:
        return
    before = pictures_for(db, [(o.record_id, o.target_id) for o in known])
    again = [
        (o.target_id, o.record_id)
        for o in known
        if o.present and o.far_id and (was := before.get((o.record_id, o.target_id))) is not None and not was.present
    ]
    changed: dict[int, list[tuple[int, Picture]]] = {}
    for o in known:
        picture = before.get((o.record_id, o.target_id)) or Picture()
        if o.present:
            _repaint(picture, o)
        else:
            picture = Picture(present=False)
        picture.seen_at = max(picture.seen_at, now)
        if o.far_revision is not None:
            picture.far_revision, picture.far_order = o.far_revision, o.far_order
        changed.setdefault(o.target_id, []).append((o.record_id, picture))
    for target_id, pictures in changed.items():
        write_pictures(db, target_id, pictures)
    db.executemany("DELETE FROM xrefs WHERE system_id = ? AND record_id = ?", again)  # another document there now
    _bind(db, [o for o in known if o.present and o.far_id], tally, now=now)
    for target_id in {o.target_id for o in known}:
        keys = sorted({o.key for o in known if o.target_id == target_id and o.present})
        report.freed += release_waits_for(db, target_id, keys, tally, now=now)


def _repaint(picture: Picture, o: Outcome) -> None:
    """The picture after a write: what the target says it holds, else what we asked."""
    picture.present = True
    fields = dict(picture.fields)
    if o.holds is not None:
        if any(path.startswith("lines.") for path in o.holds):  # it told its lines: all of them
            fields = {path: v for path, v in fields.items() if not path.startswith("lines.") or path in o.holds}
        fields.update(o.holds)
    for name, value in o.asked.items():
        if o.holds is None or (name not in o.holds and not (name.startswith("lines.") and o.holds)):
            fields[name] = value
            picture.asked.pop(name, None)
        elif o.holds.get(name) != value:
            picture.asked[name] = value
        else:
            picture.asked.pop(name, None)
    fields = _without_empty_lines(fields)
    picture.hold(fields, content_id=o.asked_id if fields == o.asked else None)


def _without_empty_lines(fields: Fields) -> Fields:
    if None not in fields.values():
        return fields
    return {path: v for path, v in fields.items() if v is not None or not path.startswith("lines.")}


def _bind(db: Connection, ours: Sequence[Outcome], tally: Tally, *, now: int) -> None:
    bindings = [Binding(o.target_id, o.record_id, o.kind, o.far_id) for o in ours]
    if bind(db, tally.company_id, bindings, now=now) == len(bindings):
        return
    by_record = {o.record_id: o for o in ours}
    for record_id, far_id, bound in bound_otherwise(db, bindings):
        o = by_record[record_id]
        said = f"is bound to {bound}" if bound else "cannot be bound: that id is another document's"
        case = Case(
            "duplicate_far",
            o.key,
            f"the target answered with far id {far_id}, but {o.key} {said}",
            system_id=o.target_id,
            record_id=o.record_id,
            message_id=o.message_id,
            evidence={"far_id": far_id, "bound": bound},
        )
        cases.open_case(db, case, company_id=tally.company_id, now=now)


def _write_waits(db: Connection, o: Outcome, *, now: int) -> None:
    for reason, waits_on in o.waits:
        db.execute(
            "INSERT OR IGNORE INTO waits (message_id, reason, target_id, waits_on, since) VALUES (?, ?, ?, ?, ?)",
            (o.message_id, reason, o.target_id, waits_on, now),
        )


def _after_words(db: Connection, o: Outcome, tally: Tally, troubled: Collection[int], *, now: int) -> None:
    """Cases, and what a settled outcome heals."""
    for case in o.cases:
        cases.open_case(db, case, company_id=tally.company_id, now=now)
    if o.message_id not in troubled:
        return
    if o.settles and o.after is not State.UNKNOWN:
        how = "found in the target" if o.after is State.DONE else "not in the target, sent again"
        cases.heal(db, "outcome_unknown", company_id=tally.company_id, now=now, how=how, message_id=o.message_id)
    elif o.after is State.DONE and o.reason != Reason.UNCHANGED:
        cases.heal(
            db, "outcome_unknown", company_id=tally.company_id, now=now, how="delivered", message_id=o.message_id
        )
