"""What waits where nothing goes: the documents for a system or along a flow, and each paused flow as a cause."""

from __future__ import annotations

from erpsync.store import flows
from erpsync.store.connection import Connection, moment
from erpsync.store.reading.cause import Cause, Code, Document, money, summed
from erpsync.store.schema import DUE, LATE


def waiting_documents(db: Connection, company: int, system_id: int, *, flow_id: int | None = None) -> list[Document]:
    """The documents of what is ready or leased to a system, along one flow or all."""
    of_target = (
        "SELECT m.* FROM flows f CROSS JOIN messages m ON m.flow_id = f.flow_id AND m.target_id = ?1"
        if flow_id is None
        else "SELECT m.* FROM messages m WHERE m.flow_id = ?3 AND m.target_id = ?1"
    )
    also = "WHERE" if flow_id is None else "AND"
    rows = db.execute(
        f"SELECT record_id, currency, max(stake) FROM ({of_target} {also} is_head = 1 AND state {DUE} "
        f"UNION ALL {of_target} {also} is_head = 0 AND {LATE}) WHERE company_id = ?2 GROUP BY record_id, currency",
        (system_id, company) if flow_id is None else (system_id, company, flow_id),
    )
    return [(int(record), str(currency), int(stake)) for record, currency, stake in rows]


def paused_flows(db: Connection, company: int, *, most: int) -> list[tuple[Cause, list[Document] | None]]:
    """Each paused flow along which something waits, with its documents where they are no more than ``most``."""
    found: list[tuple[Cause, list[Document] | None]] = []
    for flow in flows.paused(db).values():
        totals = db.execute(
            "SELECT target_id, currency, sum(n), sum(stake) FROM totals WHERE company_id = ? AND flow_id = ? "
            "AND state IN ('ready', 'leased') GROUP BY target_id, currency",
            (company, flow.flow_id),
        ).fetchall()
        waiting = sum(int(n) for _, _, n, _ in totals)
        if not waiting:
            continue
        documents = None
        if waiting <= most:
            documents = [
                document
                for target in dict.fromkeys(int(row[0]) for row in totals)
                for document in waiting_documents(db, company, target, flow_id=flow.flow_id)
            ]
        sums = summed((row[1], int(row[3])) for row in totals) if documents is None else money(documents)
        cause = Cause(
            *(Code.FLOW_PAUSED, None, moment(flow.paused_at), waiting, 0, False, sums),
            error=flow.pause_reason,
            flow=flow.name,
            by=flow.paused_by,
        )
        found.append((cause, documents))
    return found
