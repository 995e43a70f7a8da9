"""How answers look: at 80 and 120 columns, and in a pipe. Written anew with ERPSYNC_WRITE_GOLDEN=1."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest

GOLDEN = Path(__file__).parent / "golden"

SCREENS = {
    "status": ("status",),
    "dlq_list": ("dlq", "list"),
    "dlq_show": ("dlq", "show", "{customer}"),
    "messages_list": ("messages", "list"),
    "messages_show": ("messages", "show", "{lost}"),
    "events_list": ("events", "list"),
    "exceptions_list": ("exceptions", "list"),
    "exceptions_show": ("exceptions", "show", "{lost_case}"),
    "lanes_list": ("lanes", "list"),
    "lanes_show": ("lanes", "show", "wms", "customer:CU-1107"),
    "systems_list": ("systems", "list"),
    "flows_list": ("flows", "list"),
    "audit_list": ("audit", "list"),
    "xref_list": ("xref", "list"),
    "find": ("find", "SO-10498"),
    "tail": ("tail", "--since", "1h", "--no-wait"),
    "workers_list": ("workers", "list"),
    "config_show": ("config", "show", "--where", "setting ~ wms and setting !~ spec"),
    "trace": ("trace", "order:SO-10498"),
    "messages_hold": ("messages", "hold", "7", "12", "{customer}", "--dry-run"),
    "messages_skip": ("messages", "skip", "4", "12", "{lost}", "--dry-run"),
    "replay": ("replay", "{customer}", "{SH-88022}", "--dry-run"),
}


FORMATS = ("json", "jsonl", "csv", "ids")


def takes(screen: str) -> tuple[str, ...]:
    """The formats that a command takes besides the table."""
    words = SCREENS[screen]
    return FORMATS if words[-1] == "list" or words[0] in ("trace", "config", "find", "tail") else ("json",)


def agreed(name: str, shown: str) -> str:
    """What was agreed; written anew where that is asked for."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("ERPSYNC_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("screen", "form"), [(screen, form) for screen in SCREENS for form in takes(screen)])
def test_what_another_program_reads_is_as_it_was_agreed_at_every_width(
    screen: str, form: str, erpsync: Run, ids: dict[str, int], night: Path
) -> None:
    words = (*(word.format(**ids) for word in SCREENS[screen]), "-o", form)
    said = {(answer.code, answer.out, answer.err) for answer in (erpsync(*words, columns=c) for c in (80, 120, None))}
    assert len(said) == 1
    code, out, err = said.pop()
    shown = f"{out}--- stderr, exit {code}\n{err}".replace(str(night), "FOLDER")
    assert shown == agreed(f"{screen}.{form}", shown)


@pytest.mark.parametrize("columns", [80, 120, None], ids=["80", "120", "pipe"])
@pytest.mark.parametrize("screen", SCREENS)
def test_an_answer_looks_as_it_was_agreed(
    screen: str, columns: int | None, erpsync: Run, ids: dict[str, int], night: Path
) -> None:
    answer = erpsync(*(word.format(**ids) for word in SCREENS[screen]), columns=columns)
    shown = f"{answer.out}--- stderr, exit {answer.code}\n{answer.err}".replace(str(night), "FOLDER")
    assert shown == agreed(f"{screen}.{columns or 'pipe'}", shown)


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("screen", SCREENS)
def test_no_line_is_wider_than_the_terminal(screen: str, columns: int, erpsync: Run, ids: dict[str, int]) -> None:
    answer = erpsync(*(word.format(**ids) for word in SCREENS[screen]), columns=columns)
    too_wide = [
        line
        for line in (answer.out + answer.err).splitlines()
        if len(line) > columns and " " in line.strip() and "run: " not in line
    ]
    assert too_wide == []


def test_a_narrow_terminal_gets_a_block_for_each_row(erpsync: Run) -> None:
    answer = erpsync("dlq", "list", columns=60)
    assert answer.out.count("id: ") == 4
    assert "key: shipment:SH-88022\n" in answer.out


def test_keys_and_ids_are_whole_at_every_width(erpsync: Run) -> None:
    for columns in range(40, 200, 7):
        answer = erpsync("dlq", "list", columns=columns)
        assert set(re.findall(r"shipment:\S+", answer.out)) == {
            "shipment:SH-88022",
            "shipment:SH-87931",
            "shipment:SH-87953",
        }


def test_nothing_is_cut_in_a_pipe(erpsync: Run) -> None:
    assert 'system erp answered 422: unknown value "UPSG"' in erpsync("dlq", "list").out
