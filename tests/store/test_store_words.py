"""The index of words: what it names, that it may be missing, damaged or another's, and that nobody notices but by the speed."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from night_store import Night, make_night

from erpsync.domain.kinds import kinds
from erpsync.domain.sought import sought
from erpsync.engine.upkeep.words import WordKeeper
from erpsync.errors import StoreError
from erpsync.store.connection import DatabaseError
from erpsync.store.reading.finding import Wanted, find
from erpsync.store.reading.found import Findings
from erpsync.store.store import Store
from erpsync.store.words import KINDS, Words, index_of, path_beside

ASKED = ("SO-10498", "so-104", "10498", "vatId", "upsg", "CU-1107", "sku", "nothing-like-it", "no answer")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """The night's store, open."""
    store, _ = make_night(tmp_path)
    return Night(store)


def fill(store: Store) -> int:
    """Bring the index up to the store; how many documents were taken in."""
    words = Words(store.path, store_id=store.store_id, epoch=store.epoch)
    taken = 0
    try:
        while (step := words.step(3)).more:
            taken += step.taken
    finally:
        words.close()
    return taken + step.taken


def ask(store: Store, text: str, *, seconds: float = 5.0, may_discard: bool = True) -> Findings:
    wanted = Wanted(sought(text), "main", list(kinds()), seconds=seconds)
    return find(store, wanted, may_discard=may_discard)


def answers(store: Store) -> dict[str, list[tuple[str, str]]]:
    """What is found by each word, in order."""
    return {text: [(hit.name, hit.where) for hit in ask(store, text).items] for text in ASKED}


def test_the_same_is_found_with_the_index_and_without_it(night: Night) -> None:
    without = answers(night.store)
    assert [text for text, found in without.items() if not found] == ["upsg", "nothing-like-it"]
    assert fill(night.store) > 10
    assert answers(night.store) == without
    assert fill(night.store) == 0, "nothing is taken in twice"


def test_what_is_not_in_the_index_yet_is_found_too(night: Night) -> None:
    fill(night.store)
    event = night.event("shop", "order:SO-77", raw=b'{"tracking":"1Z-553-A"}', ago=1)
    message = night.message("order:SO-77", to="erp", reason="created", ago=1)
    night.attempt(message, ago=1, outcome="created", answer=b'{"invoice":"INV-9"}')
    assert [hit.name for hit in ask(night.store, "1z553").items] == [f"event {event}"]
    assert [hit.name for hit in ask(night.store, "inv-9").items] == [f"message {message}"]
    assert ask(night.store, "SO-77").looked.whole


def test_a_try_that_ends_after_it_was_taken_in_is_found_by_its_answer(night: Night) -> None:
    message = night.message("order:SO-78", to="erp", reason="created", ago=1)
    attempt = night.attempt(message, ago=1, outcome="", body=b'{"reference":"SO-78"}')
    night._write(lambda db: db.execute("UPDATE attempts SET ended_at = NULL WHERE attempt_id = ?", (attempt,)))
    fill(night.store)
    assert ask(night.store, "INV-31337").items == ()
    night._write(
        lambda db: db.execute(
            "UPDATE attempts SET ended_at = 1, answer = ? WHERE attempt_id = ?", (b"INV-31337", attempt)
        )
    )
    for _ in range(2):
        (hit,) = ask(night.store, "INV-31337").items
        assert (hit.message, hit.where) == (message, "answer")
        fill(night.store)


def test_secrets_are_in_no_index(night: Night) -> None:
    message = night.message("order:SO-79", to="erp", reason="created", ago=1)
    attempt = night.attempt(
        message,
        ago=1,
        outcome="created",
        body=b"SO-79",
        headers='[["X-Api-Key", "topsecret77"]]',
        request="GET /x?key=topsecret77",
    )
    fill(night.store)
    assert ask(night.store, "topsecret77").items == ()
    with index_of(night.store.path, store_id=night.store.store_id, epoch=night.store.epoch) as index:
        assert index is not None
        assert [kind for kind in KINDS if list(index.ids(kind, '"topsecret77" OR "api"'))] == []
        assert list(index.ids("sent", '"so" AND "79"')) == [attempt]


