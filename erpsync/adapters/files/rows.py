"""Rows of a file, one at a time, each with the line it began on.

Its one rule: a row that cannot be read costs that row alone, and reading never needs more memory than the longest row
may have. What could be read of a bad row with certainty (``cells``) comes with it, so that its number is known.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

LONGEST_LINE = 1024 * 1024
_EVIDENCE = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be read: texts by column (CSV), or a JSON object and its bytes."""

    line: int
    cells: Mapping[str, Any]
    source: bytes = b""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, why, and what is certain of it."""

    line: int
    why: str
    text: str
    column: str = ""
    cells: Mapping[str, Any] = field(default_factory=dict)


class LineTooLong(Exception):  # noqa: N818  (a signal between this module and the readers of rows)
    """The line at hand was longer than LONGEST_LINE; it was skipped."""

    def __init__(self, beginning: str) -> None:
        super().__init__(beginning)
        self.beginning = beginning


class Lines:
    """The lines of a text file, counted from 1, that can be given back.

    ``taken`` has the lines since ``begin``. A byte that the encoding does not have becomes a lone surrogate: the cell
    it stands in is refused later, by name.
    """

    def __init__(self, stream: IO[bytes], *, encoding: str, most: int = 1_000) -> None:
        self._text = io.TextIOWrapper(
            stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors="surrogateescape", newline=""
        )
        self._again: list[str | LineTooLong] = []
        self._most = most
        self.number = 0
        self.taken: list[str | LineTooLong] = []

    def begin(self) -> None:
        """The next line is the first of a row."""
        self.taken = []

    def back(self) -> None:
        """All lines taken but the first are to be read again, as rows of their own."""
        rest = self.taken[1:]
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        self.taken = self.taken[:1]

    def beginning(self) -> str:
        """The row at hand as it stands in the file, as far as it is worth keeping."""
        parts = (line.beginning if isinstance(line, LineTooLong) else line for line in self.taken[:20])
        return "".join(parts)[:_EVIDENCE]

    def release(self) -> None:
        """Leave the stream open for others to read."""
        self._text.detach()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= self._most:
            raise LineTooLong("")
        line = self._again.pop() if self._again else self._read()
        self.number += 1
        self.taken.append(line)
        if isinstance(line, LineTooLong):
            raise line
        return line

    def _read(self) -> str | LineTooLong:
        line = self._text.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        if len(line) <= LONGEST_LINE:
            return line
        beginning = line[:200]
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(LONGEST_LINE)
        return LineTooLong(beginning)
