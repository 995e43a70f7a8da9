"""Where things stand in a TOML text: ``tomllib`` tells what they are, but not the line.

One rule: the text has been read by ``tomllib`` before, so the scanner only follows it and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_LONG = {
    '"""': re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    "'''": re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
}
_SCALAR = re.compile(r"[^,\]}\n#]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both counted from 1, of a key and of its value; the same for a table's header."""

    key: tuple[int, int]
    value: tuple[int, int]


def places(text: str) -> dict[Path, Place]:
    """The place of every key, table and list element of a TOML text that can be read."""
    text = text.replace("\r\n", "\n")
    starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    scan = _Scan(text)
    scan.document()
    return {path: Place(at(key), at(value)) for path, (key, value) in scan.found.items()}


def nearest_place(found: dict[Path, Place], path: Path) -> Place:
    """The place of ``path``, else of the innermost table around it that is written, else the first line."""
    for length in range(len(path), 0, -1):
        if (place := found.get(path[:length])) is not None:
            return place
    return Place((1, 1), (1, 1))


class _Scan:
    """One walk through the text; ``found`` has the offsets of key and value by path."""

    def __init__(self, text: str) -> None:
        self.found: dict[Path, tuple[int, int]] = {}
        self._text = text
        self._at = 0
        self._lists: dict[Path, int] = {}  # how many tables a [[list]] has so far

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        path: Path = ()
        *front, last = self._key()
        for part in front:
            path = self._entered((*path, part), start)
        self._at += 2 if many else 1
        path = (*path, last)
        self.found.setdefault(path, (start, start))
        if not many:
            return self._entered(path, start)
        path = (*path, self._lists.get(path, 0))
        self._lists[path[:-1]] = int(path[-1]) + 1
        self.found[path] = (start, start)
        return path

    def _entered(self, path: Path, start: int) -> Path:
        """The table that a header's part means: of a list of tables the last one."""
        self.found.setdefault(path, (start, start))
        return (*path, self._lists[path] - 1) if path in self._lists else path

    def _pair(self, table: Path) -> None:
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self.found.setdefault(path, (start, start))
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self.found[path] = (start, self._at)
        self._value(path)

    def _key(self) -> list[str]:
        return list(self._parts())

    def _parts(self) -> Iterator[str]:
        while True:
            self._skip(_SPACE)
            match = _PART.match(self._text, self._at)
            if match is None:
                raise AssertionError(f"no key at {self._at}")
            self._at = match.end()
            yield match[0] if match[0][0] not in "\"'" else str(tomllib.loads(f"x={match[0]}")["x"])
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return
            self._at += 1

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "{":
                self._inline(path)
            case "[":
                self._list(path)
            case '"' | "'":
                opening = self._text[self._at : self._at + 3]
                self._skip(_LONG.get(opening, _PART))
            case _:
                self._skip(_SCALAR)

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._text[self._skip(_BLANK)] != "}":
            self._pair(path)
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1

    def _list(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip(_BLANK)] != "]":
            self.found[(*path, index)] = (self._at, self._at)
            self._value((*path, index))
            index += 1
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at
