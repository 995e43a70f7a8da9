"""The event log: what systems told us, once, with its verdict. Immutable but for the verdict and the count of repeats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.store.connection import Connection
from erpsync.store.lanes import open_messages_of
from erpsync.store.rows import insert_rows, listed
from erpsync.store.schema import KEPT_BACK

# The index of events that can be brought back is used only where its condition is repeated.
WAITING_FOR_SETTLEMENT = (
    f"SELECT e.event_id FROM events e WHERE {KEPT_BACK} AND e.verdict = 'waits' "
    "AND e.company_id = ? AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.message_id IN "
    f"{open_messages_of('e.record_id', 'e.system_id')} AND (m.state IN ('leased', 'unknown') OR m.pinned_id IS NOT NULL)) "
    "ORDER BY e.event_id LIMIT ?"
)


@dataclass(slots=True)
class EventRow:
    """One event to be logged. Times in milliseconds; ``raw_id`` and ``canonical_id`` point at payloads.

    ``previous_id``: it changes its record, as that event did before it (0: none); None where it changes nothing.
    """

    event_id: int
    kind: str
    verdict: str
    received_at: int
    record_id: int | None = None
    number: str = ""
    far_id: str = ""
    far_revision: str | None = None
    far_order: int | None = None
    source_event_id: str | None = None
    removed: bool = False
    sent: bool = False
    at: int | None = None
    zone: str = ""
    raw_id: int | None = None
    canonical_id: int | None = None
    detail: str = ""
    previous_id: int | None = None


def insert_events(
    db: Connection, rows: Sequence[EventRow], *, company_id: int, system_id: int, landscape_id: int | None
) -> None:
    """Log events of one system."""
    insert_rows(
        db,
        "events (event_id, company_id, system_id, kind, record_id, number, far_id, far_revision, far_order, source_event_id, "
        "removed, sent, at, zone, received_at, raw_id, canonical_id, verdict, detail, previous_id, landscape_id)",
        [
            (
                *(
                    e.event_id,
                    company_id,
                    system_id,
                    e.kind,
                    e.record_id,
                    e.number,
                    e.far_id,
                    e.far_revision,
                    e.far_order,
                ),
                *(e.source_event_id, 1 if e.removed else 0, 1 if e.sent else 0, e.at, e.zone, e.received_at, e.raw_id),
                *(e.canonical_id, e.verdict, e.detail, e.previous_id, landscape_id),
            )
            for e in rows
        ],
    )


def remember_seen(
    db: Connection, company_id: int, system_id: int, rows: Iterable[tuple[str, bytes, int]], *, now: int
) -> None:
    """Keep (duplicate key, content hash, event id)."""
    insert_rows(
        db,
        "seen (company_id, system_id, dup_key, content_hash, event_id, seen_at)",
        [(company_id, system_id, key, bytearray(content), event_id, now) for key, content, event_id in rows],
        conflict="ON CONFLICT DO NOTHING",
    )


def removal_key(kind: str, number: str) -> str:
    """The duplicate key of a removal that waits for a person."""
    return f"gone:{kind}:{number}"


def let_go(db: Connection, company_id: int, system_id: int, kind: str, numbers: Iterable[str], *, why: str) -> None:
    """Held removals of these wait for nobody any more; told again, they are new."""
    keys = listed(removal_key(kind, number) for number in numbers)
    which = "FROM seen WHERE company_id = ? AND system_id = ? AND dup_key IN (SELECT value FROM json_each(?))"
    db.execute(
        f"UPDATE events SET verdict = 'stale', detail = ? WHERE verdict = 'held' AND event_id IN (SELECT event_id {which})",
        (why, company_id, system_id, keys),
    )
    db.execute(f"DELETE {which}", (company_id, system_id, keys))


def forget_unreadable(db: Connection, company_id: int, system_id: int, number: str) -> None:
    """What could not be read under this number has been mended: broken the same way again, it is new."""
    db.execute(
        "DELETE FROM seen WHERE company_id = ? AND system_id = ? AND dup_key >= ? AND dup_key < ?",
        (company_id, system_id, f"bad:{number}:", f"bad:{number};"),
    )


def any_removal_held(db: Connection, company_id: int, system_id: int, kind: str) -> bool:
    """Whether a removal of this kind in this system waits for a person."""
    return bool(
        db.execute(
            f"SELECT EXISTS (SELECT 1 FROM events WHERE {KEPT_BACK} AND verdict = 'held' "
            "AND company_id = ? AND system_id = ? AND kind = ?)",
            (company_id, system_id, kind),
        ).fetchone()[0]
    )


def count_repeats(db: Connection, event_ids: Sequence[int], *, now: int) -> None:
    """These events were told again."""
    if not event_ids:
        return
    db.executemany(
        "UPDATE events SET repeats = repeats + 1, repeated_at = ? WHERE event_id = ?",
        [(now, event_id) for event_id in event_ids],
    )


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event brought back: enough to read it again."""

    event_id: int
    system_id: int
    kind: str
    number: str
    far_id: str
    far_revision: str | None
    far_order: int | None
    source_event_id: str | None
    removed: bool
    at: int | None
    received_at: int
    verdict: str
    raw: bytes
    record_id: int | None


def kept(db: Connection, company_id: int, event_ids: Sequence[int]) -> list[KeptEvent]:
    """These events with their raw contents, oldest first."""
    rows = db.execute(
        "SELECT event_id, system_id, kind, number, far_id, far_revision, far_order, source_event_id, removed, at, received_at, "
        "verdict, content, record_id FROM events LEFT JOIN payloads ON payload_id = raw_id "
        "WHERE company_id = ? AND event_id IN (SELECT value FROM json_each(?)) ORDER BY event_id",
        (company_id, listed(event_ids)),
    )
    return [
        KeptEvent(
            event_id=row[0],
            system_id=row[1],
            kind=row[2],
            number=row[3],
            far_id=row[4],
            far_revision=row[5],
            far_order=row[6],
            source_event_id=row[7],
            removed=bool(row[8]),
            at=row[9],
            received_at=row[10],
            verdict=row[11],
            raw=bytes(row[12] or b""),
            record_id=row[13],
        )
        for row in rows
    ]


def set_verdict(db: Connection, event_id: int, verdict: str, *, detail: str, record_id: int | None = None) -> None:
    """What became of a kept event when it was read again."""
    db.execute(
        "UPDATE events SET verdict = ?, detail = ?, record_id = COALESCE(?, record_id) WHERE event_id = ?",
        (verdict, detail, record_id, event_id),
    )


def waiting_for_settlement(db: Connection, company_id: int, *, limit: int) -> list[int]:
    """Events that waited for an open try which is settled by now, oldest first."""
    rows = db.execute(WAITING_FOR_SETTLEMENT, (company_id, limit))
    return [int(row[0]) for row in rows]


def verdict_and_detail(db: Connection, event_id: int) -> tuple[str, str]:
    """What became of an event, and why."""
    row = db.execute("SELECT verdict, detail FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return str(row[0]), str(row[1])


def anything_waits(db: Connection, company_id: int) -> bool:
    """Whether an event waits for an open try that is settled by now."""
    return bool(waiting_for_settlement(db, company_id, limit=1))
