"""Dead letters by hand: replay, discard, restore. What is asked about is frozen to message ids before it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Reason, State
from erpsync.engine.context import Bench, Context
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit, cases, letters, messages
from erpsync.store.connection import Connection, moment
from erpsync.store.messages import Standing
from erpsync.store.totals import Tally

MOST = 1_000


@dataclass
class ReplayResult:
    """What a replay did."""

    replayed: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    act: int | None = None


def _standings(context: Context, db: Connection, ids: Sequence[int]) -> dict[int, Standing]:
    if not ids:
        raise UsageError("no message ids were given", hint="name ids, give a --where, or - to read ids from stdin")
    unique = list(dict.fromkeys(ids))
    if len(unique) > MOST:
        raise UsageError(
            f"{len(unique):,} messages are more than {MOST:,} at once", hint="narrow the filter, or take them in parts"
        )
    return messages.standings(db, context.routes.company_id, unique)


def _why_not(standing: Standing | None) -> str:
    if standing is None:
        return "not in the store (pruned, or never was)"
    held_for_line = standing.state == State.HELD and standing.reason == Reason.DISCARDED
    if standing.state != State.DEAD and not held_for_line:
        return f"not dead, it is {standing.state}"
    return ""


def replay(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> ReplayResult:
    """Make dead letters ready again: a refused one under a new once_key, since its answer would be the same.

    Messages that are not dead any more are left out, and said so.
    """
    context = bench.context()

    def act(db: Connection) -> ReplayResult:
        now, result, tally = context.now_ms, ReplayResult(), context.tally()
        found = _standings(context, db, ids)
        for message_id in dict.fromkeys(ids):
            standing = found.get(message_id)
            if why := _why_not(standing):
                result.left_out.append((message_id, why))
                continue
            assert standing is not None  # noqa: S101  (there is no reason against it)
            rises = standing.reason in (Reason.REFUSED, Reason.CONFLICT, Reason.UNMAPPABLE)
            generation = standing.generation + 1 if rises else standing.generation
            messages.shift(db, standing, State.READY, tally, now=now, reason=Reason.REPLAYED, generation=generation)
            letters.fresh_tries(db, message_id)
            cases.heal_message(db, message_id, now=now, how=f"replayed by {actor}", by=actor)
            result.replayed.append(message_id)
        tally.write(db)
        if result.replayed:
            result.act = _audit(
                db, context, "message.replay", result.replayed, actor=actor, reason=reason, command=command, now=now
            )
        return result

    return context.store.writer.call(act)


@dataclass
class Discarded:
    """Letters put aside, and what became of the line behind them."""

    discarded: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    act: int | None = None


def discard(bench: Bench, ids: Sequence[int], *, line: str, actor: str, reason: str, command: str) -> Discarded:
    """Put dead (or held) messages aside, restorable. ``line``: what becomes of each one's line.

    ``go``: it goes on; ``discard``: it is put aside too; ``hold``: it stays until a person lets it go. Messages that were
    held for the discarded document become exceptions ``parent_missing``, not sleepers.
    """
    if line not in ("go", "discard", "hold"):
        raise UsageError(f"--line {line} is not one of go, discard, hold")
    context = bench.context()

    def act(db: Connection) -> Discarded:
        now, result, tally = context.now_ms, Discarded(), context.tally()
        found = _standings(context, db, ids)
        for message_id in dict.fromkeys(ids):
            if message_id in result.line:
                continue  # it went with the line of one before it
            standing = found.get(message_id)
            if standing is None:
                raise NotFound(f"message {message_id} is not in the store (pruned, or never was)")
            if standing.state not in (State.DEAD, State.HELD):
                result.left_out.append((message_id, f"not dead, it is {standing.state}"))
                continue
            behind = letters.followers(db, standing.lane_id, message_id)
            messages.shift(db, standing, State.SKIPPED, tally, now=now, reason=Reason.DISCARDED)
            cases.heal_message(db, message_id, now=now, how=f"discarded by {actor}", by=actor)
            result.discarded.append(message_id)
            result.line += _line_behind(db, context, behind, line, tally, now=now)
            _orphans(db, context, standing, tally, now=now)
        tally.write(db)
        if result.discarded:
            result.act = _audit(
                db, context, "message.discard", result.discarded, actor=actor, reason=reason, command=command, now=now
            )
        return result

    return context.store.writer.call(act)


def _line_behind(
    db: Connection, context: Context, behind: Sequence[int], line: str, tally: Tally, *, now: int
) -> list[int]:
    touched = []
    for follower in messages.standings(db, context.routes.company_id, behind).values():
        if line == "discard" and follower.state in (State.READY, State.HELD, State.DEAD) and follower.pinned_id is None:
            messages.shift(db, follower, State.SKIPPED, tally, now=now, reason=Reason.DISCARDED)
            cases.heal_message(db, follower.message_id, now=now, how="discarded with the line it stood in")
            touched.append(follower.message_id)
        elif line == "hold" and follower.state == State.READY and follower.pinned_id is None:
            messages.shift(db, follower, State.HELD, tally, now=now, reason=Reason.DISCARDED)
            letters.hold_for_line(db, follower.message_id, follower.target_id, now=now)
            touched.append(follower.message_id)
    return touched


def _orphans(db: Connection, context: Context, standing: Standing, tally: Tally, *, now: int) -> None:
    """What was held for the discarded document will not come by itself: each is an exception now."""
    for child_id in letters.held_for(db, standing.target_id, standing.key):
        (child,) = messages.standings(db, context.routes.company_id, [child_id]).values()
        case = cases.Case(
            "parent_missing",
            child.key,
            f"{context.system_named(standing.target_id)} lacks {standing.key}, which {child.key} names: it was discarded",
            system_id=standing.target_id,
            message_id=child_id,
            stake=child.stake,
            currency=child.currency,
            evidence={"parent": standing.key},
        )
        cases.open_case(db, case, company_id=tally.company_id, now=now)


def restore(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> ReplayResult:
    """Make discarded messages ready again, each in its old place in its lane; others are left out, and said so.

    None is put before a younger one whose outcome is open: at a blind system that would write twice.
    """
    context = bench.context()

    def act(db: Connection) -> ReplayResult:
        now, result, tally = context.now_ms, ReplayResult(), context.tally()
        found = _standings(context, db, ids)
        for message_id in dict.fromkeys(ids):
            standing = found.get(message_id)
            if standing is None:
                result.left_out.append((message_id, "not in the store (pruned, or never was)"))
            elif standing.state != State.SKIPPED or standing.reason != Reason.DISCARDED:
                result.left_out.append(
                    (message_id, f"not discarded, it is {standing.state} ({standing.reason or 'no reason'})")
                )
            elif head := _under_way(db, context, standing):
                why = f"message {head.message_id} of its lane has an open try ({head.state}): restore it when that is settled"
                result.left_out.append((message_id, why))
            else:
                messages.shift(
                    db,
                    standing,
                    State.READY,
                    tally,
                    now=now,
                    reason=Reason.RESTORED,
                    generation=standing.generation + 1,
                )
                letters.fresh_tries(db, message_id)
                result.replayed.append(message_id)
                _let_line_go(db, context, standing, tally, now=now)
        tally.write(db)
        if result.replayed:
            result.act = _audit(
                db, context, "message.restore", result.replayed, actor=actor, reason=reason, command=command, now=now
            )
        return result

    return context.store.writer.call(act)


def _under_way(db: Connection, context: Context, standing: Standing) -> Standing | None:
    """The head of its lane, where that is younger and its outcome is open: nothing may overtake it now."""
    for head_id in letters.followers(db, standing.lane_id, standing.message_id)[:1]:
        (head,) = messages.standings(db, context.routes.company_id, [head_id]).values()
        if head.state in (State.LEASED, State.UNKNOWN) or head.pinned_id is not None:
            return head
    return None


def _let_line_go(db: Connection, context: Context, head: Standing, tally: Tally, *, now: int) -> None:
    """The head is back: what was held because it was discarded is ready again behind it."""
    behind = letters.followers(db, head.lane_id, head.message_id)
    for follower in messages.standings(db, context.routes.company_id, behind).values():
        if follower.state == State.HELD and follower.reason == Reason.DISCARDED:
            messages.shift(db, follower, State.READY, tally, now=now, reason=Reason.RESTORED)


def _audit(
    db: Connection, context: Context, what: str, ids: Sequence[int], *, actor: str, reason: str, command: str, now: int
) -> int:
    subject = ",".join(str(message_id) for message_id in ids[:20]) + (
        f" and {len(ids) - 20} more" if len(ids) > 20 else ""
    )
    return audit.append(
        db,
        chain="main",
        company_id=context.routes.company_id,
        at=moment(now),
        actor=actor,
        what=what,
        subject=subject,
        reason=reason,
        command=command,
    )
