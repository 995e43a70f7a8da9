"""How each system makes a write happen once, for listings: said by its spec file, or by its adapter.

One rule: no adapter is opened for it, and what cannot be read is left out; ``check`` says what is wrong with a spec.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from erpsync.config.landscape import System
    from erpsync.workbench import Workbench

_TRYTON = {"customer": "findable", "order": "findable"}


def writes(system: System) -> dict[str, str]:
    """The class of each kind it takes: idempotent, findable or blind."""
    match system.adapter:
        case "http" if system.spec is not None:
            with suppress(OSError, ValueError):
                return _of_spec(tomllib.loads(system.spec.read_text(encoding="utf-8")))
        case "files":
            kinds = _table(system.options.get("kinds"))
            return {kind: "idempotent" for kind, about in kinds.items() if "write" in _table(about)}
        case "tryton":
            return dict(_TRYTON)
    return {}


def once_of(bench: Workbench, system: str, kind: str) -> str:
    """How a system makes a write of a kind happen once; empty when that is not known."""
    known = bench.landscape.systems.get(system)
    return writes(known).get(kind, "") if known else ""


def classes(system: System) -> str:
    """The same in a word or two, the most careful first: ``blind``, ``blind, idempotent``; ``-`` for one that is only read."""
    return ", ".join(sorted(set(writes(system).values()))) or "-"


def _of_spec(spec: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for kind, about in _table(spec.get("kinds")).items():
        once = _table(_table(about).get("write")).get("once")
        if isinstance(once, str):
            found[str(kind)] = once
    return found


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
