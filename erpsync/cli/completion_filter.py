"""A filter half typed: the field, operator or value that comes next (``--where 'system = w``).

One rule: what is typed already stays as it is, and each candidate is the whole filter up to where it ends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from erpsync.cli.completion_values import COMPLETERS, Asked, Candidate
from erpsync.domain.filter_nodes import BARE, OPERATORS, WORDS, Compare, text_of

if TYPE_CHECKING:
    from erpsync.store.reading.asked import Field

_PIECE = re.compile(
    rf"""(?P<bare>{BARE})|(?P<op>[=!~<>]+)|(?P<mark>[()])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'""",
    re.DOTALL,
)
_JOINTS = ("and", "and not", "or", "or not")
_TEXT = ("=", "!=", "~", "!~")
_ORDERED = ("=", "!=", "<", "<=", ">", ">=")
_STATES = {
    "systems": ("up", "limited", "down", "stopped", "paused"),
    "workers": ("works", "stopping", "silent"),
}
# Where the store keeps the fields of a listing, when that is not FIELDS in the module of its noun.
_KEPT = {"dlq": ("messages", "DEAD_FIELDS"), "replay": ("messages", "DEAD_FIELDS"), "xref": ("xrefs", "FIELDS")}


def fields_of(asked: Asked) -> Mapping[str, Field] | Collection[str]:
    """What the listing of a command can be asked by: its own fields, those the store reads it by, or those help names."""
    own = import_module(asked.callback.__module__)
    found: Mapping[str, Field] | Collection[str] = getattr(own, "FIELDS", getattr(own, "_FIELDS", ()))
    if found:
        return found
    noun = asked.command.partition(" ")[0]
    module, name = _KEPT.get(noun, (noun, "FIELDS"))
    with suppress(ImportError):
        found = getattr(import_module(f"erpsync.store.reading.{module}"), name, ())
    if found:
        return found
    from erpsync.cli.help_topics import fields  # noqa: PLC0415  (loads every listing: the last resort)

    return next((names for listing, names in fields().items() if asked.command in listing.split(", ")), ())


@dataclass(frozen=True)
class _Half:
    """A filter up to the piece being typed. ``wants``: field, operator, value or joint."""

    done: str
    typed: str
    wants: str
    field: str = ""


def filters(asked: Asked) -> list[Candidate]:
    """How the filter may go on."""
    half, known = _read(asked.typed), fields_of(asked)
    spaced = asked.quoted or any(char.isspace() for char in asked.typed)
    match half.wants:
        case "field":
            return list(_fields(half, known, spaced=spaced))
        case "operator":
            words = _operators(known, half.field) or _JOINTS
            return [Candidate(f"{half.done}{word}", whole=False) for word in words]
        case "value":
            return list(_values(asked, half, known))
        case _:
            return [Candidate(f"{half.done}{word}", whole=False) for word in _JOINTS]


def _read(text: str) -> _Half:
    wants, field, position = "field", "", 0
    while True:
        start = position + len(text[position:]) - len(text[position:].lstrip())
        match = _PIECE.match(text, start)
        if match is None or (match.end() == len(text) and match.lastgroup == "bare"):
            return _Half(text[:start], text[start:], wants, field)
        if match.lastgroup == "op" and match.end() == len(text) and match[0] not in OPERATORS:
            return _Half(text[:start], text[start:], "operator", field)
        position = match.end()
        match match.lastgroup:
            case "op":
                wants = "value"
            case "mark":
                wants = "field" if match[0] == "(" else "joint"
            case "bare" if match[0].lower() in WORDS:
                wants = "field"
            case "bare" if wants == "field":
                wants, field = "operator", match[0]
            case _:
                wants = "joint"


def _fields(half: _Half, known: Mapping[str, Field] | Collection[str], *, spaced: bool) -> Iterator[Candidate]:
    """The fields; where one is left, its operators with it, so that the shell does not take the filter for whole."""
    found = sorted(name for name in known if name.startswith(half.typed))
    yield from (Candidate(f"{half.done}{name}", whole=False) for name in found)
    if len(found) == 1:
        space = " " if spaced else ""
        for operator in _operators(known, found[0]):
            if spaced or operator in _TEXT:
                yield Candidate(f"{half.done}{found[0]}{space}{operator}", whole=False)
    if half.typed and "not".startswith(half.typed):
        yield Candidate(f"{half.done}not", whole=False)


def _operators(known: Mapping[str, Field] | Collection[str], name: str) -> tuple[str, ...]:
    """Those that make sense for a field; none for yes or no."""
    if not isinstance(known, Mapping):
        return OPERATORS
    if name not in known:
        return ()
    from erpsync.store.reading.asked import Sort  # noqa: PLC0415  (the store's own fields have loaded it)

    match known[name].sort:
        case Sort.FLAG:
            return ()
        case Sort.TEXT:
            return _TEXT
        case _:
            return _ORDERED


def _values(asked: Asked, half: _Half, known: Mapping[str, Field] | Collection[str]) -> Iterator[Candidate]:
    opened = half.typed[:1] if half.typed[:1] in ("'", '"') else ""
    typed = half.typed[len(opened) :]
    done = f"{half.done}{opened}"
    for value in _words(asked, half.field, known, typed):
        if not value.text.startswith(typed):
            continue
        if opened:
            if opened not in value.text and "\\" not in value.text:
                yield Candidate(f"{done}{value.text}{opened if value.whole else ''}", value.about, value.whole)
        elif value.whole:
            yield Candidate(f"{done}{_written(value.text)}", value.about)
        elif _written(value.text) == value.text:
            yield replace(value, text=f"{done}{value.text}")


def _written(value: str) -> str:
    """A value as a filter has it: in quotes where it must."""
    return text_of(Compare("x", "=", value)).removeprefix("x = ")


def _words(asked: Asked, field: str, known: Mapping[str, Field] | Collection[str], typed: str) -> Iterable[Candidate]:
    noun = asked.command.partition(" ")[0]
    if isinstance(known, Mapping) and field in known and (words := known[field].words):
        return [Candidate(word) for word in dict.fromkeys(words().values())]
    if field == "state" and noun in _STATES:
        return [Candidate(state) for state in _STATES[noun]]
    if field == "cause":
        from erpsync.domain.messages import Reason  # noqa: PLC0415  (only where it is asked for)

        return [Candidate(str(reason)) for reason in Reason]
    if noun != "config" and (word := _LIKE.get(field)):
        return COMPLETERS[word](replace(asked, typed=typed, command=""))
    return ()


# Fields whose values are what stands for these words elsewhere.
_LIKE: Mapping[str, str] = {
    "flow": "FLOW",
    "from": "SYSTEM",
    "key": "KEY",
    "kind": "KIND",
    "lane": "KEY",
    "system": "SYSTEM",
    "to": "SYSTEM",
}
