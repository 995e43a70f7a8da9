"""A store with a past: documents that were told, kept and delivered, each with its contents, and some troubles among them.

Filled by SQL in the shape the engine leaves behind, and checked like any other store. One event, one record, one message
and one cross-reference a document; orders, customers and items in turn, all of them on their way to the shop.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from landscape import SOURCE, write_landscape

from erpsync.store import audit
from erpsync.store.checking import verify
from erpsync.store.connection import Connection, moment, ms, open_writer
from erpsync.store.lanes import lane_id
from erpsync.store.payloads import digest
from erpsync.store.schema import NO_MINUTE
from erpsync.store.store import Store
from erpsync.store.words import Words

KINDS = ("item", "customer", "order")
TARGETS = {"shop": "commerce"}
DEAD, UNKNOWN, HELD, READY, CASES, ACTS = 3_000, 300, 700, 1_000, 2_000, 10_000

_EACH = """WITH RECURSIVE
    number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :many),
    document (n, kind, key, at) AS (SELECT n,
        CASE n % 3 WHEN 0 THEN 'item' WHEN 1 THEN 'customer' ELSE 'order' END,
        CASE n % 3 WHEN 0 THEN printf('SKU-%07d', n) WHEN 1 THEN printf('CU-%d', n) ELSE printf('SO-%d', n) END,
        :now - (:many - n) * 50 FROM number)
