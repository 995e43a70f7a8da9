"""What the read side says is true: lines, sums, filters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from night_store import NIGHT, Night, make_night

from erpsync.domain.filters import matches, parse
from erpsync.errors import FilterError, NotFound
from erpsync.store import checking
from erpsync.store.connection import ms
from erpsync.store.reading.asked import Selection
from erpsync.store.reading.line import MOST, line_behind
from erpsync.store.reading.messages import MessageRow, messages
from erpsync.store.reading.status import status
from erpsync.store.reading.systems import standings
from erpsync.store.reading.trace import find_subject
from erpsync.store.store import Store


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, int]]]:
    """The night's store and its ids."""
    store, ids = make_night(tmp_path_factory.mktemp("night"))
    with store:
        yield store, ids


def test_the_night_is_a_whole_store(told: tuple[Store, dict[str, int]]) -> None:
    with told[0].read() as db:
        assert checking.verify(db) == []


def test_the_line_behind_goes_through_lanes_and_parents(tmp_path: Path) -> None:
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        customer = night.message("customer:CU-1", to="wms", state="dead", reason="refused")
        for n in range(40):
            night.message(f"order:SO-{n}", to="wms", state="held", stake=100, waits=[("parent", "customer:CU-1")])
        night.message("order:SO-0", to="wms", state="ready", stake=100)
        night.message("shipment:SH-1", to="wms", state="held", stake=5, waits=[("parent", "order:SO-0")])
        night.message("order:SO-1", to="erp", state="held", stake=900, waits=[("parent", "customer:CU-1")])
        night.finish()
        with store.read() as db:
            line = line_behind(db, [customer])
    assert line.count == 42  # 40 orders, the second revision of one, the shipment behind it; erp is another target
    assert line.stakes == (("USD", 40 * 100 + 5),)
    assert not line.more


