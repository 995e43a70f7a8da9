"""What happens is told once, in order: tries when they end, events, acts, what a newer message cleared."""

from __future__ import annotations

from pathlib import Path

import pytest
from night_store import NIGHT, Night, make_night

from erpsync.errors import StoreError
from erpsync.store.connection import ms
from erpsync.store.reading import happenings
from erpsync.store.reading.happening import Happening
from erpsync.store.reading.happenings import Tail, tail_of


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """The night's store, open."""
    store, _ = make_night(tmp_path)
    return Night(store)


def begin(night: Night, **how: int) -> Tail:
    with night.store.read() as db:
        return tail_of(db, "main", **how)


def look(night: Night, tail: Tail) -> list[Happening]:
    with night.store.read() as db:
        found, more = tail.look(db)
        while more:
            again, more = tail.look(db)
            found += again
    return found


def lease(night: Night, key: str) -> tuple[int, int]:
    """A message in a worker's hands and its try, which has not ended."""
    message = night.message(key, to="erp", state="leased", ago=1, lease_no=1)
    attempt = night.attempt(message, ago=1, outcome="")
    night._write(lambda db: db.execute("UPDATE attempts SET ended_at = NULL WHERE attempt_id = ?", (attempt,)))
    return message, attempt


def end(night: Night, attempt: int, outcome: str, *, ago: float = 0.5) -> None:
    values = (night.at(ago), outcome, attempt)
    night._write(lambda db: db.execute("UPDATE attempts SET ended_at = ?, outcome = ? WHERE attempt_id = ?", values))


def test_a_try_is_told_once_when_it_ends_also_after_newer_ones(night: Night) -> None:
    before, first = lease(night, "order:SO-1")
    tail = begin(night)
    assert look(night, tail) == []
    message, second = lease(night, "order:SO-2")
    assert look(night, tail) == []
    end(night, second, "created")
    assert [(one.message, one.outcome) for one in look(night, tail)] == [(message, "created")]
    end(night, first, "updated")
    assert [(one.message, one.outcome) for one in look(night, tail)] == [(before, "updated")]
    assert look(night, tail) == []


def test_everything_has_its_line_in_the_order_of_time(night: Night) -> None:
    tail = begin(night)
    old = night.message("item:SKU-5", to="shop", state="skipped", reason="superseded", ago=3)
    new = night.message("item:SKU-5", to="shop", state="ready", ago=3)
    night._write(lambda db: db.execute("UPDATE messages SET superseded_by = ? WHERE message_id = ?", (new, old)))
    event = night.event("erp", "item:SKU-5", ago=4)
    act = night.act("message.discard", "order:SO-3", ago=2, reason="twice")
    case = night.exception("oversold", "item:SKU-5", ago=1)
    _, attempt = lease(night, "order:SO-4")
    end(night, attempt, "refused", ago=0)
    told = [(one.kind, one.number, one.outcome) for one in look(night, tail)]
    assert told == [
        ("event", event, "accepted"),
        ("message", old, "superseded"),
        ("act", act, "message.discard"),
        ("exception", case, "oversold"),
        ("attempt", attempt, "refused"),
    ]


def test_more_than_one_look_can_hold_is_told_whole_and_in_order(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happenings, "MOST_AT_ONCE", 7)
    for sort in happenings._SORTS.values():
        object.__setattr__(sort, "new", sort.new.replace("LIMIT 5000", "LIMIT 7"))
    monkeypatch.setattr(happenings, "_CLEARED", happenings._CLEARED.replace("LIMIT 5000", "LIMIT 7"))
    monkeypatch.setattr(happenings, "_ACTS", happenings._ACTS.replace("LIMIT 5000", "LIMIT 7"))
    tail = begin(night)
    for n in range(40):
        night.event("erp", "item:SKU-5", ago=100 - n)
        if n % 3 == 0:
            night.act("message.discard", "order:SO-3", ago=100 - n)
    try:
        found = look(night, tail)
        assert len(found) == 54
        assert [one.at for one in found] == sorted(one.at for one in found)
        assert look(night, tail) == []
    finally:
        for sort in happenings._SORTS.values():
            object.__setattr__(sort, "new", sort.new.replace("LIMIT 7", "LIMIT 5000"))


def test_it_can_begin_some_time_ago(night: Night) -> None:
    since = ms(NIGHT) - 45 * 60_000
    found = look(night, begin(night, since_ms=since))
    assert {one.kind for one in found} == {"attempt", "event", "act", "exception"}
    assert min(ms(one.at) for one in found) >= since
    assert len(look(night, begin(night, since_ms=0))) > len(found)
    assert look(night, begin(night, lately=2_000)) == look(night, begin(night, since_ms=0))


def test_another_store_in_its_place_is_not_taken_for_it(night: Night) -> None:
    tail = begin(night)
    night._write(lambda db: db.execute("UPDATE meta SET value = '7' WHERE name = 'epoch'"))
    with pytest.raises(StoreError, match="was replaced by another one"):
        look(night, tail)
