"""Systems: asking whether one is up, bringing it back after an outage, pausing one, resuming one that was stopped or paused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from erpsync.adapters.protocol import Adapter, Health
from erpsync.engine.context import Bench, Context
from erpsync.engine.deliver.finishing import deny
from erpsync.errors import AccessDenied, CallError, NotFound, SystemDown
from erpsync.store import audit, cases, claims, messages, systems
from erpsync.store.connection import Connection, moment, ms
from erpsync.store.names import Names
from erpsync.store.store import Store
from erpsync.store.systems import SystemRow


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found. ``waiting``: how many messages can go now, or wait for it."""

    system: str
    ok: bool
    seconds: float | None
    text: str
    waiting: int
    denied: bool = False
    state: str = "up"
    pause: str = ""


async def ask(context: Context, name: str) -> Health:
    """The adapter's probe within the system's time-out; raises the CallError it came to."""
    return await answer_of(context.adapter(name), name, timeout=context.system(name).limits.timeout.total_seconds())


async def answer_of(adapter: Adapter, name: str, *, timeout: float) -> Health:  # noqa: ASYNC109  (it names the limit in what it raises)
    """An adapter's probe within so many seconds; raises the CallError it came to."""
    try:
        async with asyncio.timeout(timeout):
            return await adapter.probe()
    except TimeoutError:
        raise SystemDown(f"{name} did not answer in {timeout:g} s", code="timeout") from None
    except CallError:
        raise
    except Exception as error:
        raise SystemDown(f"{name} cannot be probed: {type(error).__name__}: {error}", code="defect") from error


async def probe(bench: Bench, name: str) -> ProbeResult:
    """Ask a system now; when it answers, its breaker closes and what waits goes. Raises NotFound for an unknown system."""
    context = bench.context()
    if name not in context.routes.landscape.systems:
        raise NotFound(
            f"system {name} is not in the landscape", hint=f"systems: {', '.join(context.routes.landscape.systems)}"
        )
    return await probe_system(context, name)


async def probe_system(context: Context, name: str) -> ProbeResult:
    """One probe, and its result on record."""
    system_id = context.routes.names.systems[name]
    before = context.now()
    try:
        health = await ask(context, name)
    except AccessDenied as error:
        text = error.message
        await context.store.writer.run(lambda db: deny(db, context, name, text, now=context.now_ms))
        return ProbeResult(name, False, (context.now() - before).total_seconds(), text, 0, denied=True, state="stopped")
    except CallError as error:
        text, code = error.message, error.code
        await context.store.writer.run(
            lambda db: systems.note_probe(db, system_id, now=context.now_ms, ok=False, code=code, text=text)
        )
        return ProbeResult(name, False, (context.now() - before).total_seconds(), text, 0, state="down")
    offset = health.clock_offset
    offset_ms = int(offset.total_seconds() * 1000) if offset is not None else None

    def back(db: Connection) -> tuple[int, SystemRow]:
        now = context.now_ms
        if systems.note_probe(db, system_id, now=now, ok=True, offset=offset_ms):
            context.decided(db, "breaker.close", name, now=now, reason="a probe was answered")
        return messages.waiting_for(db, context.routes.company_id, system_id), systems.system(db, system_id)

    waiting, row = await context.store.writer.run(back)
    return ProbeResult(name, True, health.seconds, health.text, waiting, state=row.state, pause=row.pause)


async def probe_due(context: Context) -> int:
    """Probe every down system whose probe is due, once among all workers; returns how many came back."""
    names = context.routes.names.systems

    def take(db: Connection) -> list[str]:
        taken = []
        for name, system in context.routes.landscape.systems.items():
            first, longest = system.breaker.probe, system.breaker.probe_longest
            if systems.take_probe(db, names[name], now=context.now_ms, first_ms=_ms(first), longest_ms=_ms(longest)):
                taken.append(name)
        return taken

    with context.store.read() as db:
        due = systems.due_probes(db, [names[name] for name in context.routes.landscape.systems], now=context.now_ms)
    if not due:
        return 0
    taken = await context.store.writer.run(take)
    results = await asyncio.gather(*(probe_system(context, name) for name in taken))
    return sum(result.ok for result in results)


