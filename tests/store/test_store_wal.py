"""A worker's log is laid out before it is needed; nothing that is in it is lost by that."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from erpsync.store import payloads
from erpsync.store.checking import verify
from erpsync.store.connection import LOG_BYTES
from erpsync.store.store import Store
from erpsync.store.wal import PIECES, lengthen

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)


def keep(store: Store, content: bytes) -> int:
    return store.writer.call(lambda db: payloads.put(db, content))


def lay_out(store: Store) -> int:
    """In how many pieces the log was laid out."""
    return sum(store.writer.call(lambda _: lengthen(store.path)) for _ in range(PIECES))


def log_of(store: Store) -> Path:
    return Path(f"{store.path}-wal")


def test_the_log_is_laid_out_in_pieces_as_long_as_it_gets(store: Store) -> None:
    keep(store, b"before")
    assert lay_out(store) > 10
    assert log_of(store).stat().st_size == LOG_BYTES
    assert lay_out(store) == 0, "it is as long as it gets"


def test_what_is_written_before_and_after_survives_a_crash(store: Store, tmp_path: Path) -> None:
    before = keep(store, b"before")
    lay_out(store)
    after = keep(store, b"after")
    there = tmp_path / "crashed"
    there.mkdir()
    for suffix in ("", "-wal"):  # what a dead machine leaves: the log, and no index of it
        shutil.copyfile(f"{store.path}{suffix}", there / f"store.db{suffix}")
    with Store.open(there / "store.db", now=NOON) as found, found.read() as db:
        assert [payloads.get(db, payload_id) for payload_id in (before, after)] == [b"before", b"after"]
        assert verify(db, quick=False) == []


def test_a_log_goes_round_in_what_was_laid_out(store: Store) -> None:
    lay_out(store)
    ids = [keep(store, bytes([n]) * 1_500_000) for n in range(60)]  # 90 MB: it is checkpointed on the way
    assert log_of(store).stat().st_size < 2 * LOG_BYTES
    with store.read() as db:
        assert all(payloads.get(db, payload_id)[:1] == bytes([n]) for n, payload_id in enumerate(ids))
        assert verify(db, quick=True) == []


def _no_log(store: Store) -> Path:
    return store.path.with_name("elsewhere.db")


def _a_folder(store: Store) -> Path:
    there = store.path.with_name("folder.db")
    Path(f"{there}-wal").mkdir()
    return there


@pytest.mark.parametrize("lacking", [_no_log, _a_folder])
def test_a_log_that_cannot_be_made_longer_is_left_alone(store: Store, lacking: Callable[[Store], Path]) -> None:
    there = lacking(store)
    assert store.writer.call(lambda _: lengthen(there)) is False
    assert keep(store, b"goes on") > 0