def test_it_is_for_its_owner_alone(night: Night) -> None:
    fill(night.store)
    assert stat.S_IMODE(path_beside(night.store.path).stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "folder", "unreadable pages", "a mark is gone"])
def test_one_that_is_damaged_is_never_an_error_and_is_made_anew(night: Night, damage: str) -> None:
    whole = answers(night.store)
    fill(night.store)
    file = path_beside(night.store.path)
    content = file.read_bytes()
    match damage:
        case "garbage":
            file.write_bytes(os.urandom(50_000))
        case "cut":
            file.write_bytes(content[: len(content) // 2 // 4096 * 4096 + 100])
        case "empty":
            file.write_bytes(b"")
        case "a mark is gone":
            with closing(sqlite3.connect(file)) as db, db:
                db.execute("DELETE FROM marks WHERE what = 'events'")
        case "unreadable pages":
            file.write_bytes(content[:4096] + bytes(b ^ 0x5A for b in content[4096:]))
        case _:
            file.unlink()
            file.mkdir()
    assert answers(night.store) == whole
    if damage == "folder":
        with pytest.raises(StoreError, match="is a folder"):
            fill(night.store)
        return
    for _ in range(3):
        try:
            fill(night.store)
        except (DatabaseError, StoreError):  # whoever fills it stands back, and begins again
            continue
        break
    assert answers(night.store) == whole
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT id FROM marks WHERE what = 'events'").fetchone()[0] > 0


def test_that_of_another_store_or_of_one_before_a_restore_is_not_asked(night: Night) -> None:
    fill(night.store)
    with closing(sqlite3.connect(path_beside(night.store.path))) as db, db:
        db.execute("UPDATE about SET value = 'other' WHERE name = 'store_id'")
        db.execute("UPDATE marks SET id = 1000000")
    event = night.event("shop", "order:SO-55", raw=b"PO-31337", ago=1)
    assert [hit.event for hit in ask(night.store, "PO-31337").items] == [event], (
        "an index of another store is as good as none"
    )
    assert fill(night.store) > 10, "made anew"
    later = Words(night.store.path, store_id=night.store.store_id, epoch=night.store.epoch + 1)
    assert later.step(1).taken
    later.close()


def test_without_time_and_without_an_index_it_says_how_far_it_looked(night: Night) -> None:
    for n in range(1_200):
        night.event("shop", f"item:X-{n % 3}", ago=1)
    looked = ask(night.store, "nothing-like-it", seconds=0.0).looked
    assert not looked.whole
    assert looked.missed > 1_000
    fill(night.store)
    assert ask(night.store, "nothing-like-it", seconds=0.0).looked.missed == 0


def test_whoever_fills_it_stands_back_where_it_cannot(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = WordKeeper(night.store)
    path_beside(night.store.path).mkdir()
    keeper._look()
    assert keeper._not_before > 0
    path_beside(night.store.path).rmdir()
    keeper._look()
    assert path_beside(night.store.path).is_file()
    keeper.close()
    keeper._look()
    assert keeper._words is None, "closed is closed"


def test_two_that_fill_it_take_turns(night: Night) -> None:
    one, two = (Words(night.store.path, store_id=night.store.store_id, epoch=night.store.epoch) for _ in range(2))
    one._db.execute("BEGIN IMMEDIATE")
    assert two.step(100).taken == 0
    one._db.execute("ROLLBACK")
    assert two.step(100).taken
    path_beside(night.store.path).unlink()
    with pytest.raises(StoreError, match="made anew by another"):
        one.step(100)
    one.close()
    two.close()


def test_the_store_is_whole_and_untouched_by_it(night: Night) -> None:
    with night.store.read() as db:
        before = db.execute("PRAGMA data_version").fetchone()[0]
    fill(night.store)
    ask(night.store, "SO-10498")
    with night.store.read() as db:
        assert db.execute("PRAGMA data_version").fetchone()[0] == before
