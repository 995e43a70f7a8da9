"""A distributor's landscape in memory: an ERP that owns items, customers and orders, a WMS, a shop; and a clock to turn."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from far import FarSystem

from erpsync.adapters.protocol import Told
from erpsync.config.landscape import Breaker, Flow, Landscape, Limits, Retry, System
from erpsync.domain.messages import Once, State
from erpsync.engine.context import Context
from erpsync.engine.intake.again import apply_events
from erpsync.engine.intake.apply import apply
from erpsync.engine.intake.incoming import receive
from erpsync.engine.routes import compile_routes
from erpsync.engine.sync import SyncReport, sync
from erpsync.engine.worker import run_worker
from erpsync.store import claims, finishing, tries
from erpsync.store.checking import verify
from erpsync.store.claims import Share, Wanted
from erpsync.store.connection import Connection
from erpsync.store.outcomes import Finished, Outcome
from erpsync.store.store import Store
from erpsync.store.tries import Begun

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The time, turned by the test; it also runs a little by itself so that waiting ends."""

    start: datetime = NOON
    turned: timedelta = timedelta()

    def __call__(self) -> datetime:
        return self.start + self.turned

    def turn(self, **by: float) -> None:
        """Let time pass."""
        self.turned += timedelta(**by)


class Hands:
    """A worker's hands at one target, held still at each step: it claims, begins, finishes, or dies at any of them."""

    def __init__(self, books: Books, target: str = "wms", *, once: Once = Once.IDEMPOTENT) -> None:
        self.books, self.context = books, books.context()
        self.routes = self.context.routes.to(target)
        self.target_id, self.once = self.routes[0].target_id, once

    def claim(self, room: int = 1, *, lease_seconds: float = 30, most_tries: int = 4, turn: int = 0) -> list[int]:
        """Claim what is due, for the ``turn``-th time; returns the message ids."""
        more: dict[str, Any] = {"turn": turn} if "turn" in Wanted.__dataclass_fields__ else {}
        wanted = Wanted(
            target_id=self.target_id,
            room=room,
            shares=[Share(route.flow_id, route.flow.weight) for route in self.routes],
            lease_ms=int(lease_seconds * 1000),
            once={route.flow_id: self.once for route in self.routes},
            upserts=frozenset(),
            most_tries=most_tries,
            **more,
        )
        return self._write(lambda db, tally: claims.claim(db, wanted, tally, worker_id=0, now=self.context.now_ms))

    def begin(self, message_id: int) -> bool:
        """Put a try on record as leaving now; whether it was still ours to send."""
        lease_no, generation = self._standing(message_id)
        begun = Begun(
            message_id=message_id,
            lease_no=lease_no,
            request="POST /x",
            headers=(),
            body=b"{}",
            content={},
            once_key=self.context.once_key(message_id, generation),
            generation=generation,
        )
        names, now = self.context.routes.names, self.context.now_ms
        return bool(self._write(lambda db, _: tries.begin(db, [begun], landscape_id=names.landscape_id, now=now)))

    def finish(
        self, message_id: int, after: State, reason: str, *, lease_no: int | None = None, **more: object
    ) -> Finished:
        """Finish a try under the lease it has now, or under another ``lease_no``."""
        rows = self.books.rows(
            "SELECT m.lease_no, m.flow_id, m.lane_id, m.record_id, r.kind, r.number, m.stake, m.currency, m.state "
            "FROM messages m JOIN records r USING (record_id) WHERE message_id = ?",
            message_id,
        )
        now_no, flow_id, lane_id, record_id, kind, number, stake, currency, state = rows[0]
        outcome = Outcome(
            message_id=message_id,
            lease_no=now_no if lease_no is None else lease_no,  # type: ignore[arg-type]  # typed by the schema
            target_id=self.target_id,
            flow_id=flow_id,  # type: ignore[arg-type]  # as above
            lane_id=lane_id,  # type: ignore[arg-type]  # as above
            record_id=record_id,  # type: ignore[arg-type]  # as above
            kind=str(kind),
            number=str(number),
            stake=stake,  # type: ignore[arg-type]  # as above
            currency=str(currency),
            after=after,
            reason=reason,
            outcome=reason,
            due_at=self.context.now_ms,
            settles=state == "unknown",
            **more,  # type: ignore[arg-type]  # a test's own
        )
        return self._write(lambda db, tally: finishing.finish(db, [outcome], tally, now=self.context.now_ms))

    def lease_of(self, message_id: int) -> int:
        """The number of the lease it is under."""
        return self._standing(message_id)[0]

    def _standing(self, message_id: int) -> tuple[int, int]:
        rows = self.books.rows("SELECT lease_no, generation FROM messages WHERE message_id = ?", message_id)
        return rows[0]  # type: ignore[return-value]  # typed by the schema

    def _write(self, work: Callable[..., Any]) -> Any:
        def closure(db: Connection) -> Any:
            tally = self.context.tally()
            answer = work(db, tally)
            tally.write(db)
            return answer

        return self.books.store.writer.call(closure)


