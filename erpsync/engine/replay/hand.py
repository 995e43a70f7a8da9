"""An act of a person on messages: one transaction, one line of the audit log, each message done to or left out with why.

Rule: whoever acts says what may be done to a message as it stands then, inside the transaction, not as it was shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Reason, State
from erpsync.engine.context import Bench, Context
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit, cases, messages
from erpsync.store.connection import Connection, moment
from erpsync.store.messages import Standing
from erpsync.store.totals import Tally

MOST = 1_000
_ABSENT = "not in the store (pruned, or never was)"
_NAMED = 20


@dataclass
class Done:
    """What an act came to: the messages it was done to, what of their lines went with them, who was left out and why.

    ``stays``: those that were done to and still wait, with what for. ``closed``: the exceptions that this settled.
    """

    done: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    stays: list[tuple[int, str]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    act: int | None = None


@dataclass(frozen=True)
class Hand:
    """The transaction an act works in, whose act it is, and the messages he named."""

    db: Connection
    context: Context
    tally: Tally
    now: int
    actor: str
    named: Collection[int]

    def standings(self, ids: Sequence[int]) -> list[Standing]:
        """How these messages stand now, in the order given."""
        return list(messages.standings(self.db, self.context.routes.company_id, ids).values())

    def shift(self, standing: Standing, to: State, reason: Reason, *, generation: int | None = None) -> None:
        """Move one message."""
        messages.shift(self.db, standing, to, self.tally, now=self.now, reason=reason, generation=generation)

    def heal(self, message_id: int, how: str) -> list[int]:
        """Close what is open about a message: this act settles it. Returns the exceptions closed."""
        return cases.heal_message(self.db, message_id, now=self.now, how=f"{how} by {self.actor}", by=self.actor)


def act(
    bench: Bench,
    ids: Sequence[int],
    what: str,
    one: Callable[[Hand, Standing, Done], str],
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
        hand = Hand(db, context, context.tally(), context.now_ms, actor, frozenset(unique))
        done = Done()
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
                subject=_subject(done),
                reason=reason,
                command=command,
                after=_all_of(done),
            )
        return done

    return context.store.writer.call(work)


def _subject(done: Done) -> str:
    ids = ",".join(str(message_id) for message_id in done.done[:_NAMED])
    more = f" and {len(done.done) - _NAMED} more" if len(done.done) > _NAMED else ""
    return ids + more + (f" and {len(done.line)} of the line" if done.line else "")


def _all_of(done: Done) -> bytes | None:
    """Every id, where the subject cannot name them all."""
    if len(done.done) <= _NAMED and not done.line:
        return None
    return json.dumps({"messages": done.done, "line": done.line}).encode()
