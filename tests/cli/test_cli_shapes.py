"""What other programs read: each answer is declared, each line and cell says the same as the JSON, a formula is no formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT
from shaped import item_validator

from erpsync.cli.csv_text import csv_lines
from erpsync.cli.main import app
from erpsync.cli.options import DEFAULT_LIMIT, Output
from erpsync.cli.selecting import selection
from erpsync.cli.shapes import items_of, shapes
from erpsync.cli.shapes.keys import ANYTHING, DECIMAL, TEXT, WHOLE, Each, Keys, columns, key, keys, maybe
from erpsync.workbench import Workbench

LISTINGS = sorted(name for name, shape in shapes().items() if shape.items is not None)
WORDS = {
    "trace": ("trace", "order:SO-10498"),
    "find": ("find", "order"),
    "tail": ("tail", "--since", "1d", "--no-wait"),
}
UNCUT = ("trace", "tail")  # they are never cut


def words_of(listing: str) -> tuple[str, ...]:
    return WORDS.get(listing, tuple(listing.split(".")))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_that_speaks_json_has_its_answer_declared() -> None:
    speaking = {
        ".".join(path)
        for path, command in commands(typer.main.get_command(app))
        if any("--output" in parameter.opts for parameter in command.params)
    }
    assert speaking - {"help"} == set(shapes()) - {"error", "sync.dry-run"}


@pytest.mark.parametrize("listing", LISTINGS)
def test_lines_of_json_are_the_items_of_the_answer(listing: str, erpsync: Run) -> None:
    every = erpsync(*words_of(listing), "-o", "json", *([] if listing in UNCUT else ["--limit", "0"])).json["items"]
    lines = [json.loads(line) for line in erpsync(*words_of(listing), "-o", "jsonl").out.splitlines()]
    assert lines == every
    for line in lines:
        assert list(item_validator(listing).iter_errors(line)) == []


def flat(item: Any, of: Keys, before: str = "") -> dict[str, str]:
    """An item as a spreadsheet has it, worked out here a second time."""
    found: dict[str, str] = {}
    for one in of.keys:
        value = None if item is None else item[one.name]
        path = f"{before}{one.name}"
        if isinstance(one.of, Keys):
            found |= flat(value, one.of, f"{path}.")
        elif value is None:
            found[path] = ""
        elif isinstance(value, bool):
            found[path] = str(value).lower()
        elif isinstance(value, dict | list):
            found[path] = json.dumps(value)
        else:
            found[path] = str(value)
    return found


@pytest.mark.parametrize("listing", LISTINGS)
def test_csv_has_the_same_keys_and_values_as_json(listing: str, erpsync: Run) -> None:
    every = erpsync(*words_of(listing), "-o", "json", *([] if listing in UNCUT else ["--limit", "0"])).json["items"]
    answer = erpsync(*words_of(listing), "-o", "csv", "--raw")
    assert answer.err == ""
    assert list(csv.DictReader(io.StringIO(answer.out))) == [flat(item, items_of(listing)) for item in every]


@pytest.mark.parametrize("listing", LISTINGS)
def test_the_heading_of_csv_is_the_same_where_nothing_matches(listing: str, erpsync: Run) -> None:
    fields = {
        "audit.list": "what",
        "config.show": "setting",
        "flows.list": "flow",
        "find": "text",
        "tail": "text",
        "trace": "text",
    }
    field = {**fields, "lanes.list": "error", "workers.list": "host"}.get(listing)
    where = (
        "id = 0"
        if field is None and "xref" not in listing and "systems" not in listing
        else f"{field or 'system'} = nothing"
    )
    some = erpsync(*words_of(listing), "-o", "csv")
    asked = ("find", "zzzz") if listing == "find" else (*words_of(listing), "--where", where)
    none = erpsync(*asked, "-o", "csv")
    assert none.code == 0, none.err
    assert none.out == some.out.partition("\n")[0] + "\n"


SHEET = keys(key("name", TEXT, ""), key("n", WHOLE, ""), maybe("amount", DECIMAL, ""), maybe("more", ANYTHING, ""))


def cells(*values: object, raw: bool = False) -> list[str]:
    item = dict(zip(("name", "n", "amount", "more"), values, strict=True))
    return next(csv.reader(list(csv_lines(SHEET, [item], raw=raw))[1:]))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_text(begin: str) -> None:
    assert cells(f"{begin}1+1", 1, None, f"{begin}A1") == [f"'{begin}1+1", "1", "", f"'{begin}A1"]
    assert cells(f"{begin}1+1", 1, None, None, raw=True)[0] == f"{begin}1+1"


def test_a_negative_amount_stays_a_number() -> None:
    assert cells("x", -4, "-12.50", "-4") == ["x", "-4", "-12.50", "'-4"]


def test_a_number_that_is_none_is_no_formula_either() -> None:
    assert cells("x", 1, "-1+cmd|' /C calc'!A0", None)[2] == "'-1+cmd|' /C calc'!A0"


def test_a_row_stays_a_line_and_nothing_acts() -> None:
    said = list(
        csv_lines(SHEET, [{"name": 'a\r\n"b",\x1b[31m\t', "n": 1, "amount": None, "more": ["\x1b", 1]}], raw=True)
    )
    assert said[1] == '"a\\r\\n""b"",\\x1b[31m\\t",1,,"[""\\u001b"", 1]"'


def test_raw_is_refused_where_there_are_no_cells(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "--raw")
    assert (answer.code, answer.err) == (2, "error: --raw is about cells of CSV\nhint: with -o csv, or without --raw\n")


@pytest.mark.parametrize("output", [Output.IDS, Output.JSONL, Output.CSV])
def test_what_another_program_reads_is_all_of_it(output: Output, night: Path) -> None:
    bench = Workbench(folder=night, environ={}, clock=lambda: NIGHT)
    assert selection(bench, "", limit=None, sort="", output=output).limit == 0
    assert selection(bench, "", limit=None, sort="", output=Output.JSON).limit == DEFAULT_LIMIT


def test_csv_is_all_of_it_and_says_when_it_is_not(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", "-o", "csv", "--limit", "1")
    assert len(answer.out.splitlines()) == 2
    assert answer.err == "warning: 1 of 4 rows; leave --limit out to pass them all\n"


@pytest.mark.parametrize("name", sorted(shapes()))
def test_help_names_every_key_of_an_answer(name: str, erpsync: Run) -> None:
    told = erpsync("help", "json", *name.split("."))
    assert told.code == 0
    for path, of in columns(shapes()[name].answer):
        mark = "[]" if isinstance(of, Each) else ""
        assert f"  {'.'.join(path)}{mark}" in told.out
    schema = erpsync("help", "json", name, "-o", "json").json
    assert schema["title"] == f"erpsync/{name}/1"
    assert set(schema["required"]) == {one.name for one in shapes()[name].answer.keys}


def test_an_answer_that_is_not_there_is_answered_with_the_nearest(erpsync: Run) -> None:
    answer = erpsync("help", "json", "dlq.lst")
    assert (answer.code, answer.err) == (
        2,
        "error: help json has no answer dlq.lst\nhint: dlq.list? All: erpsync help json\n",
    )
