"""README says what is there: its tour prints what it shows, its files are good, and every command stands in it.

Its blocks are written anew with ERPSYNC_WRITE_GOLDEN=1.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from erpsync.cli.front_page import FRONT_PAGE
from erpsync.cli.help_topics import EXIT_CODES, topics
from erpsync.cli.main import app
from erpsync.config.checking import _LATER
from erpsync.domain.messages import State

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n", re.DOTALL)

# what differs from one run to the next
CHANGING = (
    (re.compile(r"\w{3} \d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?"), "DAY"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?\b"), "TIME"),
    (re.compile(r"\b\d+\.\d+ s\b"), "TOOK"),
    (re.compile(r"\b\d+s\b"), "AGO"),
    (re.compile(r"[ ]+"), " "),
)


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command as a reader types it, with what it says on both streams in one."""
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ERPSYNC_")}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**environ, "PATH": search, "COLUMNS": "100", "ERP_TOKEN": "a", "SHOP_TOKEN": "b"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=120,
    )


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command there is, with the words that call it."""
    context = typer.Context(group, info_name="erpsync")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def plain(text: str) -> str:
    """Text without what differs from one run to the next."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


def test_the_tour_prints_what_it_shows(tmp_path: Path) -> None:
    folder, told = tmp_path, TEXT
    for kind, block in BLOCK.findall(TEXT):
        if kind != "console":
            continue
        printed = []
        for line in block.splitlines():
            if not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ")
            printed.append(line)
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
                continue
            printed += [said.rstrip() for said in shell(folder, command).stdout.splitlines()]
        shown = "\n".join(printed) + "\n"
        assert "$ " in shown
        if os.environ.get("ERPSYNC_WRITE_GOLDEN"):
            told = told.replace(block, shown)
        else:
            assert plain(block) == plain(shown)
    if told != TEXT:
        README.write_text(told, encoding="utf-8")


def test_the_landscape_and_the_spec_it_shows_are_good(tmp_path: Path) -> None:
    files = [block for kind, block in BLOCK.findall(TEXT) if kind == "toml"]
    landscape, spec = files
    (tmp_path / "erpsync.toml").write_text(landscape, encoding="utf-8")
    (tmp_path / "specs").mkdir()
    for name in ("erp", "shop"):
        (tmp_path / "specs" / f"{name}.toml").write_text(spec, encoding="utf-8")
    done = shell(tmp_path, "erpsync check")
    assert done.returncode == 0, done.stdout
    assert done.stdout == "erpsync.toml is good: 2 systems, 1 flow, 1 owner\n"


def test_what_it_says_is_not_built_yet_is_refused_by_name(tmp_path: Path) -> None:
    good = next(block for kind, block in BLOCK.findall(TEXT) if kind == "toml").replace("spec = ", "# spec = ")
    for later in ("gates", "approvals", "pricing", "inventory", "gateway"):
        assert later in _LATER
        (tmp_path / "erpsync.toml").write_text(f"{good}\n[{later}.x]\n", encoding="utf-8")
        assert f"{later}.x is not built yet" in shell(tmp_path, "erpsync check").stdout


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ("help",)], ids=" ".join)
def test_every_command_stands_in_it_with_a_line(words: tuple[str, ...]) -> None:
    assert f"| `erpsync {' '.join(words)}` | " in TEXT


def test_every_command_in_its_table_exists() -> None:
    for line in re.findall(r"^\| `erpsync ([a-z -]+)` \| ", TEXT, re.MULTILINE):
        command, _, topic = line.partition(" ")
        assert tuple(line.split()) in COMMANDS or (command == "help" and topic in topics()), line


@pytest.mark.parametrize("topic", topics())
def test_every_topic_of_help_stands_in_it_and_on_the_front_page(topic: str) -> None:
    assert f"| `erpsync help {topic}` | " in TEXT
    assert f"help {topic}" in FRONT_PAGE


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_every_command_stands_on_the_front_page(words: tuple[str, ...]) -> None:
    assert re.search(rf"\b{words[0]}\b", FRONT_PAGE)


def test_every_state_and_every_exit_code_has_its_place() -> None:
    for state in State:
        assert f"\n**{state}**: " in TEXT
    for code in re.findall(r"^ *(\d+)  ", EXIT_CODES, re.MULTILINE):
        assert re.search(rf"^\| (\d+, )?{code}(, \d+)? \| ", TEXT, re.MULTILINE), code


def test_every_place_it_names_exists() -> None:
    for path in re.findall(r"`((?:erpsync|fixtures|tests|scripts)/[\w/.]*)`", TEXT):
        assert (ROOT / path).exists(), path


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landscape that was synchronised."""
    folder = tmp_path_factory.mktemp("examples")
    assert shell(folder, "erpsync init . && erpsync sync").returncode == 0
    return folder


def examples(command: Any) -> list[str]:
    """The commands that a help gives as examples, whole."""
    text = re.sub(r"\s*\\\n\s*", " ", command.epilog or "")
    found = [match.group(0) for match in re.finditer(r"erpsync (?!COMMAND).*", text)]
    return [re.split(r" {3,}", example)[0].strip() for example in found]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ("help",)], ids=" ".join)
def test_every_help_has_an_example_that_can_be_run(words: tuple[str, ...], synced: Path) -> None:
    """In a landscape of its own. What would go on until it is stopped is only read; an id that is not there is said so."""
    found = examples(COMMANDS[words])
    assert found, f"erpsync {' '.join(words)} --help has no example"
    for example in found:
        assert shlex.split(example)[: len(words) + 1] == ["erpsync", *words] or "|" in example, example
        endless = words[0] in ("sim", "demo", "init") or example == "erpsync run" or example.endswith("--watch")
        done = shell(synced, f"{example} --help" if endless else example)
        assert done.returncode in (0, 1, 2), (example, done.stdout)
        if done.returncode == 2:
            assert re.search(
                r"is not in the store|has stopped already|asks first|(system|exception) \S+ does not exist", done.stdout
            ), (
                example,
                done.stdout,
            )
