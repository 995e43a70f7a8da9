"""Feeding: claiming what is due for each target, as much as it has room for, and sending it with so many in flight.

Room is the least of: what its concurrency and ramp allow, what its rate allows now, what this worker can carry. Of a
blind or findable system a worker claims no more than may be in flight, so a crash leaves few questions.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Once
from erpsync.engine.context import Context
from erpsync.engine.deliver import building
from erpsync.engine.deliver.gate import Gate
from erpsync.engine.deliver.sending import MARGIN, Sender
from erpsync.engine.routes import Route
from erpsync.store import books, claims, systems
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.claims import Share, Wanted
from erpsync.store.connection import Connection
from erpsync.store.systems import SystemRow

_AHEAD = 4  # times the concurrency that may be claimed of an idempotent system, sent or waiting here


@dataclass
class _Target:
    name: str
    target_id: int
    routes: list[Route]
    waiting: deque[tuple[Claimed, dict[str, str]]] = field(default_factory=deque)
    in_hand: int = 0
    may_hold: int = 1  # begun, in flight or being finished: of an idempotent system more than may be in flight
    gate: Gate = field(default_factory=Gate)
    turn: int = 0

    @property
    def idempotent(self) -> bool:
        return all(route.writes.once is Once.IDEMPOTENT for route in self.routes)


class Feeder:
    """Claims and dispatches. ``idle`` is true when this worker has nothing in its hands."""

    def __init__(
        self,
        context: Context,
        sender: Sender,
        *,
        targets: Sequence[str],
        ended: Callable[[], None],
        broke: Callable[[Exception], None],
    ) -> None:
        """``ended`` is called at the end of each delivery, ``broke`` when the store failed under one."""
        self._context = context
        self._sender = sender
        self._ended = ended
        self._broke = broke
        self.unread: set[tuple[int, int]] = (
            set()
        )  # (target, flow) whose target is read before anything is created there
        self._targets = [_Target(name, context.routes.names.systems[name], context.routes.to(name)) for name in targets]
        self._tasks: set[asyncio.Task[None]] = set()
        self.workers = 1  # alive on this store, as far as known
        self.delivered = 0

    @property
    def idle(self) -> bool:
        """Nothing claimed waits here, nothing is in flight."""
        return not self._tasks and not any(target.waiting for target in self._targets)

    async def feed(self) -> int:
        """Claim what there is room for, at every target; returns how many messages were claimed."""
        hungry = [target for target in self._targets if self._is_hungry(target)]
        due = await asyncio.to_thread(self._due, hungry) if hungry else []
        if not due:
            return 0
        claimed: dict[int, list[int]] = await self._context.store.writer.run(lambda db: self._claim(db, due))
        ids = [message_id for messages in claimed.values() for message_id in messages]
        if ids:
            await self._dispatch(claimed)
        return len(ids)

    async def drain(self) -> None:
        """Wait until what is in flight has ended; what waits here unsent is given back."""
        unsent = [message for target in self._targets for message, _ in target.waiting]
        for target in self._targets:
            target.waiting.clear()
        await asyncio.gather(*(self._sender.give_back(message) for message in unsent))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _most(self, target: _Target) -> int:
        """How many messages of a target this worker carries at once, in flight or waiting here."""
        return self._context.system(target.name).limits.concurrency * (_AHEAD if target.idempotent else 1)

    def _local_room(self, target: _Target) -> int:
        return self._most(target) - len(target.waiting) - target.in_hand

    def _is_hungry(self, target: _Target) -> bool:
        """Whether a claim is worth its commit: a quarter of what is carried, or nothing left to send."""
        room = self._local_room(target)
        return room > 0 and (room * 4 >= self._most(target) or not target.waiting)

    def _due(self, targets: list[_Target]) -> list[_Target]:
        now = self._context.now_ms
        with self._context.store.read() as db:
            rows = systems.systems(db)
            return [
                target
                for target in targets
                if self._open(rows[target.name], now)
                and any(
                    claims.anything_due(db, target.target_id, r.flow_id, now=now) for r in self._open_routes(target)
                )
            ]

    def _open_routes(self, target: _Target) -> list[Route]:
        return [route for route in target.routes if (target.target_id, route.flow_id) not in self.unread]

    @staticmethod
    def _open(row: SystemRow, now: int) -> bool:
        return row.state == "up" and row.limited_until <= now and (bool(row.proven) or row.proving_until <= now)

    def _claim(self, db: Connection, due: list[_Target]) -> dict[int, list[int]]:
        context, claimed = self._context, {}
        tally, now = context.tally(), context.now_ms
        for target in due:
            system = context.system(target.name)
            row = systems.system(db, target.target_id)
            if not self._open(row, now):
                continue
            target.gate.is_shut = False
            limits = system.limits
            lease_ms = int((3 * limits.deadline + 2 * MARGIN).total_seconds() * 1000)
            most = min(limits.concurrency, row.ramp)
            if context.routes.capabilities[target.name].one_at_a_time:
                most = 1
            target.gate.most = max(1, most // max(1, self.workers)) if target.idempotent else most
            ahead = _AHEAD if target.idempotent and most > 1 else 1
            target.may_hold = target.gate.most * ahead
            room = min(most * ahead - claims.leased(db, target.target_id, now=now), self._local_room(target))
            room = min(room, int(min(1e9, systems.tokens_left(row, limits.rate, now=now))))
            if not row.proven:
                room = min(room, 1)
            if room <= 0 or (not row.proven and not systems.prove(db, row.system_id, now=now, until=now + lease_ms)):
                continue
            ids = claims.claim(db, self._wanted(target, room, lease_ms), tally, worker_id=context.worker_id, now=now)
            if not ids and not row.proven:
                systems.give_back_proof(db, row.system_id)
            systems.spend(db, systems.system(db, row.system_id), limits.rate, calls=len(ids), now=now)
            claimed[target.target_id] = ids
            target.turn += 1
        tally.write(db)
        return claimed

    def _wanted(self, target: _Target, room: int, lease_ms: int) -> Wanted:
        return Wanted(
            target_id=target.target_id,
            room=room,
            shares=[Share(route.flow_id, route.flow.weight) for route in self._open_routes(target)],
            lease_ms=lease_ms,
            once={route.flow_id: route.writes.once for route in target.routes},
            upserts=frozenset(route.flow_id for route in target.routes if route.writes.upsert),
            most_tries=self._context.system(target.name).retry.tries,
            turn=target.turn,
        )

    async def _dispatch(self, claimed: dict[int, list[int]]) -> None:
        loaded = await asyncio.to_thread(self._load, claimed)
        by_id = {target.target_id: target for target in self._targets}
        for message, parents in loaded:
            by_id[message.target_id].waiting.append((message, parents))
        for target_id in claimed:
            self._pump(by_id[target_id])

    def _load(self, claimed: dict[int, list[int]]) -> list[tuple[Claimed, dict[str, str]]]:
        routes = self._context.routes
        found = []
        with self._context.store.read() as db:
            for target_id, ids in claimed.items():
                messages = load_claimed(db, ids)
                wanted: dict[int, tuple[str, ...]] = defaultdict(tuple)
                for message in messages:
                    if (route := routes.by_flow(message.flow_id, target_id)) is not None and message.pinned is None:
                        wanted[message.message_id] = building.parent_keys(message, route)
                keys = {key for keys in wanted.values() for key in keys}
                there = books.far_ids_of_keys(db, routes.company_id, target_id, keys) if keys else {}
                for message in messages:
                    mine = {key: there[key] for key in wanted[message.message_id] if key in there}
                    found.append((message, mine))
        return found

    def _pump(self, target: _Target) -> None:
        loop = asyncio.get_running_loop()
        while target.waiting and target.in_hand < target.may_hold:
            message, parents = target.waiting.popleft()
            target.in_hand += 1
            task = loop.create_task(self._one(target, message, parents))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, target: _Target, message: Claimed, parents: dict[str, str]) -> None:
        try:
            if await self._sender.deliver(message, parents, target.gate):
                await self._hold_back(target)
            self.delivered += 1
        except Exception as error:  # noqa: BLE001  (the store failed: the worker must hear of it, and stop)
            self._broke(error)
        finally:
            target.in_hand -= 1
            self._pump(target)
            self._ended()

    async def _hold_back(self, target: _Target) -> None:
        """A try failed: when that stopped the system or opened its breaker, nothing more of what was claimed leaves."""
        with self._context.store.read() as db:
            target.gate.is_shut = systems.system(db, target.target_id).state != "up"
        if not target.gate.is_shut:
            return
        unsent = [message for message, _ in target.waiting]
        target.waiting.clear()
        await asyncio.gather(*(self._sender.give_back(message) for message in unsent))
