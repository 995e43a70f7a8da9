"""Systems: asking whether one is up, bringing it back after an outage, resuming one that was stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from erpsync.adapters.protocol import Adapter, Health
from erpsync.engine.context import Bench, Context
from erpsync.engine.deliver.finishing import deny
from erpsync.errors import AccessDenied, CallError, NotFound, SystemDown
from erpsync.store import audit, cases, messages, systems
from erpsync.store.connection import Connection, moment


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found. ``waiting``: how many messages can go now, or wait for it."""

    system: str
    ok: bool
    seconds: float
    text: str
    waiting: int
    denied: bool = False
    state: str = "up"


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

    def back(db: Connection) -> tuple[int, str]:
        now = context.now_ms
        if systems.note_probe(db, system_id, now=now, ok=True, offset=offset_ms):
            context.decided(db, "breaker.close", name, now=now, reason="a probe was answered")
        return messages.waiting_for(db, context.routes.company_id, system_id), systems.system(db, system_id).state

    waiting, state = await context.store.writer.run(back)
    return ProbeResult(name, True, health.seconds, health.text, waiting, state=state)


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
    """A system let go on, and how it stood before."""

    system: str
    before: str
    waiting: int
    act: int


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


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
