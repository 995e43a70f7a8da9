"""A distributor's landscape in memory: an ERP that owns items, customers and orders, a WMS, a shop; and a clock to turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from far import FarSystem

from erpsync.config.landscape import Breaker, Flow, Landscape, Limits, Retry, System
from erpsync.domain.messages import Once
from erpsync.engine.context import Context
from erpsync.engine.routes import compile_routes
from erpsync.engine.sync import SyncReport, sync
from erpsync.engine.worker import run_worker
from erpsync.store.checking import verify
from erpsync.store.store import Store


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


@dataclass
class Books:
    """The store, the far systems and the clock of one test; a bench for the engine."""

    folder: Path
    clock: Clock
    systems: dict[str, FarSystem]
    flows: tuple[Flow, ...]
    owners: dict[str, str]
    limits: Limits = Limits(timeout=timedelta(seconds=1), deadline=timedelta(seconds=2))
    retry: Retry = Retry(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=5), tries=4)
    breaker: Breaker = Breaker()
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
        asyncio.run(run_worker(self, once=once, until_idle=not once))

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

    def assert_sound(self) -> None:
        """Every invariant of the store holds."""
        with self.store.read() as db:
            assert verify(db) == []


MakeBooks = Callable[..., Books]
