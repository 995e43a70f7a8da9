"""Our side of taking in: raw events read, decided, put into the books and into two targets' lanes, durable.

The whole path: JSON read exactly, the document checked, the duplicate looked for, event, contents, record, picture,
cross-reference, two messages and their totals written by the store's one writer, ``synchronous=FULL``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import jiter
from happenings import happenings
from landscape import SOURCE, opened
from rounds import Measured

from erpsync.adapters.protocol import Revision, Told
from erpsync.domain.document import read_document
from erpsync.domain.kinds import kind_named
from erpsync.engine.context import Context
from erpsync.engine.intake.apply import apply
from erpsync.engine.intake.incoming import Incoming, receive
from erpsync.store.checking import verify
from erpsync.store.connection import Connection

KINDS = ("item", "customer", "order", "movement", "stock")
TARGETS = {"shop": "commerce", "warehouse": "wms"}


def accept_and_apply(folder: Path, *, events: int, at_most: int) -> Measured:
    """So many events, at most ``at_most`` in a transaction."""
    raw = happenings(events)
    with opened(folder, kinds=KINDS, targets=TARGETS) as context:
        begun = time.perf_counter()
        accepted = _take_in(context, raw, at_most=at_most)
        seconds = time.perf_counter() - begun
        _check(context, accepted, events)
    return Measured(count=events, seconds=seconds)


def _take_in(context: Context, raw: Sequence[bytes], *, at_most: int) -> int:
    """As a pull does: a page is read, then written, then the next one."""
    return sum(
        context.store.writer.call(_closure(context, _read(raw[n : n + at_most]))) for n in range(0, len(raw), at_most)
    )


def _read(raw: Sequence[bytes]) -> list[list[Incoming]]:
    """The events of one transaction, a page for each kind."""
    pages: dict[str, list[Told]] = {}
    for content in raw:
        event = jiter.from_json(content, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False)
        kind = kind_named(event["kind"])
        document = read_document(kind.model, event["document"])
        revision = event["revision"]
        told = Told(
            kind.name,
            content,
            document,
            revision=Revision(str(revision), revision),
            event_id=event["id"],
            at=datetime.fromisoformat(event["at"]),
        )
        pages.setdefault(kind.name, []).append(told)
    read_at = datetime.now(UTC)
    return [receive(tolds, read_at=read_at) for tolds in pages.values()]


def _closure(context: Context, pages: list[list[Incoming]]):  # type: ignore[no-untyped-def]  # what the writer takes
    def work(db: Connection) -> int:
        now, accepted = context.now_ms, 0
        for page in pages:
            applied = apply(db, context.routes, SOURCE, page, now=now, restored_at=context.store.restored_at)
            accepted += applied.verdicts["accepted"]
        return accepted

    return work


def _check(context: Context, accepted: int, events: int) -> None:
    with context.store.read() as db:
        logged = db.execute("SELECT count(*) FROM events").fetchone()[0]
        offered = db.execute("SELECT count(*) FROM messages").fetchone()[0]
        problems = verify(db, quick=True)
    if (accepted, logged, offered) != (events, events, 2 * events) or problems:
        message = f"of {events} events {accepted} were accepted, {logged} logged, {offered} messages: {problems[:3]}"
        raise RuntimeError(message)
