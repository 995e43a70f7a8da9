"""What a whole scan did not tell any more was removed; too much at once waits for a person (rulings S17)."""

from __future__ import annotations

from collections.abc import Collection

from erpsync.domain.events import Verdict
from erpsync.domain.kinds import Kind, kind_named
from erpsync.engine.context import Context
from erpsync.engine.intake.apply import Applied, apply
from erpsync.engine.intake.incoming import Incoming
from erpsync.store import books, cases, events
from erpsync.store.before import before_page
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.events import EventRow
from erpsync.store.payloads import digest

MOST = 50
MOST_PERCENT = 5


def is_mass(gone: int, known: int) -> bool:
    """Whether so many removals in one scan wait for a person: more than 5 %, or more than 50."""
    return gone > MOST or gone * 100 > known * MOST_PERCENT


def conclude_removals(
    db: Connection,
    context: Context,
    system: str,
    kind_name: str,
    seen: Collection[int],
    numbers: Collection[str],
    *,
    began_at: int,
) -> Applied:
    """Treat what a system was known to hold when a whole scan began, and did not tell in it, as removed.

    ``numbers`` has the keys of rows that could not be read: they were there, and are never taken for removed.
    """
    routes, now = context.routes, context.now_ms
    kind, system_id = kind_named(kind_name), routes.names.systems[system]
    held = books.held_keys(db, routes.company_id, system_id, kind_name)
    gone = {
        record_id: number
        for record_id, (number, seen_at) in held.items()
        if record_id not in seen and number not in numbers and seen_at <= began_at  # not what came while it was read
    }
    subject = f"system:{system}/{kind_name}"
    if not gone:
        cases.heal(
            db, "mass_removal", company_id=routes.company_id, now=now, how="they are there again", subject=subject
        )
        return Applied()
    if is_mass(len(gone), len(held)):
        return _hold(db, context, system, kind, gone, len(held), subject)
    cases.heal(db, "mass_removal", company_id=routes.company_id, now=now, how="they are there again", subject=subject)
    events.let_go(db, routes.company_id, system_id, kind_name, gone.values(), why="removed with a later reading")
    batch = [removal(kind, number, read_at=began_at) for number in gone.values()]
    return apply(db, routes, system, batch, now=now)


def removal(kind: Kind, number: str, *, read_at: int, event_id: int | None = None) -> Incoming:
    """What it means that a key is not told any more."""
    return Incoming(
        kind=kind,
        number=number,
        fields={},
        tells_lines=False,
        canonical=b"",
        content_hash=b"",
        raw=b"",
        raw_hash=digest(b""),
        far_id="",
        removed=True,
        far_revision=None,
        far_order=None,
        source_event_id="",
        at=None,
        zone="",
        read_at=read_at,
        event_id=event_id,
    )


def _hold(
    db: Connection, context: Context, system: str, kind: Kind, gone: dict[int, str], known: int, subject: str
) -> Applied:
    routes, now = context.routes, context.now_ms
    system_id = routes.names.systems[system]
    keys = {events.removal_key(kind.name, number): (record_id, number) for record_id, number in gone.items()}
    before = before_page(db, routes.company_id, system_id=system_id, keys=keys)
    rows = [
        EventRow(
            event_id=before.next_event + n,
            kind=kind.name,
            verdict=Verdict.HELD,
            received_at=now,
            record_id=record_id,
            number=number,
            removed=True,
            detail=f"one of {len(gone)} removed at once: waits for a person",
        )
        for n, (record_id, number) in enumerate(pair for key, pair in keys.items() if key not in before.seen)
    ]
    events.insert_events(
        db, rows, company_id=routes.company_id, system_id=system_id, landscape_id=routes.names.landscape_id
    )
    events.remember_seen(
        db,
        routes.company_id,
        system_id,
        [(events.removal_key(kind.name, row.number), b"", row.event_id) for row in rows],
        now=now,
    )
    case = Case(
        "mass_removal",
        subject,
        f"{len(gone)} of {known} {kind.plural} are not in {system} any more; nothing was removed",
        system_id=system_id,
        evidence={"removed": len(gone), "known": known, "first": sorted(gone.values())[:20]},
    )
    cases.open_case(db, case, company_id=routes.company_id, now=now)
    applied = Applied()
    applied.verdicts[Verdict.HELD] += len(gone)
    return applied
