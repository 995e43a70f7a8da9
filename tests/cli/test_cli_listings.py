"""Listings: filters, limits, order, formats."""

from __future__ import annotations

import json
import re
import shlex

from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest


def test_dead_letters_come_by_money_then_the_longest_dead_then_id(erpsync: Run) -> None:
    items = erpsync("dlq", "list", "-o", "json").json["items"]
    order = [(-float(item["at_stake"]["amount"]), item["died"], item["id"]) for item in items]
    assert order == sorted(order)
    assert items[0]["key"] == "shipment:SH-88022"


def test_a_listing_in_json_has_one_envelope(erpsync: Run) -> None:
    for noun in ("dlq", "messages", "events", "exceptions", "lanes", "systems", "flows", "audit", "workers", "xref"):
        answer = erpsync(noun, "list", "-o", "json")
        whole = answer.json
        assert whole["schema"] == f"erpsync/{noun}.list/1"
        assert whole["landscape"] == "acme-prod"
        assert whole["at"] == "2026-10-15T08:12:40Z"
        assert whole["shown"] == len(whole["items"]) <= whole["total"]
        assert answer.err == ""
        assert answer.out.isascii()


def test_json_lines_are_the_items_alone(erpsync: Run) -> None:
    lines = erpsync("dlq", "list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [
        item["id"] for item in erpsync("dlq", "list", "-o", "json").json["items"]
    ]


def test_ids_come_one_a_line_and_warn_when_cut(erpsync: Run) -> None:
    every = erpsync("dlq", "list", "-o", "ids")
    assert len(every.out.split()) == 4
    assert every.err == ""
    cut = erpsync("dlq", "list", "-o", "ids", "--limit", "2")
    assert len(cut.out.split()) == 2
    assert cut.err == "warning: 2 of 4 ids; leave --limit out to pass them all\n"


