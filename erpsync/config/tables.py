"""Reads one table of the landscape key by key, and remembers what is wrong with it.

One rule: a key that nobody asked for is a mistake; nothing in the file is ignored. A wrong value gives the default and
a mistake, so that one run finds them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from erpsync.config.durations import duration
from erpsync.domain.nearest import nearest

if TYPE_CHECKING:
    from erpsync.config.places import Path

NOT_BUILT = "is not built yet"
LEAVE_OUT = "leave it out; nothing in the file is ignored"
_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
T = TypeVar("T")


@dataclass(frozen=True)
class Mistake:
    """Something wrong at ``path``; ``on_key`` when the key itself is, else its value."""

    path: Path
    text: str
    hint: str = ""
    found: object = None
    nearest: str | None = None
    valid: tuple[str, ...] = ()
    on_key: bool = False


class Mistakes(list[Mistake]):
    """All that was found wrong so far, and the environment that ``${NAME}`` is taken from."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.environ = environ

    def at(self, path: Path, text: str, **more: Any) -> None:
        """Note a mistake; ``more`` are the other fields of ``Mistake``."""
        self.append(Mistake(path, text, **more))

    def not_built(self, path: Path, *, found: object = None) -> None:
        """Note something of a later version."""
        self.at(path, NOT_BUILT, hint=LEAVE_OUT, found=found, on_key=found is None)

    def no_such(self, path: Path, what: str, found: str, valid: Iterable[str], *, label: str) -> None:
        """Note a name that is none of ``valid``, with the nearest."""
        names = tuple(valid)
        near = nearest(found, names)
        hint = f"{near + '? ' if near else ''}{label}: {', '.join(names)}"
        self.at(path, f"no such {what}", found=found, nearest=near, valid=names, hint=hint)


class Table:
    """One table of the file. Each getter takes a key, and the default for when it is absent or wrong."""

    def __init__(self, values: Mapping[str, Any], path: Path, mistakes: Mistakes) -> None:
        self.values = values
        self.path = path
        self.mistakes = mistakes
        self._asked: list[str] = []

    def has(self, key: str) -> bool:
        return key in self.values

    def wrong(self, key: str, text: str, *, hint: str = "", shown: bool = True, **more: Any) -> None:
        """Note a mistake about a key's value; ``shown`` False keeps the value out of the text."""
        self.mistakes.at((*self.path, key), text, hint=hint, found=self.values.get(key) if shown else None, **more)

    def refuse(self, key: str, text: str, *, hint: str) -> None:
        """Note that a key should not be there at all."""
        self._asked.append(key)
        self.mistakes.at((*self.path, key), text, hint=hint, on_key=True)

    def text(self, key: str, default: str = "", *, required: bool = False, hint: str = "") -> str:
        """A text as it is written."""
        value: str = self._get(key, str, "a text", default, hint)
        if required and not self.has(key):
            self.mistakes.at(self.path, f"{key} is missing", hint=hint)
        elif value == "" and self.has(key):
            self.wrong(key, "is empty", hint=hint)
        return value

    def expanded(self, key: str) -> str:
        """A text with every ``${NAME}`` taken from the environment."""
        value = self.text(key)
        return str(expand(value, (*self.path, key), self.mistakes))

    def choice(
        self, key: str, default: str, valid: Sequence[str], *, later: Collection[str] = (), what: str = ""
    ) -> str:
        """One of ``valid``; one of ``later`` is refused as not built yet."""
        value = self.text(key, default)
        if value in later:
            self.mistakes.not_built((*self.path, key), found=value)
        elif value and value not in valid:
            self.mistakes.no_such((*self.path, key), what or key, value, valid, label=f"{(what or key).capitalize()}s")
        else:
            return value
        return default

    def flag(self, key: str, *, default: bool = False) -> bool:
        value: bool = self._get(key, bool, "true or false", default, "without quotes")
        return value

    def whole(self, key: str, default: int, *, least: int = 1, most: int = 1_000_000) -> int:
        """A whole number from ``least`` to ``most``."""
        value: int = self._get(key, int, "a whole number", default, "without quotes")
        if not least <= value <= most:
            self.wrong(key, f"is not from {least} to {most}")
            return default
        return value

    def duration(self, key: str, default: timedelta) -> timedelta:
        return self.read(key, duration, default, hint='like "30s", "5m", "2h30m" or "1d"')

    def read(self, key: str, reader: Callable[[str], T], default: T, *, hint: str) -> T:
        """What ``reader`` makes of the text; its ValueError says what is wrong."""
        written = self._get(key, str, "a text with its unit", None, hint)
        if written is None:
            return default
        try:
            return reader(written)
        except ValueError as error:
            self.wrong(key, str(error), hint=hint)
            return default

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts; an element of another type is left out."""
        value = self._get(key, list, "a list", [], f'{key} = ["..."]')
        for index, name in enumerate(value):
            if not isinstance(name, str):
                self.mistakes.at((*self.path, key, index), "is not a text", found=name)
        return tuple(name for name in value if isinstance(name, str))

    def table(self, key: str) -> Table:
        """A table inside this one; an empty one when it is absent."""
        return Table(self._get(key, dict, "a table", {}, ""), (*self.path, key), self.mistakes)

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables, ``[[key]]``."""
        value = self._get(key, list, "a list of tables", [], f"each begins with [[{key}]]")
        for index, part in enumerate(value):
            if not isinstance(part, dict):
                self.mistakes.at((*self.path, key, index), "is not a table", found=part, hint=f"[[{key}]]")
        return tuple(
            Table(part, (*self.path, key, index), self.mistakes)
            for index, part in enumerate(value)
            if isinstance(part, dict)
        )

    def finish(self, *, later: Collection[str] = ()) -> None:
        """Refuse by name every key that was not asked for."""
        known = sorted(set(self._asked))
        for key, value in self.values.items():
            path = (*self.path, key)
            if key in self._asked:
                continue
            if key in later:
                inner = list(value) if isinstance(value, dict) and not self.path else []
                for part in [(*path, name) for name in inner] or [path]:
                    self.mistakes.not_built(part)
                continue
            near = nearest(key, known)
            self.mistakes.at(
                path,
                "no such key",
                hint=f"{near + '? ' if near else ''}Keys: {', '.join(known)}",
                nearest=near,
                valid=tuple(known),
                on_key=True,
            )

    def _get(self, key: str, kind: type[Any], what: str, default: Any, hint: str) -> Any:
        self._asked.append(key)
        if key not in self.values:
            return default
        value = self.values[key]
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        self.wrong(key, f"is not {what}", hint=hint, shown=not isinstance(value, dict | list))
        return default


def expand(value: Any, path: Path, mistakes: Mistakes) -> Any:
    """``value`` with every ``${NAME}`` in its texts taken from the environment, at any depth."""
    if isinstance(value, dict):
        return {key: expand(part, (*path, key), mistakes) for key, part in value.items()}
    if isinstance(value, list):
        return [expand(part, (*path, index), mistakes) for index, part in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def taken(match: re.Match[str]) -> str:
        name = match[1]
        if not match[2] or not _NAME.fullmatch(name):
            mistakes.at(path, "has a ${ that names no variable", hint="${NAME} is taken from the environment")
            return ""
        found = mistakes.environ.get(name)
        if not found:
            state = "is not set" if found is None else "is empty"
            mistakes.at(path, f"environment variable {name} {state}", hint=f"export {name}=...")
        return found or ""

    return _VARIABLE.sub(taken, value)
