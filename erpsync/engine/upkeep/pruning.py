"""Pruning: what was finished long ago leaves the store, a little at a time, beside the workers.

Rule: no step holds the lock for long, none leaves anything half done, and between two of them others get in. So it may be
killed at any moment; the next time it goes on with what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice

from erpsync.domain.kinds import Supersedes, kinds
from erpsync.engine.upkeep import on_record
from erpsync.store import pruning
from erpsync.store.connection import Connection, ms
from erpsync.store.pruning import Counts, Survey
from erpsync.store.store import Store
from erpsync.store.telling import Telling

_AIM_SECONDS = 0.012  # a step holds the lock about so long
_GAP_SECONDS = 0.010  # others that want to write look for the lock every eight milliseconds at least
_FIRST, _FEWEST, _MOST = 16, 4, 2_000  # rows in a step
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went. ``free`` bytes of the file can be used again now; ``in_hands``: contents stayed, for so many messages in work."""

    gone: Counts
    free: int
    in_hands: int
    act: int
    longest: float


def survey(store: Store, *, before: datetime, tell: Telling) -> Survey:
    """What was finished before a moment and may go.

    Orders and their like have a current value too, but come to an end: their last deliveries go with time, or nothing would.
    """
    current = [name for name, kind in kinds().items() if kind.supersedes is Supersedes.ALWAYS]
    return pruning.survey(store, before=ms(before), kept_kinds=current, tell=tell)


def prune(
    store: Store,
    found: Survey,
    *,
    now: Callable[[], datetime],
    actor: str,
    reason: str,
    command: str,
    tell: Telling,
    patience: float = 30.0,
) -> Pruned:
    """Remove what a survey found, as far as it still may go; on record in the audit log before anything is gone.

    ``patience``: the seconds to wait at most for what workers had in their hands; contents stay where that is longer.
    """
    steps, gone = Steps(store, tell), Counts()
    after = {"before": found.before, **asdict(found.counts)}
    act = on_record.note(store, "store.prune", after, now=now(), actor=actor, reason=reason, command=command)
    exceptions, counts = found.exceptions, found.counts
    steps.run(
        "exceptions", exceptions, counts.exceptions, lambda db, ids: pruning.remove_exceptions(db, found, ids, gone)
    )
    steps.run(
        "messages", found.messages, counts.messages, lambda db, ids: pruning.remove_messages(db, found, ids, gone)
    )
    steps.run("raw contents", found.raws, counts.raws, lambda db, ids: pruning.forget_raws(db, found, ids, gone))
    with store.read() as db:
        minutes = pruning.old_minutes(db, found)
    steps.run("minutes", minutes, len(minutes), lambda db, ids: pruning.remove_minutes(db, ids, gone))
    in_hands = _wait_for_hands(store, found, now=now, patience=patience)
    if not in_hands:
        with store.read() as db:
            pruning.mark_again(db, found)
        steps.run(
            "contents", _unnamed(store, found), counts.contents, lambda db, ids: pruning.remove_contents(db, ids, gone)
        )
    with store.read() as db:
        free = pruning.free_bytes(db)
    return Pruned(gone, free, in_hands, act, steps.longest)


class Steps:
    """Small writing transactions, as large as the time they may take; ``longest`` is how many seconds one held the lock."""

    def __init__(self, store: Store, tell: Telling) -> None:
        self._store = store
        self._tell = tell
        self.longest = 0.0

    def run(self, what: str, ids: Iterable[int], total: int, remove: Callable[[Connection, list[int]], None]) -> None:
        """Remove what these ids name, some at a time."""
        source, some, done = iter(ids), _FIRST, 0
        while batch := list(islice(source, some)):
            held = self._step(batch, remove)
            done += len(batch)
            self._tell(f"{what} removed", done, total)
            some = max(_FEWEST, min(_MOST, int(some * min(2.0, _AIM_SECONDS / max(held, 0.000_1)))))
            time.sleep(_GAP_SECONDS)

    def _step(self, batch: list[int], remove: Callable[[Connection, list[int]], None]) -> float:
        begun: list[float] = []

        def work(db: Connection) -> None:
            begun.append(time.monotonic())
            remove(db, batch)

        self._store.writer.call(work)
        held = time.monotonic() - begun[0]
        self.longest = max(self.longest, held)
        return held


def _unnamed(store: Store, found: Survey) -> Iterator[int]:
    after: int | None = 0
    while after is not None:
        with store.read() as db:
            ids, after = pruning.unnamed(db, found, after)
        yield from ids


def _wait_for_hands(store: Store, found: Survey, *, now: Callable[[], datetime], patience: float) -> int:
    """Wait until what workers had in their hands during the survey is on record; returns how many messages still are not."""
    until = time.monotonic() + patience
    while True:
        with store.read() as db:
            still = pruning.in_hands(db, found, now=ms(now()))
        if not still or time.monotonic() >= until:
            return still
        time.sleep(_LOOK_SECONDS)