def test_the_count_is_honest_about_what_was_left_out(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--where", "system = erp", "--limit", "2", columns=80)
    assert answer.err.splitlines()[0] == "2 of 3; 4 dead letters in all; times are CDT"
    assert answer.err.splitlines()[1].startswith("next: erpsync dlq show ")


def test_an_empty_listing_is_good(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--where", "system = shop")
    assert answer.code == 0
    assert answer.out == ""
    assert answer.err == "0 of 0; 4 dead letters in all\n"


def test_filters_reach_every_sort_of_field(erpsync: Run) -> None:
    def keys(where: str, noun: str = "messages") -> set[str]:
        return {item["key"] for item in erpsync(noun, "list", "-o", "json", "--where", where).json["items"]}

    assert keys("state = dead and stake > 7000") == {"shipment:SH-88022", "shipment:SH-87931"}
    assert keys("system = wms and state = held") == {"order:SO-20000", "order:SO-20001", "order:SO-20002"}
    assert keys("key = 'order:SO-20001'") == {"order:SO-20001"}
    assert keys("key = order:SO-2000* and not state = ready") == {"order:SO-20000", "order:SO-20001", "order:SO-20002"}
    assert keys("error ~ VATID", "dlq") == {"customer:CU-1107"}
    assert keys("waiting > 2h and from = erp") == {"customer:CU-1107"}
    assert keys("died < 2026-10-15T06:00Z", "dlq") == {"customer:CU-1107", "shipment:SH-87953"}
    assert keys("head and state = ready") == {"item:SKU-0", "item:SKU-1", "item:SKU-2", "item:SKU-3"}
    assert keys("error ~ '100%'") == set()
    assert keys("error ~ '_'") == set()


def test_what_a_system_calls_a_document_is_found_by_either_name(erpsync: Run) -> None:
    def called(where: str) -> list[tuple[str, str, str]]:
        items = erpsync("xref", "list", "-o", "json", "--where", where).json["items"]
        return [(item["system"], item["key"], item["far_id"]) for item in items]

    one = [("erp", "order:SO-10498", "10498")]
    assert called("far = 10498") == called("key = order:SO-10498") == called("kind = orders and age > 9h") == one
    assert called("far = 10499 or system = shop") == []
    assert erpsync("xref", "list", "-o", "ids").out == "10498\n"


def test_a_listing_can_be_sorted_either_way(erpsync: Run) -> None:
    def ids(sort: str) -> list[int]:
        return [item["id"] for item in erpsync("messages", "list", "-o", "json", "--sort", sort).json["items"]]

    assert ids("id") == sorted(ids("id"))
    assert ids("-id") == sorted(ids("id"), reverse=True)
    ages = [item["age_seconds"] for item in erpsync("messages", "list", "-o", "json", "--sort", "age").json["items"]]
    assert ages == sorted(ages)
    assert erpsync("messages", "list", "--sort", "colour").code == 2


def test_a_dead_customer_shows_the_orders_behind_it_and_their_money(erpsync: Run, ids: dict[str, int]) -> None:
    item = next(i for i in erpsync("dlq", "list", "-o", "json").json["items"] if i["id"] == ids["customer"])
    assert item["line_behind"] == 4
    assert item["line_at_stake"]["amount"] == "3000.03"
    shown = erpsync("dlq", "show", str(ids["customer"]), "-o", "json").json
    assert shown["line_total"] == 4
    assert shown["line_at_stake"]["amount"] == "3000.03"
    assert [one["key"] for one in shown["line_behind"]] == [
        "order:SO-20000",
        "order:SO-20001",
        "order:SO-20002",
        "order:SO-20000",
    ]
    lane = erpsync("lanes", "show", "wms", "customer:CU-1107", "-o", "json").json
    assert lane["line"] == 4
    assert lane["at_stake"]["amount"] == "3000.03"


def test_decimals_are_text_and_moments_utc_in_json(erpsync: Run) -> None:
    item = erpsync("dlq", "list", "-o", "json").json["items"][0]
    assert item["at_stake"] == {"amount": "9870.00", "currency": "USD", "invoices": None}
    assert item["died"] == "2026-10-15T07:14:40Z"
    assert item["waiting_seconds"] == 58 * 60


def test_status_says_what_is_at_stake_and_by_what(erpsync: Run) -> None:
    whole = erpsync("status", "-o", "json").json
    assert whole["well"] is False
    assert whole["at_stake"]["amount"] == "39002.63"
    assert whole["at_stake"]["documents"] == 7
    assert [cause["code"] for cause in whole["causes"]] == [
        "dead_letters",
        "outcome_unknown",
        "dead_letters",
        "system_down",
        "exceptions",
    ]
    assert whole["messages"]["dead"] == 4
    assert whole["invoices"] is None
    assert erpsync("status", "--check").code == 1
    assert erpsync("status").code == 0


def test_every_command_that_an_answer_names_works(erpsync: Run, ids: dict[str, int]) -> None:
    answers = [
        erpsync(*words)
        for words in (
            ("status",),
            ("dlq", "list"),
            ("dlq", "show", str(ids["customer"])),
            ("messages", "list"),
            ("messages", "show", "1"),
            ("events", "list"),
            ("events", "show", "1"),
            ("exceptions", "list"),
            ("exceptions", "show", "1"),
            ("lanes", "show", "wms", "customer:CU-1107"),
            ("trace", "order:SO-10498"),
            ("store", "info"),
        )
    ]
    found = {
        match.group(1)
        for answer in answers
        for line in (answer.out + answer.err).splitlines()
        if (match := re.search(r"(?:next:|run:|or ) +erpsync (.+)$", line))
        and not re.search(r"ITS_NUMBER|WHY|settle|probe|--until-idle", match.group(1))
    }
    assert len(found) >= 8
    for command in sorted(found):
        assert erpsync(*shlex.split(command)).code == 0, command


def test_a_systems_own_number_is_taken_where_a_key_is(erpsync: Run) -> None:
    assert erpsync("trace", "order:10498").out == erpsync("trace", "orders:SO-10498").out


def test_a_trace_can_be_thinned_out_and_says_so(erpsync: Run) -> None:
    answer = erpsync("trace", "order:SO-10498", "--where", "kind = attempt", columns=80)
    assert "  2 of 7\n" in answer.out
    assert erpsync("trace", "order:SO-10498", "--since", "30m", "-o", "json").json["shown"] == 4
    assert erpsync("trace", "order:SO-10498", "--where", "colour = red").code == 2


def test_the_store_can_be_looked_over(erpsync: Run) -> None:
    assert erpsync("store", "verify").code == 0
    assert erpsync("store", "verify", "-o", "json").json["whole"] is True
    assert erpsync("store", "info", "-o", "json").json["schema"] == "erpsync/store.info/1"
