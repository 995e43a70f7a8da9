"""What may stand for a parameter: one table by the word that help shows for it (``SYSTEM``, ``KEY``, ``FILTER``).

One rule: a command whose parameter bears one of these words is completed without another line; a word that is not in
the table is free text, and a test holds the list of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from erpsync.store.reading.completing import Found
    from erpsync.workbench import Workbench


@dataclass(frozen=True)
class Candidate:
    """One way to go on: the whole word, a few words on it, and whether the word ends there."""

    text: str
    about: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Asked:
    """What is to be completed: the word as far as it is typed, where it stands, and what the words before it were.

    ``command`` as people call it (``dlq show``); ``quoted``: it stands in quotes, so that spaces are part of it.
    """

    bench: Workbench
    command: str
    callback: Any
    typed: str
    quoted: bool = False
    before: tuple[str, ...] = ()


Completer = Callable[[Asked], Iterable[Candidate]]


class FileNames(Exception):  # noqa: N818  (no error: what is wanted)
    """The shell's own file names are wanted."""


def values_of(parameter: Any, asked: Asked) -> Iterable[Candidate]:
    """What may stand for a parameter; nothing for free text. Raises FileNames."""
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [Candidate(str(member.value)) for member in kind]
    completer = COMPLETERS.get(word_for(parameter))
    return completer(asked) if completer else ()


def word_for(parameter: Any) -> str:
    """What help calls the values of a parameter, without the marks for *may be left out* and *several*."""
    return str(parameter.metavar or parameter.name).strip("[].|-")


def _files(asked: Asked) -> Iterable[Candidate]:  # noqa: ARG001  (all completers are asked alike)
    raise FileNames


def _systems(asked: Asked) -> Iterator[Candidate]:
    yield from (Candidate(system.name, system.role) for system in asked.bench.landscape.systems.values())
    if asked.command == "sim fault":
        yield Candidate("all")


def _flows(asked: Asked) -> Iterator[Candidate]:
    for flow in asked.bench.landscape.flows:
        yield Candidate(flow.name, f"{flow.kind} from {flow.source} to {', '.join(flow.targets)}")


def _kinds(asked: Asked) -> Iterator[Candidate]:
    from erpsync.domain.kinds import kinds  # noqa: PLC0415  (only where they are asked for)

    flowing = {flow.kind for flow in asked.bench.landscape.flows}
    yield from (Candidate(name) for name in kinds() if name in flowing)
    yield from (Candidate(name, "no flow carries it") for name in kinds() if name not in flowing)


def _keys(asked: Asked) -> list[Candidate]:
    """Kinds with their colon; behind it the keys that begin so. Where one kind is left, its keys too."""
    from erpsync.domain.kinds import kind_words, kinds  # noqa: PLC0415  (as above)
    from erpsync.store.reading.completing import keys  # noqa: PLC0415  (as above)

    kind, colon, number = asked.typed.partition(":")
    found = [] if colon else [name for name in kinds() if name.startswith(kind)]
    beginnings = [Candidate(f"{name}:", whole=False) for name in found]
    if not colon and len(found) != 1:
        return beginnings
    name = kind_words().get(kind, "") if colon else found[0]
    with asked.bench.store.read() as db:
        rows = keys(db, asked.bench.landscape.company, name, number)
    written = kind if colon else name  # ``orders:`` is taken as well as ``order:``
    return [
        *beginnings,
        *(Candidate(f"{written}:{row.text.partition(':')[2]}", whole=row.whole) for row in rows),
    ]


# The state of the messages that a command takes; elsewhere they may be any. The noun decides where the command is not named.
_STATES = {
    "dlq": "dead",
    "dlq restore": "skipped",
    "messages release": "held",
    "messages settle": "unknown",
    "replay": "dead",
}


def _ids(asked: Asked) -> list[Candidate]:
    from erpsync.domain.messages import State  # noqa: PLC0415  (as above)
    from erpsync.store.reading import completing  # noqa: PLC0415  (as above)

    noun, _, verb = asked.command.partition(" ")
    company, now = asked.bench.landscape.company, asked.bench.now()
    before, comma, typed = asked.typed.rpartition(",")  # several ids in one word
    letter = "E-" if noun == "exceptions" and (not typed or typed.upper().startswith("E")) else ""
    digits = typed[len(letter) :]
    with asked.bench.store.read() as db:
        match noun:
            case "exceptions":
                found = completing.exception_ids(db, company, digits, now=now, closed=verb == "show")
            case "events":
                found = completing.event_ids(db, company, digits, kept_back=verb == "apply")
            case "workers":
                found = completing.worker_ids(db)
            case _:
                state = _STATES.get(asked.command, _STATES.get(noun))
                found = completing.message_ids(db, company, digits, State(state) if state else None)
    taken = {*asked.before, *before.split(",")}
    return [_id(row, f"{before}{comma}{letter}") for row in found if f"{letter}{row.text}" not in taken]


def _id(row: Found, before: str) -> Candidate:
    return Candidate(f"{before}{row.text}", row.about)


def _filter(asked: Asked) -> list[Candidate]:
    from erpsync.cli.completion_filter import filters  # noqa: PLC0415  (only for it)

    return filters(asked)


def _sort_fields(asked: Asked) -> Iterator[Candidate]:
    from erpsync.cli.completion_filter import fields_of  # noqa: PLC0415  (only for it)

    turned = "-" if asked.typed.startswith("-") else ""
    yield from (Candidate(f"{turned}{name}") for name in sorted(fields_of(asked)))


def _topics(asked: Asked) -> Iterator[Candidate]:  # noqa: ARG001  (as above)
    from erpsync.cli.help_topics import topics  # noqa: PLC0415  (as above)

    yield from map(Candidate, topics())


def _modes(asked: Asked) -> Iterator[Candidate]:  # noqa: ARG001  (as above)
    from erpsync.cli.simulating import MODES  # noqa: PLC0415  (as above)

    yield from map(Candidate, MODES)


COMPLETERS: dict[str, Completer] = {
    "FIELD": _sort_fields,
    "FILE": _files,
    "FILTER": _filter,
    "FLOW": _flows,
    "FOLDER": _files,
    "ID": _ids,
    "KEY": _keys,
    "KIND": _kinds,
    "MODE": _modes,
    "SYSTEM": _systems,
    "TOPIC": _topics,
}
