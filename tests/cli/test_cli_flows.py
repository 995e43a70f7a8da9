"""Flows: what each carries and what waits along it, pausing some, letting them go on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT

from erpsync.store.connection import ms
from erpsync.store.store import Store


def flow(erpsync: Run, name: str) -> dict[str, Any]:
    found: dict[str, Any] = erpsync("flows", "list", "-o", "json", "--where", f"flow = '{name}'").json["items"][0]
    return found


def put(night: Path, sql: str, *values: object) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        store.writer.call(lambda db: db.execute(sql, values))


def test_flows_come_as_the_landscape_has_them_with_what_waits(erpsync: Run) -> None:
    told = erpsync("flows", "list", columns=100)
    assert [line.split()[0] for line in told.out.splitlines()] == ["FLOW", "items", "customers", "orders", "shipments"]
    assert told.err == "4 flows\nnext: erpsync status\n"
    orders = flow(erpsync, "orders")
    assert (orders["kind"], orders["from"], orders["to"], orders["state"], orders["every_seconds"]) == (
        "order",
        "shop",
        ["erp", "wms"],
        "active",
        300,
    )
    assert (orders["due"], orders["held"], orders["unknown"], orders["dead"]) == (1, 3, 1, 0)
    assert orders["oldest_due_seconds"] == 90 * 60
    assert [(target["system"], target["unknown"]) for target in orders["targets"]] == [("erp", 0), ("wms", 1)]


def test_why_a_flow_does_not_move_stands_beside_it(erpsync: Run, night: Path) -> None:
    put(
        night,
        "INSERT INTO cursors (company_id, system_id, kind, read_at, due_at, last_error) VALUES (1, 1, 'item', ?, ?, ?)",
        ms(NIGHT) - 60_000,
        ms(NIGHT) + 240_000,
        "system erp answered 500\x1b[2J",
    )
    rows = {line.split()[0]: line for line in erpsync("flows", "list").out.splitlines()}
    assert "shop is down; reading fails: system erp answered 500\\x1b[2J" in rows["items"]
    assert "1m00s" in rows["items"]
    assert "shop is not read: down; never read" in rows["orders"]
    assert rows["shipments"].endswith("never read")
    items = flow(erpsync, "items")
    assert (items["read"], items["read_due"]) == ("2026-10-15T08:11:40Z", "2026-10-15T08:16:40Z")
    assert flow(erpsync, "shipments")["read"] is None


def test_flows_are_found_by_what_they_are(erpsync: Run) -> None:
    def names(*words: str) -> list[str]:
        return erpsync("flows", "list", "-o", "ids", *words).out.splitlines()

    assert names("--where", "from = erp") == ["items", "customers"]
    assert names("--where", "to ~ shop and due > 0") == ["items"]
    assert names("--where", "every < 10m", "--sort", "-flow", "--limit", "1") == ["shipments"]
    assert erpsync("flows", "list", "--where", "form = erp").err.splitlines()[1].startswith("hint: from? ")
    assert erpsync("flows", "list", "--sort", "form").err.splitlines()[1].startswith("hint: from? ")


def test_pausing_says_what_waits_and_that_reading_goes_on(erpsync: Run) -> None:
    told = erpsync("flows", "pause", "items", "customers", "--reason", "prices are wrong")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "flow items is paused: nothing is sent along it, reading goes on.",
        "4 messages wait, and spend no try; their time limit stands still.",
        "flow customers is paused: nothing is sent along it, reading goes on.",
        "Nothing is due there; what comes will wait, and spend no try.",
        "next: erpsync flows resume items customers",
    ]
    items = flow(erpsync, "items")
    assert (items["state"], items["paused_by"], items["paused_at"], items["pause_reason"]) == (
        "paused",
        "mira",
        "2026-10-15T08:12:40Z",
        "prices are wrong",
    )
    acts = erpsync("audit", "list", "-o", "json", "--where", "what = flow.pause").json["items"]
    assert {(act["subject"], act["reason"], act["actor"]) for act in acts} == {
        (name, "prices are wrong", "mira") for name in ("items", "customers")
    }
    listed = erpsync("flows", "list")
    assert "paused by mira, 0s: prices are wrong" in listed.out
    assert listed.err == "4 flows; items paused by mira; customers paused by mira\nnext: erpsync flows resume items\n"


def test_pausing_twice_is_said_and_is_no_second_act(erpsync: Run) -> None:
    erpsync("flows", "pause", "items")
    told = erpsync("flows", "pause", "items")
    assert (told.code, told.out.splitlines()[0]) == (0, "flow items is paused by mira since 03:12:40 (0s) already.")
    assert erpsync("flows", "pause", "items", "-o", "json").json["items"][0]["changed"] is False
    assert len(erpsync("audit", "list", "-o", "json", "--where", "what = flow.pause").json["items"]) == 1


def test_names_come_through_stdin_too(erpsync: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = erpsync("flows", "list", "-o", "ids", "--where", "from = erp").out
    monkeypatch.setattr("sys.stdin", io.StringIO(names.replace("\n", " \r\n\n")))
    assert erpsync("flows", "pause", "-", "-o", "json").json["total"] == 2
    assert erpsync("flows", "list", "-o", "ids", "--where", "state = paused").out == "items\ncustomers\n"


def test_a_paused_flow_along_which_something_waits_is_a_cause_with_its_run(erpsync: Run) -> None:
    erpsync("flows", "pause", "orders", "customers", "--reason", "prices are wrong")
    told = erpsync("status", columns=100).out
    assert "flow orders is paused by mira, 1 waits: prices are wrong" in told
    assert "run: erpsync flows resume orders" in told
    (paused,) = [cause for cause in erpsync("status", "-o", "json").json["causes"] if cause["code"] == "flow_paused"]
    assert (paused["flow"], paused["system"], paused["messages"], paused["at_stake"]["amount"]) == (
        "orders",
        None,
        1,
        "1000.00",
    )


def test_messages_and_lanes_say_that_their_flow_is_paused(erpsync: Run) -> None:
    erpsync("systems", "resume", "shop", "--yes")
    erpsync("flows", "pause", "items")
    told = erpsync("lanes", "show", "shop", "item:SKU-1").out
    assert "waits: flow items is paused" in told
    assert "flow items, which is paused" in told
    one = erpsync("messages", "list", "-o", "ids", "--where", "flow = items and state = ready").out.split()[0]
    assert "waits   for flow items, which is paused" in erpsync("messages", "show", one).out


def test_resuming_says_what_goes_and_what_does_not(erpsync: Run) -> None:
    erpsync("flows", "pause", "items", "orders")
    erpsync("systems", "pause", "wms")
    told = erpsync("flows", "resume", "items", "orders", "customers", "--yes", "--reason", "mended")
    assert told.out.splitlines() == [
        "items, orders: 4 messages go when resumed.",
        "flow items is not paused any more: 4 messages go now.",
        "flow orders is not paused any more.",
        "flow customers was not paused.",
        "next: erpsync run --until-idle",
    ]
    assert flow(erpsync, "items")["state"] == "active"
    assert len(erpsync("audit", "list", "-o", "json", "--where", "what = flow.resume").json["items"]) == 2


def test_what_waits_for_two_reasons_is_counted_by_each(erpsync: Run) -> None:
    assert "4 messages wait, and" in erpsync("flows", "pause", "items").out
    assert "4 messages wait, and" in erpsync("systems", "pause", "shop", "--out").out
    assert erpsync("flows", "pause", "items", "-o", "json").json["items"][0]["waiting"] == 4
    assert erpsync("systems", "resume", "shop", "--yes", "-o", "json").json["waiting"] == 0, "its flow is paused still"


def test_resuming_asks_first(erpsync: Run) -> None:
    erpsync("flows", "pause", "items")
    told = erpsync("flows", "resume", "items")
    assert told.code == 2
    assert "there is no terminal" in told.err
    assert flow(erpsync, "items")["state"] == "paused"


def test_a_flow_that_the_landscape_has_no_more_is_shown_as_long_as_something_waits(erpsync: Run, night: Path) -> None:
    landscape = night / "erpsync.toml"
    text = landscape.read_text(encoding="utf-8")
    before, _, _ = text.rpartition('[[flows]]\nname = "shipments"')
    landscape.write_text(before, encoding="utf-8")
    gone = flow(erpsync, "shipments")
    assert (gone["state"], gone["kind"], gone["from"], gone["to"], gone["dead"]) == ("gone", None, None, ["erp"], 3)
    row = next(line for line in erpsync("flows", "list").out.splitlines() if line.startswith("shipments"))
    assert "the landscape has no such flow any more" in row
    put(night, "UPDATE counts SET n = 0 WHERE flow_id = (SELECT flow_id FROM flows WHERE name = 'shipments')")
    assert "shipments" not in erpsync("flows", "list", "-o", "ids").out


def test_a_flow_that_is_switched_off_says_so(erpsync: Run, night: Path) -> None:
    landscape = night / "erpsync.toml"
    text = landscape.read_text(encoding="utf-8")
    landscape.write_text(text.rstrip() + '\nmode = "off"\n', encoding="utf-8")
    assert (flow(erpsync, "shipments")["state"], flow(erpsync, "shipments")["mode"]) == ("off", "off")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "itmes"), "hint: items? Flows: items, customers, orders, shipments"),
        (("pause", "items", "itmes"), 'error: flow "itmes" does not exist'),
        (("pause",), "FLOW"),
        (("resume", "itmes", "--yes"), 'error: flow "itmes" does not exist'),
        (("resume", "items", "--yes"), "error: flow items is not paused: there is nothing to resume"),
    ],
)
def test_what_it_cannot_do_it_says_and_does_nothing(erpsync: Run, words: tuple[str, ...], said: str) -> None:
    told = erpsync("flows", *words)
    assert told.code == 2
    assert said in told.err
    assert erpsync("flows", "list", "-o", "ids", "--where", "state = paused").out == ""


def test_resuming_makes_no_store(erpsync: Run, night: Path) -> None:
    (night / "erpsync.db").unlink()
    assert erpsync("flows", "resume", "items", "--yes").code == 4
    assert not (night / "erpsync.db").exists()


def test_read_only_changes_nothing(erpsync: Run) -> None:
    assert erpsync("--read-only", "flows", "pause", "items").code == 2
    erpsync("flows", "pause", "items")
    assert erpsync("--read-only", "flows", "resume", "items", "--yes").code == 2
    assert flow(erpsync, "items")["state"] == "paused"