"""
_CONTENT = """CASE kind
    WHEN 'item' THEN printf('{"sku":"%s","name":"Drill %d","barcode":"40%011d","unit":"pc","price":19950000}', key, n % 97, n)
    WHEN 'customer' THEN printf('{"number":"%s","name":"Meadow %d Ltd","email":"buyer.%d@meadow%d.example",'
        || '"street":"%d Quay Road","city":"Lisbon"}',
        key, n % 89, n, n % 89, n % 300)
    ELSE printf('{"number":"%s","customer":"CU-%d","currency":"USD","purchase_order":"PO-%d","note":"Leave at bay %d; ring twice.",'
        || '"lines.1.sku":"SKU-%07d","lines.1.quantity":4000000,"lines.2.sku":"SKU-%07d","lines.2.quantity":12000000}',
        key, n - 1, n * 13, n % 40, n + 1, n - 2) END"""
_STATE = f"""CASE WHEN n > :many - {DEAD} THEN 'dead' WHEN n > :many - {DEAD + UNKNOWN} THEN 'unknown'
    WHEN n > :many - {DEAD + UNKNOWN + HELD} THEN 'held' WHEN n > :many - {DEAD + UNKNOWN + HELD + READY} THEN 'ready' ELSE 'done' END"""
_FILL = (
    _EACH
    + f"INSERT INTO payloads SELECT 2 * n, digest(content), content FROM (SELECT n, CAST({_CONTENT} AS BLOB) AS content FROM document)",
    _EACH
    + "INSERT INTO payloads SELECT 2 * n - 1, digest(content), content FROM (SELECT n, CAST(printf("
    + '\'{"id":%d,"tracking":"1Z%010d","document":%s,"seen":%d}\', 2 * n, n * 7919, '
    + _CONTENT
    + ", at) AS BLOB) AS content FROM document)",
    _EACH
    + "INSERT INTO records (record_id, company_id, kind, number, content_id, origins, changed_at, event_id, newest_id) "
    "SELECT n, 1, kind, key, 2 * n, '{\"\":[1,0]}', at, n, n FROM document",
    _EACH
    + "INSERT INTO events (event_id, company_id, system_id, kind, record_id, previous_id, number, far_id, source_event_id, "
    "received_at, raw_id, canonical_id, verdict) SELECT n, 1, 1, kind, n, 0, key, 2 * n, printf('ev-%d', n), at, 2 * n - 1, 2 * n, "
    "'accepted' FROM document",
    _EACH
    + "INSERT INTO messages (message_id, company_id, event_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, lease_no, "
    "tries, reason, error, stake, currency, accepted_at, state_at, unknown_since) "
    "SELECT n, 1, n, 2, lane(n, 2), 1 + (n % 3), n, state, state <> 'done', at, 1, 1, "
    "CASE state WHEN 'done' THEN 'created' WHEN 'dead' THEN 'refused' ELSE '' END, "
    "CASE state WHEN 'dead' THEN 'the price is out of range' ELSE '' END, "
    "iif(kind = 'order', 1000 + n % 90000, 0), iif(kind = 'order', 'USD', ''), at, at + 300, iif(state = 'unknown', at + 300, NULL) "
    f"FROM (SELECT *, {_STATE} AS state FROM document)",
    _EACH
    + "INSERT INTO attempts (attempt_id, message_id, lease_no, try_no, claimed_at, begun_at, ended_at, outcome, request, body_id, "
    "content_id, far_id, status, answer, took_us) SELECT n, n, 1, 1, at, at + 10, at + 300, 'created', 'POST /documents', 2 * n, 2 * n, "
    '700000000 + n, 201, CAST(printf(\'{"id":%d,"invoice":"INV-%d"}\', 700000000 + n, n * 3) AS BLOB), 12000 FROM document',
    _EACH + "INSERT INTO xrefs SELECT 2, n, 1, kind, 700000000 + n, at FROM document",
    "INSERT INTO waits SELECT message_id, 'person', target_id, 'mira', state_at FROM messages WHERE state = 'held'",
    "INSERT INTO exceptions (company_id, kind, subject, system_id, record_id, message_id, event_id, opened_at, shows_at, stake, currency, "
    "text) SELECT 1, 'price_mismatch', r.kind || ':' || r.number, 2, m.record_id, m.message_id, m.event_id, m.state_at, m.state_at, "
    "m.stake, "
    f"m.currency, 'agreed 12.40, found 13.10' FROM messages m JOIN records r USING (record_id) WHERE m.state = 'dead' LIMIT {CASES}",
    "INSERT INTO counts (minute, company_id, flow_id, system_id, what, part, n, amount) "
    f"SELECT {NO_MINUTE}, company_id, flow_id, target_id, state, currency, count(*), sum(stake) FROM messages GROUP BY 2, 3, 4, 5, 6",
)


def landscape_with_a_past(room: Path, *, documents: int) -> Path:
    """The landscape file of a store with so many documents behind it."""
    now = datetime.now(UTC)
    path = room / "erpsync.db"
    Store.create(path, now=now).close()
    db = open_writer(path)
    try:
        db.execute("PRAGMA foreign_keys = OFF")  # checked once, when all of it is there
        db.execute("BEGIN IMMEDIATE")
        _fill(db, documents=documents, now=ms(now))
        db.execute("COMMIT")
        if problems := verify(db, quick=True):
            raise RuntimeError(f"the store was filled wrongly: {problems[:3]}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.close()
    os.sync()
    return write_landscape(room, kinds=KINDS, targets=TARGETS)


def index_the_words(path: Path) -> None:
    """The index that ``find`` looks into, made as workers make it."""
    with Store.open(path, now=datetime.now(UTC), write=False) as store:
        words = Words(path, store_id=store.store_id, epoch=store.epoch)
        try:
            while words.step(2_000).more:
                pass
        finally:
            words.close()


def _fill(db: Connection, *, documents: int, now: int) -> None:
    db.execute("INSERT INTO companies (company_id, name) VALUES (1, 'main')")
    names = [(n, name, now) for n, name in enumerate((SOURCE, *TARGETS), start=1)]
    db.executemany("INSERT INTO systems (system_id, name, since, proven, ramp) VALUES (?, ?, ?, 1, 1000)", names)
    db.executemany(
        "INSERT INTO flows (flow_id, name) VALUES (?, ?)", list(enumerate((f"{kind}s" for kind in KINDS), start=1))
    )
    db.create_function("digest", 1, digest)
    db.create_function("lane", 2, lane_id)
    for statement in _FILL:
        db.execute(statement, {"many": documents, "now": now} if ":many" in statement else {})
    for n in range(ACTS):
        at = moment(now + n)
        audit.append(
            db, chain="main", company_id=1, at=at, actor="mira", what="note", subject=f"message {n}", reason="a look"
        )
