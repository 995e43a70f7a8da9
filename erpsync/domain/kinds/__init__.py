"""Kinds of documents: one registration each, made in the kind's own module here; a module added is a kind known everywhere.

Everything that differs between kinds stands in its ``Kind``; no other code names one. Rule: a kind is known without its
documents' model, which is loaded when the first document is read: what only looks at the books reads none.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from erpsync.domain.flat import Flat
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError

if TYPE_CHECKING:
    from erpsync.domain.document import Document


class Nature(StrEnum):
    """Whether a kind has a current value, or is a fact that happened once."""

    KEPT = "kept"
    HAPPENED = "happened"


class Supersedes(StrEnum):
    """When a newer revision clears an older message that still waits before it."""

    ALWAYS = "always"
    UNTIL_THERE = "until there"  # as long as the target has none of it (orders, shipments, returns)
    NEVER = "never"


@dataclass(frozen=True)
class Kind:
    """What the engine must know of a kind. The functions take the flat form (see ``document.flatten``).

    ``document`` is the model of its documents, or where that stands: ``erpsync.domain.documents.item:Item``.
    """

    name: str
    plural: str
    document: str | type[Document]
    nature: Nature
    number: Callable[[Flat], str]
    supersedes: Supersedes = Supersedes.ALWAYS
    natural_key: str = ""  # the field that far systems know it by: the SKU, the customer number
    lane_key: Callable[[str, Flat], str] | None = None  # (own key, fields) -> key it queues under; None: its own
    parents: Callable[[Flat], tuple[str, ...]] = lambda _: ()  # keys (short form) a target must have before it
    parent_kinds: tuple[str, ...] = ()  # the kinds those keys may be of
    stake: Callable[[Flat], tuple[int, str] | None] = lambda _: None  # (minor units, currency) of its own subject
    cancelled: Callable[[Flat], bool] = lambda _: False

    @cached_property
    def model(self) -> type[Document]:
        """The model of its documents, loaded when it is first asked for."""
        if not isinstance(self.document, str):
            return self.document
        module, _, name = self.document.partition(":")
        found: type[Document] = getattr(importlib.import_module(module), name)
        return found


_HERE = Path(__file__).parent
_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known everywhere; called once, at the end of the kind's module."""
    _KINDS[kind.name] = kind
    return kind


def unregister(name: str) -> None:
    """Forget a kind again (a test's made-up one)."""
    _KINDS.pop(name, None)


def kinds() -> dict[str, Kind]:
    """Every kind by name, in the order of their names."""
    _discover()
    return dict(sorted(_KINDS.items()))


def kind_words() -> dict[str, str]:
    """Every word a kind may be called by, singular and plural, and the kind it means."""
    return {word: kind.name for kind in kinds().values() for word in (kind.name, kind.plural)}


def kind_or_none(word: str) -> Kind | None:
    """The kind called ``word`` (singular or plural). Only its own module is loaded where that bears the kind's name."""
    if (named := _KINDS.get(word)) is not None:
        return named
    if not _found:
        _load(word if word in _modules() else word.removesuffix("s"))
    for kind in _KINDS.values():
        if word in (kind.name, kind.plural):
            return kind
    if not _found:
        _discover()
        return kind_or_none(word)
    return None


def kind_named(word: str) -> Kind:
    """The kind called ``word`` (singular or plural); raises UsageError naming the nearest."""
    if (kind := kind_or_none(word)) is not None:
        return kind
    words = kind_words()
    raise UsageError(f"{word!r} is no kind of document", hint=f"{meant(word, words)}Kinds: {', '.join(kinds())}")


_found: list[bool] = []


def _discover() -> None:
    if not _found:
        _found.append(True)
        for name in _modules():
            _load(name)


@cache
def _modules() -> tuple[str, ...]:
    """The names of the kinds' modules."""
    return tuple(sorted(file.stem for file in _HERE.glob("[!_]*.py")))


def _load(name: str) -> None:
    """Import a kind's module, if there is one of that name: it registers its kind."""
    if name in _modules():
        importlib.import_module(f"{__name__}.{name}")
