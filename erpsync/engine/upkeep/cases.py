"""Closing exceptions by hand: with a reason, and with what that decision sets going."""

from __future__ import annotations

from dataclasses import dataclass

from erpsync.engine.context import Bench
from erpsync.errors import NotFound, UsageError
from erpsync.store import audit
from erpsync.store.cases import close_case
from erpsync.store.connection import Connection, moment


@dataclass(frozen=True)
class Resolved:
    """A closed exception and the audit entry that says by whom."""

    exception_id: int
    kind: str
    subject: str
    act: int


def resolve(bench: Bench, exception_id: int, *, actor: str, reason: str, command: str) -> Resolved:
    """Close an open exception with a reason. Raises NotFound, and UsageError when it is closed already or says no reason."""
    if not reason.strip():
        raise UsageError("exceptions resolve needs a reason", hint="--reason TEXT goes to the audit log")
    context = bench.context()
    now = context.now_ms

    def act(db: Connection) -> Resolved:
        found = close_case(db, exception_id, now=now, by=actor, reason=reason)
        if found is None:
            raise NotFound(f"exception E-{exception_id} is not in the store (pruned, or never was)")
        kind, subject, state = found
        if state != "open":
            raise UsageError(
                f"exception E-{exception_id} is closed already", hint=f"erpsync exceptions show E-{exception_id}"
            )
        number = audit.append(
            db,
            chain="main",
            company_id=context.routes.company_id,
            at=moment(now),
            actor=actor,
            what="exception.resolve",
            subject=f"E-{exception_id}",
            reason=reason,
            command=command,
        )
        return Resolved(exception_id, kind, subject, number)

    return context.store.writer.call(act)
