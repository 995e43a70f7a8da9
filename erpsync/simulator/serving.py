"""A far system on the network: a listening socket, the path of a request through it, and the faults met on that path.

What is kept is decided before what is answered: a lost, cut or late answer is told of a write that took effect.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import unquote

from aiohttp import web

from erpsync.simulator.counting import Counting, Request
from erpsync.simulator.far_system import Answer, Call, FarSystem

_LARGEST = 64 * 1024 * 1024
_GARBAGE = b"<html><head><title>Maintenance</title></head><body>We will be back soon"
_MOMENT = 0.01  # seconds; aiohttp takes 0 for "as long as it takes"
_BEFORE = ("drop", "error_before", "throttle")


class Serving:
    """One system at one address. ``mode`` is up, down (nothing listens), hang (nothing is answered) or denied."""

    def __init__(self, system: FarSystem, counting: Counting, port: int) -> None:
        self.system = system
        self.counting = counting
        self.port = port
        self._app = web.Application(client_max_size=_LARGEST)
        self._app.router.add_route("*", "/{anything:.*}", self._arrive)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.5)
        self._site: web.SockSite | None = None
        self._closed: socket.socket | None = None
        self._released = asyncio.Event()
        self._back: asyncio.TimerHandle | None = None
        self._coming_up: asyncio.Task[None] | None = None
        self._tokens, self._tokens_at = 0.0, 0.0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self._runner.setup()
        await self._listen()

    async def stop(self) -> None:
        """Close everything."""
        if self._back:
            self._back.cancel()
        self._release()
        await self._runner.cleanup()
        if self._closed:
            self._closed.close()
        self.system.kept.close()

    async def turn(self, mode: str, *, seconds: float | None = None) -> None:
        """Change the mode, for some seconds or for good. Turning it down closes every open connection too."""
        if self._back:
            self._back.cancel()
            self._back = None
        self.system.faults.mode = mode
        self._release()
        if mode == "down" and self._site:
            await self._site.stop()
            self._site = None
            self._closed = _bound(self.port)
            if self._runner.server:
                await self._runner.server.shutdown(_MOMENT)
        elif mode != "down" and self._site is None:
            await self._listen()
        if seconds is not None and mode != "up":
            self._back = asyncio.get_running_loop().call_later(seconds, self._come_up)

    def _come_up(self) -> None:
        self._coming_up = asyncio.create_task(self.turn("up"))

    async def _listen(self) -> None:
        sock = self._closed or _bound(self.port)
        self._closed = None
        self._site = web.SockSite(self._runner, sock, backlog=512)
        await self._site.start()

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _arrive(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        system, faults = self.system, self.system.faults
        request = Request(
            0, system.stamp(), http.method, http.raw_path, http.method in ("POST", "PUT", "PATCH", "DELETE")
        )
        request.key = http.headers.get("Idempotency-Key", "")
        request.peer_port = (http.transport.get_extra_info("peername") or ("", 0))[1] if http.transport else 0
        parts = tuple(unquote(part) for part in http.rel_url.raw_path.split("/") if part)
        call = Call(http.method, http.path, parts, http.query, http.headers, body, self.counting.next_no)
        request.kind, request.number = system.subject(call)
        self.counting.received(request, body)
        if faults.mode == "hang":
            await self._released.wait()
            return _hang_up(http)
        if faults.mode == "denied" or not system.allows(http.headers):
            self.counting.requests["denied"] += 1
            return await self._send(http, request, system.denial())
        if (remaining := self._tokens_left()) == 0:
            answer = system.throttled(str(faults.settings["retry_after"]))
            answer.headers |= system.rate_headers(0)
            return await self._send(http, request, answer)
        request.fault = faults.draw("writes" if call.write else "reads", kind=request.kind, number=request.number)
        if request.fault == "drop":
            return _hang_up(http)
        if request.fault in _BEFORE:
            return await self._send(http, request, self._failing(request.fault))
        answer = await self._worked(call, request)
        answer.headers |= system.rate_headers(remaining)
        return await self._send(http, request, answer)

    async def _worked(self, call: Call, request: Request) -> Answer:
        """Let the request take effect; a repeat of a key does not, and gets its old answer."""
        system, fault = self.system, request.fault
        slow = float(system.faults.settings["slow_seconds"])
        answer = system.begin(call) if call.write else None
        if answer is not None:
            request.replayed = answer.replayed
            return answer
        remembered: Answer | None = None
        try:
            if fault == "late":
                await asyncio.sleep(slow)
            answer = remembered = system.answer(call)
            if call.write and answer.document is not None:
                request.committed = True
                request.far_id = str(system.shown_id(answer.document.kind, answer.document.id))
                request.number = answer.document.number
            if fault == "error_after":
                answer = self._failing(fault)
                remembered = answer if system.faults.rules["cache_5xx"] else remembered
            if fault == "slow":
                await asyncio.sleep(slow)
            return answer
        finally:
            if call.write:
                system.end(call, remembered)

    def _failing(self, fault: str) -> Answer:
        settings = self.system.faults.settings
        after = settings["retry_after"]
        if after == "date":
            after = format_datetime(self.system.now() + timedelta(seconds=2), usegmt=True)
        return self.system.throttled(str(after)) if fault == "throttle" else self.system.broken(int(settings["status"]))

    async def _send(self, http: web.Request, request: Request, answer: Answer) -> web.StreamResponse:
        headers = {"Server": f"{self.system.name}-simulator", **answer.headers}
        if self.system.clock_offset:
            headers["Date"] = format_datetime(self.system.now(), usegmt=True)
        request.status = answer.status
        if request.fault == "lose_answer" or (request.fault == "cut_answer" and answer.body is None):
            return _hang_up(http)
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        if request.fault == "garbage":
            request.status, data = 200, _GARBAGE
        response = web.StreamResponse(status=request.status, headers=headers)
        if answer.body is not None:
            response.content_type = "text/html" if request.fault == "garbage" else "application/json"
            response.content_length = None if request.fault == "huge" else len(data)
        with suppress(ConnectionError):
            await response.prepare(http)
            if request.fault == "cut_answer":
                await response.write(data[: len(data) // 2])
                return _hang_up(http, response)
            if request.fault == "huge":
                await self._flood(http, response)
                return _hang_up(http, response)
            if request.fault == "drip":
                await self._drip(http, response, data)
                data = b""
            await response.write_eof(data)
            self.counting.answered(request)
        return response

    async def _drip(self, http: web.Request, response: web.StreamResponse, data: bytes) -> None:
        for index in range(len(data)):
            if http.transport is None or http.transport.is_closing():
                raise ConnectionResetError
            await response.write(data[index : index + 1])
            await asyncio.sleep(float(self.system.faults.settings["drip_seconds"]))

    async def _flood(self, http: web.Request, response: web.StreamResponse) -> None:
        left = int(self.system.faults.settings["huge_bytes"])
        while left > 0 and http.transport is not None and not http.transport.is_closing():
            await response.write(b" " * min(left, 65_536))
            left -= 65_536

    def _tokens_left(self) -> int:
        """How many more requests its rate allows now; -1 without a rate."""
        rate = self.system.faults.rules["rate"]
        if not rate:
            return -1
        now = asyncio.get_running_loop().time()
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            return 0
        self._tokens -= 1
        return max(1, int(self._tokens))


def _bound(port: int) -> socket.socket:
    """A socket that holds the port; nothing listens on it yet, so connections are refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _hang_up(http: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Close the connection without a further byte."""
    if http.transport is not None:
        http.transport.close()
    return response or web.Response()
