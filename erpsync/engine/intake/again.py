"""Reading kept events again: after a mend by a person, and when an open try that concerned them is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erpsync.adapters.protocol import Revision, Told
from erpsync.domain.events import BROUGHT_BACK, Verdict
from erpsync.domain.kinds import kind_named
from erpsync.engine.context import Bench, Context
from erpsync.engine.intake.apply import apply
from erpsync.engine.intake.incoming import Incoming, receive
from erpsync.engine.intake.removals import removal
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit, cases, events
from erpsync.store.connection import Connection, moment
from erpsync.store.events import KeptEvent


def apply_events(
    bench: Bench, ids: Sequence[int], *, actor: str, reason: str, command: str
) -> list[tuple[int, str, str]]:
    """Read these kept events again, oldest first; returns (event id, its verdict now, detail).

    Raises NotFound for an unknown id, UsageError for an event that has nothing left to apply.
    """
    context = bench.context()
    with context.store.read() as db:
        kept = events.kept(db, context.routes.company_id, ids)
    missing = sorted(set(ids) - {event.event_id for event in kept})
    if missing:
        raise NotFound(f"event {missing[0]} is not in the store (pruned, or never was)")
    settled = next(
        (event for event in kept if event.verdict not in BROUGHT_BACK and event.verdict != Verdict.IN_PART), None
    )
    if settled is not None:
        raise UsageError(
            f"event {settled.event_id} is {settled.verdict}: there is nothing left to apply",
            hint=f"erpsync events show {settled.event_id}",
        )
    results = []
    for event in kept:
        verdict, detail = context.store.writer.call(
            lambda db, event=event: _again(db, context, event, by=(actor, reason, command))  # type: ignore[misc]  # bound now
        )
        results.append((event.event_id, verdict, detail))
    return results


def _again(db: Connection, context: Context, event: KeptEvent, *, by: tuple[str, str, str]) -> tuple[str, str]:
    now = context.now_ms
    verdict, detail = again(db, context, event)
    if event.removed and event.verdict == Verdict.HELD:
        _let_go(db, context, event, now=now)
    actor, reason, command = by
    audit.append(
        db,
        chain="main",
        company_id=context.routes.company_id,
        at=moment(now),
        actor=actor,
        what="event.apply",
        subject=str(event.event_id),
        reason=reason,
        command=command,
        before=event.verdict.encode(),
        after=verdict.encode(),
    )
    return verdict, detail


def _let_go(db: Connection, context: Context, event: KeptEvent, *, now: int) -> None:
    """A held removal was let through; with the last one of a kind its exception heals."""
    company_id, system_id = context.routes.company_id, event.system_id
    events.let_go(db, company_id, system_id, event.kind, [event.number], why="")
    if not events.any_removal_held(db, company_id, system_id, event.kind):
        subject = f"system:{context.system_named(system_id)}/{event.kind}"
        cases.heal(db, "mass_removal", company_id=company_id, now=now, how="its removals were applied", subject=subject)


def again(db: Connection, context: Context, event: KeptEvent) -> tuple[str, str]:
    """Read one kept event again with the mapping of now; returns its verdict and detail."""
    system = context.system_named(event.system_id)
    incoming = _incoming(context, system, event)
    apply(db, context.routes, system, [incoming], now=context.now_ms, restored_at=context.store.restored_at)
    verdict, detail = events.verdict_and_detail(db, event.event_id)
    if verdict == Verdict.WAITS and not incoming.error:  # it told nothing that the books do not know by now
        verdict, detail = Verdict.CAUGHT_UP, "the books knew it when the open try was settled"
        events.set_verdict(db, event.event_id, verdict, detail=detail)
    return verdict, detail


def _incoming(context: Context, system: str, event: KeptEvent) -> Incoming:
    kind = kind_named(event.kind)
    if event.removed and not event.raw:
        return removal(kind, event.number, read_at=event.received_at, event_id=event.event_id)
    told = context.adapter(system).understand(event.kind, event.raw)
    if event.far_revision is not None and told.revision is None:
        told = replace(told, revision=Revision(event.far_revision, event.far_order))
    told = _with_ids(told, event)
    (incoming,) = receive([told], read_at=moment(event.received_at))
    incoming.event_id = event.event_id
    incoming.source_event_id = ""  # it is in the log: this is no second telling of it
    incoming.at = incoming.at if incoming.at is not None else event.at
    return incoming


def _with_ids(told: Told, event: KeptEvent) -> Told:
    return replace(
        told,
        far_id=told.far_id or event.far_id,
        number=told.number or event.number,
        removed=told.removed or event.removed,
    )


def apply_waiting(db: Connection, context: Context, *, limit: int = 50) -> int:
    """Apply events that waited for an open try which is settled now; returns how many."""
    ids = events.waiting_for_settlement(db, context.routes.company_id, limit=limit)
    for event in events.kept(db, context.routes.company_id, ids):
        again(db, context, event)
    return len(ids)
