"""Reading only some documents: those of given keys, or those their source changed since a moment. No cursor moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from erpsync.adapters.protocol import Told
from erpsync.domain.kinds import kind_named
from erpsync.engine.context import Context
from erpsync.engine.intake.apply import apply
from erpsync.engine.intake.incoming import receive
from erpsync.engine.intake.reading import PullReport
from erpsync.errors import CallError
from erpsync.store import systems, xrefs


@dataclass(frozen=True)
class Narrow:
    """Which documents are meant. ``numbers`` None: any; ``since`` None: whenever they changed."""

    numbers: frozenset[str] | None = None
    since: datetime | None = None

    def admits(self, told: Told, number: str) -> bool:
        """Whether this one is meant. What tells no time of its own may have changed since."""
        if self.numbers is not None and number not in self.numbers:
            return False
        return self.since is None or told.at is None or told.at >= self.since


async def pull_some(context: Context, report: PullReport, narrow: Narrow) -> PullReport:
    """Read what ``narrow`` admits and put it into the books; errors end up in the report."""
    if _is_paused(context, report.system):
        report.skipped = "paused"
        return report
    try:
        async for tolds, read_at in _pages(context, report.system, report.kind, narrow):
            batch = receive(tolds, read_at=read_at)
            meant = [inc for told, inc in zip(tolds, batch, strict=True) if narrow.admits(told, inc.number)]
            if meant:
                applied = await context.store.writer.run(
                    lambda db, meant=meant: apply(  # type: ignore[misc]  # bound now
                        db,
                        context.routes,
                        report.system,
                        meant,
                        now=context.now_ms,
                        restored_at=context.store.restored_at,
                    )
                )
                report.add(applied, len(meant))
            if _is_paused(context, report.system):
                report.skipped = "paused"
                break
    except CallError as error:
        report.error = error
    return report


def _is_paused(context: Context, system: str) -> bool:
    with context.store.read() as db:
        return systems.system(db, context.routes.names.systems[system]).inward == "paused"


async def _pages(
    context: Context, system: str, kind: str, narrow: Narrow
) -> AsyncIterator[tuple[Sequence[Told], datetime]]:
    """Each known document by its far id where the system can be asked so, else everything there is."""
    adapter = context.adapter(system)
    far_ids = _far_ids(context, system, kind, narrow.numbers) if narrow.numbers is not None else {}
    known = narrow.numbers is not None and len(far_ids) == len(narrow.numbers)
    if known and context.routes.capabilities[system].reads[kind].one:
        for far_id in far_ids.values():
            read_at = context.now()
            yield [await adapter.read(kind, far_id)], read_at
        return
    async for page in adapter.scan(kind):
        yield page.tolds, page.read_at


def _far_ids(context: Context, system: str, kind: str, numbers: Collection[str]) -> dict[str, str]:
    names = context.routes.names
    with context.store.read() as db:
        keys = [f"{kind_named(kind).name}:{number}" for number in numbers]
        return xrefs.far_ids_of_keys(db, names.company_id, names.systems[system], keys)
