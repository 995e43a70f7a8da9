"""An HTTP server that takes whatever is posted to it, as fast as Python can, in a process of its own.

It knows just enough HTTP/1.1: a request has a Content-Length (or no body) and the connection stays open. A POST is
answered 201 with an id; a GET is answered with how many POSTs have come so far.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sink:
    """A running sink; ``url`` takes POSTs on every path."""

    url: str

    def taken(self) -> int:
        """How many POSTs it has taken since it was started."""
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return int(json.load(answer)["taken"])


@contextmanager
def running() -> Iterator[Sink]:
    """A sink on a free port of this machine, ended with the block."""
    with subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Sink(url=f"http://127.0.0.1:{int(process.stdout.readline())}/orders")
        finally:
            process.terminate()


class _Connection(asyncio.Protocol):
    taken = 0

    def __init__(self) -> None:
        self._waiting = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._waiting) < end + 4 + length:
                return
            self._waiting = self._waiting[end + 4 + length :]
            self._answer(posted=head.startswith(b"post "))

    def _answer(self, *, posted: bool) -> None:
        _Connection.taken += posted
        body = b'{"id":"%d"}' % self.taken if posted else b'{"taken":%d}' % self.taken
        status = b"201 Created" if posted else b"200 OK"
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        )


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
