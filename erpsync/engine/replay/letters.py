"""Messages put aside and brought back by hand: replay, discard, skip, restore. What is asked about is frozen to ids first.

Rule: who leaves a lane says what becomes of the line behind, and what waited for the document does not sleep unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

from erpsync.domain import by_hand
from erpsync.domain.messages import Reason, State, Wait
from erpsync.engine.context import Bench
from erpsync.engine.replay.hand import Done, Hand, act
from erpsync.engine.replay.holding import refused
from erpsync.errors import UsageError
from erpsync.store import cases, holding, letters
from erpsync.store.messages import Standing

FATES = ("go", "discard", "hold")


def replay(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Make dead letters ready again: a refused one under a new once_key, since its answer would be the same.

    Messages that are not dead any more are left out, and said so.
    """

    def one(hand: Hand, standing: Standing, _: Done) -> str:
        if standing.state == State.HELD and standing.reason == Reason.DISCARDED:
            return _without_its_head(hand, standing)
        if standing.state != State.DEAD:
            return f"not dead, it is {standing.state}"
        rises = standing.reason in (Reason.REFUSED, Reason.CONFLICT, Reason.UNMAPPABLE)
        generation = standing.generation + 1 if rises else standing.generation
        hand.shift(standing, State.READY, Reason.REPLAYED, generation=generation)
        letters.fresh_tries(hand.db, standing.message_id)
        hand.heal(standing.message_id, "replayed")
        return ""

    return act(bench, ids, "message.replay", one, actor=actor, reason=reason, command=command)


def discard(bench: Bench, ids: Sequence[int], *, line: str, actor: str, reason: str, command: str) -> Done:
    """Put dead (or held) messages aside, restorable. ``line``: what becomes of each one's line.

    ``go``: it goes on; ``discard``: it is put aside too; ``hold``: it stays until a person lets it go. Messages that were
    held for the discarded document become exceptions ``parent_missing``, not sleepers. Raises NotFound for an id that is
    not in the store: nothing was discarded then.
    """
    _check(line)

    def one(hand: Hand, standing: Standing, done: Done) -> str:
        if standing.state not in (State.DEAD, State.HELD):
            return f"not dead, it is {standing.state}"
        _put_aside(hand, standing, done, line, "discarded")
        return ""

    return act(bench, ids, "message.discard", one, actor=actor, reason=reason, command=command, all_there=True)


def skip(bench: Bench, ids: Sequence[int], *, line: str, actor: str, reason: str, command: str) -> Done:
    """The same for messages that wait, ready or held: they are not delivered, on purpose. Others are left out, and said so."""
    _check(line)

    def one(hand: Hand, standing: Standing, done: Done) -> str:
        if why := refused(hand, standing, by_hand.Act.SKIP):
            return why
        _put_aside(hand, standing, done, line, "skipped")
        return ""

    return act(bench, ids, "message.skip", one, actor=actor, reason=reason, command=command)


def restore(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Make discarded messages ready again, each in its old place in its lane; others are left out, and said so.

    None is put before a younger one whose outcome is open: at a blind system that would write twice.
    """

    def one(hand: Hand, standing: Standing, _: Done) -> str:
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

    return act(bench, ids, "message.restore", one, actor=actor, reason=reason, command=command)


def _check(line: str) -> None:
    if line not in FATES:
        raise UsageError(f"--line {line} is not one of {', '.join(FATES)}")


def _put_aside(hand: Hand, standing: Standing, done: Done, line: str, how: str) -> None:
    behind = letters.followers(hand.db, standing.lane_id, standing.message_id)
    hand.shift(standing, State.SKIPPED, Reason.DISCARDED)
    done.closed += hand.heal(standing.message_id, how)
    done.line += _line_behind(hand, behind, line)
    _orphans(hand, standing)


def _line_behind(hand: Hand, behind: Sequence[int], line: str) -> list[int]:
    touched = []
    for follower in hand.standings(behind):
        if follower.pinned_id is not None:
            continue
        if line == "discard" and follower.state in (State.READY, State.HELD, State.DEAD):
            hand.shift(follower, State.SKIPPED, Reason.DISCARDED)
            cases.heal_message(hand.db, follower.message_id, now=hand.now, how="discarded with the line it stood in")
            touched.append(follower.message_id)
        elif line == "hold" and follower.state == State.READY and follower.message_id not in hand.named:
            holding.hold(hand.db, follower, hand.tally, now=hand.now, reason=Wait.LINE, why="")
            touched.append(follower.message_id)
    return touched


def _orphans(hand: Hand, standing: Standing) -> None:
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


def _under_way(hand: Hand, standing: Standing) -> Standing | None:
    """The head of its lane, where that is younger and its outcome is open: nothing may overtake it now."""
    for head in hand.standings(letters.followers(hand.db, standing.lane_id, standing.message_id)[:1]):
        if head.state in (State.LEASED, State.UNKNOWN) or head.pinned_id is not None:
            return head
    return None


def _without_its_head(hand: Hand, standing: Standing) -> str:
    """It was held because the head before it was discarded, and goes all the same; one that is held for more stays."""
    rest = holding.answer(hand.db, standing, hand.tally, now=hand.now, because=Reason.REPLAYED, reasons=(Wait.LINE,))
    if rest:
        return "not dead, it is held for more than its line"
    letters.fresh_tries(hand.db, standing.message_id)
    hand.heal(standing.message_id, "replayed")
    return ""


def _let_line_go(hand: Hand, head: Standing) -> None:
    """The head is back: what was held because it was discarded is ready again behind it."""
    for follower in hand.standings(letters.followers(hand.db, head.lane_id, head.message_id)):
        if follower.state == State.HELD and follower.reason == Reason.DISCARDED:
            holding.answer(hand.db, follower, hand.tally, now=hand.now, because=Reason.RESTORED, reasons=(Wait.LINE,))
