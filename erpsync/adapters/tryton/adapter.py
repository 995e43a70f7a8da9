"""The adapter for Tryton 8: facts about what it can do, and the calls of the protocol put on its models.

One rule: everything that makes requests runs as an errand, so that what happened is known whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from erpsync.adapters.protocol import Capabilities, Health, Item, Page, Prepared, Reads, Receipt, Told, Writes
from erpsync.adapters.tryton import customers, orders, plan, reading
from erpsync.adapters.tryton.customer_writing import find_customers, write_customer
from erpsync.adapters.tryton.customers import CUSTOMERS
from erpsync.adapters.tryton.errand import Errand
from erpsync.adapters.tryton.footing import Ground
from erpsync.adapters.tryton.items import ITEMS
from erpsync.adapters.tryton.levels import scan_levels, understand_level
from erpsync.adapters.tryton.login import Login
from erpsync.adapters.tryton.options import read_options
from erpsync.adapters.tryton.order_writing import find_orders, write_order
from erpsync.adapters.tryton.orders import ORDERS, TOLD_STATES
from erpsync.adapters.tryton.rpc import Rpc, Trail, deadline_in
from erpsync.adapters.tryton.shelf import Shelf
from erpsync.config.landscape import System
from erpsync.domain.messages import Once
from erpsync.errors import CallError, Defect

_SHELVES = {shelf.kind: shelf for shelf in (ITEMS, CUSTOMERS, ORDERS)}
_WRITERS = {"customer": write_customer, "order": write_order}
_HALF_A_SECOND = timedelta(seconds=0.5)  # what a Date header leaves out, on average


class TrytonAdapter:
    """One Tryton database. ``currency`` is the landscape's; Tryton's own company says in which its prices are."""

    def __init__(self, system: System, *, secret: str | None, currency: str, now: Callable[[], datetime]) -> None:
        self.system = system.name
        self.currency = currency
        self._now = now
        self._options = read_options(system)
        self._deadline = system.limits.deadline
        login = Login(self._options.user, secret or "", self._options.login)
        self._rpc = Rpc(system, login=login, database=self._options.database, now=now)
        self._ground = Ground(self._rpc, self._options)

    def capabilities(self) -> Capabilities:
        """Items, customers, orders and levels are read; customers and orders are written, and found again."""
        reads = {kind: Reads(changes=True, one=True, ordered=shelf.ordered) for kind, shelf in _SHELVES.items()}
        if self._options.warehouse:
            reads["stock"] = Reads(changes=False, one=False, ordered=False)
        writes = {
            "customer": Writes(Once.FINDABLE, fields=customers.CARRIED, finds=True, removes=True),
            "order": Writes(Once.FINDABLE, fields=orders.CARRIED, finds=True),
        }
        return Capabilities(reads=reads, writes=writes)

    async def changes(self, kind: str, cursor: str) -> AsyncIterator[Page]:
        """Documents changed since ``cursor``; tells some twice. Levels have no changes: they are scanned."""
        async for page in reading.changes(await self._errand(), _shelf(kind), cursor):
            yield page

    async def scan(self, kind: str) -> AsyncIterator[Page]:
        """Every document there is."""
        errand = await self._errand()
        async for page in scan_levels(errand) if kind == "stock" else reading.scan(errand, _shelf(kind)):
            yield page

    async def read(self, kind: str, far_id: str) -> Told:
        """One document as it is now."""
        return await reading.read(await self._errand(), _shelf(kind), far_id)

    def understand(self, kind: str, raw: bytes) -> Told:
        """Read again what was kept raw."""
        return understand_level(raw) if kind == "stock" else _shelf(kind).understand(raw, self._options)

    def prepare(self, item: Item) -> Prepared:
        """The plan of a write; raises Unmappable or ParentMissing."""
        return plan.prepare(item, self._options)

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        """Carry out each plan side by side, each within the system's deadline."""
        return await asyncio.gather(*(self._write(prepared) for prepared in batch))

    async def find(self, kind: str, number: str) -> Sequence[Receipt]:
        """What has this number as its code or reference; ``whole`` is False for a sale that is not confirmed yet."""
        errand = await self._errand()
        if kind == "order":
            rows = await find_orders(errand, number)
        elif kind == "customer":
            rows = await find_customers(errand, number)
        else:
            shelf = _shelf(kind)
            rows = await errand.raw(shelf.model, [["code", "=", number]], list(shelf.fields), limit=3)
        return [
            errand.receipt(
                _shelf(kind),
                number,
                outcome="unchanged",
                record=row,
                whole=kind != "order" or row["state"] in TOLD_STATES,
            )
            for row in rows
        ]

    async def probe(self) -> Health:
        """Ask for the user's preferences: the database is up and lets us in."""
        trail = Trail(self._now)
        started, before = time.monotonic(), self._now()
        preferences = await self._rpc.call("model.res.user.get_preferences", True, {}, trail=trail)
        seconds, after = time.monotonic() - started, self._now()
        offset = trail.far_time + _HALF_A_SECOND - (before + (after - before) / 2) if trail.far_time else None
        return Health(seconds, text=f"company {preferences.get('company.rec_name') or 'none'}", clock_offset=offset)

    async def close(self) -> None:
        """Give back connections."""
        await self._rpc.close()

    async def _errand(self, trail: Trail | None = None) -> Errand:
        trail = trail or Trail(self._now)
        footing = await self._ground.footing(trail)
        return Errand(self._rpc, self._ground, footing, self._options, trail)

    async def _write(self, prepared: Prepared) -> Receipt:
        trail = Trail(self._now, until=deadline_in(self._deadline.total_seconds()))
        errand = None
        try:
            errand = await self._errand(trail)
            return await _WRITERS[prepared.kind](errand, plan.read_plan(prepared))
        except CallError as error:
            fault = error
        if errand is None:
            return Receipt(number=prepared.number, evidence=trail.evidence(), error=fault)
        return errand.failed(prepared.number, fault)


def _shelf(kind: str) -> Shelf:
    if kind not in _SHELVES:
        raise Defect(
            f"a tryton system tells no changes of {kind}", hint="the flow asks for what its capabilities exclude"
        )
    return _SHELVES[kind]
