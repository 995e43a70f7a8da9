"""``sync --dry-run``: what a sync would write, field by field. It reads the far systems and leaves nothing anywhere.

The store is copied aside, what is read is put into the copy by the same code as always, and each message that would go
is built and looked for, but not sent.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Protocol

from erpsync.adapters.protocol import Adapter
from erpsync.config.landscape import Landscape
from erpsync.domain.document import Document, unflatten
from erpsync.domain.flat import LINES, Scalar
from erpsync.domain.kinds import kind_named
from erpsync.domain.values import json_default
from erpsync.engine.context import Context
from erpsync.engine.deliver.building import Look, Missing, Nothing, Ready, build, parent_keys
from erpsync.engine.deliver.finishing import Ended, Finisher
from erpsync.engine.deliver.leaving import Planner
from erpsync.engine.deliver.sending import Sender
from erpsync.engine.intake.narrowing import pull_some
from erpsync.engine.intake.reading import Puller, PullReport
from erpsync.engine.routes import Route, compile_routes
from erpsync.engine.sync import SyncRow, Wish, chosen, pull_when_free, pulls_of
from erpsync.engine.worker import in_order_of_parents
from erpsync.errors import CallError
from erpsync.store import results, systems, xrefs
from erpsync.store.claimed import Claimed, load_claimed
from erpsync.store.scratch import copy_aside


class Lender(Protocol):
    """What a dry run needs of a workbench."""

    @property
    def landscape(self) -> Landscape:
        """The landscape, read and checked."""

    def adapter(self, name: str) -> Adapter:
        """The adapter of a system."""

    def now(self) -> datetime:
        """The time."""


@dataclass(frozen=True)
class DryDocument:
    """What would become of one document at one target. ``fields``: (field, what is there, what would be), as text.

    ``would`` is create, update, nothing, filtered, held or removed; ``reason`` says why where it is not plain.
    """

    key: str
    target: str
    would: str
    far_id: str = ""
    reason: str = ""
    fields: tuple[tuple[str, str | None, str | None], ...] = ()


@dataclass
class DryRun:
    """What a sync would do. ``unread``: (system, kind, why) where it could not be read."""

    read: int = 0
    seconds: float = 0.0
    documents: list[DryDocument] = field(default_factory=list)
    rows: list[SyncRow] = field(default_factory=list)
    unread: list[tuple[str, str, str]] = field(default_factory=list)
    refused: int = 0

    @property
    def writes(self) -> int:
        """How many writes would be made."""
        return sum(document.would in ("create", "update", "removed") for document in self.documents)


async def preview(
    lender: Lender,
    *,
    kinds: Sequence[str],
    to: Sequence[str] = (),
    full: bool = False,
    keys: Sequence[str] = (),
    since: timedelta | None = None,
) -> DryRun:
    """What ``sync`` with the same words would write now. Raises UsageError as it does; leaves nothing."""
    wish = Wish(tuple(kind_named(kind).name for kind in kinds), to, full, keys, since)
    started = time.monotonic()
    with _aside(lender) as context:
        report = DryRun()
        routes = chosen(context, wish)
        with context.store.read() as db:
            mark = results.mark(db)
        pulls = pulls_of(context, routes)
        for stage in in_order_of_parents(list(pulls)):
            await asyncio.gather(*(_read(context, pulls[pair], wish) for pair in stage))
        report.read = sum(pull.read for pull in pulls.values())
        report.refused = sum(pull.verdicts["unreadable"] for pull in pulls.values())
        report.unread = [
            (pull.system, pull.kind, pull.error.message if pull.error else f"it is {pull.skipped}")
            for pull in pulls.values()
            if pull.error or pull.skipped
        ]
        for route in routes:
            documents = await _route(context, route, mark)
            report.documents += documents
            report.rows.append(_row(route, pulls.get((route.source, route.kind.name)), documents))
        report.seconds = time.monotonic() - started
    return report


@contextmanager
def _aside(lender: Lender) -> Iterator[Context]:
    """A context over a copy of the store, which goes with its folder."""
    landscape = lender.landscape
    with (
        tempfile.TemporaryDirectory(prefix="erpsync-dry-") as folder,
        copy_aside(landscape.store, Path(folder) / "dry.db", now=lender.now()) as store,
    ):
        adapters = {name: lender.adapter(name) for name in landscape.systems}
        routes = compile_routes(store, landscape, adapters, now=lender.now())
        yield Context(store, routes, lender.now, Random())


async def _read(context: Context, report: PullReport, wish: Wish) -> None:
    if wish.is_narrow:
        narrow = wish.narrow(report.kind, context.routes.landscape.company, context.now())
        if narrow is not None:
            await pull_some(context, report, narrow)
        return
    flow = next(f for s, k, f in context.routes.pulls() if (s, k) == (report.system, report.kind))
    await pull_when_free(Puller(context), report, flow, full=wish.full)


async def _route(context: Context, route: Route, mark: results.Mark) -> list[DryDocument]:
    with context.store.read() as db:
        offered = results.offered_since(db, route.flow_id, route.target_id, since=mark)
        claimed = load_claimed(db, [message_id for message_id, state, _ in offered if state == "ready"])
        keys = {key for message in claimed for key in parent_keys(message, route)}
        there = xrefs.far_ids_of_keys(db, context.routes.company_id, route.target_id, keys)
        coming = results.keys_on_their_way(db, context.routes.company_id, route.target_id, keys)
    parents = {**dict.fromkeys(coming, "new"), **there}
    room = asyncio.Semaphore(context.system(route.target).limits.concurrency)

    async def one(message: Claimed) -> DryDocument:
        async with room:
            return await _would(context, route, message, parents)

    skipped = [
        DryDocument(key, route.target, "filtered", reason=_filtered(route))
        for _, state, key in offered
        if state == "skipped"
    ]
    return [*await asyncio.gather(*(one(message) for message in claimed)), *skipped]


def _filtered(route: Route) -> str:
    return f'flow {route.flow.name}: where = "{route.flow.where}"'


async def _would(context: Context, route: Route, claimed: Claimed, parents: Mapping[str, str]) -> DryDocument:
    key, target, now = claimed.record.key, route.target, context.now()
    plan = build(claimed, route, parents=parents, once_key="", now=now)
    reason = ""
    if isinstance(plan, Look) and _is_paused(context, route):
        return DryDocument(key, target, "held", reason=f"{target} is paused: it was not looked for there")
    if isinstance(plan, Look):
        sender = Sender(context, Planner(context), Finisher(context), reread=lambda *_: None)
        try:
            looked = await sender.look(claimed, route)
        except CallError as error:
            return DryDocument(key, target, "held", reason=error.message)
        if isinstance(looked, Ended):
            return DryDocument(key, target, "held", reason=looked.outcome.error)
        reason = (
            f"looked for by {claimed.record.number}: {'not there' if looked.holds is None else looked.claimed.far_id}"
        )
        claimed = looked.claimed
        plan = build(claimed, route, parents=parents, once_key="", now=now, looked=True)
    match plan:
        case Nothing(reason=why):
            would = "nothing" if why == "unchanged" else "filtered"
            return DryDocument(key, target, would, claimed.far_id, reason or str(why))
        case Missing(keys=keys):
            return DryDocument(key, target, "held", claimed.far_id, f"{target} has not got {', '.join(keys)}")
        case Ready(item=item):
            would = "removed" if item.removed else ("update" if item.far_id else "create")
            return DryDocument(key, target, would, item.far_id, reason, _changes(claimed, item.changed))
        case _:
            raise AssertionError(plan)


def _is_paused(context: Context, route: Route) -> bool:
    with context.store.read() as db:
        return systems.system(db, route.target_id).outward == "paused"


def _changes(claimed: Claimed, changed: frozenset[str]) -> tuple[tuple[str, str | None, str | None], ...]:
    model = kind_named(claimed.record.kind).model
    ours = _as_text(model, claimed.record.fields)
    held = claimed.picture.fields if claimed.picture is not None and claimed.picture.present else {}
    theirs = _as_text(model, {"currency": claimed.record.fields.get("currency"), **held})
    return tuple((name, theirs.get(name) if name in held else None, ours.get(name)) for name in sorted(changed))


def _as_text(model: type[Document], fields: Mapping[str, Scalar]) -> dict[str, str | None]:
    """The fields by path, each as people write it."""
    document = unflatten(model, fields)
    said = {name: _said(getattr(document, name, None)) for name in fields if not name.startswith(f"{LINES}.")}
    for line in getattr(document, LINES, None) or ():
        said |= {
            f"{LINES}.{line.line}.{name}": _said(getattr(line, name))
            for name in line.model_fields_set
            if name != "line"
        }
    return said


def _said(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json_default(value)


def _row(route: Route, pull: PullReport | None, documents: Sequence[DryDocument]) -> SyncRow:
    row = SyncRow(route.kind.name, route.source, route.target, read=pull.read if pull else 0)
    for document in documents:
        match document.would:
            case "create":
                row.created += 1
            case "update" | "removed":
                row.updated += 1
            case "filtered":
                row.skipped += 1
            case "held":
                row.held += 1
    row.unchanged = max(0, row.read - row.created - row.updated - row.skipped - row.held)
    return row
