"""One request, one answer: bounded in time and size, never repeated, never redirected.

The rule of this room: it knows for sure whether anything was sent. A request that could not be sent raises
``NotSent``; everything that goes wrong later raises ``Lost``, since the request may have arrived.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

import aiohttp
import httpx
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from erpsync import __version__
from erpsync.adapters.deadlines import Deadlines
from erpsync.config.landscape import Limits

KEPT = 64 * 1024  # bytes of an answer that are evidence
_KEEP_OPEN = (
    1.5  # seconds; less than servers keep theirs (from 2 on): a write into one just closed is an unknown outcome
)
for _chatty in ("httpx", "httpcore", "aiohttp.client", "aiohttp.access"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)  # their INFO lines would print addresses with their queries


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
    headers: CIMultiDictProxy[str]
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
    auth: tuple[tuple[str, str], ...] = ()
    _deadlines: Deadlines = field(default_factory=Deadlines, init=False)
    _http: aiohttp.ClientSession | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.base = parts.path.rstrip("/")
        self._silence, self._deadline = self.limits.timeout.total_seconds(), self.limits.deadline.total_seconds()
        # Waiting for a connection ends before the deadline: a host that never answers is known as not reached.
        self._connect = min(self._silence, self._deadline * 0.9)

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
        answer: Answer | None = None
        try:
            with self._deadlines.until(min(deadline, begun + self._connect + self._silence)) as limit:
                async with self._opened().request(
                    method,
                    _url(self.origin, target),
                    headers=CIMultiDict([*headers, *self.auth]),
                    data=body or None,
                    allow_redirects=False,
                    auto_decompress=False,
                    middlewares=() if method in _SENT_ONCE else _REPEATS_NOTHING,
                ) as response:
                    answer = Answer(response.status, response.headers)
                    await self._read(response, answer, lambda: limit.move(min(deadline, clock() + self._silence)))
        except aiohttp.ClientError as error:  # its time-outs too
            raise _told_apart(error, answer) from None
        except TimeoutError:
            if clock() < deadline:
                raise Lost("no answer in time", code="timeout", answer=answer) from None
            raise Lost(f"no whole answer within {self._deadline:g} s", code="deadline", answer=answer) from None
        except OSError as error:
            raise _told_apart(error, answer) from None
        finally:
            if answer is not None:
                answer.seconds = time.perf_counter() - started
                answer.ended_at = self.now()
        return answer

    async def close(self) -> None:
        """Give back the connections."""
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            # Nothing leads from http to https: redirects are not followed, and pages stay on the host and its scheme.
            certificates = self.origin.startswith("https:")
            context = httpx.create_ssl_context(verify=True, trust_env=False) if certificates else True
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=_KEEP_OPEN),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": f"erpsync/{__version__}"},
                max_line_size=16 * 1024,
                max_field_size=16 * 1024,
                timeout=aiohttp.ClientTimeout(sock_connect=self._connect, connect=self._connect),
            )
        return self._http

    async def _read(self, response: aiohttp.ClientResponse, answer: Answer, heard: Callable[[], None]) -> None:
        """Read the body; ``heard`` is called whenever something of it came and more is to come."""
        most = self.limits.max_answer
        unpack = _unpacker(response.headers.get("content-encoding", ""))
        first, content = True, response.content
        if unpack is None and content.is_eof() and content.total_bytes <= most:  # all of it came with the head
            answer.body = content.read_nowait()
            return
        got = bytearray()
        if not content.is_eof():
            heard()
        async for chunk in content.iter_any():
            if not content.is_eof():
                heard()
            if first and unpack is not None and not _packed(chunk):
                unpack = None  # some servers say gzip and send plain text
            first = False
            try:
                got += chunk if unpack is None else unpack.decompress(chunk, most + 1 - len(got))
            except zlib.error:
                answer.body = bytes(got)
                raise Lost("the answer cannot be unpacked", code="unreadable_answer", answer=answer) from None
            if len(got) > most or (unpack is not None and unpack.unconsumed_tail):
                answer.body = bytes(got[:most])
                raise Lost(f"the answer is longer than {most:,} bytes", code="answer_too_long", answer=answer)
            answer.body = bytes(got[:KEPT]) if len(got) < KEPT else answer.body
        answer.body = bytes(got)
        if unpack is not None and not unpack.eof:
            raise Lost("the answer is cut off", code="cut_answer", answer=answer)


class _SecondTry(aiohttp.ClientError):
    """Stands for an error after which aiohttp would send the request again by itself."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a request."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _SecondTry(type(error).__name__) from error


_SENT_ONCE = frozenset(("POST", "PATCH"))  # what aiohttp never repeats (RFC 9110: not idempotent)
_REPEATS_NOTHING = (_once,)


def _told_apart(error: Exception, answer: Answer | None) -> NotSent | Lost:
    cause = error
    if answer is None and isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        if isinstance(cause, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return NotSent("its certificate was not accepted")
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            return NotSent("its name is not known")
        return NotSent("no connection" if isinstance(cause, aiohttp.ClientConnectorError) else "no connection in time")
    if answer is None and isinstance(cause, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return NotSent("its address is none")
    if isinstance(cause, TimeoutError):
        return Lost("no answer in time", code="timeout", answer=answer)
    if isinstance(cause, aiohttp.ClientPayloadError):
        return Lost("the answer is cut off", code="cut_answer", answer=answer)
    if isinstance(cause, aiohttp.ClientResponseError):
        return Lost("the answer is no HTTP", code="unreadable_answer", answer=answer)
    return Lost("the connection was closed before the answer was whole", code="answer_lost", answer=answer)


def _unpacker(encoding: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(32 + zlib.MAX_WBITS)
        case _:
            raise Lost("the answer is packed in a way that was not asked for", code="unreadable_answer")


def _packed(chunk: bytes) -> bool:
    return chunk[:2] == b"\x1f\x8b" or chunk[:1] == b"\x78"


@lru_cache(maxsize=4096)
def _url(origin: str, target: str) -> URL:
    return URL(origin + target, encoded=True)
