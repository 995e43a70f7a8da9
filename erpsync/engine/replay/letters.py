"""Dead letters by hand: replay, discard, restore. What is asked about is frozen to message ids before it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Reason, State
from erpsync.engine.context import Bench, Context
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit, cases, letters, messages
from erpsync.store.connection import Connection, moment
from erpsync.store.messages import Standing
from erpsync.store.totals import Tally

MOST = 1_000
_ABSENT = "not in the store (pruned, or never was)"


@dataclass
class Done:
    """What an act came to: the messages it was done to, what of their lines went with them, who was left out and why."""

    done: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    act: int | None = None


@dataclass(frozen=True)
class _Hand:
    """The transaction an act works in, and whose act it is."""

    db: Connection
    context: Context
    tally: Tally
    now: int
    actor: str

    def standings(self, ids: Sequence[int]) -> list[Standing]:
        """How these messages stand now, in the order given."""
        return list(messages.standings(self.db, self.context.routes.company_id, ids).values())

    def shift(self, standing: Standing, to: State, reason: Reason, *, generation: int | None = None) -> None:
        """Move one message."""
        messages.shift(self.db, standing, to, self.tally, now=self.now, reason=reason, generation=generation)

    def heal(self, message_id: int, how: str) -> None:
        """Close what is open about a message: this act settles it."""
        cases.heal_message(self.db, message_id, now=self.now, how=f"{how} by {self.actor}", by=self.actor)


def replay(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Make dead letters ready again: a refused one under a new once_key, since its answer would be the same.

    Messages that are not dead any more are left out, and said so.
    """

    def one(hand: _Hand, standing: Standing, _: Done) -> str:
        held_for_line = standing.state == State.HELD and standing.reason == Reason.DISCARDED
        if standing.state != State.DEAD and not held_for_line:
            return f"not dead, it is {standing.state}"
        rises = standing.reason in (Reason.REFUSED, Reason.CONFLICT, Reason.UNMAPPABLE)
        generation = standing.generation + 1 if rises else standing.generation
        hand.shift(standing, State.READY, Reason.REPLAYED, generation=generation)
        letters.fresh_tries(hand.db, standing.message_id)
        hand.heal(standing.message_id, "replayed")
        return ""

    return _act(bench, ids, "message.replay", one, actor=actor, reason=reason, command=command)


def discard(bench: Bench, ids: Sequence[int], *, line: str, actor: str, reason: str, command: str) -> Done:
    """Put dead (or held) messages aside, restorable. ``line``: what becomes of each one's line.

    ``go``: it goes on; ``discard``: it is put aside too; ``hold``: it stays until a person lets it go. Messages that were
    held for the discarded document become exceptions ``parent_missing``, not sleepers. Raises NotFound for an id that is
    not in the store: nothing was discarded then.
    """
    if line not in ("go", "discard", "hold"):
        raise UsageError(f"--line {line} is not one of go, discard, hold")

    def one(hand: _Hand, standing: Standing, done: Done) -> str:
        if standing.state not in (State.DEAD, State.HELD):
            return f"not dead, it is {standing.state}"
        behind = letters.followers(hand.db, standing.lane_id, standing.message_id)
        hand.shift(standing, State.SKIPPED, Reason.DISCARDED)
        hand.heal(standing.message_id, "discarded")
        done.line += _line_behind(hand, behind, line)
        _orphans(hand, standing)
        return ""

    return _act(bench, ids, "message.discard", one, actor=actor, reason=reason, command=command, all_there=True)