@dataclass(frozen=True)
class Resumed:
    """A system let go on, and how it stood before. ``act``: None where it was up already."""

    system: str
    before: str
    waiting: int
    act: int | None


def resume(bench: Bench, name: str, *, actor: str, reason: str, command: str) -> Resumed:
    """Let a stopped or down system be tried again, one in flight until the first success. Raises NotFound."""
    context = bench.context()
    if name not in context.routes.landscape.systems:
        raise NotFound(
            f"system {name} is not in the landscape", hint=f"systems: {', '.join(context.routes.landscape.systems)}"
        )
    system_id, company_id = context.routes.names.systems[name], context.routes.company_id

    def act(db: Connection) -> Resumed:
        now = context.now_ms
        before = systems.resume(db, system_id, now=now)
        if before == "up":  # somebody else was quicker
            return Resumed(name, before, messages.waiting_for(db, company_id, system_id), None)
        cases.heal(
            db,
            "access_denied",
            company_id=company_id,
            now=now,
            how=f"resumed by {actor}",
            by=actor,
            subject=f"system:{name}",
        )
        number = audit.append(
            db,
            chain="main",
            company_id=company_id,
            at=moment(now),
            actor=actor,
            what="system.resume",
            subject=name,
            reason=reason,
            command=command,
            before=before.encode(),
            after=b"up",
        )
        return Resumed(name, before, messages.waiting_for(db, company_id, system_id), number)

    return context.store.writer.call(act)


@dataclass(frozen=True)
class Paused:
    """A system paused, or let go on: how it stood before and after. ``act``: None where it stood so already.

    ``in_hand``: messages that workers had claimed for it; ``waiting``: all that wait for it,
    those included; when it was let go on, those that can go.
    """

    before: SystemRow
    after: SystemRow
    in_hand: int
    waiting: int
    act: int | None


def pause(
    store: Store, names: Names, system: str, *, what: str, now: datetime, actor: str, reason: str, command: str
) -> Paused:
    """Read nothing from a system (``what``: in), send nothing to it (out), or both; what was paused already stays so.

    Every worker obeys within a second: calls in flight come to their end, nothing new begins. The breaker is left as it is.
    """

    def act(db: Connection) -> Paused:
        before = systems.system(db, names.systems[system])
        systems.pause(db, before, what, now=ms(now), by=actor, reason=reason)
        return _paused(db, names, before, "system.pause", now=now, actor=actor, reason=reason, command=command)

    return store.writer.call(act)


def lift(store: Store, names: Names, system: str, *, now: datetime, actor: str, reason: str, command: str) -> Paused:
    """Nothing of a system is paused any more; one that was down or stopped still is."""

    def act(db: Connection) -> Paused:
        before = systems.system(db, names.systems[system])
        systems.lift(db, before.system_id, now=ms(now))
        return _paused(db, names, before, "system.resume", now=now, actor=actor, reason=reason, command=command)

    return store.writer.call(act)


def _paused(
    db: Connection, names: Names, before: SystemRow, what: str, *, now: datetime, actor: str, reason: str, command: str
) -> Paused:
    """How it stands now, with the act on record where that is otherwise than before."""
    after, number = systems.system(db, before.system_id), None
    if after.pause != before.pause:
        number = audit.append(
            db,
            chain="main",
            company_id=names.company_id,
            at=now,
            actor=actor,
            what=what,
            subject=before.name,
            reason=reason,
            command=command,
            before=_as_json(before),
            after=_as_json(after),
        )
    in_hand = claims.leased(db, before.system_id, now=ms(now))
    stays = after.outward == "paused"
    waiting = messages.waiting_for(db, names.company_id, before.system_id, paused_too=stays)
    return Paused(before, after, in_hand, waiting, number)


def _as_json(row: SystemRow) -> bytes:
    told = {"pause": row.pause or None, "by": row.paused_by, "since": row.paused_at, "state": row.state}
    return json.dumps(told).encode()


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
