"""The audit chain: who decided what, and that nobody changed it since."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

import erpsync
from erpsync.store import audit, payloads
from erpsync.store.connection import Connection, IntegrityError, open_reader, open_writer
from erpsync.store.store import Store

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def book(store: Store) -> Store:
    """A store in which forty acts are on record, in two chains."""

    def acts(db: Connection) -> None:
        for n in range(40):
            audit.append(
                db,
                chain="main" if n % 4 else "other",
                company_id=1,
                at=NOON + timedelta(minutes=n),
                actor="mira",
                what="messages.settle",
                subject=f"message:{n}",
                reason='she said "delivered", ünd → so it was',
                command=f"erpsync messages settle {n}",
                before=b'{"state": "unknown"}',
                after=f'{{"state": "done", "n": {n}}}'.encode() if n % 3 else None,
            )

    store.writer.call(acts)
    return store


def test_acts_are_numbered_and_keep_what_was_before_and_after(book: Store) -> None:
    with book.read() as db:
        rows = db.execute("SELECT * FROM audit WHERE chain = 'main' ORDER BY seq").fetchall()
        assert [row["seq"] for row in rows] == list(range(1, 31))
        assert rows[0]["version"] == erpsync.__version__
        assert payloads.get(db, rows[0]["before_id"]) == b'{"state": "unknown"}'
        assert payloads.get(db, rows[0]["after_id"]) == b'{"state": "done", "n": 1}'
        assert audit.verify(db) == []


def test_an_act_on_record_cannot_be_changed_or_removed(book: Store) -> None:
    for sql in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit WHERE seq = 3"):
        with pytest.raises(IntegrityError, match="append-only"):
            book.writer.call(lambda db, sql=sql: db.execute(sql))  # type: ignore[misc]  # bound at once


def test_before_and_after_may_be_erased_without_breaking_the_chain(book: Store) -> None:
    book.writer.call(lambda db: db.execute("DELETE FROM payloads"))
    with book.read() as db:
        assert audit.verify(db) == []


def test_whoever_goes_around_the_triggers_is_found_out(book: Store, tmp_path: Path) -> None:
    book.close()
    content = book.path.read_bytes()
    random = Random(7)
    columns = (
        "company_id",
        "at",
        "actor",
        "what",
        "subject",
        "reason",
        "command",
        "before_hash",
        "after_hash",
        "version",
    )
    for n in range(200):
        path = tmp_path / f"{n}.db"
        path.write_bytes(content)
        seq = random.randrange(1, 30)  # a tail cut off is not seen from inside
        with closing(open_writer(path)) as db:
            db.execute("DROP TRIGGER audit_update")
            db.execute("DROP TRIGGER audit_delete")
            match random.randrange(4):
                case 0:
                    column = random.choice(columns)
                    value: object = {"company_id": 9, "at": 9}.get(column, b"x" if column.endswith("hash") else "x")
                    db.execute(f"UPDATE audit SET {column} = ? WHERE chain = 'main' AND seq = ?", (value, seq))
                case 1:
                    db.execute("DELETE FROM audit WHERE chain = 'main' AND seq = ?", (seq,))
                case 2:  # two swapped
                    for before, after in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
                        db.execute("UPDATE audit SET seq = ? WHERE chain = 'main' AND seq = ?", (after, before))
                case 3:  # changed, and hashed again as the code would
                    row = db.execute(f"SELECT {audit._CHAINED}, previous FROM audit WHERE seq = ?", (seq,)).fetchone()
                    forged = [*row[:4], "nobody", *row[5:-1]]
                    db.execute(
                        "UPDATE audit SET actor = 'nobody', hash = ? WHERE chain = ? AND seq = ?",
                        (audit._hash(forged, row[-1]), row[0], seq),
                    )
        with closing(open_reader(path)) as db:
            assert audit.verify(db), f"tampering {n} at {seq} went unseen"
        path.unlink()


def test_a_value_put_in_anothers_place_is_found_out(book: Store) -> None:
    book.close()
    with closing(open_writer(book.path)) as db:
        db.execute("UPDATE payloads SET hash = zeroblob(32) WHERE content = ?", (b'{"state": "unknown"}',))
        assert any("keeps another value for before" in text for text in audit.verify(db))
