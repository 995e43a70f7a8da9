"""What a shell is told when Tab is pressed: the first line says how the candidates end, then one a line.

A shell runs ``erpsync`` with ``_ERPSYNC_COMPLETE`` set to its name and hands over the line (bash) or the words (zsh and
fish); the last is the one being typed. ``whole`` ends a word, ``part`` leaves it open, ``files`` asks for file names.
One rule: Tab is no command. Nothing is written anywhere, nothing is complained of, the exit code is 0, and after a
moment it is over.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from erpsync.cli.completion_line import Word, for_bash, word_of, words_of
from erpsync.cli.completion_values import Asked, Candidate, FileNames, values_of
from erpsync.terminal import safe
from erpsync.workbench import Workbench

VARIABLE = "_ERPSYNC_COMPLETE"
_MOST = 100
_LONGEST = 300  # of a candidate
_ABOUT = 80
_SECONDS = 0.8
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def answer(app: typer.Typer, argv: Sequence[str], *, bench: Workbench) -> int:
    """Tell a shell how the line may go on; always 0."""
    said: list[str] = []
    work = threading.Thread(target=_into, args=(said, app, list(argv), bench), daemon=True)
    work.start()
    work.join(_SECONDS)
    if work.is_alive():  # a file that does not open, a store that is held: the prompt comes first
        os._exit(0)
    try:
        sys.stdout.buffer.write("".join(f"{line}\n" for line in said).encode())
        sys.stdout.flush()
    except (OSError, ValueError):
        os._exit(0)
    return 0


def _into(said: list[str], app: typer.Typer, argv: list[str], bench: Workbench) -> None:
    try:
        with bench.closing():
            said += lines(app, argv, bench=bench)
    except BaseException:  # noqa: BLE001  (whatever it is, whoever pressed Tab is in the middle of a line)
        said.clear()


def lines(app: typer.Typer, argv: Sequence[str], *, bench: Workbench) -> list[str]:
    """The answer to a shell. Raises what the landscape and the store raise."""
    shell = bench.environ.get(VARIABLE, "")
    typed = words_of(argv[0]) if shell == "bash" else [*map(Word, argv[:-1]), word_of(argv[-1])]
    words, current = _command([word.text for word in typed[:-1]], bench), typed[-1]
    replaced = _done(current, argv[1] if len(argv) > 1 else "") if shell == "bash" else ""
    try:
        found = list(_candidates(typer.main.get_command(app), words, current, bench, told=shell != "bash"))
    except FileNames:
        return ["files"]
    found = [each for each in found if each.text.startswith(current.text) and _is_plain(each.text)][:_MOST]
    if not found:
        return []
    ends = "whole" if all(each.whole for each in found) else "part"
    if shell != "bash":
        return [ends, *(f"{each.text}\t{safe(each.about, limit=_ABOUT)}".rstrip("\t") for each in found)]
    written = (for_bash(each.text[len(replaced) :], current.quote) for each in found)
    return [ends, *(text for text in written if text is not None)]


def _is_plain(text: str) -> bool:
    """Whether a candidate can stand in a line as it is: nothing in it acts on a terminal."""
    return len(text) <= _LONGEST and safe(text) == text


def _command(words: list[str], bench: Workbench) -> list[str]:
    """The words behind the command's name; what is assigned before it is as if it were in the environment."""
    assigned: dict[str, str] = {}
    while words and (match := _ASSIGNED.fullmatch(words[0])):
        assigned[match[1]] = str(Path(match[2]).expanduser()) if match[2].startswith("~") else match[2]
        words = words[1:]
    if assigned:
        bench.environ = {**bench.environ, **assigned}
    return words[1:]


def _done(current: Word, replacing: str) -> str:
    """How much of the word bash leaves as it is: it replaces only what stands behind the last ``:`` or ``=``."""
    if not current.quote:
        replacing = "" if replacing in (":", "=") else word_of(replacing).text
    return current.text.removesuffix(replacing) if current.text.endswith(replacing) else ""


@dataclass
class _Place:
    """Where the line stands: the command reached, and how many of its arguments and which options are there."""

    node: Any
    path: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    open_option: Any = None
    only_arguments: bool = False


