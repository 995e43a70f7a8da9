"""One request, one answer: bounded in time and size, never repeated, never redirected.

The rule of this room: it knows for sure whether anything was sent. A request that could not be sent raises
``NotSent``; everything that goes wrong later raises ``Lost``, since the request may have arrived.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import pycurl

from erpsync.adapters.deadlines import NEARLY, Deadlines
from erpsync.adapters.http.address import address_in, origin_of
from erpsync.adapters.http.connections import Connections
from erpsync.adapters.http.exchange import Exchange
from erpsync.config.landscape import Limits

KEPT = 64 * 1024  # bytes of an answer that are evidence


class NotSent(Exception):  # noqa: N818  (what is true, not what failed: named by what happens next)
    """No connection could be made; nothing left this machine."""


class Lost(Exception):  # noqa: N818
    """The request may have arrived, and there is no whole answer. ``answer`` is what came of it."""

    def __init__(self, message: str, *, code: str, answer: Answer | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.answer = answer


@dataclass(slots=True)
class Answer:
    """What came back: all of the body, unless ``Lost`` says otherwise."""

    status: int
    headers: Mapping[str, str]  # whatever the case of a name
    body: bytes = b""
    seconds: float = 0.0
    ended_at: datetime | None = None

    @property
    def content_type(self) -> str:
        """The media type alone, lower case."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()


@dataclass
class Transport:
    """The connections to one system. ``auth`` is added to what goes out and shown nowhere."""

    url: str
    limits: Limits
    now: Callable[[], datetime]
    auth: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    _deadlines: Deadlines = field(default_factory=Deadlines, init=False)
    _connections: Connections | None = field(default=None, init=False)
    _idle: list[Exchange] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.origin = origin_of(self.url)
        self.base = urlsplit(self.url).path.rstrip("/")
        self._silence, self._deadline = self.limits.timeout.total_seconds(), self.limits.deadline.total_seconds()
        # Waiting for a connection ends before the deadline: a host that never answers is known as not reached.
        self._connect = min(self._silence, self._deadline * 0.9)
        self._most = self.limits.max_answer

    async def call(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes = b"",
        *,
        until: float | None = None,
    ) -> Answer:
        """The answer to one request, whatever its status. ``until``: a deadline that others share.

        Raises NotSent or Lost.
        """
        started = time.perf_counter()
        clock = asyncio.get_running_loop().time
        begun = clock()
        deadline = begun + self._deadline if until is None else min(until, begun + self._deadline)
        if deadline <= begun:
            raise NotSent("no time was left for it")
        if not target.startswith("/"):
            raise NotSent("its address is none")
        request = (method, address_in(self.origin, target), [*headers, *self.auth], body)
        exchange = self._idle.pop() if self._idle else Exchange(most=self._most, connect_within=self._connect)
        try:
            with self._deadlines.until(min(deadline, begun + self._connect + self._silence)) as limit:
                await self._perform(exchange, request, lambda: limit.move(min(deadline, clock() + self._silence)))
        except (pycurl.error, TimeoutError) as error:
            if not exchange.sent:
                raise NotSent(_not_sent(error)) from None
            answer = self._heard(exchange, started)
            if isinstance(error, pycurl.error):
                raise self._lost(error, exchange, answer) from None
            if clock() + NEARLY < deadline:
                raise Lost("no answer in time", code="timeout", answer=answer) from None
            raise Lost(f"no whole answer within {deadline - begun:.3g} s", code="deadline", answer=answer) from None
        else:
            answer = self._heard(exchange, started)
        finally:
            exchange.clear()
            self._idle.append(exchange)
        if answer is None:
            raise Lost("there was no whole answer", code="answer_lost")
        encoding = answer.headers.get("content-encoding")
        if encoding:
            _unpack(answer, encoding, most=self._most)
        return answer

    async def close(self) -> None:
        """Give back the connections."""
        self._idle.clear()
        if self._connections is not None:
            connections, self._connections = self._connections, None
            await connections.close()

    async def _perform(self, exchange: Exchange, request: _Request, heard: Callable[[], None]) -> None:
        connections = self._opened()
        try:
            await connections.perform(exchange.begin(*request, heard=heard, is_quiet=connections.is_quiet))
        except pycurl.error:
            if not exchange.is_stale:
                raise
            # Nothing was sent: the system had closed the connection. Over a new one, then.
            await connections.perform(exchange.begin(*request, heard=heard, is_quiet=None))

    def _opened(self) -> Connections:
        if self._connections is None:
            self._connections = Connections()
        return self._connections

    def _heard(self, exchange: Exchange, started: float) -> Answer | None:
        if not exchange.status:
            return None
        return Answer(
            exchange.status, exchange.headers, bytes(exchange.body), time.perf_counter() - started, self.now()
        )

    def _lost(self, error: pycurl.error, exchange: Exchange, answer: Answer | None) -> Lost:
        if exchange.is_too_long:
            return Lost(f"the answer is longer than {self._most:,} bytes", code="answer_too_long", answer=answer)
        if error.args[0] in _NO_HTTP:
            return Lost("the answer is no HTTP", code="unreadable_answer", answer=answer)
        if answer is not None:
            return Lost("the answer is cut off", code="cut_answer", answer=answer)
        return Lost("the connection was closed before the answer was whole", code="answer_lost")


_Request = tuple[str, str, list[tuple[str, str]], bytes]  # method, address, headers, body
# What libcurl calls an answer it cannot make sense of; 100 is a head that is too large (CURLE_TOO_LARGE).
_NO_HTTP = frozenset((pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY, 100))


def _not_sent(error: Exception) -> str:
    match error.args[0] if isinstance(error, pycurl.error) else pycurl.E_OPERATION_TIMEDOUT:
        case pycurl.E_PEER_FAILED_VERIFICATION:
            return "its certificate was not accepted"
        case pycurl.E_SSL_CONNECT_ERROR:
            return "no secure connection"
        case pycurl.E_COULDNT_RESOLVE_HOST:
            return "its name is not known"
        case pycurl.E_OPERATION_TIMEDOUT:
            return "no connection in time"
        case pycurl.E_URL_MALFORMAT | pycurl.E_UNSUPPORTED_PROTOCOL:
            return "its address is none"
    return "no connection"


def _unpack(answer: Answer, encoding: str, *, most: int) -> None:
    """Put what was packed in place of it; raises Lost."""
    match encoding.strip().lower():
        case "identity":
            return
        case "gzip" | "x-gzip" | "deflate":
            if not _is_packed(answer.body):
                return  # some servers say gzip and send plain text
        case _:
            text = "the answer is packed in a way that was not asked for"
            raise Lost(text, code="unreadable_answer", answer=answer)
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
    packed, answer.body = answer.body, b""
    try:
        answer.body = unpacker.decompress(packed, most + 1)
    except zlib.error:
        raise Lost("the answer cannot be unpacked", code="unreadable_answer", answer=answer) from None
    if len(answer.body) > most:
        answer.body = answer.body[:most]
        raise Lost(f"the answer is longer than {most:,} bytes", code="answer_too_long", answer=answer)
    if not unpacker.eof:
        raise Lost("the answer is cut off", code="cut_answer", answer=answer)


def _is_packed(body: bytes) -> bool:
    return body[:2] == b"\x1f\x8b" or body[:1] == b"\x78"