@given(
    waiting=st.lists(
        st.tuples(
            st.sampled_from(["fresh", "tried", "leased", "buried", "behind", "dead", "done"]),
            st.integers(min_value=1, max_value=500),
            st.sampled_from(["items", "customers"]),
        ),
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None)
def test_the_age_of_a_system_is_that_of_the_oldest_message_that_is_ready_or_leased(
    waiting: list[tuple[str, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Store.create(tmp_path_factory.mktemp("age") / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        night.message("item:HEAD", to="wms", state="dead", reason="refused", ago=900)
        for n, (how, ago, flow) in enumerate(sorted(waiting, key=lambda one: -one[1])):
            state = {"fresh": "ready", "tried": "ready", "behind": "ready", "buried": "leased"}.get(how, how)
            later = {"due_at": 0 if how == "buried" else night.at(-n)} if how in ("tried", "leased", "buried") else {}
            lane = "item:HEAD" if how == "behind" else ""
            night.message(f"{flow.removesuffix('s')}:{n}", to="wms", state=state, ago=ago, queue=lane, **later)
        night.finish()
        with store.read() as db:
            (wms,) = standings(db, "main", now_ms=ms(NIGHT), names=["wms"])
    due = [ago for how, ago, _ in waiting if how not in ("dead", "done")]
    assert wms.oldest_due == (NIGHT - timedelta(minutes=max(due)) if due else None)


def test_a_very_long_line_is_counted_up_to_its_bound(tmp_path: Path) -> None:
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        head = night.message("item:SKU-1", to="wms", state="dead", reason="refused")

        def many(db: object) -> None:
            db.execute(  # type: ignore[attr-defined]  # the writer hands a connection
                "INSERT INTO messages (company_id, target_id, lane_id, flow_id, record_id, state, is_head, due_at, accepted_at, state_at) "
                "SELECT company_id, target_id, lane_id, flow_id, record_id, 'ready', 0, due_at, accepted_at, state_at "
                "FROM messages, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) SELECT i FROM n) "
                "WHERE message_id = ?",
                (head,),
            )

        store.writer.call(many)
        night.finish()
        with store.read() as db:
            line = line_behind(db, [head])
    assert (line.count, line.more, line.text) == (MOST, True, "10,000+")


def test_money_with_several_causes_is_counted_once(tmp_path: Path) -> None:
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        night.message("order:SO-1", to="wms", state="dead", reason="refused", stake=1000)
        night.message("order:SO-1", to="erp", state="dead", reason="refused", stake=1000)
        night.message("order:SO-2", to="erp", state="dead", reason="refused", stake=500)
        night.finish()
        with store.read() as db:
            found = status(db, "main", now_ms=ms(NIGHT))
    assert found.stakes == (("USD", 1500),)
    assert found.documents == 2
    assert found.twice == 1
    assert found.twice_stakes == (("USD", 1000),)
    assert sum(stake for cause in found.causes for _, stake in cause.stakes) == 2500


def test_currencies_are_never_added(tmp_path: Path) -> None:
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        night.message("order:SO-1", to="wms", state="dead", reason="refused", stake=1000, currency="EUR")
        night.message("order:SO-2", to="wms", state="dead", reason="refused", stake=500, currency="USD")
        night.message("order:SO-3", to="wms", state="dead", reason="refused", stake=700, currency="JPY")
        night.finish()
        with store.read() as db:
            assert status(db, "main", now_ms=ms(NIGHT)).stakes == (("EUR", 1000), ("JPY", 700), ("USD", 500))
            yen = messages(db, Selection(company="main", now=NIGHT, where=parse("stake > 100")))
    assert [row.key for row in yen.items] == ["order:SO-3"]  # 700 yen; 10.00 euro and 5.00 dollars are less


def test_an_empty_store_is_well(tmp_path: Path) -> None:
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store, store.read() as db:
        found = status(db, "main", now_ms=ms(NIGHT))
        assert found.causes == ()
        assert messages(db, Selection(company="main", now=NIGHT)).items == ()


def test_a_key_that_is_not_there_suggests_its_nearest(told: tuple[Store, dict[str, int]]) -> None:
    with told[0].read() as db, pytest.raises(NotFound) as missing:
        find_subject(db, "main", "order", "SO-10497")
    assert "order:SO-10498?" in missing.value.hint


def values_of(row: MessageRow) -> dict[str, object]:
    """A message as the filter language's own evaluation sees it."""
    return {
        "id": row.message_id,
        "key": row.key,
        "kind": row.kind,
        "system": row.system,
        "from": row.source or "",
        "state": row.state,
        "cause": row.reason,
        "error": row.error,
        "tries": row.tries,
        "head": row.is_head,
        "waiting": NIGHT - row.state_at,
        "age": NIGHT - row.accepted_at,
        "due": row.due_at,
    }


FILTERS = st.recursive(
    st.sampled_from(
        [
            "state = dead",
            "state != done",
            "system = wms",
            "kind = order",
            "key = order:*",
            "key = 'order:*'",
            "key = ??????????????",
            "error ~ VATID",
            "error ~ '%'",
            "error !~ no",
            "error = ''",
            "tries > 0",
            "tries = 1.5",
            "id <= 9",
            "id ~ 1",
            "head",
            "head = no",
            "waiting > 1h",
            "waiting <= 28m",
            "age < 5h",
            "due < 2026-10-15T07:00Z",
            "due = 2026-10-15",
            "from = erp",
            "cause = refused",
            "cause = re*",
            "cause > r",
            "error ~ '_'",
            "key = [o]rder*",
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})"),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(where=FILTERS)
def test_a_filter_means_the_same_in_the_store_as_in_the_language(
    where: str, told: tuple[Store, dict[str, int]]
) -> None:
    node = parse(where)
    with told[0].read() as db:
        every = messages(db, Selection(company="main", now=NIGHT, limit=0)).items
        try:
            expected = {row.message_id for row in every if matches(node, values_of(row), now=NIGHT, zone=UTC)}
        except FilterError:
            return
        found = messages(db, Selection(company="main", now=NIGHT, where=node, limit=0))
    assert {row.message_id for row in found.items} == expected
    assert found.total == len(expected)


def test_totals_stay_honest_under_a_limit(told: tuple[Store, dict[str, int]]) -> None:
    with told[0].read() as db:
        for where in ("", "state = ready", "system = wms", "waiting > 1h and kind = order"):
            cut = messages(db, Selection(company="main", now=NIGHT + timedelta(), where=parse(where), limit=1))
            whole = messages(db, Selection(company="main", now=NIGHT, where=parse(where), limit=0))
            assert (cut.total, len(cut.items)) == (len(whole.items), 1)
