"""One request on its way and what comes back, over libcurl.

The rule of this room: a request goes out once. Where a connection that was kept open turns out to be closed, libcurl
would send the request again by itself, a POST too, though the first may have been carried out. It asks before every
sending (``CURLOPT_PREREQFUNCTION``): the second is refused, and the first tells that from here on nobody knows what
arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import certifi
import pycurl
from multidict import CIMultiDict

from erpsync import __version__

_IDLE = 1  # seconds a connection may lie idle and be used again; servers keep theirs from 2 on
_GO, _NO = pycurl.PREREQFUNC_OK, pycurl.PREREQFUNC_ABORT
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))  # they say how long their body is, be it empty (RFC 9110 8.6)
# What libcurl would say of itself: that it waits for leave to send a long body, and a form's type for every POST.
_UNSAID = (b"Expect:",)
_NO_TYPE = b"Content-Type:"


class Exchange:
    """A handle of libcurl for one request at a time, to be used again once that has ended.

    ``sent``: the request was let out. ``status`` is 0 until the answer's head is whole; ``headers`` and ``parts`` are
    what came of it, ``is_too_long`` that more came than is taken. ``heard`` is called whenever something came.
    """

    __slots__ = (
        "_curl",
        "_in_head",
        "_most",
        "_size",
        "_status",
        "headers",
        "heard",
        "is_too_long",
        "parts",
        "sent",
        "status",
    )

    def __init__(self, *, most: int, connect_within: float) -> None:
        self._most = most
        self._curl = curl = pycurl.Curl()
        curl.setopt(pycurl.PREREQFUNCTION, self._may_send)
        curl.setopt(pycurl.HEADERFUNCTION, self._head)
        curl.setopt(pycurl.WRITEFUNCTION, self._part)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PROXY, "")  # not even the environment's
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.USERAGENT, f"erpsync/{__version__}")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.MAXAGE_CONN, _IDLE)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(round(connect_within * 1000), 1))
        self.clear()

    def begin(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes, *, heard: Callable[[], None]
    ) -> pycurl.Curl:
        """The handle, ready to send this."""
        self.sent, self.status, self.is_too_long = False, 0, False
        self.heard = heard
        self._in_head, self._size = True, 0
        curl, lines = self._curl, [f"{name}: {value}".encode() for name, value in headers]
        lines += _UNSAID
        if body or method in _WITH_BODY:
            if not any(line[:13].lower() == b"content-type:" for line in lines):
                lines.append(_NO_TYPE)
            curl.setopt(pycurl.POSTFIELDS, body)
        else:
            curl.setopt(pycurl.HTTPGET, 1)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, lines)
        return curl

    def clear(self) -> None:
        """Let go of what came, and of who listened."""
        self.heard = _nobody
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.parts: list[bytes] = []

    def _may_send(self, *_addresses: object) -> int:
        if self.sent:
            return _NO
        self.sent = True
        return _GO

    def _head(self, line: bytes) -> None:
        if line.startswith(b"HTTP/"):  # the head of an answer, or of an interim one before it (RFC 9110 15.2)
            self.headers.clear()
            self._in_head, self._status = True, int(line.split(maxsplit=2)[1])
        elif not self._in_head:  # a trailer: it says nothing that was not asked for
            return
        elif line in (b"\r\n", b"\n"):
            self._in_head = False
            self.status = self._status if self._status >= 200 else 0
            self.heard()
        else:
            name, _, value = line.decode("latin-1").partition(":")
            self.headers.add(name.strip(), value.strip())

    def _part(self, part: bytes) -> int:
        room = self._most - self._size
        self._size += len(part)
        self.parts.append(part[:room] if len(part) > room else part)
        if len(part) > room:
            self.is_too_long = True
            return 0
        self.heard()
        return len(part)


def _nobody() -> None:
    """Nobody listens."""
