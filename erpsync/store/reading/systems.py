"""Systems as people read them: how each stands, what waits for it, how quick it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from erpsync.store import workers
from erpsync.store.connection import Connection, moment
from erpsync.store.reading.selecting import company_id, moment_or_none
from erpsync.store.schema import DUE, LATE
from erpsync.store.systems import systems
from erpsync.store.totals import WITHIN_MS

Sums = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SystemStanding:
    """One system. ``counts`` and ``stakes`` are of the messages to it, by state; ``oldest_due`` when the oldest due one came.

    ``state`` is what was found: up, down or stopped. ``pause`` is what a person has paused: in, out, both, or nothing.

    ``p95`` is the bound that 19 of 20 timed calls of the last hour stayed within, in seconds as text; empty: longer than
    all bounds; None: there were none. ``per_second`` is how many were timed in the last whole minute.
    """

    system_id: int
    name: str
    state: str
    since: datetime
    failures: int
    last_error: str | None
    last_error_code: str | None
    last_error_at: datetime | None
    last_ok_at: datetime | None
    probe_at: datetime | None
    limited_until: datetime | None
    stopped_by: str | None
    pause: str = ""
    paused_at: datetime | None = None
    paused_by: str | None = None
    pause_reason: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    stakes: dict[str, Sums] = field(default_factory=dict)
    oldest_due: datetime | None = None
    p95: str | None = None
    per_second: float = 0.0

    @property
    def due(self) -> int:
        """How many are ready or leased."""
        return self.counts.get("ready", 0) + self.counts.get("leased", 0)

    @property
    def shown_state(self) -> str:
        """up, limited, down, stopped or paused; where reading alone is paused, down and stopped come first."""
        if self.is_unsent or (self.pause and self.state == "up"):
            return "paused"
        return "limited" if self.state == "up" and self.limited_until else self.state

    @property
    def shown_since(self) -> datetime:
        """Since when it is what is shown."""
        return self.paused_at if self.shown_state == "paused" and self.paused_at is not None else self.since

    @property
    def is_unsent(self) -> bool:
        """Whether a person lets nothing go to it."""
        return self.pause in ("out", "both")


def standings(db: Connection, company: str, *, now_ms: int, names: Iterable[str] | None = None) -> list[SystemStanding]:
    """Every system by name (or those of ``names``), from totals and index look-ups: the same cost at any size."""
    own = company_id(db, company)
    counts, stakes = _totals(db, own)
    flows = [int(row[0]) for row in db.execute("SELECT flow_id FROM flows")]
    wanted = None if names is None else set(names)
    found = []
    for name, row in systems(db).items():
        if wanted is not None and name not in wanted:
            continue
        found.append(
            SystemStanding(
                system_id=row.system_id,
                name=name,
                state=row.state,
                since=moment(row.since),
                failures=row.failures,
                last_error=row.last_error,
                last_error_code=row.last_error_code,
                last_error_at=moment_or_none(row.last_error_at),
                last_ok_at=moment_or_none(row.last_ok_at),
                probe_at=moment_or_none(row.probe_at),
                limited_until=moment(row.limited_until) if row.limited_until > now_ms else None,
                stopped_by=row.stopped_by,
                pause=row.pause,
                paused_at=moment_or_none(row.paused_at),
                paused_by=row.paused_by,
                pause_reason=row.pause_reason,
                counts=counts.get(row.system_id, {}),
                stakes=stakes.get(row.system_id, {}),
                oldest_due=_oldest_due(db, row.system_id, flows),
                p95=_p95(db, own, row.system_id, now_ms=now_ms),
                per_second=_per_second(db, own, row.system_id, now_ms=now_ms),
            )
        )
    return found


def _totals(db: Connection, company: int) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, Sums]]]:
    counts: dict[int, dict[str, int]] = {}
    stakes: dict[int, dict[str, Sums]] = {}
    for target, state, currency, n, stake in db.execute(
        "SELECT target_id, state, currency, sum(n), sum(stake) FROM totals WHERE company_id = ? GROUP BY target_id, state, currency",
        (company,),
    ):
        of_target = counts.setdefault(target, {})
        of_target[state] = of_target.get(state, 0) + int(n)
        if stake:
            sums = stakes.setdefault(target, {})
            sums[state] = (*sums.get(state, ()), (currency, int(stake)))
    return counts, stakes


def _oldest_due(db: Connection, system_id: int, flows: list[int]) -> datetime | None:
    """When the oldest message that is ready or leased was accepted.

    The head that is due first is the oldest of those that wait as they came; whoever has waited longer has been tried, or
    stands behind another: those have an index of their own. Leased are no more than workers carry; those of a
    buried worker are due at 0.
    """
    found = [db.execute("SELECT min(accepted_at) FROM messages WHERE state = 'leased' AND target_id = ?", (system_id,))]
    oldest = [row[0] for rows in found for row in rows if row[0] is not None]
    oldest += [at for flow_id in flows for at in oldest_ready(db, system_id, flow_id)]
    return moment_or_none(min(oldest, default=None))


def oldest_ready(db: Connection, system_id: int, flow_id: int) -> list[int]:
    """When those came (milliseconds) of which one is the oldest that waits for a system along a flow; none: nothing waits."""
    found = []
    for condition, order in ((f"is_head = 1 AND state {DUE} AND due_at > 0", "due_at"), (LATE, "message_id")):
        sql = f"SELECT accepted_at FROM messages WHERE {condition} AND target_id = ? AND flow_id = ? ORDER BY {order} LIMIT 1"
        found += [int(row[0]) for row in db.execute(sql, (system_id, flow_id))]
    return found


def _p95(db: Connection, company: int, system_id: int, *, now_ms: int) -> str | None:
    found = dict(
        db.execute(
            "SELECT within_ms, sum(n) FROM buckets WHERE minute > ? AND company_id = ? AND system_id = ? AND within_ms <> '' "
            "GROUP BY 1",
            (now_ms // 60_000 - 60, company, system_id),
        ).fetchall()
    )
    total, seen = sum(found.values()), 0
    for bound in WITHIN_MS:
        seen += found.get(bound, 0)
        if total and seen * 20 >= total * 19:
            return "" if bound == WITHIN_MS[-1] else str(int(bound) / 1000)
    return None


def _per_second(db: Connection, company: int, system_id: int, *, now_ms: int) -> float:
    (n,) = db.execute(
        "SELECT COALESCE(sum(n), 0) FROM buckets WHERE minute = ? AND company_id = ? AND system_id = ? AND within_ms <> ''",
        (now_ms // 60_000 - 1, company, system_id),
    ).fetchone()
    return float(n) / 60


def workers_alive(db: Connection, *, now_ms: int) -> int:
    """How many workers run."""
    return workers.alive(db, now=now_ms)


def outcomes_of_last_hour(db: Connection, company: str, *, now_ms: int) -> dict[str, int]:
    """What happened in the last sixty minutes, by outcome."""
    rows = db.execute(
        "SELECT outcome, sum(n) FROM buckets WHERE minute > ? AND company_id = ? GROUP BY outcome",
        (now_ms // 60_000 - 60, company_id(db, company)),
    )
    return {str(outcome): int(n) for outcome, n in rows}
