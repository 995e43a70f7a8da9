"""What is counted as it happens: messages by state, and per-minute buckets. Reading them costs the same at any size.

Every change of a message's state goes through ``Tally``: that is the one place that keeps totals true.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from erpsync.store.connection import Connection
from erpsync.store.rows import insert_rows
from erpsync.store.schema import NO_MINUTE

_EDGES_US = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
WITHIN_MS = (*(str(us // 1000) for us in _EDGES_US), "more")
"""What a call's time is counted under: the first of these bounds that it stayed within."""

_COUNTS = "counts (minute, company_id, flow_id, system_id, what, part, n, amount)"
_ADD = "ON CONFLICT DO UPDATE SET n = n + excluded.n, amount = amount + excluded.amount"


class Tally:
    """Changes of totals and buckets within one transaction, written at its end with ``write``."""

    def __init__(self, company_id: int) -> None:
        self.company_id = company_id
        self._totals: dict[tuple[int, int, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._buckets: dict[tuple[int, int, int, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def move(
        self, *, flow_id: int, target_id: int, before: str | None, after: str | None, stake: int, currency: str
    ) -> None:
        """One message left a state for another; None: it did not exist before, or is pruned now."""
        if before == after:
            return
        if before is not None:
            row = self._totals[flow_id, target_id, before, currency]
            row[0] -= 1
            row[1] -= stake
        if after is not None:
            row = self._totals[flow_id, target_id, after, currency]
            row[0] += 1
            row[1] += stake

    def arrived(self, *, flow_id: int, target_id: int, state: str, n: int, stake: int, currency: str) -> None:
        """``n`` new messages in a state, with ``stake`` between them."""
        row = self._totals[flow_id, target_id, state, currency]
        row[0] += n
        row[1] += stake

    def happened(self, *, at: int, flow_id: int, system_id: int, outcome: str, took_us: int = 0, n: int = 1) -> None:
        """Something was done ``n`` times; ``at`` in milliseconds, ``took_us`` in microseconds for each, 0: not timed."""
        within = WITHIN_MS[bisect_left(_EDGES_US, took_us)] if took_us else ""
        row = self._buckets[at // 60_000, flow_id, system_id, outcome, within]
        row[0] += n
        row[1] += took_us * n

    def write(self, db: Connection) -> None:
        """Add what was gathered to the store."""
        company_id = self.company_id
        rows = [
            (NO_MINUTE, company_id, flow, target, state, currency, n, stake)
            for (flow, target, state, currency), (n, stake) in sorted(self._totals.items())
            if n or stake
        ]
        for (minute, flow, system, outcome, within), (n, took_us) in sorted(self._buckets.items()):
            rows.append((minute, company_id, flow, system, outcome, within, n, took_us))
        insert_rows(db, _COUNTS, rows, conflict=_ADD)
        self._totals.clear()
        self._buckets.clear()
