"""Finishing: what became of tries, in one transaction with everything that follows from it.

A lease that moved on is left alone: its new holder decides (promise 7). A done message binds its document, moves the
target's picture, hands its lane on, and frees what was held for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from erpsync.domain.messages import Reason, State
from erpsync.store import cases
from erpsync.store.connection import Connection
from erpsync.store.delivered import write_books
from erpsync.store.messages import promote
from erpsync.store.outcomes import Finished, Outcome
from erpsync.store.rows import insert_rows, listed, write_rows
from erpsync.store.totals import Tally

_OURS = (
    "SELECT m.message_id, m.lease_no FROM json_each(?) j CROSS JOIN messages m ON m.message_id = j.value ->> 0 "
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
_LEFT_LANE = (
    "UPDATE OR FAIL messages SET state = v.column1, is_head = 0, reason = v.column2, state_at = v.column3, pinned_id = NULL, "
    "unknown_since = NULL, error = '', error_code = '', error_field = '' FROM (VALUES {rows}) v "
    "WHERE message_id = v.column4 AND lease_no = v.column5 AND state = v.column6"
)
_FINISHED = (State.DONE, State.SKIPPED)


def finish(db: Connection, outcomes: Sequence[Outcome], tally: Tally, *, now: int) -> Finished:
    """Record what became of tries; returns which of them were still ours to finish."""
    report = Finished({o.lease for o in outcomes})
    ours, all_finished = outcomes, _finish_all(db, outcomes, now=now)
    if not all_finished:
        report.ours = _still_ours(db, outcomes)
        ours = [o for o in outcomes if o.lease in report.ours]
        for o in outcomes:
            if o.lease not in report.ours:
                report.late += 1
                tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome="late")
    _write_attempts(db, outcomes, report.ours, now=now)
    if not all_finished:
        _write_messages(db, ours, now=now)
    _hand_on(db, ours, tally, now=now)
    for o in ours:  # before the books: what is bound in this very transaction frees them again
        _write_waits(db, o, now=now)
    write_books(db, ours, tally, report, now=now)
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
                *(str(o.outcome) if o.lease in ours else f"late:{o.outcome}", o.status),
                *(bytearray(o.answer) if o.answer else None,),
                *(int(o.answer_cut), o.error, o.error_code, o.took_us),
            )
            for o in outcomes
        ],
        conflict=_ENDED_BEGUN,
    )


def _finish_all(db: Connection, outcomes: Sequence[Outcome], *, now: int) -> bool:
    """Finish them all at once if each is done or skipped, and still ours (nearly always); else nothing is written, and False."""
    if any(o.after not in _FINISHED for o in outcomes):
        return False
    db.execute("SAVEPOINT finished")
    whole = _write_finished(db, outcomes, now=now) == len(outcomes)
    if not whole:
        db.execute("ROLLBACK TO finished")
    db.execute("RELEASE finished")
    return whole


def _write_finished(db: Connection, finished: Sequence[Outcome], *, now: int) -> int:
    rows = [(o.after._value_, str(o.reason), now, o.message_id, o.lease_no, o.before._value_) for o in finished]
    return write_rows(db, _LEFT_LANE, rows)


def _still_ours(db: Connection, outcomes: Sequence[Outcome]) -> set[tuple[int, int]]:
    expected = listed((o.message_id, o.lease_no, o.before) for o in outcomes)
    return {(int(message_id), int(lease_no)) for message_id, lease_no in db.execute(_OURS, (expected,)).fetchall()}


def _write_messages(db: Connection, ours: Sequence[Outcome], *, now: int) -> None:
    _write_finished(db, [o for o in ours if o.after in _FINISHED], now=now)
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
            if o.after not in _FINISHED
        ],
    )


def _hand_on(db: Connection, ours: Sequence[Outcome], tally: Tally, *, now: int) -> None:
    """The lanes of what is finished get their next head; everything is counted."""
    promote(db, [o.lane_id for o in ours if o.after in _FINISHED])
    for o in ours:
        tally.move(
            flow_id=o.flow_id, target_id=o.target_id, before=o.before, after=o.after, stake=o.stake, currency=o.currency
        )
        tally.happened(at=now, flow_id=o.flow_id, system_id=o.target_id, outcome=o.outcome, took_us=o.took_us)


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
