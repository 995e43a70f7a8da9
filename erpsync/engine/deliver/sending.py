"""Sending one claimed message: build it, look before creating, put the bytes on record, send them once, judge the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from erpsync.adapters.protocol import Prepared, Receipt, Revision
from erpsync.domain.document import Fields, flatten
from erpsync.domain.kinds import Nature
from erpsync.domain.messages import Once, Reason, State
from erpsync.engine.batching import Batch
from erpsync.engine.context import Context
from erpsync.engine.deliver.building import Look, Missing, Nothing, Ready, build
from erpsync.engine.deliver.ending import (
    Found,
    duplicate,
    evidence,
    failed,
    held_for_parents,
    keep_found,
    no_answer,
    nothing,
    orphan,
    outcome_of,
)
from erpsync.engine.deliver.finishing import Ended, Finisher, Signal
from erpsync.engine.deliver.gate import Gate
from erpsync.engine.routes import Route
from erpsync.errors import AccessDenied, CallError, OutcomeUnknown, ParentMissing, SystemDown, Unmappable
from erpsync.store.books import Picture
from erpsync.store.claimed import Claimed
from erpsync.store.connection import Connection, moment
from erpsync.store.tries import Begun, begin

MARGIN = timedelta(seconds=5)


class Sender:
    """Takes claimed messages to their target, each to its end. ``reread`` is told of documents that must be read again."""

    def __init__(self, context: Context, finisher: Finisher, *, reread: Callable[[str, str, str], None]) -> None:
        self._context = context
        self._finisher = finisher
        self._reread = reread
        self._begin: Batch[Begun, bool] = Batch(context.store.writer, self._write_begun)

    async def deliver(self, claimed: Claimed, parents: dict[str, str], gate: Gate) -> bool:
        """Deliver one message; what comes of it is on record when this returns. True: its system failed or denied us."""
        route = self._context.routes.by_flow(claimed.flow_id, claimed.target_id)
        if route is None:
            await self._finisher.put(Ended(orphan(claimed)))
            return False
        try:
            ended = await self._deliver(claimed, route, parents, gate)
        except CallError as error:  # before anything was written
            ended = failed(
                self._context, claimed, route, error, calls=0 if isinstance(error, Unmappable | ParentMissing) else 1
            )
        except Exception as error:  # noqa: BLE001  (foreign code was called: what it raised becomes a verdict)
            text = f"{type(error).__name__} before anything was sent: {error}"
            ended = failed(self._context, claimed, route, Unmappable(text, code="defect"), calls=0)
        if ended is None:
            return False
        ended.signal.prepaid = 1
        await self._finisher.put(ended)
        if ended.outcome.reason == Reason.CONFLICT and claimed.far_id:
            self._reread(route.target, claimed.record.kind, claimed.far_id)
        return ended.signal.denied or bool(ended.signal.failed)

    async def give_back(self, claimed: Claimed) -> None:
        """Nothing was done for it yet: ready again, the try given back."""
        ended = _unsent(claimed)
        ended.signal.prepaid = 1
        await self._finisher.put(ended)

    async def _deliver(self, claimed: Claimed, route: Route, parents: dict[str, str], gate: Gate) -> Ended | None:
        if claimed.pinned is not None:
            return await self._repeat(claimed, route, gate)
        found = Found(claimed)
        now = self._context.now()
        key = self._context.once_key(claimed.message_id, claimed.generation)
        plan = build(found.claimed, route, parents=parents, once_key=key, now=now)
        if isinstance(plan, Look):
            looked = await self.look(claimed, route, gate)
            if isinstance(looked, Ended):
                return looked
            found = looked
            plan = build(found.claimed, route, parents=parents, once_key=key, now=now, looked=True)
        match plan:
            case Nothing(reason=reason):
                return nothing(found, reason)
            case Missing(keys=keys):
                return held_for_parents(found.claimed, keys)
            case Ready():
                return await self._write(found, route, plan, gate)
            case _:
                raise AssertionError(plan)

    async def look(self, claimed: Claimed, route: Route, gate: Gate | None = None) -> Found | Ended:
        """Look for the document before it is created: by our reference, else by its natural key."""
        adapter = self._context.adapter(route.target)
        async with gate or Gate():
            if gate is not None and gate.is_shut:
                return _unsent(claimed)
            receipts = await self._in_time(route.target, adapter.find(claimed.record.kind, claimed.record.number))
        if len(receipts) > 1:
            return duplicate(self._context, claimed, receipts)
        if not receipts:
            return Found(claimed, calls=1)
        one = receipts[0]
        known = claimed.picture if claimed.picture is not None and claimed.picture.present else Picture()
        holds = {**known.fields, **(one.holds or {})}
        revision = one.far_revision
        picture = replace(
            known,
            fields=holds,
            present=True,
            far_revision=revision.text if revision else known.far_revision,
            far_order=revision.order if revision else known.far_order,
        )
        return Found(replace(claimed, far_id=one.far_id, picture=picture), holds=holds, calls=1)

    async def _write(self, found: Found, route: Route, plan: Ready, gate: Gate) -> Ended | None:
        """Prepare, put the bytes on record, send."""
        claimed, adapter = found.claimed, self._context.adapter(route.target)
        item, generation = plan.item, claimed.generation
        prepared = adapter.prepare(item)
        if (
            claimed.last_body is not None
            and prepared.body != claimed.last_body
            and route.writes.once is Once.IDEMPOTENT
        ):
            generation += 1  # other content must not go under the same key
            item = replace(item, once_key=self._context.once_key(claimed.message_id, generation))
            prepared = adapter.prepare(item)
        return await self._send(
            found, route, prepared, plan.asked, gate, generation=generation, creates=not item.far_id
        )

    async def _repeat(self, claimed: Claimed, route: Route, gate: Gate) -> Ended | None:
        """Send an open try again, byte for byte under its key; past the key's life it is looked for first."""
        pinned = claimed.pinned
        assert pinned is not None  # noqa: S101  (the caller looked)
        life = route.writes.key_life
        if life is not None and self._context.now() - moment(claimed.first_try_at or pinned.begun_at) > life:
            return await self._past_key_life(claimed, route, gate)
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
        return await self._send(
            Found(claimed),
            route,
            prepared,
            pinned.content,
            gate,
            generation=claimed.generation,
            creates=not pinned.far_id,
        )

    async def _past_key_life(self, claimed: Claimed, route: Route, gate: Gate) -> Ended | None:
        """The target has forgotten the key: what is there is looked up, and a new generation goes on from that."""
        if not route.writes.finds:
            text = "the target has forgotten the once_key, and cannot be asked"
            return failed(
                self._context, replace(claimed, tries=10**6), route, OutcomeUnknown(text, code="key_life"), calls=0
            )
        looked = await self.look(claimed, route, gate)
        if isinstance(looked, Ended):
            return looked
        fresh = outcome_of(claimed, State.READY, Reason.NOT_DELIVERED, "looked_for")
        fresh.generation = claimed.generation + 1
        keep_found(
            fresh, looked
        )  # the next claim builds against what is there: nothing more to do, an update, or a create
        return Ended(fresh, Signal(answered=True, calls=1))

    async def _send(
        self,
        found: Found,
        route: Route,
        prepared: Prepared,
        asked: Fields,
        gate: Gate,
        *,
        generation: int,
        creates: bool,
    ) -> Ended | None:
        claimed, adapter = found.claimed, self._context.adapter(route.target)
        system = self._context.system(route.target)
        begun = Begun(
            message_id=claimed.message_id,
            lease_no=claimed.lease_no,
            request=prepared.request,
            headers=prepared.headers,
            body=prepared.body,
            content=asked,
            once_key=prepared.once_key,
            generation=generation,
            far_id=prepared.far_id,
            far_revision=prepared.far_revision,
            takes_ms=int(system.limits.deadline.total_seconds() * 1000),
        )
        before = self._context.now()
        if not await self._begin.put(begun):
            return None  # the lease moved on: its new holder decides, and nothing of ours was sent
        try:
            async with gate:
                waited = self._context.now() - before
                if gate.is_shut or waited > system.limits.deadline:
                    return _unsent(claimed)  # it waited at the gate too long, or in vain: nothing of it was sent
                async with asyncio.timeout(system.limits.deadline.total_seconds()):
                    (receipt,) = await adapter.write([prepared])
        except TimeoutError:
            receipt = Receipt(error=OutcomeUnknown(no_answer(system.limits.deadline, prepared), code="timeout"))
        except CallError as error:
            receipt = Receipt(error=error)
        except Exception as error:  # noqa: BLE001  (foreign code after the first byte: the request may have arrived)
            text = f"{type(error).__name__} while {prepared.request} was sent: {error}"
            receipt = Receipt(error=OutcomeUnknown(text, code="defect"))
        calls = receipt.evidence.calls + found.calls
        if isinstance(receipt.error, AccessDenied | SystemDown):
            gate.is_shut = True  # at once: the store says in a moment whether the system is stopped or down
        if receipt.error is not None:
            ended = failed(self._context, claimed, route, receipt.error, calls=calls, receipt=receipt)
            keep_found(ended.outcome, found)
            return ended
        return await self._delivered(found, route, receipt, asked, creates=creates, calls=calls)

    async def _delivered(
        self, found: Found, route: Route, receipt: Receipt, asked: Fields, *, creates: bool, calls: int
    ) -> Ended:
        """A definite yes: what the target now holds is its answer, else what reading it back tells."""
        claimed = found.claimed
        holds, revision = receipt.holds, receipt.far_revision
        far_id = receipt.far_id or claimed.far_id
        if holds is None and route.reads.one and far_id and route.kind.nature is Nature.KEPT:
            holds, revision, calls = await self._read_back(route, far_id, revision, calls)
        if holds is None and found.holds is not None:
            holds = {**found.holds, **asked}
        reason = Reason(receipt.outcome) if receipt.outcome else (Reason.CREATED if creates else Reason.UPDATED)
        if creates and route.writes.finds and reason is Reason.UPDATED:
            reason = Reason.CREATED  # it was looked for and not there, whatever its answer calls it
        outcome = outcome_of(claimed, State.DONE, reason, reason)
        outcome.far_id = far_id
        outcome.present = not claimed.record.removed or bool(holds)  # out of use over there is still there
        outcome.holds, outcome.asked = holds, asked
        if revision is not None:
            outcome.far_revision, outcome.far_order = revision.text, revision.order
        evidence(outcome, receipt)
        return Ended(outcome, Signal(answered=True, calls=calls))

    async def _read_back(
        self, route: Route, far_id: str, revision: Revision | None, calls: int
    ) -> tuple[Fields | None, Revision | None, int]:
        adapter = self._context.adapter(route.target)
        try:
            told = await self._in_time(route.target, adapter.read(route.kind.name, far_id))
        except (CallError, TimeoutError):
            return None, revision, calls + 1  # it was delivered all the same; the next reading repaints the picture
        if told.document is None:
            return None, revision, calls + 1
        return flatten(told.document), told.revision or revision, calls + 1

    async def _in_time(self, target: str, call):  # type: ignore[no-untyped-def]  # any awaitable, its answer passed on
        """The call's answer within the system's deadline; a reading that takes longer counts as down."""
        deadline = self._context.system(target).limits.deadline
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                return await call
        except TimeoutError:
            raise SystemDown(f"{target} did not answer in {deadline.total_seconds():g} s", code="timeout") from None

    def _write_begun(self, db: Connection, tries: Sequence[Begun]) -> Sequence[bool]:
        now = self._context.now_ms
        ours = begin(db, tries, landscape_id=self._context.routes.names.landscape_id, now=now)
        return [begun.message_id in ours for begun in tries]


def _unsent(claimed: Claimed) -> Ended:
    """Ready as it was before it was claimed, the try given back; an open try stays pinned."""
    outcome = outcome_of(claimed, State.READY, Reason.RELEASED, "released")
    outcome.burn = False
    outcome.pinned_id = claimed.pinned.attempt_id if claimed.pinned is not None else None
    return Ended(outcome)
