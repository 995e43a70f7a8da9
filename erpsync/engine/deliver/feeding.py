"""Feeding: claiming what is due for each target, as much as it has room for, and sending it with so many in flight.

Room is the least of: what its concurrency and ramp allow, what its rate allows now, what this worker can carry. Of a
blind or findable system the workers claim no more than may be in flight, so a crash leaves few questions; of an
idempotent one each claims for its own share of what may be in flight, and as far ahead as its pace asks for.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from erpsync.domain.messages import Once, State
from erpsync.engine.context import Context
from erpsync.engine.deliver import building
from erpsync.engine.deliver.finishing import Ended, Finisher
from erpsync.engine.deliver.gate import Gate
from erpsync.engine.deliver.leaving import Asks, Leaving, Planner
from erpsync.engine.deliver.pace import Pace
from erpsync.engine.deliver.sending import MARGIN, Sender
from erpsync.engine.pauses import Pauses
from erpsync.engine.routes import Route
from erpsync.store import claims, systems, xrefs
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.claims import Share, Wanted
from erpsync.store.connection import Connection
from erpsync.store.systems import SystemRow

_AT_ONCE = 128  # planned and put on record together: the first may leave while the next are planned


@dataclass
class _Target:
    """A target as this worker sees it. ``in_hand`` has what is claimed and not finished, ``waiting`` what of it may leave."""

    name: str
    target_id: int
    routes: list[Route]
    in_hand: set[int] = field(default_factory=set)
    waiting: deque[Leaving | Asks] = field(default_factory=deque)
    senders: int = 0
    gate: Gate = field(default_factory=Gate)
    goes_ahead: bool = False  # more is claimed than may be in flight
    turn: int = 0
    pace: Pace = field(default_factory=Pace)

    @property
    def idempotent(self) -> bool:
        return all(route.writes.once is Once.IDEMPOTENT for route in self.routes)


class Feeder:
    """Claims and dispatches. ``idle`` is true when this worker has nothing in its hands."""

    def __init__(
        self,
        context: Context,
        planner: Planner,
        sender: Sender,
        finisher: Finisher,
        pauses: Pauses,
        *,
        targets: Sequence[str],
        hungry: Callable[[], None],
        broke: Callable[[Exception], None],
    ) -> None:
        """``hungry`` is called when there may be room for more, ``broke`` when the store failed under a delivery."""
        self._context = context
        self._planner = planner
        self._sender = sender
        self._finisher = finisher
        self._pauses = pauses
        self._hungry = hungry
        self._broke = broke
        self.unread: set[tuple[int, int]] = (
            set()
        )  # (target, flow) whose target is read before anything is created there
        self._targets = [_Target(name, context.routes.names.systems[name], context.routes.to(name)) for name in targets]
        self._by_id = {target.target_id: target for target in self._targets}
        self._tasks: set[asyncio.Task[None]] = set()
        self.workers = 1  # alive on this store, as far as known
        self.delivered = 0

    @property
    def idle(self) -> bool:
        """Nothing claimed waits here, is in flight or is being finished."""
        return not self._tasks and not any(target.in_hand for target in self._targets)

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
        for target in self._targets:
            self._give_back(target)
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._finisher.drain()

    def heed_pauses(self) -> None:
        """Give back what waits here, unsent, for a system or along a flow that a person has paused."""
        for target in self._targets:
            if target.name in self._pauses.unsent:
                target.gate.is_shut = True
                self._give_back(target)
            elif self._pauses.flows:
                self._give_back(target, flows=self._pauses.flows)

    def finished(self, batch: Sequence[Ended]) -> None:
        """These are on record; what was in this worker's hands is not any more."""
        now, took = asyncio.get_running_loop().time(), Counter[int]()
        for ended in batch:
            target = self._by_id.get(ended.outcome.target_id)
            if target is not None and ended.outcome.message_id in target.in_hand:
                target.in_hand.discard(ended.outcome.message_id)
                took[target.target_id] += ended.outcome.after is not State.READY
                self.delivered += ended.outcome.after is State.DONE
        for target_id, n in took.items():
            self._by_id[target_id].pace.took(n, now=now)

    def _most(self, target: _Target) -> int:
        """How many messages of a target this worker carries at once: in flight, waiting here, being finished."""
        return target.gate.most * (target.pace.ahead(target.gate.most) if target.goes_ahead else 1)

    def _local_room(self, target: _Target) -> int:
        return self._most(target) - len(target.in_hand)

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
        flows = [route for route in target.routes if route.flow_id not in self._pauses.flows]
        return [route for route in flows if (target.target_id, route.flow_id) not in self.unread]

    @staticmethod
    def _open(row: SystemRow, now: int) -> bool:
        return row.outward == "up" and row.limited_until <= now and (bool(row.proven) or row.proving_until <= now)

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
            target.gate.most = max(1, most // self.workers) if target.idempotent else most
            target.goes_ahead = target.idempotent and 1 < most >= self.workers
            room = min(self._local_room(target), int(min(1e9, systems.tokens_left(row, limits.rate, now=now))))
            if not target.goes_ahead:
                room = min(room, most - claims.leased(db, target.target_id, now=now))
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
        """Load what was claimed, plan it, put it on record, and have it sent."""
        for target_id, ids in claimed.items():
            self._by_id[target_id].in_hand.update(ids)
        loaded = await asyncio.to_thread(self._load, claimed)
        chunks = (loaded[start : start + _AT_ONCE] for start in range(0, len(loaded), _AT_ONCE))
        # One is planned while another is put on record. All have ended before an error is told: nothing leaves after it.
        ends = await asyncio.gather(*(self._plan(chunk) for chunk in chunks), return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error

    async def _plan(self, loaded: Sequence[tuple[Claimed, dict[str, str]]]) -> None:
        leaving: list[Leaving] = []
        for message, parents in loaded:
            plan = self._planner.plan(message, parents)
            if isinstance(plan, Leaving):
                leaving.append(plan)
            elif isinstance(plan, Ended):
                plan.signal.prepaid = 1
                self._finisher.add(plan)
            else:
                self._by_id[message.target_id].waiting.append(plan)
        ours = await self._planner.begin_all(leaving)
        for one in leaving:
            message = one.claimed
            if one.lease in ours:
                self._by_id[message.target_id].waiting.append(one)
            else:  # its lease moved on
                self._by_id[message.target_id].in_hand.discard(message.message_id)
        for target in self._targets:
            self._pump(target)

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
                there = xrefs.far_ids_of_keys(db, routes.company_id, target_id, keys) if keys else {}
                for message in messages:
                    mine = {key: there[key] for key in wanted[message.message_id] if key in there}
                    found.append((message, mine))
        return found

    def _pump(self, target: _Target) -> None:
        """As many senders as may be in flight; each takes what waits until nothing does. Nothing is sent where it is shut."""
        if target.gate.is_shut:
            self._give_back(target)
        loop = asyncio.get_running_loop()
        for _ in range(min(target.gate.most - target.senders, len(target.waiting))):
            target.senders += 1
            task = loop.create_task(self._send(target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, target: _Target) -> None:
        try:
            while target.waiting and target.senders <= target.gate.most and not target.gate.is_closed:
                work = target.waiting.popleft()
                ended = await self._sender.deliver(work, target.gate)
                if ended is None:
                    target.in_hand.discard(work.claimed.message_id)
                elif ended.stops:
                    self._hold_back(target)
        except Exception as error:  # noqa: BLE001  (the store failed: the worker must hear of it, and stop)
            self._broke(error)
        finally:
            target.senders -= 1
            self._hungry()

    def _hold_back(self, target: _Target) -> None:
        """A try failed: where that leaves the system stopped, down or asking for quiet, nothing more leaves."""
        with self._context.store.read() as db:
            row = systems.system(db, target.target_id)
        target.gate.is_shut = row.outward != "up" or row.limited_until > self._context.now_ms
        self._pump(target)

    def _give_back(self, target: _Target, *, flows: Collection[int] | None = None) -> None:
        """All that waits here, or what of it belongs to these flows."""
        for _ in range(len(target.waiting)):
            work = target.waiting.popleft()
            if flows is None or work.claimed.flow_id in flows:
                self._sender.give_back(work.claimed)
            else:
                target.waiting.append(work)
