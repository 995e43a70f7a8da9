"""Sending one claimed message: look before creating, send the bytes that are on record once, judge the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from erpsync.adapters.deadlines import Deadlines
from erpsync.adapters.protocol import Receipt, Revision
from erpsync.domain.document import flatten
from erpsync.domain.flat import Fields
from erpsync.domain.kinds import Nature
from erpsync.domain.messages import Reason, State
from erpsync.engine.context import Context
from erpsync.engine.deliver.ending import Found, duplicate, evidence, failed, keep_found, no_answer, outcome_of
from erpsync.engine.deliver.finishing import Ended, Finisher, Signal
from erpsync.engine.deliver.gate import Gate
from erpsync.engine.deliver.leaving import Asks, Leaving, Planner, unsendable
from erpsync.engine.routes import Route
from erpsync.errors import CallError, Defect, OutcomeUnknown, StoreError, SystemDown
from erpsync.store.books import Picture
from erpsync.store.claimed import Claimed
from erpsync.store.connection import DatabaseError

MARGIN = timedelta(seconds=5)
_OF_ALL = (Reason.ACCESS_DENIED, Reason.SYSTEM_DOWN)  # what else would leave now would hear the same


class Sender:
    """Takes planned messages to their target, each to its end. ``reread`` is told of documents that must be read again."""

    def __init__(
        self, context: Context, planner: Planner, finisher: Finisher, *, reread: Callable[[str, str, str], None]
    ) -> None:
        self._context = context
        self._planner = planner
        self._finisher = finisher
        self._reread = reread
        self._deadlines = Deadlines()

    async def deliver(self, work: Leaving | Asks, gate: Gate) -> Ended | None:
        """Deliver one message. Its end is soon on record; at once where its system stops what waits, or said a conflict.

        None: the lease moved on, and nothing was sent.
        """
        route, claimed = work.route, work.claimed
        try:
            ended = await (self._send(work, gate) if isinstance(work, Leaving) else self._ask_first(work, gate))
        except (StoreError, DatabaseError, Defect):
            raise  # nothing is known of the message: the worker stops, and its lease ends
        except Exception as error:  # noqa: BLE001  (foreign code was called: what it raised becomes a verdict)
            ended = unsendable(self._context, claimed, route, error)
        if ended is None:
            return None
        ended.signal.prepaid = 1
        conflict = ended.outcome.reason == Reason.CONFLICT and bool(claimed.far_id)
        if not (conflict or ended.stops):
            self._finisher.add(ended)
            return ended
        speaks_for_all = ended.signal.limited_until > 0 or ended.outcome.reason in _OF_ALL
        gate.doubts += speaks_for_all
        try:
            await self._finisher.put(ended)
        finally:
            gate.doubts -= speaks_for_all
        if conflict:
            self._reread(route.target, claimed.record.kind, claimed.far_id)
        return ended

    def give_back(self, claimed: Claimed) -> None:
        """Nothing was sent of it: ready again, the try given back."""
        ended = _unsent(claimed)
        ended.signal.prepaid = 1
        self._finisher.add(ended)

    async def _ask_first(self, asks: Asks, gate: Gate) -> Ended | None:
        claimed, route = asks.claimed, asks.route
        if claimed.pinned is not None:
            return await self._past_key_life(claimed, route, gate)
        looked = await self.look(claimed, route, gate)
        if isinstance(looked, Ended):
            return looked
        plan = self._planner.plan_found(looked, route, asks.parents, looked=True)
        if isinstance(plan, Ended):
            return plan
        assert isinstance(plan, Leaving)  # noqa: S101  (what was looked for is not looked for again)
        return await self._send(plan, gate) if await self._planner.begin(plan) else None

    async def look(self, claimed: Claimed, route: Route, gate: Gate | None = None) -> Found | Ended:
        """Look for the document before it is created: by our reference, else by its natural key."""
        adapter = self._context.adapter(route.target)
        async with gate or Gate():
            if gate is not None and gate.is_closed:
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
            present=True,
            far_revision=revision.text if revision else known.far_revision,
            far_order=revision.order if revision else known.far_order,
        )
        picture.hold(holds)
        return Found(replace(claimed, far_id=one.far_id, picture=picture), holds=holds, calls=1)

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

    async def _send(self, leaving: Leaving, gate: Gate) -> Ended:
        found, route, prepared = leaving.found, leaving.route, leaving.prepared
        claimed, adapter = found.claimed, self._context.adapter(route.target)
        deadline = self._context.system(route.target).limits.deadline
        assert leaving.begun_at is not None  # noqa: S101  (nothing leaves that is not on record)
        try:
            async with gate:
                if gate.is_closed or self._context.now() - leaving.begun_at > deadline:
                    return _unsent(claimed)  # it waited at the gate too long, or in vain: nothing of it was sent
                ends_at = asyncio.get_running_loop().time() + deadline.total_seconds()
                with self._deadlines.until(ends_at):
                    (receipt,) = await adapter.write([prepared])
            if receipt.error is None:
                return await self._delivered(leaving, receipt)
        except TimeoutError:
            receipt = Receipt(error=OutcomeUnknown(no_answer(deadline, prepared), code="timeout"))
        except CallError as error:
            receipt = Receipt(error=error)
        except Exception as error:  # noqa: BLE001  (foreign code after the first byte: the request may have arrived)
            text = f"{type(error).__name__} while {prepared.request} was sent: {error}"
            receipt = Receipt(error=OutcomeUnknown(text, code="defect"))
        assert receipt.error is not None  # noqa: S101  (a definite yes has been returned)
        calls = receipt.evidence.calls + found.calls
        ended = failed(self._context, claimed, route, receipt.error, calls=calls, receipt=receipt)
        keep_found(ended.outcome, found)
        return ended

    async def _delivered(self, leaving: Leaving, receipt: Receipt) -> Ended:
        """A definite yes: what the target now holds is its answer, else what reading it back tells."""
        found, route, asked, creates = leaving.found, leaving.route, leaving.asked, leaving.creates
        claimed, calls = found.claimed, receipt.evidence.calls + found.calls
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
        outcome.holds, outcome.asked, outcome.asked_id = holds, asked, leaving.asked_id
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
        except Exception:  # noqa: BLE001  (it was delivered all the same; the next reading repaints the picture)
            return None, revision, calls + 1
        if told.document is None:
            return None, revision, calls + 1
        return flatten(told.document), told.revision or revision, calls + 1

    async def _in_time(self, target: str, call):  # type: ignore[no-untyped-def]  # any awaitable, its answer passed on
        """The call's answer within the system's deadline; a reading that takes longer counts as down."""
        deadline = self._context.system(target).limits.deadline
        try:
            with self._deadlines.until(asyncio.get_running_loop().time() + deadline.total_seconds()):
                return await call
        except TimeoutError:
            raise SystemDown(f"{target} did not answer in {deadline.total_seconds():g} s", code="timeout") from None


def _unsent(claimed: Claimed) -> Ended:
    """Ready as it was before it was claimed, the try given back; an open try stays pinned."""
    outcome = outcome_of(claimed, State.READY, Reason.RELEASED, "released")
    outcome.burn = False
    outcome.pinned_id = claimed.pinned.attempt_id if claimed.pinned is not None else None
    return Ended(outcome)
