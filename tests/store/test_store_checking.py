"""What a store says about itself, and what it finds wrong with itself."""

from __future__ import annotations

import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from erpsync.errors import StoreDamaged, StoreError
from erpsync.store import audit, payloads
from erpsync.store.checking import Problem, verify
from erpsync.store.connection import SQLITE_VERSION, Connection, ms, open_reader, open_writer, sqlite_is_sound
from erpsync.store.facts import info
from erpsync.store.lanes import lane_id
from erpsync.store.schema import NO_MINUTE
from erpsync.store.store import Store

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
AT = ms(NOON)
PAGE = 2048


def fill(db: Connection) -> None:
    """One company, flow and system; a dead head and two behind it, one done, one leased."""
    db.execute("INSERT INTO companies VALUES (1, 'main')")
    db.execute("INSERT INTO systems (system_id, name, since) VALUES (1, 'wms', ?)", (AT,))
    db.execute("INSERT INTO flows (flow_id, name) VALUES (1, 'orders')")
    raw = payloads.put(db, b'{"number": "SO-1001"}' * 400)
    for record_id in (1, 2, 3):
        db.execute(
            "INSERT INTO records (record_id, company_id, kind, number, origins, changed_at) "
            "VALUES (?, 1, 'order', ?, '{}', ?)",
            (record_id, f"SO-{record_id}", AT),
        )
        db.execute(
            "INSERT INTO events (event_id, company_id, system_id, kind, received_at, verdict, raw_id) "
            "VALUES (?, 1, 1, 'order', ?, 'accepted', ?)",
            (record_id, AT + record_id, raw),
        )
    for message_id, record_id, state, is_head in (
        (1, 1, "dead", 1),
        (2, 1, "ready", 0),
        (3, 1, "held", 0),
        (4, 2, "done", 0),
        (5, 3, "leased", 1),
    ):
        db.execute(
            "INSERT INTO messages (message_id, company_id, event_id, target_id, lane_id, flow_id, record_id, state, "
            "is_head, due_at, lease_no, tries, stake, currency, accepted_at, state_at) "
            "VALUES (?, 1, ?, 1, ?, 1, ?, ?, ?, ?, 1, 1, 700, 'USD', ?, ?)",
            (message_id, record_id, lane_id(record_id, 1), record_id, state, is_head, AT, AT + message_id, AT),
        )
        db.execute(
            "INSERT INTO counts VALUES (?, 1, 1, 1, ?, 'USD', 1, 700) "
            "ON CONFLICT DO UPDATE SET n = n + 1, amount = amount + 700",
            (NO_MINUTE, state),
        )
    db.execute("INSERT INTO waits VALUES (3, 'person', 1, '', ?)", (AT,))
    db.execute(
        "INSERT INTO attempts (attempt_id, message_id, lease_no, try_no, claimed_at) VALUES (1, 5, 1, 1, ?)", (AT,)
    )
    for n in range(3):
        audit.append(db, chain="main", company_id=1, at=NOON, actor="mira", what="act", subject=f"message:{n}")


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with a little of everything, and whole."""
    store.writer.call(fill)
    return store


def problems(store: Store, *, quick: bool = False) -> list[tuple[str, str]]:
    with store.read() as db:
        return [(problem.check, problem.text) for problem in verify(db, quick=quick)]


def test_a_whole_store_has_no_problems(filled: Store) -> None:
    assert problems(filled) == []
    assert problems(filled, quick=True) == []


@pytest.mark.parametrize(
    ("breaks", "check", "text"),
    [
        (
            "UPDATE messages SET is_head = 0 WHERE message_id = 1",
            "lanes",
            "lane wms, order:SO-1 has no heads, message 1 is its oldest",
        ),
        (
            "UPDATE messages SET is_head = 1 WHERE message_id = 2",
            "lanes",
            "lane wms, order:SO-1 has 2 heads, message 1 is its oldest",
        ),
        (
            "UPDATE messages SET is_head = (message_id = 2) WHERE lane_id >> 16 = 1",
            "lanes",
            "lane wms, order:SO-1 has message 2 as its head, message 1 is older",
        ),
        *(
            (
                f"UPDATE messages SET lane_id = {lane} WHERE message_id = 4",
                "lanes",
                "message 4 stands in the lane of another system or company, or of a key that is not there",
            )
            for lane in (lane_id(2, 2), lane_id(99, 1))
        ),
        (
            "UPDATE counts SET n = n + 2 WHERE what = 'dead'",
            "totals",
            "totals of company 1, flow 1, system 1, dead are off by +2 messages",
        ),
        (
            "UPDATE counts SET amount = 0 WHERE what = 'done'",
            "totals",
            "totals of company 1, flow 1, system 1, done are off by +0 messages, -700 of its minor units of USD",
        ),
        (
            "DELETE FROM counts WHERE what = 'held'",
            "totals",
            "totals of company 1, flow 1, system 1, held are off by -1 messages, -700 of its minor units of USD",
        ),
        ("DELETE FROM waits", "states", "message 3 is held and waits for nothing"),
        ("UPDATE messages SET tries = 0", "states", "message 5 is leased without a try that counts"),
        (
            "UPDATE messages SET pinned_id = 1 WHERE message_id = 2",
            "references",
            "message 2 is pinned to an attempt that does not exist",
        ),
        (
            "UPDATE events SET landscape_id = 9 WHERE event_id = 2",
            "references",
            "events row 2 names a row of landscapes that does not exist",
        ),
        ("DELETE FROM payloads", "references", "events row 1 names a row of payloads that does not exist"),
        (
            "UPDATE records SET content_id = 77 WHERE record_id = 2",
            "references",
            "records row 2 names a row of payloads that does not exist",
        ),
        ("UPDATE payloads SET content = x'00'", "contents", "payload 1 is not what was stored"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(filled: Store, breaks: str, check: str, text: str) -> None:
    filled.close()
    with closing(open_writer(filled.path)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(breaks)
        assert (check, text) in [(problem.check, problem.text) for problem in verify(db)]


def test_a_change_in_the_audit_log_is_named(filled: Store) -> None:
    filled.close()
    with closing(open_writer(filled.path)) as db:
        db.execute("DROP TRIGGER audit_update")
        db.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
        assert verify(db) == [Problem("audit", "audit main 2 was changed after it was written")]


def test_totals_that_cancel_out_to_nothing_are_no_problem(filled: Store) -> None:
    filled.writer.call(
        lambda db: db.execute("INSERT INTO counts VALUES (?, 1, 1, 1, 'skipped', 'USD', 0, 0)", (NO_MINUTE,))
    )
    assert problems(filled) == []


def test_info_tells_what_there_is(filled: Store) -> None:
    with filled.read() as db:
        told = info(db, filled.path)
    assert told["path"] == str(filled.path)
    assert told["size"] > 0
    assert told["wal_size"] > 0
    assert told["mode"] == "0600"
    assert stat.S_IMODE(filled.path.stat().st_mode) == 0o600
    assert (told["schema"], told["schema_known"]) == (1, 1)
    assert (told["store_id"], told["epoch"], told["restored_at"]) == (filled.store_id, 1, None)
    assert told["created_at"] == NOON
    assert told["sqlite"] == ".".join(map(str, SQLITE_VERSION))
    assert told["tables"]["messages"] == 5
    assert told["tables"]["events"] == 3
    assert told["tables"]["xrefs"] == 0
    assert ms(told["oldest_event"]) == AT + 1
    assert ms(told["newest_event"]) == AT + 3
    assert ms(told["oldest_open"]) == AT + 1


def test_info_of_a_new_store_has_no_oldest(store: Store) -> None:
    with store.read() as db:
        told = info(db, store.path)
    assert (told["oldest_event"], told["newest_event"], told["oldest_open"]) == (None, None, None)


def root_page(path: Path, table: str) -> int:
    with closing(open_reader(path)) as db:
        return int(db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0])


def overwrite(path: Path, page: int, content: bytes, *, at: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE + at)
        file.write(content)


def test_a_damaged_page_is_named_and_whoever_reads_it_is_told(filled: Store) -> None:
    page = root_page(filled.path, "messages")
    filled.close()
    overwrite(filled.path, page, bytes(range(256)) * (PAGE // 256))
    with Store.open(filled.path, now=NOON, write=False) as store:
        with pytest.raises(StoreDamaged, match=r"store erpsync\.db is damaged") as caught, store.read() as db:
            db.execute("SELECT * FROM messages").fetchall()
        assert "erpsync store verify" in caught.value.hint
        with store.read() as db:
            found = verify(db)
        if sqlite_is_sound():  # older ones say only that it is malformed
            assert page in {number for problem in found for number in problem.pages}
        assert {"file", "lanes"} <= {problem.check for problem in found}
        with store.read() as db:  # what lies elsewhere can still be read
            assert db.execute("SELECT count(*) FROM audit").fetchone()[0] == 3


def test_a_write_that_meets_a_damaged_page_is_not_acknowledged(filled: Store) -> None:
    page = root_page(filled.path, "waits")
    filled.close()
    overwrite(filled.path, page, b"\xff" * PAGE)
    with Store.open(filled.path, now=NOON) as store, pytest.raises(StoreDamaged):
        store.writer.call(lambda db: db.execute("INSERT INTO waits VALUES (1, 'person', 1, '', 0)"))


def test_a_damaged_header_is_no_store(filled: Store) -> None:
    filled.close()
    overwrite(filled.path, 1, b"not a database")
    for write in (True, False):
        with pytest.raises(StoreDamaged):
            Store.open(filled.path, now=NOON, write=write)


def test_damage_anywhere_never_ends_in_anything_but_a_store_error(filled: Store) -> None:
    filled.close()
    content = filled.path.read_bytes()
    random = Random(11)
    found = 0
    for n in range(150):
        damaged = bytearray(content)
        start = random.randrange(0, len(content), PAGE) + (0 if n % 3 else random.randrange(PAGE))
        damaged[start : start + 300] = random.randbytes(len(damaged[start : start + 300]))
        filled.path.write_bytes(damaged)
        for leftover in (".epoch", "-wal", "-shm"):
            Path(f"{filled.path}{leftover}").unlink(missing_ok=True)
        try:
            with Store.open(filled.path, now=NOON, write=n % 2 == 0) as store, store.read() as db:
                found += bool(verify(db))
        except StoreError:
            found += 1
    assert found >= 90  # all that hit the head of a page; the rest fell on free space inside pages
