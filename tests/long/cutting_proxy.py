"""Stands between an adapter and a real server and cuts the line at a chosen call, before or after it was carried out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass
class CuttingProxy:
    """``cuts`` are used up one by one: (method, True when the server is to carry it out first)."""

    target: str
    url: str = ""
    cuts: list[tuple[str, bool]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """One call, there and back, unless it is cut."""
        body = await request.read()
        method = json.loads(body)["method"]
        self.calls.append(method)
        cut = next((cut for cut in self.cuts if cut[0] == method), None)
        if cut:
            self.cuts.remove(cut)
        if cut is None or cut[1]:
            names = ("Authorization", "Content-Type", "Accept", "Accept-Encoding")
            headers = {name: request.headers[name] for name in names if name in request.headers}
            async with (
                aiohttp.ClientSession(auto_decompress=False) as session,
                session.post(self.target + request.path, data=body, headers=headers) as answer,
            ):
                content = await answer.read()
                kept = {
                    name: answer.headers[name]
                    for name in ("Content-Type", "Content-Encoding", "Date")
                    if name in answer.headers
                }
        if cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, body=content, headers=kept)


@asynccontextmanager
async def cutting_proxy(target: str) -> AsyncIterator[CuttingProxy]:
    """A running one in front of ``target``."""
    proxy = CuttingProxy(target)
    app = web.Application()
    app.router.add_post("/{path:.*}", proxy.pass_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
