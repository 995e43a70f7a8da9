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

IDLE_SECONDS = 1  # for so long a connection may lie idle and be used again; servers keep theirs from 2 on
_GO, _NO = pycurl.PREREQFUNC_OK, pycurl.PREREQFUNC_ABORT
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))  # they say how long their body is, be it empty (RFC 9110 8.6)
# What libcurl would say of itself: that it waits for leave to send a long body; a form's type for every POST.
_NO_WAITING, _NO_TYPE = b"Expect:", b"Content-Type:"


class Exchange:
    """A handle of libcurl for one request at a time, to be used again once that has ended.

    ``sent``: the request was let out; ``is_stale``: it was not, the connection it was to go over being closed or in
    disorder. ``status`` is 0 until the answer's head is whole; ``headers`` and ``body`` are what came of it, and
    ``is_too_long`` that more came than is taken. ``heard`` is called when the request goes out, when a head is whole and with
    every part of a body.
    """

    __slots__ = (
        "_at_status_line",
        "_curl",
        "_in_head",
        "_is_quiet",
        "_most",
        "_status",
        "body",
        "headers",
        "heard",
        "is_stale",
        "is_too_long",
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
        curl.setopt(pycurl.MAXAGE_CONN, IDLE_SECONDS)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(round(connect_within * 1000), 1))
        self.clear()

    def begin(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        heard: Callable[[], None],
        is_quiet: Callable[[int], bool] | None,
    ) -> pycurl.Curl:
        """The handle, ready to send this. ``is_quiet`` says of a local port whether its connection may be used; None: a new one is.

        Raises ValueError for what no header can carry.
        """
        self.sent, self.status, self.is_too_long, self.is_stale = False, 0, False, False
        self._at_status_line, self._in_head, self._status = True, True, 0
        self.heard, self._is_quiet = heard, is_quiet
        curl, lines = self._curl, [_line(name, value) for name, value in headers]
        lines.append(_NO_WAITING)
        if body or method in _WITH_BODY:
            if not any(line[:13].lower() == _NO_TYPE.lower() for line in lines):
                lines.append(_NO_TYPE)
            curl.setopt(pycurl.POSTFIELDS, body)
        else:
            curl.setopt(pycurl.HTTPGET, 1)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, lines)
        curl.setopt(pycurl.FRESH_CONNECT, 0 if is_quiet else 1)
        return curl

    def clear(self) -> None:
        """Let go of what came, and of who listened."""
        self.heard, self._is_quiet = _nobody, None
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.body = bytearray()

    def _may_send(self, _far: str, _near: str, _far_port: int, near_port: int) -> int:
        if self.sent:
            return _NO
        if self._is_quiet is not None and not self._is_quiet(near_port):
            self.is_stale = True
            return _NO
        self.sent = True
        self.heard()
        return _GO

    def _head(self, line: bytes) -> None:
        if self._at_status_line:  # that of an answer, or of an interim one before it (RFC 9110 15.2)
            self.headers.clear()
            words = line.split(maxsplit=2)
            self._status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
            self._at_status_line, self._in_head = False, True
        elif not self._in_head:  # a trailer: it says nothing that was not asked for
            return
        elif line in (b"\r\n", b"\n"):
            self._in_head, self._at_status_line = False, 100 <= self._status < 200
            self.status = self._status if self._status >= 200 else 0
            self.heard()
        else:
            name, _, value = line.decode("latin-1").partition(":")
            self.headers.add(name.strip(), value.strip())

    def _part(self, part: bytes) -> int:
        room = self._most - len(self.body)
        if len(part) > room:
            self.body += part[:room]
            self.is_too_long = True
            return 0
        self.body += part
        self.heard()
        return len(part)


def _line(name: str, value: str) -> bytes:
    line = f"{name}: {value}"
    if not line.isprintable():
        raise ValueError(f"header {name!r} has characters that a header cannot carry")
    return line.encode()


def _nobody() -> None:
    """Nobody listens."""
