"""Workers: asking some to stop, wherever they run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from erpsync.store import audit, workers
from erpsync.store.connection import Connection
from erpsync.store.store import Store


def stop(
    store: Store, worker_ids: Sequence[int], *, company_id: int, now: datetime, actor: str, reason: str, command: str
) -> list[int]:
    """Ask workers to bring what is in flight to its end and stop; returns those that had not left already.

    A worker looks every two seconds. On record in the audit log, one act for all.
    """

    def act(db: Connection) -> list[int]:
        asked = [worker_id for worker_id in worker_ids if workers.ask_to_stop(db, worker_id, by=actor)]
        if asked:
            audit.append(
                db,
                chain="main",
                company_id=company_id,
                at=now,
                actor=actor,
                what="worker.stop",
                subject=",".join(f"worker:{worker_id}" for worker_id in asked),
                reason=reason,
                command=command,
            )
        return asked

    return store.writer.call(act)
