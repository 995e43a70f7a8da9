"""Backups that were made, on record: when, where, and of which moment."""

from __future__ import annotations

import json
from datetime import datetime

from erpsync.store import audit
from erpsync.store.backup import Copy
from erpsync.store.connection import ms
from erpsync.store.store import Store


def note(store: Store, copy: Copy, *, now: datetime, actor: str, reason: str, command: str) -> int:
    """Put a backup that was made into the audit log; returns the act's number. The copy itself does not know of it."""
    after = {"file": str(copy.file), "at": ms(copy.at), "size": copy.size}
    return store.writer.call(
        lambda db: audit.append(
            db,
            chain="main",
            company_id=0,
            at=now,
            actor=actor,
            what="store.backup",
            subject=f"store:{store.store_id}",
            reason=reason,
            command=command,
            after=json.dumps(after, sort_keys=True).encode(),
        )
    )
