"""A far system that speaks Tryton's JSON-RPC over real HTTP and can be told to fail."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from tryton_world import NOON, Gone, Said, World

__all__ = ["DATABASE", "NOON", "PASSWORD", "USER", "StandIn", "stand_in"]
USER, PASSWORD, DATABASE = "sync", "crates-42", "acme"


@dataclass
class StandIn(World):
    """``faults`` are used up one by one: (end of a method's name, what happens at it)."""

    port: int = 0
    faults: list[tuple[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    session: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, method: str) -> int:
        """How often a method was called, by the end of its name."""
        return sum(call.endswith(method) for call in self.calls)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One HTTP request."""
        headers = {"Date": format_datetime(self.at, usegmt=True)}
        if request.match_info["database"] != DATABASE:
            return web.Response(status=404, text="<h1>Not Found</h1>", headers=headers)
        body = json.loads(await request.read(), object_hook=_inward)
        method = body["method"]
        if method == "common.db.login" and body["params"][:2] == [USER, {"password": PASSWORD}]:
            self.calls.append(method)
            instead = await self._instead(request, self._fault(method), body["id"], headers)
            if instead is not None:
                return instead
            self.session += 1
            return web.json_response({"id": body["id"], "result": [1, f"s-{self.session}", None]}, headers=headers)
        basic, session = f"{USER}:{PASSWORD}", f"{USER}:1:s-{self.session}"
        let_in = (f"Basic {_base64(basic)}", f"Session {_base64(session)}")
        if request.headers.get("Authorization") not in let_in:
            self.calls.append("refused login")
            return web.Response(status=401, headers={**headers, "WWW-Authenticate": "Basic"})
        self.calls.append(method)
        fault = self._fault(method)
        instead = await self._instead(request, fault, body["id"], headers)
        if instead is not None:
            return instead
        try:
            content = {"id": body["id"], "result": self.do(method, body["params"])}
        except Said as error:
            content = {"id": body["id"], "error": list(error.args)}
        except Gone as gone:
            return web.Response(status=gone.args[0], headers=headers)
        if fault == "answer lost":
            return self._cut(request)
        text = json.dumps(content, default=_outward).encode()
        return web.Response(body=text, content_type="application/json", headers=headers)

    async def _instead(
        self, request: web.Request, fault: Any, number: int, headers: dict[str, str]
    ) -> web.Response | None:
        """What a fault answers in place of doing it; None where it is done all the same."""
        match fault:
            case "never arrives":
                return self._cut(request)
            case "never answers":
                await asyncio.sleep(3600)
            case int():
                return web.Response(status=fault, text="<h1>No</h1>", headers=headers)
            case (int() as status, dict() as more):
                return web.Response(status=status, headers={**headers, **more})
            case bytes():
                return web.Response(body=fault, content_type="application/json", headers=headers)
            case list():
                return web.json_response({"id": number, "error": fault}, headers=headers)
            case dict():
                return web.json_response({"id": number, **fault}, headers=headers)
        return None

    def _fault(self, method: str) -> Any:
        for index, (name, fault) in enumerate(self.faults):
            if method.endswith(name):
                del self.faults[index]
                return fault
        return None

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _inward(value: dict[str, Any]) -> Any:
    match value.get("__class__"):
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "datetime":
            parts = {name: part for name, part in value.items() if name != "__class__"}
            return datetime(**parts, tzinfo=UTC)
    return value


def _outward(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{name: getattr(value, name) for name in names}}
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """A running one with a company in US dollars, two countries, a warehouse, and nothing else in it."""
    far = StandIn()
    far.add("currency.currency", code="USD")
    far.add("company.company", currency=1)
    far.add("country.country", code="US", code3="USA", name="United States")
    far.add("country.country", code="DE", code3="DEU", name="Germany")
    far.add("stock.location", code="WH", type="warehouse")
    app = web.Application()
    app.router.add_post("/{database}/rpc/", far.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    far.port = runner.addresses[0][1]
    far.at += timedelta(hours=1)
    try:
        yield far
    finally:
        await runner.cleanup()
