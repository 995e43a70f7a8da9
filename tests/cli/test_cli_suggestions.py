"""What is misspelt, or right in the wrong place, is answered with what was probably meant, always in the same words."""

from __future__ import annotations

import pytest
from conftest import Answer, Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.domain.nearest import meant, nearest


def told(answer: Answer) -> tuple[str, str]:
    """The error and its hint."""
    assert answer.code == 2
    assert answer.out == ""
    error, _, hint = answer.err.rstrip("\n").partition("\nhint: ")
    return error.removeprefix("error: "), hint


@pytest.mark.parametrize(
    ("typed", "error", "hint"),
    [
        ("dql list", "erpsync has no command dql", "dlq? All: erpsync --help"),
        ("dlq lst", "dlq has no command lst", "list? All: erpsync dlq --help"),
        ("list dlq", "erpsync has no command list", "dlq list? All: erpsync --help"),
        ("show 42790", "erpsync has no command show", "messages show 42790? All: erpsync --help"),
        ("show E-303", "erpsync has no command show", "exceptions show E-303? All: erpsync --help"),
        ("show order:SO-1", "erpsync has no command show", "trace order:SO-1? All: erpsync --help"),
        ("42790", "erpsync has no command 42790", "messages show 42790? All: erpsync --help"),
        ("dlq 42790", "dlq has no command 42790", "dlq show 42790? All: erpsync dlq --help"),
        ("audit show A-3", "audit has no command show", "audit list --where 'id = 3'? All: erpsync audit --help"),
        ("discrd 42790", "erpsync has no command discrd", "dlq discard? All: erpsync --help"),
        ("zzzz", "erpsync has no command zzzz", "All: erpsync --help"),
        ("dlq list --limt 5", "dlq list has no option --limt", "--limit? All: erpsync dlq list --help"),
        ("--landscap x status", "erpsync has no option --landscap", "--landscape? All: erpsync --help"),
        ("dlq list -x", "dlq list has no option -x", "All: erpsync dlq list --help"),
        (
            "dlq list -o jsn",
            "dlq list: --output jsn is none of table, json, jsonl, csv, ids",
            "json? All: erpsync dlq list --help",
        ),
        (
            "dlq list --output=IDS",
            "dlq list: --output IDS is none of table, json, jsonl, csv, ids",
            "ids? All: erpsync dlq list --help",
        ),
        ("completion bsh", "completion: SHELL bsh is none of bash, zsh, fish", "bash? All: erpsync completion --help"),
        (
            "dlq discard 1 --line goo",
            "dlq discard: --line goo is none of go, discard, hold",
            "go? All: erpsync dlq discard --help",
        ),
        ("flows pause orders --now", "flows pause has no option --now", "All: erpsync flows pause --help"),
        ("dlq list --limit x", "dlq list: --limit x is no whole number", "erpsync dlq list --help"),
        ("dlq list --limit -1", "dlq list: --limit -1 is less than 0", "erpsync dlq list --help"),
        ("dlq list --limit 9999999999", "dlq list: --limit 9999999999 is more than 1,000,000,000", "erpsync dlq list --help"),
        ("sim fault wms --for x", "sim fault: --for x is no number", "erpsync sim fault --help"),
        ("dlq list --limit", "dlq list: --limit needs a value", "erpsync dlq list --help"),
        ("--landscape", "erpsync: --landscape needs a value", "erpsync --help"),
        ("dlq list more", "dlq list does not take more", "erpsync dlq list --help"),
        ("dlq show", "dlq show needs ID", "erpsync dlq show --help"),
        ("systems probe WMSS", "system WMSS does not exist", "wms? Systems: erp, shop, wms"),
        ("lanes show wmss order:SO-1", "system wmss does not exist", "wms? Systems: erp, shop, wms"),
        ("sync ordrs", "'ordrs' is no kind of document", "orders? Kinds: customer, item, movement, order, shipment, stock"),
        (
            "trace ordr:SO-1",
            "'ordr' is no kind of document",
            "order? Kinds: customer, item, movement, order, shipment, stock",
        ),
        ("help filtrs", "help has no topic filtrs", "filters? Topics: exit-codes, filters, json; a command: erpsync COMMAND --help"),
        ("messages show E-303", '"E-303" is no id', "that is an exception: erpsync exceptions show E-303"),
        ("messages show e303", '"e303" is no id', "that is an exception: erpsync exceptions show E-303"),
        ("exceptions show A-3", '"A-3" is no id', "that is an act: erpsync audit list --where 'id = 3'"),
        ("dlq show order:SO-1", '"order:SO-1" is no id', "that is a key: erpsync trace order:SO-1"),
        ("trace 42790", '"42790" is no key', "that is a message: erpsync messages show 42790"),
        ("trace E-303", '"E-303" is no key', "that is an exception: erpsync exceptions show E-303"),
        ("trace nonsense", "'nonsense' is no key", "a key is KIND:NUMBER, like order:SO-1001"),
    ],
)  # fmt: skip
def test_what_was_meant_is_said(erpsync: Run, typed: str, error: str, hint: str) -> None:
    assert told(erpsync(*typed.split())) == (error, hint)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("dlq", "list", "--where", "sytem = erp"), "system? Fields of dead letters: "),
        (("messages", "list", "--where", "state = ded"), "dead? States: "),
        (("messages", "list", "--where", "kind = ordr"), "order? Kinds: "),
        (("events", "list", "--where", "verdict = acepted"), "accepted? Verdicts: "),
        (("dlq", "list", "--sort", "sytem"), "system? Fields: "),
        (("workers", "list", "--sort", "-sttate"), "state? Fields: "),
    ],
)
def test_a_filter_or_an_order_that_is_misspelt_names_the_nearest(
    erpsync: Run, typed: tuple[str, ...], hint: str
) -> None:
    assert told(erpsync(*typed))[1].startswith(hint)


def test_a_system_or_flow_in_a_filter_that_is_not_there_is_warned_of(erpsync: Run) -> None:
    answer = erpsync("messages", "list", "--where", "system = wmss or flow = ordrs", "-o", "ids")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == (
        "warning: no system is called wmss: wms? Systems: erp, shop, wms\n"
        "warning: no flow is called ordrs: orders? Flows: items, customers, orders, shipments\n"
    )
    assert "warning" not in erpsync("messages", "list", "--where", "system = wms*").err


def test_a_number_alone_is_a_key_where_only_one_document_bears_it(erpsync: Run) -> None:
    assert erpsync("trace", "SO-10498").out == erpsync("trace", "order:SO-10498").out
    assert erpsync("lanes", "show", "wms", "CU-1107").code == 0


def test_an_error_in_json_has_the_same_words(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "-o", "json", "--limt", "5")
    assert '"error": "dlq list has no option --limt", "hint": "--limit? All: erpsync dlq list --help"' in answer.err


def test_the_nearest_is_found_whatever_the_case_of_its_letters() -> None:
    assert nearest("WMSS", ["erp", "wms"]) == "wms"
    assert nearest("zzz", ["erp", "wms"]) is None
    assert nearest("x" * 1_000_000, ["erp", "wms"]) is None
    assert meant("erpp", ["ERP"]) == "ERP? "
    assert meant("zzz", []) == ""
