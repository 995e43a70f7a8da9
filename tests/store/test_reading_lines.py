"""The lines behind many messages at once: each is counted, and all together cost no more than a bounded look."""

from __future__ import annotations

import pytest
from night_store import Night

from erpsync.store.reading import line as lines
from erpsync.store.reading.line import line_behind, lines_behind
from erpsync.store.store import Store


@pytest.fixture
def queues(store: Store) -> list[int]:
    """Three dead heads: one with twelve behind it, one with three, one alone."""
    night = Night(store)
    heads = []
    for key, behind in (("long", 12), ("short", 3), ("alone", 0)):
        heads.append(night.message(f"order:{key}", to="wms", state="dead", stake=100))
        for n in range(behind):
            night.message(f"shipment:{key}-{n}", to="wms", state="ready", stake=10, queue=f"order:{key}")
    return heads


def test_each_has_its_own_line_with_the_money_of_head_and_line(store: Store, queues: list[int]) -> None:
    with store.read() as db:
        found = lines_behind(db, queues)
        assert [(line.count, line.more) for line in found] == [(12, False), (3, False), (0, False)]
        assert [line.stakes for line in found] == [(("USD", 120),), (("USD", 30),), ()]
        assert [line.whole for line in found] == [(("USD", 220),), (("USD", 130),), (("USD", 100),)]
        assert found == [line_behind(db, [head]) for head in queues]
        assert lines_behind(db, []) == []


def test_a_document_that_stands_there_twice_is_counted_once(store: Store) -> None:
    night = Night(store)
    head = night.message("order:SO-1", to="wms", state="dead", stake=100)
    night.message("order:SO-1", to="wms", state="ready", stake=120)
    with store.read() as db:
        line = line_behind(db, [head])
    assert (line.stakes, line.whole) == ((("USD", 120),), (("USD", 120),))


def test_a_long_line_gets_what_the_short_ones_leave(
    store: Store, queues: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_FEWEST", 1)
    monkeypatch.setattr(lines, "TOGETHER", 24)
    with store.read() as db:
        assert [line.text for line in lines_behind(db, queues)] == ["12", "3", "0"], "4 each, then 17 for the long one"
        monkeypatch.setattr(lines, "TOGETHER", 12)
        assert [line.text for line in lines_behind(db, queues)] == ["4+", "3", "0"]


def test_no_more_is_looked_at_than_was_allowed(store: Store, queues: list[int]) -> None:
    with store.read() as db:
        line = line_behind(db, queues[:1], most=5)
    assert (line.count, line.more, line.text) == (5, True, "5+")
