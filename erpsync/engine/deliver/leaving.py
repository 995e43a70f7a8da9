"""What is about to leave: planned from the books, its exact bytes ready, and on record before the first of them goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from erpsync.adapters.protocol import Prepared
from erpsync.domain.flat import Fields
from erpsync.domain.messages import Once
from erpsync.engine.batching import Batch
from erpsync.engine.context import Context
from erpsync.engine.deliver.building import Look, Missing, Nothing, Ready, build
from erpsync.engine.deliver.ending import Found, failed, held_for_parents, nothing, orphan
from erpsync.engine.deliver.finishing import Ended
from erpsync.engine.routes import Route
from erpsync.errors import CallError, ParentMissing, Unmappable
from erpsync.store.claimed import Claimed
from erpsync.store.connection import Connection, moment
from erpsync.store.tries import Begun, begin


@dataclass(slots=True)
class Leaving:
    """A try that is ready to go. ``asked`` is what its bytes ask the target to hold; ``begun_at``: when it was put on record.

    ``body_id`` and ``asked_id``: where its bytes and what they ask are stored; None: they will be when it is put on record.
    """

    found: Found
    route: Route
    prepared: Prepared
    asked: Fields
    generation: int
    creates: bool
    body_id: int | None = None
    asked_id: int | None = None
    begun_at: datetime | None = None

    @property
    def claimed(self) -> Claimed:
        """The message it is a try of."""
        return self.found.claimed

    @property
    def lease(self) -> tuple[int, int]:
        """Under which it is tried: message id and number."""
        return self.claimed.message_id, self.claimed.lease_no


@dataclass(slots=True)
class Asks:
    """The target must be looked into before anything can leave."""

    claimed: Claimed
    route: Route
    parents: dict[str, str]


class Planner:
    """Plans claimed messages and puts their tries on record, as many as come at once in one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._batch: Batch[Leaving, set[tuple[int, int]]] = Batch(context.store.writer, self._write)

    def plan(self, claimed: Claimed, parents: dict[str, str]) -> Leaving | Asks | Ended:
        """What is to be done with a claimed message; ``Ended`` when nothing of it leaves."""
        route = self._context.routes.by_flow(claimed.flow_id, claimed.target_id)
        if route is None:
            return Ended(orphan(claimed))
        try:
            if claimed.pinned is None:
                return self.plan_found(Found(claimed), route, parents, looked=False)
            return Asks(claimed, route, parents) if self._key_is_forgotten(claimed, route) else _repeat(claimed, route)
        except Exception as error:  # noqa: BLE001  (foreign code was called: what it raised becomes a verdict)
            return unsendable(self._context, claimed, route, error)

    def plan_found(
        self, found: Found, route: Route, parents: dict[str, str], *, looked: bool
    ) -> Leaving | Asks | Ended:
        """The same for what was looked for (``looked``); raises what the adapter's ``prepare`` raises."""
        claimed, now = found.claimed, self._context.now()
        key = self._context.once_key(claimed.message_id, claimed.generation)
        match build(claimed, route, parents=parents, once_key=key, now=now, looked=looked):
            case Ready() as ready:
                return self._prepare(found, route, ready)
            case Look():
                return Asks(claimed, route, parents)
            case Missing(keys=keys):
                return held_for_parents(claimed, keys)
            case Nothing(reason=reason):
                return nothing(found, reason)

    async def begin(self, leaving: Leaving) -> bool:
        """Put one try on record; False when its lease moved on: its new holder decides, and nothing of it may leave."""
        leaving.begun_at = self._context.now()
        return leaving.lease in await self._batch.put(leaving)

    async def begin_all(self, leaving: Sequence[Leaving]) -> set[tuple[int, int]]:
        """Put tries on record; returns the leases that are still ours."""
        now = self._context.now()
        for one in leaving:
            one.begun_at = now
        return await self._context.store.writer.run(lambda db: self._write(db, leaving)) if leaving else set()

    def _prepare(self, found: Found, route: Route, ready: Ready) -> Leaving:
        claimed, adapter, item = found.claimed, self._context.adapter(route.target), ready.item
        generation, prepared = claimed.generation, adapter.prepare(item)
        if (
            claimed.last_body is not None
            and prepared.body != claimed.last_body
            and route.writes.once is Once.IDEMPOTENT
        ):
            generation += 1  # other content must not go under the same key
            item = replace(item, once_key=self._context.once_key(claimed.message_id, generation))
            prepared = adapter.prepare(item)
        return Leaving(
            found,
            route,
            prepared,
            ready.asked,
            generation,
            creates=not item.far_id,
            body_id=claimed.last_body_id if prepared.body == claimed.last_body else None,
            asked_id=claimed.record.content_id if ready.asked is claimed.record.fields else None,
        )

    def _key_is_forgotten(self, claimed: Claimed, route: Route) -> bool:
        """Whether an open try is older than the target remembers its key."""
        life, pinned = route.writes.key_life, claimed.pinned
        assert pinned is not None  # noqa: S101  (the caller looked)
        return life is not None and self._context.now() - moment(claimed.first_try_at or pinned.begun_at) > life

    def _write(self, db: Connection, leaving: Sequence[Leaving]) -> set[tuple[int, int]]:
        takes = {
            route.target: self._takes_ms(route) for route in {id(one.route): one.route for one in leaving}.values()
        }
        tries = [
            Begun(
                *(claimed.message_id, claimed.lease_no, prepared.request, prepared.headers, prepared.body, one.asked),
                *(prepared.once_key, one.generation, claimed.tries, claimed.worker_id, claimed.claimed_at),
                *(one.body_id, one.asked_id, prepared.far_id, prepared.far_revision),
                takes_ms=takes[one.route.target],
            )
            for one in leaving
            for claimed, prepared in ((one.found.claimed, one.prepared),)
        ]
        ours = begin(db, tries, landscape_id=self._context.routes.names.landscape_id, now=self._context.now_ms)
        for one, begun in zip(leaving, tries, strict=True):
            one.asked_id = begun.content_id
        return ours

    def _takes_ms(self, route: Route) -> int:
        return int(self._context.system(route.target).limits.deadline / timedelta(milliseconds=1))


def unsendable(context: Context, claimed: Claimed, route: Route, error: Exception) -> Ended:
    """What comes of an error before anything was written; one that no adapter may raise is a defect."""
    if isinstance(error, CallError):
        calls = 0 if isinstance(error, Unmappable | ParentMissing) else 1
        return failed(context, claimed, route, error, calls=calls)
    text = f"{type(error).__name__} before anything was sent: {error}"
    return failed(context, claimed, route, Unmappable(text, code="defect"), calls=0)


def _repeat(claimed: Claimed, route: Route) -> Leaving:
    """An open try again, byte for byte under its key."""
    pinned = claimed.pinned
    assert pinned is not None  # noqa: S101  (the caller looked)
    prepared = Prepared(
        kind=claimed.record.kind,
        number=claimed.record.number,
        request=pinned.request,
        headers=pinned.headers,
        body=pinned.body,
        far_id=pinned.far_id,
        once_key=pinned.once_key,
        far_revision=pinned.far_revision,
    )
    return Leaving(
        Found(claimed),
        route,
        prepared,
        pinned.content,
        claimed.generation,
        creates=not pinned.far_id,
        body_id=pinned.body_id,
        asked_id=pinned.content_id,
    )
