"""Every command that an answer tells to run next can be run as it stands, and so can those that its answer tells, to the end."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from conftest import Answer, Run  # type: ignore[import-not-found]  # the folder's own conftest
from test_cli_looks import SCREENS  # type: ignore[import-not-found]  # a test beside this one

TOLD = re.compile(r"^\s*(?:next(?:, in another terminal)?: |run: |or  |hint: )?(?:cd \S+ && )?(erpsync [a-z].*)$")
IN_A_HINT = re.compile(r"\b(erpsync [a-z][^;:()]*)")
FILLED_IN = {"WHY": "'a reason'", "ITS_NUMBER": "B-55310", "FILE": "kept.db"}
PLACEHOLDER = re.compile(rf"\b({'|'.join(FILLED_IN)})\b")
# What works with systems is told to wait no longer than this test; what needs processes of its own is left out.
LASTING = {"run": ("run", "--once"), "run --until-idle": ("run", "--once"), "sim up": None, "sim down": None}
ENDS_WELL = (0, 1, 3, 8)  # the systems of this night are out of reach
MOST = 400


def told(answer: Answer) -> Iterator[tuple[str, ...]]:
    """The commands that an answer tells to run, as the words behind ``erpsync``."""
    for line in (answer.out + answer.err).splitlines():
        found = TOLD.match(line)
        commands = [found[1]] if found else IN_A_HINT.findall(line) if line.startswith("hint: ") else []
        for command in commands:
            whole = PLACEHOLDER.sub(lambda word: FILLED_IN[word[0]], command.strip().rstrip(".,"))
            words = tuple(shlex.split(whole))[1:]
            if "COMMAND" not in words:
                yield words


def starts(ids: dict[str, int]) -> list[tuple[str, ...]]:
    """Where the walk begins: every screen, one message in each state, each exception, and words that are wrong."""
    screens = [tuple(word.format(**ids) for word in words) for words in SCREENS.values()]
    each = [("messages", "show", str(number)) for name, number in ids.items() if not name.endswith("_case")]
    cases = [("exceptions", "show", str(number)) for name, number in ids.items() if name.endswith("_case")]
    wrong = [
        ("messages", "show", "999999"),
        ("dlq", "show", "999999"),
        ("dlq", "show", str(ids["lost"])),
        ("events", "show", "999999"),
        ("exceptions", "show", "999999"),
        ("trace", "order:SO-99999"),
        ("systems", "probe", "erq"),
        ("systems", "resume", "erp"),
        ("workers", "stop"),
        ("dlq", "lst"),
        ("dlq", "list", "--limt", "5"),
        ("help", "filter"),
        ("check",),
        ("doctor",),
        ("find", "nobody-knows-it"),
        ("systems", "pause", "shop"),
        ("flows", "pause", "items"),
        ("messages", "hold", str(ids["customer"])),
        ("messages", "skip", str(ids["lost"])),
        ("store", "prune"),
        ("store", "backup", "kept.db"),
        ("store", "info"),
        ("store", "verify"),
        ("audit", "verify"),
        ("sync",),
    ]
    return [*screens, *each, *cases, *wrong]


def test_every_next_command_can_be_run_as_it_stands(
    night: Path, ids: dict[str, int], run_in: Callable[[Path], Run]
) -> None:
    begun = starts(ids)
    kept = night.parent / "kept"
    shutil.copytree(night, kept)
    waiting, seen, wrong = [(words, "typed", kept) for words in begun], set(begun), []
    ran = 0
    while waiting:
        words, by, found = waiting.pop()
        assert len(seen) < MOST, "commands tell of each other without end"
        ending = LASTING.get(" ".join(words), words)
        if ending is None:
            continue
        if ending[0] == "sync":
            ending = (*ending, "--timeout", "2s")
        folder = night.parent / f"copy-{ran}"
        ran += 1
        shutil.copytree(found, folder)  # as it was left by the command that told of this one
        erpsync = run_in(folder)
        answer = erpsync(*ending)
        if answer.code == 2 and "asks first, and there is no terminal" in " ".join(answer.err.split()):
            answer = erpsync(*ending, "--yes")
        if by != "typed" and answer.code not in ENDS_WELL:
            wrong.append((by, words, answer.code, answer.err))
        for more in told(answer):
            if more not in seen:
                seen.add(more)
                waiting.append((more, " ".join(words), folder))
    assert wrong == []
    assert len(seen) > len(begun) + 20, "the walk has followed what was told"


def test_a_next_command_is_whole_on_a_line_of_80_columns(erpsync: Run, ids: dict[str, int]) -> None:
    for words in starts(ids):
        if words[0] == "sync" or words[:2] == ("store", "backup"):
            continue
        wide, narrow = erpsync(*words), erpsync(*words, columns=80)
        assert set(told(narrow)) == set(told(wide)), words
