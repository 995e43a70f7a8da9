"""The adapter: a spec file's kinds, read and written over one system's connections.

The rule of this room: it puts the parts together and decides nothing; what an answer means is the judge's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from erpsync.adapters.http.access import access
from erpsync.adapters.http.answers import Judge, Judged, Use
from erpsync.adapters.http.cursors import Cursor, read_cursor
from erpsync.adapters.http.expressions import compile_expression
from erpsync.adapters.http.functions import Setting, Words
from erpsync.adapters.http.jsontext import read_page
from erpsync.adapters.http.loading import load_spec
from erpsync.adapters.http.mapping import Mapping
from erpsync.adapters.http.paging import Walk
from erpsync.adapters.http.plan import ALWAYS, Asked, KindPlan, readings_of
from erpsync.adapters.http.spec import KindSpec
from erpsync.adapters.http.throttle import told_time
from erpsync.adapters.http.transport import KEPT, Answer, Lost, NotSent, Transport
from erpsync.adapters.http.writing import Writer
from erpsync.adapters.protocol import Capabilities, Evidence, Health, Item, Page, Prepared, Reads, Receipt, Told
from erpsync.config.landscape import System
from erpsync.domain.document import flatten
from erpsync.domain.kinds import kind_named
from erpsync.errors import BadDocument, CallError, Defect, LandscapeError, RetryLater


class HttpAdapter:
    """One system spoken to as its spec file says. Opened without any input or output beside reading that file."""

    def __init__(
        self, system: System, *, secret: str | None, currency: str, now: Callable[[], datetime], company_zone: str
    ) -> None:
        if system.spec is None:
            raise LandscapeError(f"system {system.name} names no spec file", where=f"systems.{system.name}.spec")
        self.system = system.name
        self._now = now
        self.spec = load_spec(system.spec, options=frozenset(system.options))
        self.options = {f"options.{name}": str(value) for name, value in system.options.items()}
        self.access = access(
            self.spec.auth, system=system.name, secret=secret, user=str(system.options.get("user", ""))
        )
        self.transport = Transport(system.url, system.limits, now, self.access.headers)
        self.words = Words(
            Setting(currency=currency, zone=self.spec.zone or "UTC", company_zone=company_zone, codes=self.spec.codes)
        )
        self._headers = {**ALWAYS, **self.spec.headers}
        self._kinds = {name: self._planned(name, given) for name, given in self.spec.kinds.items()}
        self._judge = Judge(system.name, self.spec.errors, self.spec.throttle, self.access, self.words)
        self._at_once = system.limits.concurrency
        self._deadline = system.limits.deadline.total_seconds()

    def capabilities(self) -> Capabilities:
        """What the spec says its system can do."""
        reads = {
            name: Reads(
                changes=kind.spec.changes is not None,
                scan=kind.spec.scan is not None,
                one=kind.spec.one is not None,
                ordered=kind.mapping.ordered,
            )
            for name, kind in self._kinds.items()
            if kind.spec.changes or kind.spec.scan or kind.spec.one
        }
        writes = {name: can for name, kind in self._kinds.items() if (can := kind.writer.capability()) is not None}
        return Capabilities(reads=reads, writes=writes)

    async def changes(self, kind: str, cursor: str) -> AsyncIterator[Page]:
        """Pages of what changed since ``cursor``; raises CallError."""
        async for page in self._pages(kind, "changes", read_cursor(cursor)):
            yield page

    async def scan(self, kind: str) -> AsyncIterator[Page]:
        """Pages of everything; raises CallError."""
        async for page in self._pages(kind, "scan", Cursor()):
            yield page

    async def read(self, kind: str, far_id: str) -> Told:
        """One document as it is now; ``removed`` when it is gone. Raises CallError."""
        plan = self._plan(kind)
        if plan.one is None or plan.spec.one is None or plan.one_item is None:
            raise Defect(f"system {self.system} cannot be asked for one {kind}")
        try:
            answer = await self._send(plan.one, {"far_id": far_id, **self.options})
        except (NotSent, Lost) as error:
            raise plan.judge.failed(error, "read") from None
        judged = plan.judge.judge(answer, "read", now=self._now(), gone=plan.spec.one.gone)
        if judged.error is not None:
            raise judged.error
        if judged.gone:
            return Told(kind, b"", far_id=far_id, removed=True)
        item = plan.one_item.of(judged.value)
        if item is None:
            text = f"system {self.system} sent no document (looked for at {plan.spec.one.item})"
            raise RetryLater(text, code="unreadable_answer", throttled=False)
        return plan.mapping.told(item, place=f"{self.system} {kind} {far_id}", sound=judged.sound)

    def understand(self, kind: str, raw: bytes) -> Told:
        """Read again what was kept raw, with the mapping of now."""
        plan = self._plan(kind)
        try:
            item, sound = read_page(raw)
        except ValueError as error:
            return Told(kind, raw, error=BadDocument(f"document is no JSON: {error}", place=f"{self.system} {kind}"))
        return plan.mapping.told(item, place=f"{self.system} {kind}", sound=sound, entry=plan.entry)

    def prepare(self, item: Item) -> Prepared:
        """The request for an item; raises Unmappable or ParentMissing."""
        return self._plan(item.kind).writer.prepare(item)

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        """Send each once, as it is; a receipt for each, in order."""
        until = asyncio.get_running_loop().time() + self._deadline
        if len(batch) == 1:
            return [await self._write(batch[0], until)]
        room = asyncio.Semaphore(self._at_once)

        async def in_turn(prepared: Prepared) -> Receipt:
            try:
                async with asyncio.timeout_at(until):
                    await room.acquire()
            except TimeoutError:
                text = f"system {self.system} took all the time there was with the writes before this one"
                error = RetryLater(text, code="not_sent", hint="nothing was sent", throttled=False)
                return Receipt(number=prepared.number, far_id=prepared.far_id, error=error)
            try:
                return await self._write(prepared, until)
            finally:
                room.release()

        return await asyncio.gather(*(in_turn(prepared) for prepared in batch))

    async def find(self, kind: str, number: str) -> Sequence[Receipt]:
        """What the system has under this number; raises CallError."""
        plan = self._plan(kind)
        if plan.spec.find is None:
            raise Defect(f"system {self.system} cannot be searched for {kind}: its spec has no find")
        for name in ("by_reference", "by_natural_key"):
            found: dict[str, Receipt] = {}
            if name not in plan.readings:
                continue
            if (asked := plan.find_places(number)) is None:
                continue
            async for page in self._pages(kind, name, Cursor(), use="find", asked=asked):
                for told in page.tolds:
                    if told.number == number and told.far_id and not told.removed:
                        holds = flatten(told.document) if told.document is not None else None
                        found[told.far_id] = Receipt("unchanged", told.far_id, told.revision, holds, number)
            if found:
                return list(found.values())
        return []

    async def probe(self) -> Health:
        """A harmless call; raises CallError."""
        if self.spec.probe is None:
            raise LandscapeError(f"the spec of system {self.system} has no [probe]", where="probe")
        asked = Asked(self.spec.probe, self.words, self._headers, base=self.transport.base)
        before = self._now()
        try:
            answer = await self._send(asked, self.options)
        except (NotSent, Lost) as error:
            raise self._judge.failed(error, "probe") from None
        judged = self._judge.judge(answer, "probe", now=self._now())
        if judged.error is not None:
            raise judged.error
        text = ""
        if self.spec.probe.text is not None:
            said = compile_expression(self.spec.probe.text, self.words).of(judged.value)
            text = self.access.clear(said)[:200] if isinstance(said, str) else ""
        theirs = told_time(answer.headers)
        # A Date header is cut to the second: on average half a second has passed since.
        offset = theirs + timedelta(seconds=0.5) - before - (self._now() - before) / 2 if theirs else None
        return Health(seconds=answer.seconds, text=text, clock_offset=offset)

    async def close(self) -> None:
        """Give back connections."""
        await self.transport.close()

    async def _pages(
        self, kind: str, name: str, cursor: Cursor, *, use: Use = "read", asked: dict[str, str] | None = None
    ) -> AsyncIterator[Page]:
        plan = self._plan(kind)
        if name not in plan.readings:
            raise Defect(f"system {self.system} cannot be asked for {kind}: its spec has no {name}")
        request, walk, entry = plan.readings[name], plan.walks[name], plan.entries[name]
        given = {**self.options, **(asked or {})}

        async def ask(places: dict[str, str], address: str) -> tuple[Answer, Judged]:
            try:
                answer = await self._send(request, {**given, **places}, address=address)
            except (NotSent, Lost) as error:
                raise plan.judge.failed(error, use) from None
            judged = plan.judge.judge(answer, use, now=self._now())
            if judged.error is not None:
                raise judged.error
            return answer, judged

        def tell(item: Any, sound: bool, number: int) -> Told:
            place = f"{self.system} {kind} {name} item {number + 1}"
            return plan.mapping.told(item, place=place, sound=sound, entry=entry)

        async for page in walk.pages(cursor, ask, tell):
            yield page

    async def _send(self, asked: Asked, places: dict[str, str], *, address: str = "") -> Answer:
        body = asked.body.text({}, places, None).encode() if asked.body else b""
        return await self.transport.call(asked.method, address or asked.target(places), asked.headers(places), body)

    async def _write(self, prepared: Prepared, until: float) -> Receipt:
        plan = self._plan(prepared.kind)
        method, _, target = prepared.request.partition(" ")
        started = time.perf_counter()
        try:
            answer = await self.transport.call(method, target, prepared.headers, prepared.body, until=until)
        except (NotSent, Lost) as error:
            evidence = Evidence(seconds=time.perf_counter() - started)
            if isinstance(error, Lost):
                evidence = self._evidence(error.answer, seconds=evidence.seconds)
            told = plan.judge.failed(error, "write")
            return Receipt(number=prepared.number, far_id=prepared.far_id, evidence=evidence, error=told)
        judged = plan.judge.judge(answer, "write", now=answer.ended_at or self._now())
        evidence = self._evidence(answer, seconds=answer.seconds)
        receipt, unread = plan.writer.receipt(prepared, answer, judged, evidence)
        if unread and plan.one is not None and plan.spec.write is not None and plan.spec.write.read_back:
            return await self._read_back(receipt, prepared, until)
        return receipt

    async def _read_back(self, receipt: Receipt, prepared: Prepared, until: float) -> Receipt:
        """The receipt with what the document now holds; as it was where that cannot be read now."""
        try:
            async with asyncio.timeout_at(until):
                told = await self.read(prepared.kind, receipt.far_id)
        except (CallError, TimeoutError):
            return receipt
        if told.document is None:
            return receipt
        seen = receipt.evidence
        return Receipt(
            outcome=receipt.outcome,
            far_id=receipt.far_id,
            far_revision=told.revision or receipt.far_revision,
            holds=flatten(told.document),
            number=told.number,
            evidence=Evidence(seen.status, seen.answer, seen.answer_cut, seen.seconds, seen.calls + 1, seen.sent_at),
        )

    def _evidence(self, answer: Answer | None, *, seconds: float) -> Evidence:
        if answer is None:
            return Evidence(seconds=seconds, sent_at=self._now())
        body = self.access.clear_bytes(answer.body[: KEPT + 512])[:KEPT]
        cut, sent_at = len(answer.body) > KEPT, answer.ended_at or self._now()
        return Evidence(answer.status, body, cut, seconds, sent_at=sent_at)

    def _planned(self, name: str, given: KindSpec) -> KindPlan:
        mapping = Mapping(kind_named(name), given, self.words)
        decimals_as_text = self.spec.decimals == "text"
        base = self.transport.base
        writer = Writer(self.system, given, mapping, self.words, self._headers, self.options, base, decimals_as_text)
        rules = (*given.errors, *self.spec.errors)
        judge = Judge(self.system, rules, self.spec.throttle, self.access, self.words)
        walks = {
            reading_name: Walk(
                self.system, reading, self.words, self.transport.origin, self._now, reading_name == "scan"
            )
            for reading_name, reading in readings_of(given).items()
        }
        return KindPlan(given, mapping, judge, writer, walks, self.words, self._headers, base)

    def _plan(self, kind: str) -> KindPlan:
        try:
            return self._kinds[kind]
        except KeyError:
            raise Defect(f"the spec of system {self.system} knows no {kind}") from None
