"""What was done to the store as a whole, on record in its audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from erpsync.store import audit
from erpsync.store.store import Store


def note(
    store: Store, what: str, after: Mapping[str, object], *, now: datetime, actor: str, reason: str, command: str
) -> int:
    """Put an act on the store on record, with what it came to; returns the act's number."""
    return store.writer.call(
        lambda db: audit.append(
            db,
            chain="main",
            company_id=0,
            at=now,
            actor=actor,
            what=what,
            subject=f"store:{store.store_id}",
            reason=reason,
            command=command,
            after=json.dumps(after, sort_keys=True).encode(),
        )
    )
