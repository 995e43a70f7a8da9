"""After a restore: what a target cannot be asked about is not sent without a person."""

from __future__ import annotations

from erpsync.engine.context import Context
from erpsync.engine.intake.offering import AFTER_RESTORE
from erpsync.store import restored
from erpsync.store.connection import Connection


async def see_to_restore(context: Context) -> int:
    """Once for each epoch after the first: hold what may have been sent; returns how many messages are held for it."""
    store = context.store
    if store.restored_at is None:
        return 0
    with store.read() as db:
        if restored.is_seen_to(db, store.epoch):
            return 0
    before = store.restored_at
    targets = [
        (route.target_id, route.flow_id)
        for route in context.routes.all
        if not (route.writes.finds or route.writes.upsert)
    ]

    def hold(db: Connection) -> int:
        if restored.is_seen_to(db, store.epoch):
            return 0
        tally, now = context.tally(), context.now_ms
        held = restored.hold_unfinished(
            db, targets, tally, epoch=store.epoch, before=before, why=AFTER_RESTORE, now=now
        )
        tally.write(db)
        context.decided(
            db, "store.restored", f"epoch {store.epoch}", now=now, reason=f"{held} messages held for a person"
        )
        return held

    return await store.writer.run(hold)
