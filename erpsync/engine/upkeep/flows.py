"""Flows: pausing some, and letting what waits along them go. Reading goes on, so that pictures stay true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from erpsync.store import audit, flows, messages
from erpsync.store.connection import Connection, ms
from erpsync.store.flows import PausedFlow
from erpsync.store.names import Names
from erpsync.store.store import Store


@dataclass(frozen=True)
class FlowAct:
    """What became of one flow; ``changed`` is False where it stood so already, ``waiting`` how many wait, or can go, along it."""

    flow: str
    changed: bool
    before: PausedFlow | None
    after: PausedFlow | None
    waiting: int


def pause(
    store: Store, names: Names, wanted: Sequence[str], *, now: datetime, actor: str, reason: str, command: str
) -> list[FlowAct]:
    """Send nothing more along these flows; all or none. Workers obey within a second, and no message is spent a try.

    A row in the audit log for each that was not paused already.
    """

    def one(db: Connection, flow_id: int) -> bool:
        return flows.pause(db, flow_id, now=ms(now), by=actor, reason=reason)

    def act(db: Connection) -> list[FlowAct]:
        acts = [(name, flows.paused(db), one(db, names.flows[name])) for name in wanted]
        return _told(db, names, acts, "flow.pause", now=now, actor=actor, reason=reason, command=command)

    return store.writer.call(act)


def resume(
    store: Store, names: Names, wanted: Sequence[str], *, now: datetime, actor: str, reason: str, command: str
) -> list[FlowAct]:
    """Let what waits along these flows go; all or none."""

    def act(db: Connection) -> list[FlowAct]:
        acts = [(name, flows.paused(db), flows.resume(db, names.flows[name], now=ms(now))) for name in wanted]
        return _told(db, names, acts, "flow.resume", now=now, actor=actor, reason=reason, command=command)

    return store.writer.call(act)


def _told(
    db: Connection,
    names: Names,
    acts: Sequence[tuple[str, dict[int, PausedFlow], bool]],
    what: str,
    *,
    now: datetime,
    actor: str,
    reason: str,
    command: str,
) -> list[FlowAct]:
    """What became of each, and those that changed on record."""
    after, found = flows.paused(db), []
    for name, before, changed in acts:
        flow_id = names.flows[name]
        told = FlowAct(
            name,
            changed,
            before.get(flow_id),
            after.get(flow_id),
            messages.waiting_along(db, names.company_id, flow_id, paused_too=flow_id in after),
        )
        found.append(told)
        if changed:
            audit.append(
                db,
                chain="main",
                company_id=names.company_id,
                at=now,
                actor=actor,
                what=what,
                subject=name,
                reason=reason,
                command=command,
                before=_as_json(told.before),
                after=_as_json(told.after),
            )
    return found


def _as_json(paused: PausedFlow | None) -> bytes:
    told = {"paused": paused is not None, "by": paused and paused.paused_by, "since": paused and paused.paused_at}
    return json.dumps(told).encode()
