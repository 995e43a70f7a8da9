"""Holding by hand: a message that waits until a person lets it go, and that person's answer."""

from __future__ import annotations

from collections.abc import Sequence

from erpsync.domain import by_hand
from erpsync.domain.messages import Reason, State, Wait
from erpsync.engine.context import Bench
from erpsync.engine.replay.hand import Done, Hand, act
from erpsync.store import cases, holding
from erpsync.store.messages import Standing

_MOST = 300  # characters of the words beside a wait; the audit log has all of them
_BELONG = ("duplicate_far", "ambiguous")  # exceptions of which a person says that it may go on


def hold(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Have messages wait until they are released, wherever they stand in their lanes; others are left out, and said so.

    One that waits for something else already waits for both. A newer revision of a kept document clears a held one
    before it like any other: what is held is this message, not its key.
    """
    why = f"{actor} holds it" + (f": {reason}" if reason.strip() else "")

    def one(hand: Hand, standing: Standing, _: Done) -> str:
        if not (refusal := refused(hand, standing, by_hand.Act.HOLD)):
            holding.hold(hand.db, standing, hand.tally, now=hand.now, reason=Wait.PERSON, why=why[:_MOST])
        return refusal

    return act(bench, ids, "message.hold", one, actor=actor, reason=reason, command=command)


def release(bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str) -> Done:
    """Answer all that messages wait for a person about: ready, and due now; those that wait for more stay held for that.

    The exceptions that asked close. Messages that wait for no person are left out, and said so.
    """

    def one(hand: Hand, standing: Standing, done: Done) -> str:
        if why := refused(hand, standing, by_hand.Act.RELEASE):
            return why
        message_id = standing.message_id
        if hand.context.routes.by_flow(standing.flow_id, standing.target_id) is None:
            target = hand.context.system_named(standing.target_id)
            return f"held, and no flow takes {standing.kind} to {target} any more: put that back first, or skip it"
        rest = holding.answer(hand.db, standing, hand.tally, now=hand.now, because=Reason.RELEASED)
        if rest:
            done.stays.append((message_id, ", ".join(on or because for because, on in rest)))
        done.closed += _close(hand, message_id)
        return ""

    return act(bench, ids, "message.release", one, actor=actor, reason=reason, command=command)


def refused(hand: Hand, standing: Standing, what: by_hand.Act) -> str:
    """Why an act cannot be done to a message as it stands now; empty where it can."""
    number = standing.message_id
    waits = holding.waits_of(hand.db, [number]).get(number, ()) if standing.state == State.HELD else ()
    target = hand.context.system_named(standing.target_id)
    pinned = standing.pinned_id is not None
    stands = by_hand.Stands(number, target, standing.state, standing.reason, pinned, waits)
    refusal = by_hand.refusal(what, stands)
    return refusal.why if refusal else ""


def _close(hand: Hand, message_id: int) -> list[int]:
    """Close what asked a person; what is open about a missing parent heals when that is there."""
    how, company_id = f"released by {hand.actor}", hand.tally.company_id
    return [
        number
        for kind in _BELONG
        for number in cases.heal(
            hand.db, kind, company_id=company_id, now=hand.now, how=how, by=hand.actor, message_id=message_id
        )
    ]
