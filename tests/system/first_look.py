"""A first look at a night, by a script that knows nothing but what the commands print.

It is given a way to run ``erpsync`` and no system, key, flow or store; from there on it runs ``doctor``, ``status``, and
the ``messages``, ``lanes`` and ``tail`` commands. What it follows are the commands that these print.
"""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

_READS = ("doctor", "status", "find", "tail", "lanes", "messages")
_BAD = ("bad", "unknown")
_OPEN = ("ready", "leased")


class Answered(Protocol):
    """What a command said."""

    code: int
    out: str
    err: str


Erpsync = Callable[..., Answered]


@dataclass(frozen=True)
class Trouble:
    """One cause. ``keys`` are all that stand by it, ``at_once`` those that met it themselves and wait behind nothing.

    ``told`` are those of them whose end the log of what happened has; ``run`` is what is to be run next, by message or
    for all.
    """

    cause: str
    system: str | None
    since: datetime | None
    keys: frozenset[str]
    at_once: frozenset[str]
    told: frozenset[str]
    run: tuple[str, ...]


class FirstLook:
    """What a tired engineer does first, in that order."""

    def __init__(self, erpsync: Erpsync) -> None:
        self._erpsync = erpsync

    def troubles(self) -> dict[tuple[str, str | None], Trouble]:
        """Every cause there is, by its name and the system it is of; empty where all is well."""
        checks = [item for item in self._asked("doctor")["items"] if item["state"] in _BAD]
        causes = self._asked("status")["causes"]
        lines = self._lines()
        happened = defaultdict(set)
        for one in self._asked("tail", "--since", "1d", "--no-wait", "--where", "what = dead or what = unknown")[
            "items"
        ]:
            happened[one["message"]].add(one["what"])
        found = [trouble for cause in causes for trouble in self._of(cause, lines, happened)]
        explained = {cause["run"] for cause in causes} | {cause["list"] for cause in causes}
        found += [
            Trouble(check["check"], None, None, frozenset(), frozenset(), frozenset(), (check["run"],))
            for check in checks
            if check["run"] not in explained
        ]
        named = {(trouble.cause, trouble.system): trouble for trouble in found}
        assert len(named) == len(found), "one cause was told twice"
        return named

    def called(self, number: str) -> list[str]:
        """The keys that a number leads to, the nearest first; as somebody on the telephone reads it out."""
        found = self._asked("find", number)["items"]
        return list(dict.fromkeys(item["key"] for item in found if item["key"]))

    def stands(self, key: str) -> dict[str, tuple[str, str]]:
        """How a document stands on its way to each system: state, and the command to run next."""
        found = {}
        for item in reversed(self._asked("messages", "list", "--where", f"key = '{key}'", "--limit", "0")["items"]):
            found[item["system"]] = (item["state"], self._asked("messages", "show", str(item["id"]))["run"])
        return found

    def _of(self, cause: dict[str, Any], lines: dict[int, set[str]], happened: dict[int, set[str]]) -> list[Trouble]:
        """A cause by what it is called: dead letters are told apart by why they are dead."""
        listed = self._follow(cause["list"])["items"]
        assert len(listed) == cause["messages"], "a listing is as long as what is said of it"
        by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for item in listed:
            by_name[cause["code"] if item.get("state") in _OPEN else item.get("cause") or cause["code"]].append(item)
        return [
            Trouble(
                name,
                cause["system"],
                min(map(_moment, (item["since"] for item in items))) if len(by_name) > 1 else _moment(cause["since"]),
                frozenset({item["key"] for item in items}.union(*(lines.get(item["id"], ()) for item in items))),
                frozenset(item["key"] for item in items),
                frozenset(item["key"] for item in items if happened[item["id"]]),
                self._next(cause, items),
            )
            for name, items in (by_name or {cause["code"]: []}).items()
        ]

    def _next(self, cause: dict[str, Any], items: list[dict[str, Any]]) -> tuple[str, ...]:
        if any(item.get("state") in _OPEN for item in items) or not items:
            return (cause["run"],)
        return tuple(dict.fromkeys(self._asked("messages", "show", str(item["id"]))["run"] for item in items))

    def _lines(self) -> dict[int, set[str]]:
        """Who waits behind whom: the keys in each line, by the message at its head."""
        stuck = self._asked("lanes", "list", "--limit", "0")["items"]
        return {lane["head"]: {one["key"] for one in self._follow(lane["run"])["messages"]} for lane in stuck}

    def _follow(self, command: str) -> Any:
        """What a command says that another one printed."""
        program, *words = shlex.split(command)
        assert program == "erpsync", command
        return self._asked(*words, "--limit", "0")

    def _asked(self, *words: str) -> Any:
        assert words[0] in _READS, f"{words} is more than a look"
        answered = self._erpsync(*words, "-o", "json")
        assert answered.code in (0, 1), (words, answered.out, answered.err)
        return json.loads(answered.out)


def _moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)
