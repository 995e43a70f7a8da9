"""Backups that were made, on record: when, where, and of which moment."""

from __future__ import annotations

from datetime import datetime

from erpsync.engine.upkeep import on_record
from erpsync.store.backup import Copy
from erpsync.store.connection import ms
from erpsync.store.store import Store


def note(store: Store, copy: Copy, *, now: datetime, actor: str, reason: str, command: str) -> int:
    """Put a backup that was made into the audit log; returns the act's number. The copy itself does not know of it."""
    after = {"file": str(copy.file), "at": ms(copy.at), "size": copy.size}
    return on_record.note(store, "store.backup", after, now=now, actor=actor, reason=reason, command=command)
