"""Stands between workers and a real server, knows whose call is whose, and kills a worker at a chosen call.

Each worker speaks to an address of its own (``url_for``), so that the one who is killed is the one who called.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_THERE = ("Authorization", "Content-Type", "Accept", "Accept-Encoding")
_BACK = ("Content-Type", "Content-Encoding", "Date")


@dataclass
class Trap:
    """Kills who calls one of ``methods``, after ``skip`` other such calls; ``carried_out``: after it was, else before.

    A call that is cut off before it was carried out is carried out all the same when ``arrives``: the caller is dead
    and its request is not.
    """

    methods: tuple[str, ...]
    carried_out: bool
    arrives: bool = True
    skip: int = 0
    caught: str = ""
    method: str = ""
    sprung: threading.Event = field(default_factory=threading.Event)


@dataclass
class KillingProxy:
    """``calls`` counts what was asked for; ``workers`` has the process ids of those that live."""

    target: str
    acting: frozenset[str]
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    workers: dict[str, int] = field(default_factory=dict)
    trap: Trap | None = None
    _open: dict[str, Counter[str]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _session: aiohttp.ClientSession | None = None

    def url_for(self, worker: str) -> str:
        """The address for one worker."""
        self._open[worker] = Counter()
        return f"{self.url}/{worker}"

    def kill(self, worker: str) -> list[str]:
        """Kill it now; the acts of it that wait for their answer."""
        acts = sorted((self._open[worker] & Counter(dict.fromkeys(self.acting, 99))).elements())
        os.kill(self.workers.pop(worker), signal.SIGKILL)
        return acts

    def busy(self, *, within: float) -> list[str]:
        """The workers whose calls wait for an answer at this moment; waits until there are any, so many seconds."""
        until = time.monotonic() + within
        while not (found := [name for name in self.workers if self._open[name].total()]) and time.monotonic() < until:
            time.sleep(0.01)
        return found

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """One call, there and back, unless its caller dies of it."""
        body = await request.read()
        method = json.loads(body)["method"]
        _, worker, path = request.path.split("/", 2)
        self.calls[method] += 1
        self._open[worker][method] += 1
        trap = self._springs(method, worker)
        try:
            if trap and not trap.carried_out:
                self._spring(trap, worker)
                if not trap.arrives:
                    return web.Response(status=502)
            headers = {name: request.headers[name] for name in _THERE if name in request.headers}
            assert self._session is not None
            async with self._session.post(f"{self.target}/{path}", data=body, headers=headers) as answer:
                content = await answer.read()
                kept = {name: answer.headers[name] for name in _BACK if name in answer.headers}
            if trap and trap.carried_out:
                self._spring(trap, worker)
            return web.Response(status=answer.status, body=content, headers=kept)
        except aiohttp.ClientError:
            if trap and not trap.sprung.is_set():
                self.trap = trap  # the server itself let this one fall: the next is caught
            return web.Response(status=502)
        finally:
            self._open[worker][method] -= 1

    def _springs(self, method: str, worker: str) -> Trap | None:
        trap = self.trap
        if trap is None or method not in trap.methods or worker not in self.workers:
            return None
        if trap.skip:
            trap.skip -= 1
            return None
        self.trap, trap.caught, trap.method = None, worker, method
        return trap

    def _spring(self, trap: Trap, worker: str) -> None:
        os.kill(self.workers.pop(worker), signal.SIGKILL)
        trap.sprung.set()

    async def _serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.pass_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        one_call_each = aiohttp.TCPConnector(force_close=True, limit=0)  # the server drops a connection when it likes
        async with aiohttp.ClientSession(connector=one_call_each, auto_decompress=False) as self._session:
            ready.set()
            await ended.wait()
            await runner.cleanup()


@contextmanager
def killing_proxy(target: str, *, acting: frozenset[str]) -> Iterator[KillingProxy]:
    """A running one in front of ``target``, in a thread of its own; ``acting`` are the methods that change something."""
    proxy = KillingProxy(target, acting)
    ready, ended = threading.Event(), asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: proxy._loop) as runner:
            runner.run(proxy._serve(ready, ended))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(timeout=10)
    try:
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=20)