@dataclass
class Books:
    """The store, the far systems and the clock of one test; a bench for the engine."""

    folder: Path
    clock: Clock
    systems: dict[str, FarSystem]
    flows: tuple[Flow, ...]
    owners: dict[str, str]
    limits: Limits = field(default_factory=lambda: Limits(timeout=timedelta(seconds=1), deadline=timedelta(seconds=2)))
    retry: Retry = field(
        default_factory=lambda: Retry(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=5), tries=4)
    )
    breaker: Breaker = field(default_factory=Breaker)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store.create(self.folder / "erpsync.db", now=self.clock())

    def context(self) -> Context:
        """What the engine works with."""
        landscape = Landscape(
            name="test",
            store=self.store.path,
            systems={
                name: System(
                    name=name, role="other", adapter="test", limits=self.limits, retry=self.retry, breaker=self.breaker
                )
                for name in self.systems
            },
            owners=self.owners,
            flows=self.flows,
            file=self.folder / "erpsync.toml",
            digest="test",
        )
        routes = compile_routes(self.store, landscape, self.systems, now=self.clock())
        return Context(self.store, routes, self.clock, Random(7))

    def sync(self, *kinds: str, full: bool = False, to: Sequence[str] = (), seconds: float = 5) -> SyncReport:
        """Carry documents now."""
        return asyncio.run(
            sync(self, kinds=kinds or self.carried, full=full, to=to, timeout=timedelta(seconds=seconds))
        )

    @property
    def carried(self) -> tuple[str, ...]:
        """Every kind that a flow carries."""
        return tuple(dict.fromkeys(flow.kind for flow in self.flows))

    def run(self, *, once: bool = False) -> None:
        """A worker until nothing can move."""

        async def work() -> None:
            async with asyncio.timeout(20):  # what is due only when the clock is turned would be waited for without end
                await run_worker(self, once=once, until_idle=not once)

        asyncio.run(work())

    def work_on(self, *, turns: int = 5, **by: float) -> None:
        """Run a worker again and again, turning the clock in between (``seconds=5``)."""
        for _ in range(turns):
            self.run(once=True)
            self.clock.turn(**by)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query says of the store."""
        with self.store.read() as db:
            return [tuple(row) for row in db.execute(query, values)]

    def states(self, target: str) -> dict[str, list[tuple[str, str]]]:
        """By key: (state, reason) of every message to a target, oldest first."""
        found: dict[str, list[tuple[str, str]]] = {}
        for key, state, reason in self.rows(
            "SELECT r.kind || ':' || r.number, m.state, m.reason FROM messages m JOIN records r USING (record_id) "
            "JOIN systems s ON s.system_id = m.target_id WHERE s.name = ? ORDER BY m.message_id",
            target,
        ):
            found.setdefault(str(key), []).append((str(state), str(reason)))
        return found

    def open_cases(self) -> list[tuple[str, str]]:
        """(kind, subject) of every open exception."""
        return [
            (str(k), str(s))
            for k, s in self.rows("SELECT kind, subject FROM exceptions WHERE state = 'open' ORDER BY 1, 2")
        ]

    def verdicts(self) -> list[str]:
        """The verdict of every event, oldest first."""
        return [str(row[0]) for row in self.rows("SELECT verdict FROM events ORDER BY event_id")]

    def message_id(self, target: str, key: str) -> int:
        """The newest message of a key to a target."""
        ((found,),) = self.rows(
            "SELECT max(message_id) FROM messages m JOIN records r USING (record_id) JOIN systems s ON s.system_id = m.target_id "
            "WHERE s.name = ? AND r.kind || ':' || r.number = ?",
            target,
            key,
        )
        return int(str(found))

    def reopen(self, path: Path | None = None) -> None:
        """Close the store and open it (or another file) again."""
        self.store.close()
        self.store = Store.open(path or self.store.path, now=self.clock())

    def backup(self, name: str = "backup.db") -> Path:
        """Copy the store's file away while nobody writes, as a backup does."""
        self.store.close()
        copy = self.folder / name
        shutil.copy(self.store.path, copy)
        self.store = Store.open(self.store.path, now=self.clock())
        return copy

    def bring_back(self, copy: Path) -> None:
        """Put a backup in the store's place, and go on with it."""
        path = self.store.path
        self.store.close()
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.copy(copy, path)
        self.store = Store.open(path, now=self.clock())

    def tell(self, system: str, *tolds: Told, whole_scan: bool = False) -> Counter[str]:
        """Put one page of what a system told into the books, delivering nothing; returns how many had each verdict."""
        context = self.context()
        batch = receive(tolds, read_at=self.clock(), whole_scan=whole_scan)
        applied = self.store.writer.call(lambda db: apply(db, context.routes, system, batch, now=context.now_ms))
        return applied.verdicts

    def apply_kept(self, *event_ids: int) -> list[str]:
        """``events apply``: the verdicts now."""
        done = apply_events(self, event_ids, actor="mira", reason="mapping mended", command="")
        return [verdict for _, verdict, _ in done]

    def events_with(self, verdict: str) -> list[int]:
        """The ids of the events that have a verdict, oldest first."""
        return [
            int(str(row[0])) for row in self.rows("SELECT event_id FROM events WHERE verdict = ? ORDER BY 1", verdict)
        ]

    def state_of(self, message_id: int) -> str:
        """Where one message stands."""
        return str(self.rows("SELECT state FROM messages WHERE message_id = ?", message_id)[0][0])

    def assert_sound(self) -> None:
        """Every invariant of the store holds."""
        with self.store.read() as db:
            assert verify(db) == []


MakeBooks = Callable[..., Books]
