"""A far system made of raw bytes: what it answers is written by the test, byte by byte, on a real socket.

async with Wire(lambda asked: respond(200, b"{}")) as wire:
    adapter = wire_adapter(tmp_path, wire.url, SPEC)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from erpsync.adapters.opening import open_adapter
from erpsync.adapters.protocol import Adapter, Item
from erpsync.config.landscape import Limits, System
from erpsync.domain.documents.item import Item as ItemDocument

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
SECRET = "a-secret-of-forty-letters"

ITEMS = """
spec = 1
[auth]
kind = "bearer"
[probe]
path = "/ping"
[kinds.item]
far_id = "text(id)"
number = "sku"
removed = "deleted"
revision = { value = "version", kind = "number" }
fields = { sku = "sku", name = "name", price = "price" }
[kinds.item.scan]
path = "/items"
query = { page = "{page}" }
items = "items"
paging = { by = "page" }
[kinds.item.one]
path = "/items/{far_id}"
[kinds.item.find.by_natural_key]
path = "/items"
query = { sku = "{number}" }
items = "items"
[kinds.item.write]
once = "idempotent"
[kinds.item.create]
path = "/items"
headers = { Idempotency-Key = "{once_key}" }
answer = { full = true }
[kinds.item.update]
method = "PUT"
path = "/items/{far_id}"
answer = { full = true }
[kinds.item.remove]
method = "DELETE"
path = "/items/{far_id}"
[kinds.item.body]
sku = "=sku"
name = "=name"
price = "=price"
"""


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]] | None
Script = Callable[[Asked], Reply]


def respond(
    status: int, body: bytes | dict[str, Any] | list[Any] = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole answer with its length."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {"Content-Type": "application/json"}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


@dataclass
class Wire:
    """A server on loopback. ``script`` gives bytes, a coroutine that writes for itself, or None to hang up."""

    script: Script
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for _ in range(10):  # who has just connected is taken in, to be closed with the rest
            await asyncio.sleep(0)
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(method, target, headers, body))
                reply = self.script(self.asked[-1])
                if reply is None:
                    return
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def far_system(folder: Path, url: str, spec: str, *, limits: Limits | None = None, **options: Any) -> System:
    """A system spoken to as ``spec`` says."""
    file = folder / "ours.toml"
    file.write_text(spec)
    return System(
        name="far", role="erp", adapter="http", url=url, spec=file, options=options, limits=limits or quick_limits()
    )


def quick_limits(**changes: Any) -> Limits:
    """Limits at which a test does not wait long."""
    given: dict[str, Any] = {"timeout": timedelta(seconds=2), "deadline": timedelta(seconds=3), **changes}
    return Limits(**given)


@asynccontextmanager
async def opened(
    folder: Path,
    url: str,
    spec: str = ITEMS,
    *,
    limits: Limits | None = None,
    secret: str | None = SECRET,
    now: Callable[[], datetime] = lambda: NOON,
    **options: Any,
) -> AsyncIterator[Adapter]:
    """The adapter of a system, closed after."""
    system = far_system(folder, url, spec, limits=limits, **options)
    adapter = open_adapter(system, secret=secret, currency="USD", now=now, company_zone="Europe/Berlin")
    try:
        yield adapter
    finally:
        await adapter.close()


def item(**changes: Any) -> Item:
    """An item of ours on its way there; ``far_id`` and the like may be given."""
    document = changes.pop("document", ItemDocument(sku="SKU-1", name="Chai", price=Decimal("18.50")))
    given: dict[str, Any] = {
        "kind": "item",
        "key": "item:SKU-1",
        "number": "SKU-1",
        "document": document,
        "changed": frozenset(document.model_fields_set),
        "once_key": "es-7k3f.1-1-1",
        **changes,
    }
    return Item(**given)
