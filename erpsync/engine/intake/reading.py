"""Reading systems: pages into the books, the cursor moving in the transaction that logs the page; scans and removals."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from erpsync.adapters.protocol import Page, Reads
from erpsync.config.landscape import Flow
from erpsync.engine.context import Context
from erpsync.engine.deliver.finishing import Signal, note_signals
from erpsync.engine.intake.apply import Applied, PullLost, apply
from erpsync.engine.intake.incoming import Incoming, receive
from erpsync.engine.intake.removals import conclude_removals
from erpsync.engine.pauses import Pauses
from erpsync.errors import AccessDenied, CallError, RetryLater
from erpsync.store import cases, cursors, systems
from erpsync.store.cases import Case
from erpsync.store.connection import Connection, ms
from erpsync.store.cursors import Pull

_CHUNK = 100  # documents in a transaction


@dataclass
class PullReport:
    """What reading one kind from one system came to; ``error`` is set when it could not be read to its end."""

    system: str
    kind: str
    read: int = 0
    total: int | None = None
    verdicts: Counter[str] = field(default_factory=Counter)
    offered: int = 0
    changed: int = 0
    nameless: bool = False  # something could not be read so far that nobody knows what it was
    error: CallError | None = None
    skipped: str = ""  # why it was not tried

    def add(self, applied: Applied, documents: int) -> None:
        """Count a page in."""
        self.read += documents
        self.verdicts.update(applied.verdicts)
        self.offered += len(applied.offered)
        self.changed += applied.changed
        self.nameless |= applied.nameless


class Puller:
    """Pulls one kind from one system at a time; safe beside other workers."""

    def __init__(self, context: Context, pauses: Pauses | None = None) -> None:
        """``pauses``: what is paused, as somebody else looks it up; None: only what is so when a pull begins."""
        self._context = context
        self._pauses = pauses or Pauses()

    def is_due(self, db: Connection, system: str, kind: str, flow: Flow) -> bool:
        """Whether it is time to read this, and nobody does, or may not. A due time beyond one period is a turned clock's."""
        context, now = self._context, self._context.now_ms
        if system in self._pauses.unread:
            return False
        state = cursors.state(db, context.routes.company_id, context.routes.names.systems[system], kind)
        if state is None:
            return True
        due_at, full_due_at, leased_until, _ = state
        if now < leased_until <= now + self._lease_ms(system):
            return False
        return min(due_at, full_due_at) <= now or due_at > now + 2 * _ms(flow.every)

    async def pull(
        self,
        system: str,
        kind: str,
        flow: Flow,
        *,
        force: bool = False,
        full: bool = False,
        progress: PullReport | None = None,
    ) -> PullReport:
        """Read what changed (or everything) and put it into the books; errors end up in the report."""
        report = progress or PullReport(system, kind)
        context = self._context
        system_id = context.routes.names.systems[system]
        pull, why = await context.store.writer.run(
            lambda db: self._lease(db, system_id, kind, flow, force=force, full=full)
        )
        if pull is None:
            report.skipped = why
            return report
        try:
            read_through = await self._read(pull, system, kind, report)
        except CallError as error:
            report.error = error
            await context.store.writer.run(lambda db: self._failed(db, pull, system, flow, report.error))
        except PullLost:
            report.skipped = "another worker reads on"
        except Exception as error:  # noqa: BLE001  (foreign code was called: the reading failed, the worker goes on)
            report.error = RetryLater(
                f"{type(error).__name__} while {kind} was read from {system}: {error}", code="defect"
            )
            await context.store.writer.run(lambda db: self._failed(db, pull, system, flow, report.error))
        else:
            if not read_through:
                report.skipped = "paused"
                await context.store.writer.run(lambda db: cursors.give_back(db, pull))
                return report
            scanned = pull.full or not self._reads(system, kind).changes
            await context.store.writer.run(
                lambda db: self._done(db, pull, system, flow, scanned=scanned, all_named=not report.nameless)
            )
        return report

    def _lease_ms(self, system: str) -> int:
        """How long a pull is ours without a further page: no call of ours outlives it."""
        return int(3000 * self._context.system(system).limits.deadline.total_seconds()) + 10_000

    @staticmethod
    def _is_scan(pull: Pull, reads: Reads) -> bool:
        """Whether what is read is everything there is: a full reading, or a system that cannot tell changes apart."""
        return pull.full or not reads.changes or reads.all_or_nothing

    def _reads(self, system: str, kind: str) -> Reads:
        return self._context.routes.capabilities[system].reads[kind]

    def _lease(
        self, db: Connection, system_id: int, kind: str, flow: Flow, *, force: bool, full: bool
    ) -> tuple[Pull | None, str]:
        context, now = self._context, self._context.now_ms
        company_id = context.routes.company_id
        cursors.ensure(db, company_id, system_id, kind, full_due_at=now + _ms(flow.full_every))
        row = systems.system(db, system_id)
        if row.inward != "up":
            return None, row.inward
        if row.limited_until > now:
            return None, "limited"
        until = now + self._lease_ms(context.system_named(system_id))
        if not row.proven and not systems.prove(db, system_id, now=now, until=until):
            return None, "proving"
        pull = cursors.lease(
            db, company_id, system_id, kind, worker_id=context.worker_id, now=now, until=until, force=force, full=full
        )
        if pull is None:
            if not row.proven:
                systems.give_back_proof(db, system_id)
            return None, "not due, or read by another worker"
        return pull, ""

    async def _read(self, pull: Pull, system: str, kind: str, report: PullReport) -> bool:
        """Read page by page; False when a person has paused the system meanwhile."""
        adapter, reads = self._context.adapter(system), self._reads(system, kind)
        scan = self._is_scan(pull, reads)
        seen: set[int] = set()
        numbers: set[str] = set()
        whole, began_at = True, self._context.now_ms
        since = not pull.full and (reads.changes or reads.all_or_nothing) and (reads.changes or bool(pull.cursor))
        pages = adapter.changes(kind, pull.cursor) if since else adapter.scan(kind)
        async for page in pages:
            whole = whole and page.whole
            report.total = page.total
            began_at = min(began_at, ms(page.read_at))
            whole = await self._page(pull, system, page, report, seen, numbers, scan=scan) and whole
            if system in self._pauses.unread:
                return False
        if scan and whole:
            applied = await self._context.store.writer.run(
                lambda db: conclude_removals(db, self._context, system, kind, seen, numbers, began_at=began_at)
            )
            report.add(applied, 0)
        return True

    async def _page(
        self,
        pull: Pull,
        system: str,
        page: Page,
        report: PullReport,
        seen: set[int],
        numbers: set[str],
        *,
        scan: bool,
    ) -> bool:
        """Put a page into the books; False when something on it could not be read so far that nobody knows what it was."""
        context, named = self._context, True
        incoming = await asyncio.to_thread(receive, page.tolds, read_at=page.read_at, whole_scan=scan)
        chunks = [incoming[n : n + _CHUNK] for n in range(0, len(incoming), _CHUNK)] or [[]]
        for n, chunk in enumerate(chunks):
            last = n == len(chunks) - 1
            reads = self._reads(system, pull.kind)
            keeps = (
                scan and reads.changes and not reads.all_or_nothing
            )  # a full reading leaves a feed's cursor where it is
            cursor = page.cursor if last and not keeps else None
            applied = await context.store.writer.run(
                lambda db, chunk=chunk, cursor=cursor, calls=page.calls if last else 0: self._apply(  # type: ignore[misc]  # bound now
                    db, pull, system, chunk, cursor=cursor, calls=calls
                )
            )
            seen |= applied.records
            numbers |= applied.numbers
            named = named and not applied.nameless
            report.add(applied, len(chunk))
        return named

    def _apply(
        self, db: Connection, pull: Pull, system: str, chunk: Sequence[Incoming], *, cursor: str | None, calls: int
    ) -> Applied:
        context, now = self._context, self._context.now_ms
        applied = apply(
            db,
            context.routes,
            system,
            chunk,
            now=now,
            restored_at=context.store.restored_at,
            pull=pull,
            cursor=cursors.current(db, pull) if cursor is None else cursor,
            pull_until=now + self._lease_ms(system),
        )
        if calls:
            note_signals(db, context, [(pull.system_id, Signal(answered=True, calls=calls))], now=now)
        return applied

    def _failed(self, db: Connection, pull: Pull, system: str, flow: Flow, error: CallError | None) -> None:
        assert error is not None  # noqa: S101  (called with what was raised)
        context, now = self._context, self._context.now_ms
        denied = isinstance(error, AccessDenied)
        after = error.after if isinstance(error, RetryLater) else None
        signal = Signal(denied=denied, text=error.message, calls=1)
        if isinstance(error, RetryLater):
            signal.answered = True
            signal.limited_until = now + _ms(min(after, timedelta(hours=1))) if after and after > timedelta() else 0
        elif not denied:
            signal.failed = error.code
        if error.code in _OF_THE_DOCUMENTS:
            signal.failed, signal.answered = "", True
        note_signals(db, context, [(pull.system_id, signal)], now=now)
        state = cursors.state(db, pull.company_id, pull.system_id, pull.kind)
        failures = state[3] if state else 0
        wait = min(_ms(flow.every), 1000 * 2 ** min(failures, 12))
        cursors.end(db, pull, now=now, due_at=now + max(wait, 1000), full_due_at=None, error=error.message, failed=True)
        if not denied and signal.answered and not isinstance(error, RetryLater):
            case = Case(
                "contract_violation",
                f"system:{system}/{pull.kind}",
                f"{pull.kind} cannot be read from {system}: {error.message}",
                system_id=pull.system_id,
            )
            cases.open_case(db, case, company_id=pull.company_id, now=now)

    def _done(self, db: Connection, pull: Pull, system: str, flow: Flow, *, scanned: bool, all_named: bool) -> None:
        now = self._context.now_ms
        full_due_at = now + _ms(flow.full_every) if scanned else None
        cursors.end(db, pull, now=now, due_at=now + _ms(flow.every), full_due_at=full_due_at)
        cases.heal(
            db,
            "contract_violation",
            company_id=pull.company_id,
            now=now,
            how="it can be read again",
            subject=f"system:{system}/{pull.kind}",
        )
        if scanned and all_named:
            cases.heal_under(
                db, "contract_violation", f"system:{system}/{pull.kind}/", company_id=pull.company_id, now=now
            )


_OF_THE_DOCUMENTS = frozenset({"http_400", "http_404", "http_422", "refused", "columns", "unmappable"})


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


async def read_again(context: Context, system: str, kind: str, far_id: str) -> Applied | None:
    """Read one far document and put it into the books (after a lost compare-and-set); None when it cannot be read now."""
    try:
        told = await context.adapter(system).read(kind, far_id)
    except CallError:
        return None
    batch = receive([told], read_at=context.now())
    return await context.store.writer.run(lambda db: apply(db, context.routes, system, batch, now=ms(context.now())))
