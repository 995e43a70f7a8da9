"""Parents first: which documents a target has, and sending it those it lacks (promise 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from erpsync.engine.context import Context
from erpsync.engine.intake.offering import Change, offer_changes_to
from erpsync.store import books, cases, letters, messages
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.messages import has_open_message, release_waits_for
from erpsync.store.totals import Tally
from erpsync.store.xrefs import far_ids_of_keys


def fetch(
    db: Connection, context: Context, target_id: int, keys: Iterable[str], tally: Tally, *, now: int
) -> list[tuple[str, str]]:
    """See to it that missing parents are on their way; returns (key, why) for those that cannot be sent."""
    target = context.system_named(target_id)
    hopeless = []
    for key in keys:
        kind, _, number = key.partition(":")
        record = books.records_named(db, context.routes.company_id, kind, [number]).get(number)
        if record is None or record.is_shell:
            owner = context.routes.owner(kind) or "nobody"
            hopeless.append((key, f"{owner} has told nothing of {key}"))
            continue
        if has_open_message(db, target_id, record.record_id):
            continue
        route = context.routes.reaching(target, kind)
        if route is None:
            hopeless.append((key, f"no flow takes {kind} to {target}"))
        elif record.removed:
            hopeless.append((key, f"{key} was removed"))
        elif not route.lets_through(record.fields, now=context.now()):
            hopeless.append((key, f'flow {route.flow.name} leaves it out: where = "{route.flow.where}"'))
        else:
            offer_changes_to(db, context.routes, route, [Change(record, None, None)], tally, now=now)
    return hopeless


def missing_case(
    context: Context, *, key: str, parent: str, why: str, target_id: int, message_id: int, stake: int, currency: str
) -> Case:
    """The exception for a message whose parent cannot be had."""
    return Case(
        "parent_missing",
        key,
        f"{context.system_named(target_id)} lacks {parent}, which {key} names: {why}",
        system_id=target_id,
        message_id=message_id,
        stake=stake,
        currency=currency,
        evidence={"parent": parent},
    )


def sweep(db: Connection, context: Context, lonely: Sequence[tuple[int, str]]) -> None:
    """What waits for a parent that is not on its way any more: it is sent again, or the wait becomes an exception."""
    tally, now = context.tally(), context.now_ms
    for target_id, key in lonely:
        if far_ids_of_keys(db, context.routes.company_id, target_id, [key]):
            release_waits_for(db, target_id, [key], tally, now=now)
            continue
        for parent, why in fetch(db, context, target_id, [key], tally, now=now):
            children = messages.standings(db, context.routes.company_id, letters.held_for(db, target_id, parent))
            for child in children.values():
                case = missing_case(
                    context,
                    key=child.key,
                    parent=parent,
                    why=why,
                    target_id=target_id,
                    message_id=child.message_id,
                    stake=child.stake,
                    currency=child.currency,
                )
                cases.open_case(db, case, company_id=context.routes.company_id, now=now)
    tally.write(db)
