"""What can still move by itself, in anybody's hands: what is stopped or paused cannot, until a person lets it."""

from __future__ import annotations

from collections.abc import Collection

from erpsync.engine.context import Context
from erpsync.engine.deliver.ending import NEVER
from erpsync.engine.pauses import Pauses
from erpsync.store import claims, events, questions, systems
from erpsync.store.connection import Connection


def anything_moves(db: Connection, context: Context, targets: Collection[str], pauses: Pauses) -> bool:
    """Whether anything for these targets can still move, now or later."""
    rows = systems.systems(db)
    for route in context.routes.all:
        if route.target not in targets or rows[route.target].outward in ("stopped", "paused"):
            continue
        if route.flow_id not in pauses.flows and claims.anything_due(db, route.target_id, route.flow_id, now=NEVER):
            return True
        if questions.anything_to_ask(db, route.target_id, before=NEVER):
            return True
    return events.anything_waits(db, context.routes.company_id)


def anything_is_due(db: Connection, context: Context, pauses: Pauses) -> bool:
    """Whether anything could leave this moment."""
    now, rows = context.now_ms, systems.systems(db)
    return any(
        rows[route.target].outward == "up"
        and rows[route.target].limited_until <= now
        and route.flow_id not in pauses.flows
        and claims.anything_due(db, route.target_id, route.flow_id, now=now)
        for route in context.routes.all
    )