def restore(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Make discarded messages ready again, each in its old place in its lane; others are left out, and said so.

    None is put before a younger one whose outcome is open: at a blind system that would write twice.
    """

    def one(hand: _Hand, standing: Standing, _: Done) -> str:
        if standing.state != State.SKIPPED or standing.reason != Reason.DISCARDED:
            return f"not discarded, it is {standing.state} ({standing.reason or 'no reason'})"
        if head := _under_way(hand, standing):
            return (
                f"message {head.message_id} of its lane has an open try ({head.state}): restore it when that is settled"
            )
        hand.shift(standing, State.READY, Reason.RESTORED, generation=standing.generation + 1)
        letters.fresh_tries(hand.db, standing.message_id)
        _let_line_go(hand, standing)
        return ""

    return _act(bench, ids, "message.restore", one, actor=actor, reason=reason, command=command)


def _act(
    bench: Bench,
    ids: Sequence[int],
    what: str,
    one: Callable[[_Hand, Standing, Done], str],
    *,
    actor: str,
    reason: str,
    command: str,
    all_there: bool = False,
) -> Done:
    """Do ``one`` to each message, in one transaction and one line of the audit log; it returns why not, or nothing.

    ``all_there``: an id that is not in the store is an error, not left out.
    """
    unique = list(dict.fromkeys(ids))
    if not unique:
        raise UsageError("no message ids were given", hint="name ids, give a --where, or - to read ids from stdin")
    if len(unique) > MOST:
        raise UsageError(
            f"{len(unique):,} messages are more than {MOST:,} at once", hint="narrow the filter, or take them in parts"
        )
    context = bench.context()

    def work(db: Connection) -> Done:
        hand, done = _Hand(db, context, context.tally(), context.now_ms, actor), Done()
        found = messages.standings(db, context.routes.company_id, unique)
        for message_id in unique:
            if message_id in done.line:
                continue  # it went with the line of one before it
            standing = found.get(message_id)
            if standing is None and all_there:
                raise NotFound(f"message {message_id} is {_ABSENT}")
            if why := _ABSENT if standing is None else one(hand, standing, done):
                done.left_out.append((message_id, why))
            else:
                done.done.append(message_id)
        hand.tally.write(db)
        if done.done:
            done.act = audit.append(
                db,
                chain="main",
                company_id=context.routes.company_id,
                at=moment(hand.now),
                actor=actor,
                what=what,
                subject=_named(done.done),
                reason=reason,
                command=command,
            )
        return done

    return context.store.writer.call(work)


def _named(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
    return ",".join(str(message_id) for message_id in ids[:20]) + more


def _line_behind(hand: _Hand, behind: Sequence[int], line: str) -> list[int]:
    touched = []
    for follower in hand.standings(behind):
        if follower.pinned_id is not None:
            continue
        if line == "discard" and follower.state in (State.READY, State.HELD, State.DEAD):
            hand.shift(follower, State.SKIPPED, Reason.DISCARDED)
            cases.heal_message(hand.db, follower.message_id, now=hand.now, how="discarded with the line it stood in")
            touched.append(follower.message_id)
        elif line == "hold" and follower.state == State.READY:
            hand.shift(follower, State.HELD, Reason.DISCARDED)
            letters.hold_for_line(hand.db, follower.message_id, follower.target_id, now=hand.now)
            touched.append(follower.message_id)
    return touched


def _orphans(hand: _Hand, standing: Standing) -> None:
    """What was held for the discarded document will not come by itself: each is an exception now."""
    target = hand.context.system_named(standing.target_id)
    for child in hand.standings(letters.held_for(hand.db, standing.target_id, standing.key)):
        case = cases.Case(
            "parent_missing",
            child.key,
            f"{target} lacks {standing.key}, which {child.key} names: it was discarded",
            system_id=standing.target_id,
            message_id=child.message_id,
            stake=child.stake,
            currency=child.currency,
            evidence={"parent": standing.key},
        )
        cases.open_case(hand.db, case, company_id=hand.tally.company_id, now=hand.now)


def _under_way(hand: _Hand, standing: Standing) -> Standing | None:
    """The head of its lane, where that is younger and its outcome is open: nothing may overtake it now."""
    for head in hand.standings(letters.followers(hand.db, standing.lane_id, standing.message_id)[:1]):
        if head.state in (State.LEASED, State.UNKNOWN) or head.pinned_id is not None:
            return head
    return None


def _let_line_go(hand: _Hand, head: Standing) -> None:
    """The head is back: what was held because it was discarded is ready again behind it."""
    for follower in hand.standings(letters.followers(hand.db, head.lane_id, head.message_id)):
        if follower.state == State.HELD and follower.reason == Reason.DISCARDED:
            hand.shift(follower, State.READY, Reason.RESTORED)
