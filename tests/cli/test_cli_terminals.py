"""Every command that reads, in every terminal: narrow and wide, dumb, without colour, without UTF-8, and in a pipe.

Nothing is wider than the terminal but what must stay whole: a command to paste, a key, an id, a path.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import SECRETS, Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.cli.main import app
from erpsync.terminal import width

COLUMNS = (20, 40, 60, 79, 80, 120)
READING = {
    "audit list": (),
    "audit verify": (),
    "check": (),
    "completion": ("bash",),
    "config show": (),
    "dlq list": (),
    "doctor": (),
    "find": ("SO-10498",),
    "flows list": (),
    "lanes list": (),
    "dlq show": ("{customer}", "--full"),
    "events list": (),
    "events show": ("1", "--full"),
    "exceptions list": (),
    "exceptions show": ("{lost_case}",),
    "help": ("filters",),
    "lanes show": ("wms", "customer:CU-1107"),
    "messages list": (),
    "messages show": ("{lost}",),
    "replay": ("{customer}", "{SH-88022}", "--dry-run"),
    "status": (),
    "store info": (),
    "store verify": (),
    "systems list": (),
    "tail": ("--since", "1d", "--no-wait"),
    "trace": ("order:SO-10498",),
    "workers list": (),
    "xref list": (),
}
# They change something; replay is read with --dry-run.
ACTING = {
    "demo",
    "dlq discard",
    "dlq restore",
    "events apply",
    "exceptions resolve",
    "flows pause",
    "flows resume",
    "init",
    "messages hold",
    "messages release",
    "messages settle",
    "messages skip",
    "run",
    "sim down",
    "sim fault",
    "sim up",
    "store backup",
    "store migrate",
    "store prune",
    "sync",
    "systems pause",
    "systems probe",
    "systems resume",
    "workers stop",
}
FREE_NOW = re.compile(r'"(disk_free|text)": .*')  # how much room the disk has changes meanwhile
FOR_PROGRAMS = {"completion"}
_COMMAND = re.compile(r"\s*(next\b[^:]*:|or|run:)\s|\s+erpsync\s")


def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    group = group or typer.main.get_command(app)
    found = {}
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        inner = commands(command, (*path, name)) if hasattr(command, "commands") else None
        found.update(inner if inner is not None else {" ".join((*path, name)): command})
    return found


def words(name: str, ids: dict[str, int]) -> list[str]:
    """A command with arguments that it finds on the night."""
    return [*name.split(), *(word.format(**ids) for word in READING[name])]


def too_wide(text: str, columns: int) -> list[str]:
    """The lines that could have been broken at a space, and are wider all the same."""
    return [
        line
        for line in text.splitlines()
        if width(line) > columns and not _COMMAND.match(line) and len(line.split()) > (2 if ": " in line else 1)
    ]


def test_every_command_reads_or_acts() -> None:
    assert set(commands()) == set(READING) | ACTING


@pytest.mark.parametrize("name", sorted(set(READING) - FOR_PROGRAMS))
def test_nothing_is_wider_than_the_terminal(name: str, erpsync: Run, ids: dict[str, int]) -> None:
    for columns in COLUMNS:
        answer = erpsync(*words(name, ids), columns=columns)
        assert answer.code == (1 if name == "doctor" else 0), answer.err
        assert too_wide(answer.out + answer.err, columns) == [], columns


@pytest.mark.parametrize("name", sorted({*READING, *ACTING}))
def test_no_help_is_wider_than_the_terminal(name: str, erpsync: Run) -> None:
    for columns in (40, 79):
        answer = erpsync(*name.split(), "--help", columns=columns)
        assert too_wide(answer.out + answer.err, columns) == [], columns


def test_an_error_is_no_wider_than_the_terminal(erpsync: Run) -> None:
    for columns in COLUMNS:
        for typed in (("dlq", "list", "--where", "sytem = erp"), ("show", "1"), ("trace", "order:none")):
            assert too_wide(erpsync(*typed, columns=columns).err, columns) == []


@pytest.mark.parametrize("name", sorted(READING))
def test_what_programs_read_does_not_depend_on_the_terminal(name: str, erpsync: Run, ids: dict[str, int]) -> None:
    formats = {
        str(choice)
        for parameter in commands()[name].params
        if parameter.name == "output"
        for choice in choices(parameter)
    }
    for output in sorted(formats - {"table"}):
        asked = ["help", "json", "dlq.list"] if name == "help" else words(name, ids)
        narrow, pipe = (erpsync(*asked, "-o", output, columns=columns).out for columns in (20, None))
        assert FREE_NOW.sub("", narrow) == FREE_NOW.sub("", pipe)
        if output == "json":
            json.loads(narrow)
    if name in FOR_PROGRAMS:
        assert erpsync(*words(name, ids), columns=20).out == erpsync(*words(name, ids)).out


def choices(parameter: Any) -> list[str]:
    """The words an option takes."""
    return [member.value for member in parameter.type_descriptor.annotation]


@pytest.mark.parametrize("name", sorted(set(READING) - FOR_PROGRAMS))
def test_narrow_and_wide_say_the_same_words(name: str, erpsync: Run, ids: dict[str, int]) -> None:
    """A key, an id and an amount of a wide terminal are whole in a narrow one."""
    if name == "events show":
        return  # the bytes of what was told are folded wherever the line ends
    wide, narrow = (erpsync(*words(name, ids), columns=columns).out for columns in (120, 40))
    for kept in re.findall(r"\b(?:order|shipment|customer):[A-Z]{2}-\d+\b|\bE-\d+\b|\b\d+\.\d\d\b", wide):
        assert kept in narrow


SURROUNDINGS = {
    "dumb": {"TERM": "dumb"},
    "no colour": {"NO_COLOR": "1"},
    "C": {"LC_ALL": "C", "LANG": "C"},
    "no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", ["status", "dlq list", "messages show", "trace", "xref list"])
def test_plain_terminals_get_plain_text(surroundings: str, name: str, night: Path, ids: dict[str, int]) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LANG", "PYTHONIOENCODING")}
    done = subprocess.run(
        [sys.executable, "-m", "erpsync", *words(name, ids)],
        cwd=night,
        env={**environ, **SECRETS, **SURROUNDINGS[surroundings]},
        capture_output=True,
        check=True,
    )
    text = (done.stdout + done.stderr).decode("ascii" if surroundings == "no UTF-8" else "utf-8")
    assert "\x1b" not in text
    assert "Traceback" not in text
    assert "\ufffd" not in text
