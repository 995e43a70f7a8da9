"""Lanes that do not move by themselves: which, for how long, what waits behind each, and how much money stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.store.reading import lanes
from erpsync.store.store import Store


def heads(erpsync: Run, *words: str) -> list[int]:
    """The heads of the lanes that are listed, in their order."""
    return [item["head"] for item in erpsync("lanes", "list", "-o", "json", *words).json["items"]]


def test_lanes_that_stand_still_come_by_the_money_of_head_and_line_then_the_longest(
    erpsync: Run, ids: dict[str, int]
) -> None:
    items = erpsync("lanes", "list", "-o", "json").json["items"]
    assert [(item["head"], item["at_stake"]["amount"], item["line"]) for item in items] == [
        (ids["lost"], "12480.00", 0),
        (ids["SH-88022"], "9870.00", 1),
        (ids["SH-87931"], "7412.60", 0),
        (ids["SH-87953"], "6240.00", 0),
        (ids["customer"], "3000.03", 4),
        (6, "1000.02", 0),
        (5, "1000.01", 0),
        (4, "1000.00", 1),
    ]
    assert {item["state"] for item in items} == {"dead", "held", "unknown"}


def test_a_lane_says_whose_it_is_since_when_and_what_its_head_waits_for(erpsync: Run, ids: dict[str, int]) -> None:
    item = next(i for i in erpsync("lanes", "list", "-o", "json").json["items"] if i["head"] == 4)
    assert item == {
        "system": "wms",
        "lane": "order:SO-20000",
        "head": 4,
        "key": "order:SO-20000",
        "state": "held",
        "cause": "retry",
        "error": None,
        "since": "2026-10-15T06:02:40Z",
        "waiting_seconds": 7800,
        "waits": ["customer:CU-1107"],
        "line": 1,
        "line_more": False,
        "line_at_stake": {
            "amount": "1000.00",
            "currency": "USD",
            "by_currency": [{"amount": "1000.00", "currency": "USD"}],
        },
        "at_stake": {"amount": "1000.00", "currency": "USD", "by_currency": [{"amount": "1000.00", "currency": "USD"}]},
        "run": "erpsync lanes show wms order:SO-20000",
    }


def test_what_is_due_or_waits_for_a_system_that_is_down_moves_by_itself(erpsync: Run) -> None:
    assert not {12, 13, 14, 15} & set(heads(erpsync)), "items to the shop, which is down"
    assert erpsync("lanes", "list").err == "8 lanes; times are CDT\nnext: erpsync lanes show wms order:SO-10498\n"


def test_lanes_are_found_by_what_is_true_of_their_head(erpsync: Run, ids: dict[str, int]) -> None:
    customer = ids["customer"]
    assert heads(erpsync, "--where", "system = erp and waiting > 1h") == [ids["SH-87931"], ids["SH-87953"]]
    assert heads(erpsync, "--where", "state = held") == [6, 5, 4]
    assert heads(erpsync, "--where", "stake > 9000") == [ids["lost"], ids["SH-88022"]]
    for where in (
        "lane = customer:CU-1107",
        "key = customers:CU-1107",
        "lane = 'main/customer:CU-1107'",
        f"head = {customer}",
    ):
        assert heads(erpsync, "--where", where) == [customer]
    assert heads(erpsync, "--where", "lane = 'other/customer:CU-1107' or lane = customer:CU-1") == []
    assert len(heads(erpsync, "--where", "not lane = customer:CU-1107")) == 7
    assert len(heads(erpsync, "--where", "lane != customer:NONE")) == 8
    wrong = erpsync("lanes", "list", "--where", "state = ready")
    assert wrong.code == 2
    assert wrong.err.splitlines()[1] == "hint: dead? States: dead, held, unknown"


def test_ids_are_those_of_the_heads_and_any_order_can_be_asked_for(erpsync: Run, ids: dict[str, int]) -> None:
    own = [ids["lost"], ids["SH-88022"], ids["SH-87931"], ids["SH-87953"], 6, 5, 4, ids["customer"]]
    assert [int(line) for line in erpsync("lanes", "list", "-o", "ids").out.split()] == own, "by the heads' own money"
    waiting = [
        item["waiting_seconds"] for item in erpsync("lanes", "list", "--sort", "-waiting", "-o", "json").json["items"]
    ]
    assert waiting == sorted(waiting, reverse=True)
    two = erpsync("lanes", "list", "--limit", "2")
    assert two.err.splitlines()[0] == "2 of 8; 8 lanes in all; times are CDT"
    assert two.out.splitlines()[1].split()[2] == str(ids["lost"])
    assert erpsync("lanes", "list", "--sort", "line").code == 2


def test_a_lane_that_a_person_holds_stands_still(erpsync: Run) -> None:
    erpsync("messages", "hold", "12", "--yes", "--reason", "odd")
    (item,) = erpsync("lanes", "list", "-o", "json", "--where", "system = shop").json["items"]
    assert (item["state"], item["waits"]) == ("held", ["mira holds it: odd"])
    erpsync("messages", "release", "12", "--yes")
    assert heads(erpsync, "--where", "system = shop") == []


@pytest.fixture
def crowded(night: Path, run_in: Callable[[Path], Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    """More lanes stand still than are weighed: three is the most here."""
    monkeypatch.setattr(lanes, "WEIGHED", 3)
    return run_in(night)


def test_of_very_many_the_order_is_that_of_the_heads_money_and_it_says_so(crowded: Run, ids: dict[str, int]) -> None:
    answer = crowded("lanes", "list", "--limit", "5", "-o", "json").json
    assert [item["head"] for item in answer["items"]] == [
        ids["lost"],
        ids["SH-88022"],
        ids["SH-87931"],
        ids["SH-87953"],
        6,
    ]
    assert (answer["total"], answer["shown"]) == (8, 5)
    remarks = crowded("lanes", "list", "--limit", "5").err.splitlines()
    assert remarks[1] == "more than 3: they come by the money of their heads, not of what waits behind"
    assert crowded("lanes", "list", "--where", "system = wms and state = dead").err.count("more than") == 0
    assert heads(crowded, "--limit", "0")[-1] == ids["customer"]


def test_money_of_several_currencies_stands_beside_each_amount(night: Path, run_in: Callable[[Path], Run]) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        made = Night(store)
        made.message("order:SO-EU", to="erp", state="dead", stake=1_500_000, currency="EUR")
        made.message("order:SO-EU", to="erp", state="ready", stake=1_600_000, currency="EUR")
        made.finish()
    out = run_in(night)("lanes", "list").out.splitlines()
    assert out[0].split()[:8] == ["TARGET", "LANE", "HEAD", "STATE", "SINCE", "FOR", "LINE", "STAKE"]
    assert "16,000.00 EUR" in out[1]
    assert "12,480.00 USD" in out[2]
