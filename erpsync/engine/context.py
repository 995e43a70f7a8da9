"""What every part of the engine works with: the store, the routes, the clock, and one seeded source of chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from erpsync.adapters.protocol import Adapter
from erpsync.config.landscape import System
from erpsync.domain.retry import Patience
from erpsync.engine.routes import Routes
from erpsync.store import audit
from erpsync.store.connection import Connection, moment, ms
from erpsync.store.store import Store
from erpsync.store.totals import Tally


@dataclass(frozen=True)
class Context:
    """One worker's or command's hands and eyes. ``worker_id`` is 0 for a command that is no worker."""

    store: Store
    routes: Routes
    now: Callable[[], datetime]
    rng: Random
    worker_id: int = 0

    @property
    def now_ms(self) -> int:
        """The time, in milliseconds."""
        return ms(self.now())

    def tally(self) -> Tally:
        """A new tally for one transaction."""
        return Tally(self.routes.company_id)

    def adapter(self, system: str) -> Adapter:
        """The adapter that speaks to a system."""
        return self.routes.adapters[system]

    def system(self, name: str) -> System:
        """A system's entry in the landscape."""
        return self.routes.system(name)

    def system_named(self, system_id: int) -> str:
        """The name behind an id."""
        return self.routes.names.system(system_id)

    def patience(self, system: str) -> Patience:
        """How long messages to a system are tried."""
        retry = self.system(system).retry
        return Patience(first=retry.first, longest=retry.longest, tries=retry.tries, expires=retry.expires)

    def once_key(self, message_id: int, generation: int) -> str:
        """The key under which a far system does this write once."""
        return f"es-{self.store.store_id}.{self.store.epoch}-{message_id}-{generation}"

    def decided(self, db: Connection, what: str, subject: str, *, now: int, reason: str = "") -> None:
        """Put a decision of the engine into the audit log."""
        audit.append(
            db,
            chain="main",
            company_id=self.routes.company_id,
            at=moment(now),
            actor="engine",
            what=what,
            subject=subject,
            reason=reason,
        )


class Bench(Protocol):
    """What lends an act its hands: the workbench of a front end."""

    def context(self) -> Context:
        """The store, the routes and the clock; opens them at first use. Raises where the landscape or store is not usable."""
