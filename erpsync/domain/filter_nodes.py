"""What a filter says, as a tree. Two trees are equal when they say the same, wherever it stood in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Union

OPERATORS = ("=", "!=", "~", "!~", "<", "<=", ">", ">=")
ORDERINGS = frozenset(("<", "<=", ">", ">="))
WORDS = frozenset(("and", "or", "not"))

# a bare word: anything but space, quotes, parentheses, operator characters and control characters
BARE = r"""[^\s"'()=!~<>\x00-\x20\x7f-\x9f]+"""
_BARE = re.compile(BARE)
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Everything:
    """The empty filter."""


@dataclass(frozen=True)
class Flag:
    """A yes/no field named alone: true where it is yes."""

    field: str
    column: int = _field(default=0, compare=False)


@dataclass(frozen=True)
class Compare:
    """``field op value``. ``column`` is where the field stands, counted from 1, ``at`` where the value stands.

    ``glob``: the value was written bare with ``*`` (any text) or ``?`` (one character) after ``=`` or ``!=``. In quotes
    both are themselves.
    """

    field: str
    op: str
    value: str
    column: int = _field(default=0, compare=False)
    glob: bool = False
    at: int = _field(default=0, compare=False)


@dataclass(frozen=True)
class And:
    """All of two or more parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """At least one of two or more parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """Where its part is not true."""

    part: Node


Node = Union[Everything, Flag, Compare, And, Or, Not]  # noqa: UP007  (the names stand before the classes do)


def leaves(node: Node) -> Iterator[Flag | Compare]:
    """The flags and comparisons of a filter, in the order they were written."""
    match node:
        case Flag() | Compare():
            yield node
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case Everything():
            return


def fields_of(node: Node) -> frozenset[str]:
    """The names of the fields a filter asks about."""
    return frozenset(leaf.field for leaf in leaves(node))


def text_of(node: Node) -> str:
    """The filter in its own language; parsed again it is equal."""
    match node:
        case Everything():
            return ""
        case Flag(name):
            return name
        case Compare(name, op, value):
            return f"{name} {op} {value if node.glob else _spelled(value)}"
        case And(parts):
            return " and ".join(_inside(part, And, Or) for part in parts)
        case Or(parts):
            return " or ".join(_inside(part, Or) for part in parts)
        case Not(part):
            return "not " + _inside(part, And, Or)


def _inside(node: Node, *loose: type[Node]) -> str:
    return f"({text_of(node)})" if isinstance(node, loose) else text_of(node)


def _spelled(value: str) -> str:
    if _BARE.fullmatch(value) and value.lower() not in WORDS and not set(value) & set("*?\\"):
        return value
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char < " " or "\x7f" <= char <= "\x9f":
        return f"\\x{ord(char):02x}"
    return char
