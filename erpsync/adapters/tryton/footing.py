"""What must be known of a Tryton before anything is asked of it: company, warehouses, what its modules add.

One rule: without a company no price, and without a location no level is asked for. Tryton does not say that they are
missing: it answers null and 0.0.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from erpsync.adapters.tryton.options import Options
from erpsync.adapters.tryton.rpc import Rpc, Trail
from erpsync.errors import AccessDenied, Refused

_CONTEXT = ("company", "companies", "company_filter", "employee", "employees", "language")


@dataclass(frozen=True)
class Footing:
    """``context`` goes with every call; ``warehouses`` are code and id; ``has`` are the fields that modules add."""

    context: dict[str, Any]
    company: int
    currency: str
    warehouses: tuple[tuple[str, int], ...]
    has: frozenset[str]

    @property
    def everything(self) -> dict[str, Any]:
        """The context in which inactive records are found as well."""
        return {**self.context, "active_test": False}

    def levels(self, warehouse: int, *, less_reserved: bool = False) -> dict[str, Any]:
        """The context in which quantities are those of a warehouse, today."""
        context = {**self.everything, "locations": [warehouse], "with_childs": True}
        return {**context, "stock_assign": True} if less_reserved else context


@dataclass
class Ground:
    """A footing found once, and the words Tryton has for currencies, countries and payment terms."""

    rpc: Rpc
    options: Options
    _footing: Footing | None = None
    _denied: tuple[float, AccessDenied] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _words: dict[str, dict[str, int]] = field(default_factory=dict)

    async def footing(self, trail: Trail) -> Footing:
        """What is known, asked for at the first call; raises AccessDenied where it is not enough to work on."""
        async with self._lock:
            if self._denied is not None and trail.started < self._denied[0]:
                raise self._denied[1]  # asked for at the same time: a wrong password is tried once, not by each of them
            if self._footing is None:
                try:
                    self._footing = await self._find(trail)
                except AccessDenied as denied:
                    self._denied = (time.monotonic(), denied)
                    raise
            return self._footing

    async def word(self, model: str, field_name: str, text: str, *, trail: Trail) -> int | None:
        """The id of the record of ``model`` whose field says ``text``; read again when it is not known yet."""
        table = f"{model}.{field_name}"
        if text not in self._words.get(table, {}):
            footing = await self.footing(trail)
            rows = await self.rpc.call(
                f"model.{model}.search_read", [], 0, None, [["id", "ASC"]], [field_name], footing.context, trail=trail
            )
            found: dict[str, int] = {}
            for row in rows:
                found.setdefault(row[field_name], row["id"])
            self._words[table] = found
        return self._words[table].get(text)

    async def _find(self, trail: Trail) -> Footing:
        preferences = await self.rpc.call("model.res.user.get_preferences", True, {}, trail=trail)
        company = self.options.company if self.options.company is not None else preferences.get("company")
        if company is None:
            raise AccessDenied(
                f"{self.rpc.system} user {self.options.user!r} works for no company",
                code="no_company",
                hint="give that user a company in Tryton, or set options.company to its id",
            )
        context = {name: preferences[name] for name in _CONTEXT if name in preferences} | {"company": company}
        currency, warehouses, has = await asyncio.gather(
            self._currency(context, trail), self._warehouses(context, trail), self._fields(context, trail)
        )
        return Footing(context=context, company=company, currency=currency, warehouses=warehouses, has=has)

    async def _currency(self, context: dict[str, Any], trail: Trail) -> str:
        fields = ["currency.code"]
        rows = await self.rpc.call("model.company.company.read", [context["company"]], fields, context, trail=trail)
        return str(rows[0]["currency."]["code"])

    async def _warehouses(self, context: dict[str, Any], trail: Trail) -> tuple[tuple[str, int], ...]:
        if not self.options.warehouse:
            return ()
        domain = [["type", "=", "warehouse"], ["code", "in", list(self.options.warehouse)]]
        rows = await self.rpc.call(
            "model.stock.location.search_read", domain, 0, None, None, ["code"], context, trail=trail
        )
        found = [(row["code"], row["id"]) for row in rows]
        for code in self.options.warehouse:
            if [known for known, _ in found].count(code) != 1:
                raise AccessDenied(
                    f"{self.rpc.system} has no warehouse {code!r}, or several",
                    code="no_warehouse",
                    hint="options.warehouse is the code of a location of type warehouse in Tryton",
                )
        return tuple(sorted(found, key=lambda pair: self.options.warehouse.index(pair[0])))

    async def _fields(self, context: dict[str, Any], trail: Trail) -> frozenset[str]:
        asked = {
            "sale.sale": ["shipment_cost_method"],
            "product.template": ["account_category"],
            "party.party": ["customer_payment_term"],
        }
        known = await asyncio.gather(*(self._known(model, names, context, trail) for model, names in asked.items()))
        return frozenset().union(*known)

    async def _known(self, model: str, names: list[str], context: dict[str, Any], trail: Trail) -> set[str]:
        try:
            known = await self.rpc.call(f"model.{model}.fields_get", names, context, trail=trail)
        except Refused:  # the module that brings this model is not there
            return set()
        return {f"{model}.{name}" for name in known}