def _candidates(root: Any, words: list[str], current: Word, bench: Workbench, *, told: bool) -> Iterable[Candidate]:
    place = _Place(root)
    for word in words:
        if not _take(place, word, bench):
            return ()
    asked = Asked(
        bench,
        " ".join(place.path),
        getattr(place.node, "callback", None),
        current.text,
        quoted=bool(current.quote),
        before=tuple(place.arguments),
    )
    if place.open_option is not None:
        return values_of(place.open_option, asked)
    if current.text.startswith("-") and not place.only_arguments:
        return _options(place, asked)
    if hasattr(place.node, "commands"):
        return _names(place.node, told=told)
    arguments = [parameter for parameter in place.node.params if parameter.param_type_name == "argument"]
    at = min(len(place.arguments), len(arguments) - 1)
    if at < 0 or (len(place.arguments) > at and arguments[at].nargs != -1):
        return ()
    return values_of(arguments[at], asked)


def command_of(app: typer.Typer, words: Sequence[str]) -> list[str]:
    """The words of a line that name its command, as far as they do."""
    place = _Place(typer.main.get_command(app))
    for word in words:
        if not _take(place, word, Workbench()):
            break
    return place.path


def _take(place: _Place, word: str, bench: Workbench) -> bool:
    """Go one word on; False where nothing more can be known."""
    if place.open_option is not None:
        _heed(place.open_option, word, bench)
        place.open_option = None
    elif place.only_arguments or not word.startswith("-") or word == "-":
        if not hasattr(place.node, "commands"):
            place.arguments.append(word)
            return True
        node = place.node.get_command(None, word)
        if node is None:
            return False
        place.node, place.given = node, set()
        place.path.append(word)
    elif word == "--":
        place.only_arguments = True
    else:
        parameter, attached = _option(place.node, word)
        if parameter is None:
            return word == "--help"
        place.given.add(str(parameter.name))
        if attached is not None:
            _heed(parameter, attached, bench)
        elif not parameter.is_flag:
            place.open_option = parameter
    return True


def _heed(parameter: Any, value: str, bench: Workbench) -> None:
    """The landscape is the one that is named on the line."""
    if parameter.name == "landscape":
        bench.landscape_file = str(Path(value).expanduser()) if value.startswith("~") else value


def _option(node: Any, word: str) -> tuple[Any, str | None]:
    """The option of a word, and the value that is attached to it (``--limit=5``, ``-ojson``)."""
    name, equals, value = word.partition("=")
    for parameter in node.params:
        if parameter.param_type_name != "option":
            continue
        for own in parameter.opts:
            if own == name:
                return parameter, value if equals else None
            if not own.startswith("--") and word.startswith(own):
                return parameter, word[len(own) :]
    return None, None


def _options(place: _Place, asked: Asked) -> Iterable[Candidate]:
    parameter, attached = _option(place.node, asked.typed)
    if attached is not None:
        if parameter.is_flag:
            return ()
        start = asked.typed[: len(asked.typed) - len(attached)]
        values = values_of(parameter, replace(asked, typed=attached))
        return [replace(each, text=f"{start}{each.text}") for each in values]
    found = []
    for option in place.node.params:
        if option.param_type_name != "option" or getattr(option, "hidden", False):
            continue
        if str(option.name) not in place.given or option.multiple:
            found += [Candidate(own, getattr(option, "help", "") or "") for own in option.opts]
    return [*found, Candidate("--help", "say more about it")]


def _names(node: Any, *, told: bool) -> Iterable[Candidate]:
    """The commands of a group; ``told``: with their help, for a shell that shows it."""
    names = node.list_commands(None)
    if not told:
        return map(Candidate, names)
    if node.deferred:  # to load them all takes longer than anybody waits; the front page tells of each
        from erpsync.cli.front_page import told_of  # noqa: PLC0415  (only for it)

        about = told_of()
        return [Candidate(name, about.get(name, "")) for name in names]
    made = [(name, node.get_command(None, name)) for name in names]
    return [Candidate(name, _first_sentence(sub.help)) for name, sub in made if not sub.hidden]


def _first_sentence(text: str | None) -> str:
    return re.split(r"[.:;] ", " ".join((text or "").split()))[0].removesuffix(".")
