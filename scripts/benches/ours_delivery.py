"""Our side of delivering: claimed, built, put on record, sent by the http adapter, answered, finished; all of it durable.

The worker's own crew does it, to one idempotent system with 64 in flight: every try has its attempt with request,
headers, bytes and answer, every document its cross-reference and picture. *Prebuilt*: the body lies ready in one field
of an item. *Mapped*: the same bytes come out of an order through the spec file's expressions, line by line.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from landscape import SOURCE, opened
from rounds import Measured
from sink import Sink

from erpsync.adapters.protocol import Told
from erpsync.domain.document import read_document
from erpsync.domain.kinds import kind_named
from erpsync.engine.context import Context
from erpsync.engine.crew import Crew, at_work
from erpsync.engine.intake.apply import apply
from erpsync.engine.intake.incoming import receive
from erpsync.store import books, xrefs
from erpsync.store.before import before_page
from erpsync.store.checking import verify
from erpsync.store.connection import Connection

TARGET = "shop"
PREBUILT = """write = { once = "idempotent" }
create = { path = "/items", headers = { Idempotency-Key = "{once_key}" }, answer = { far_id = "id" } }
body = "=description"
"""
MAPPED = """write = { once = "idempotent" }
create = { path = "/orders", headers = { Idempotency-Key = "{once_key}" }, answer = { far_id = "id" } }

[kinds.order.body]
reference = "=number"
customer = "=far('customer', customer)"
currency = "=currency"
ordered_on = "=ordered_on"
ship_to = { name = "=ship_name", street = "=ship_street", city = "=ship_city", country = "=ship_country" }

[kinds.order.body.lines]
"=each" = "lines"
line = "=line"
sku = "=far('item', sku)"
quantity = "=quantity"
unit_price = "=unit_price"
"""


def deliver(folder: Path, *, sink: Sink, bodies: list[bytes], in_flight: int, mapped: bool) -> Measured:
    """Every body delivered once; the time runs from the first look for work to the last outcome on disk."""
    before = sink.taken()
    kinds = ("item", "customer", "order") if mapped else ("item",)
    writes = {"order": MAPPED} if mapped else {"item": PREBUILT}
    url = sink.url.rpartition("/")[0]
    with opened(
        folder, kinds=kinds, targets={TARGET: "commerce"}, writes=writes, url=url, concurrency=in_flight
    ) as context:
        context.store.writer.call(lambda db: _fill(db, context, bodies, mapped=mapped))
        seconds = asyncio.run(_deliver(context, len(bodies)))
        _check(context, bodies, taken=sink.taken() - before, mapped=mapped)
    return Measured(count=len(bodies), seconds=seconds)


async def _deliver(context: Context, messages: int) -> float:
    try:
        async with at_work(context, "bench") as at, Crew(at) as crew:
            begun = time.perf_counter()
            crew.wake()
            while crew.feeder.delivered < messages and not crew.stopping:  # noqa: ASYNC110  (nobody tells of the last one)
                await asyncio.sleep(0.005)
            seconds = time.perf_counter() - begun
        if crew.defects:
            raise crew.defects[0]
    finally:
        for adapter in context.routes.adapters.values():
            await adapter.close()
    return seconds


def _fill(db: Connection, context: Context, bodies: Sequence[bytes], *, mapped: bool) -> None:
    """The documents taken in from their source, and the target known to be up, with all that orders name."""
    kind = kind_named("order" if mapped else "item")
    as_told = _order if mapped else _item
    tolds = [Told(kind.name, body, read_document(kind.model, as_told(n, body))) for n, body in enumerate(bodies)]
    now = context.now_ms
    apply(db, context.routes, SOURCE, receive(tolds, read_at=datetime.now(UTC)), now=now)
    if mapped:
        named = {key for told in tolds for key in kind.parents(_flat(told))}
        first = before_page(db, context.routes.company_id).next_record
        parents = [
            books.Record(first + n, *key.partition(":")[::2], revision=1, changed_at=now)
            for n, key in enumerate(sorted(named))
        ]
        books.insert_records(db, context.routes.company_id, parents)
        shop = context.routes.names.systems[TARGET]
        bound = [xrefs.Binding(shop, record.record_id, record.kind, record.number) for record in parents]
        xrefs.bind(db, context.routes.company_id, bound, now=now)
    db.execute("UPDATE systems SET proven = 1, ramp = 1000, last_ok_at = ? WHERE name = ?", (now, TARGET))


def _flat(told: Told) -> dict[str, object]:
    (incoming,) = receive([told], read_at=datetime.now(UTC))
    return dict(incoming.fields)


def _item(number: int, body: bytes) -> dict[str, object]:
    return {"sku": f"SKU-{number:06}", "description": body.decode()}


def _order(_number: int, body: bytes) -> dict[str, object]:
    told = json.loads(body)
    return {
        "number": told["reference"],
        "customer": told["customer"],
        "currency": told["currency"],
        "ordered_on": told["ordered_on"],
        **{f"ship_{name}": value for name, value in told["ship_to"].items()},
        "lines": told["lines"],
    }


def _check(context: Context, bodies: Sequence[bytes], *, taken: int, mapped: bool) -> None:
    sent = "p.content" if mapped else "p.content ->> '$'"
    with context.store.read() as db:
        done = db.execute("SELECT count(*) FROM messages WHERE state = 'done'").fetchone()[0]
        kept = {
            content if isinstance(content, bytes) else content.encode()
            for (content,) in db.execute(
                f"SELECT {sent} FROM attempts a JOIN payloads p ON p.payload_id = a.body_id WHERE a.answer IS NOT NULL"
            )
        }
        problems = verify(db, quick=True)
    if (done, taken) != (len(bodies), len(bodies)) or kept != set(bodies) or problems:
        message = (
            f"of {len(bodies)} bodies {taken} were taken, {done} done, {len(kept & set(bodies))} kept: {problems[:3]}"
        )
        raise RuntimeError(message)
