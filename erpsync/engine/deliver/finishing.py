"""Finishing tries: their outcomes into the store, and what they say of the systems they were made at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Reason, State, Wait
from erpsync.engine.batching import Batch
from erpsync.engine.context import Context
from erpsync.engine.deliver import parents
from erpsync.store import books, cases, finishing, systems, xrefs
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.outcomes import Finished, Outcome
from erpsync.store.totals import Tally


@dataclass(slots=True)
class Signal:
    """What a try says of its system. ``answered``: it spoke to us; ``failed``: it did not; neither: it was not called."""

    answered: bool = False
    failed: str = ""
    text: str = ""
    denied: bool = False
    limited_until: int = 0
    calls: int = 0
    prepaid: int = 0  # requests taken out of the rate budget when it was claimed


@dataclass(slots=True)
class Ended:
    """One try with its signal; ``lacks``: parents the target itself says it does not have."""

    outcome: Outcome
    signal: Signal = field(default_factory=Signal)
    lacks: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Its system failed, denied us or asked for quiet: what else waits for it may have to stay."""
        return self.signal.denied or bool(self.signal.failed) or self.signal.limited_until > 0


class Finisher:
    """Writes what tries came to, many in one transaction; ``await put`` returns when it is on disk, ``add`` at once."""

    def __init__(
        self,
        context: Context,
        *,
        moved: Callable[[Sequence[Ended], Finished], None] = lambda *_: None,
        broke: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``moved`` hears of each batch that is on disk, ``broke`` of a store that failed under what was added."""
        self._context = context
        self._batch: Batch[Ended, Finished] = Batch(context.store.writer, self._write, written=moved, broke=broke)
        self.add = self._batch.add
        self.drain = self._batch.drain

    async def put(self, ended: Ended) -> None:
        """Record one try."""
        await self._batch.put(ended)

    def _write(self, db: Connection, batch: Sequence[Ended]) -> Finished:
        tally, now = self._context.tally(), self._context.now_ms
        for ended in batch:
            if ended.outcome.after is State.HELD:
                _see_to_parents(db, self._context, ended, tally, now=now)
        report = finishing.finish(db, [ended.outcome for ended in batch], tally, now=now)
        note_signals(db, self._context, [(e.outcome.target_id, e.signal) for e in batch], now=now)
        for ended in batch:
            if (
                ended.outcome.after is State.UNKNOWN
                and ended.outcome.lease in report.ours
                and not ended.outcome.settles
            ):
                self._context.decided(
                    db, "message.unknown", str(ended.outcome.message_id), now=now, reason=ended.outcome.error
                )
        tally.write(db)
        return report


def _see_to_parents(db: Connection, context: Context, ended: Ended, tally: Tally, *, now: int) -> None:
    """A message about to be held for parents: what came meanwhile frees it, what is not on its way is sent."""
    o = ended.outcome
    wanted = [on for reason, on in o.waits if reason == Wait.PARENT]
    if not wanted:
        return
    company_id = context.routes.company_id
    if ended.lacks:
        _believe_the_target(db, context, o.target_id, ended.lacks)
    there = xrefs.far_ids_of_keys(db, company_id, o.target_id, wanted)
    missing = [key for key in wanted if key not in there]
    o.waits = [(reason, on) for reason, on in o.waits if on not in there]
    if not missing and not o.waits:
        o.after, o.reason, o.due_at, o.burn = State.READY, Reason.RELEASED, now, False
        return
    hopeless = parents.fetch(db, context, o.target_id, missing, tally, now=now)
    o.cases = [
        *o.cases,
        *(
            parents.missing_case(
                context,
                key=o.key,
                parent=key,
                why=why,
                target_id=o.target_id,
                message_id=o.message_id,
                stake=o.stake,
                currency=o.currency,
            )
            for key, why in hopeless
        ),
    ]


def _believe_the_target(db: Connection, context: Context, target_id: int, keys: Sequence[str]) -> None:
    """It says it lacks what we took it to have: the cross-reference is set aside, and it is looked for anew."""
    for key in keys:
        kind, _, number = key.partition(":")
        record = books.records_named(db, context.routes.company_id, kind, [number]).get(number)
        if record is not None:
            xrefs.unbind(db, target_id, record.record_id)
            books.write_pictures(db, target_id, [(record.record_id, books.Picture(present=False))])


def note_signals(db: Connection, context: Context, signals: Sequence[tuple[int, Signal]], *, now: int) -> None:
    """Tell the systems' rows what was seen: successes, failures, limits, refusals to let us in, requests spent."""
    by_system: dict[int, list[Signal]] = defaultdict(list)
    for target_id, signal in signals:
        by_system[target_id].append(signal)
    for system_id, heard in by_system.items():
        name = context.system_named(system_id)
        system = context.system(name)
        calls = sum(signal.calls for signal in heard)
        owed = calls - sum(signal.prepaid for signal in heard)
        if owed:
            systems.spend(db, systems.system(db, system_id), system.limits.rate, calls=owed, now=now)
        if limited := max(signal.limited_until for signal in heard):
            systems.limit_until(db, system_id, until=limited)
        denied = next((signal for signal in heard if signal.denied), None)
        failures = [signal for signal in heard if signal.failed]
        answered = sum(signal.answered for signal in heard)
        if denied is not None:
            deny(db, context, name, denied.text, now=now)
        elif answered:
            if systems.note_success(db, system_id, now=now, most=system.limits.concurrency):
                context.decided(db, "breaker.close", name, now=now)
            if systems.system(db, system_id).state != "stopped":  # a straggler's good answer does not undo the stop
                cases.heal(
                    db,
                    "access_denied",
                    company_id=context.routes.company_id,
                    now=now,
                    how="it lets us in again",
                    subject=f"system:{name}",
                )
        elif failures:
            last = failures[-1]
            breaker = system.breaker
            opened = systems.note_failure(
                db,
                system_id,
                now=now,
                code=last.failed,
                text=last.text,
                most=breaker.failures,
                within_ms=int(breaker.within.total_seconds() * 1000),
                probe_ms=int(breaker.probe.total_seconds() * 1000),
                n=len(failures),
            )
            if opened:
                context.decided(db, "breaker.open", name, now=now, reason=last.text)
        elif not calls:
            systems.give_back_proof(db, system_id)


def deny(db: Connection, context: Context, name: str, text: str, *, now: int) -> None:
    """The system does not let us in: it stops for everybody until a person resumes it."""
    system_id = context.routes.names.systems[name]
    if systems.stop(db, system_id, now=now, code="access_denied", text=text, by="engine"):
        context.decided(db, "system.stop", name, now=now, reason=text)
    case = Case("access_denied", f"system:{name}", f"{name} does not let us in: {text}", system_id=system_id)
    cases.open_case(db, case, company_id=context.routes.company_id, now=now)
