"""CSV read strictly: a header, then rows of as many cells.

Its one rule: after a bad row reading goes on at the very next line. A quote that is never closed swallows what follows;
those lines are given back and read as rows of their own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import IO

from erpsync.adapters.files.rows import LONGEST_LINE, BadRow, Lines, LineTooLong, Row
from erpsync.errors import Refused, RetryLater

_MOST_GIVEN_BACK = 200
_DELIMITERS = (",", ";", "\t", "|")


class CsvRows:
    """The rows of a CSV file. ``header`` has its column names.

    Raises RetryLater when there is no header yet, Refused when the header cannot be read.
    """

    def __init__(self, stream: IO[bytes], *, name: str, delimiter: str, encoding: str) -> None:
        self.name = name
        self._delimiter = delimiter
        self._lines = Lines(stream, encoding=encoding)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._cell = _whole_cell(delimiter)
        self._given_back = 0
        self.header = self._read_header(encoding)

    def require(self, columns: set[str]) -> None:
        """Check that the file has these columns, each once; raises Refused naming what is missing and what is there."""
        missing = [column for column in sorted(columns) if column not in self.header]
        if missing:
            raise Refused(
                f"{self.name} has no column {', '.join(missing)}; it has {_listed(self.header)}",
                code="columns_missing",
                field=missing[0],
                hint=self._delimiter_hint(),
            )
        twice = [column for column in sorted(columns) if self.header.count(column) > 1]
        if twice:
            raise Refused(f"{self.name} has the column {', '.join(twice)} twice", code="columns_twice", field=twice[0])

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Every row below the header; empty lines are none."""
        width = len(self.header)
        while True:
            self._lines.begin()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except LineTooLong:
                whole_line = isinstance(self._lines.taken[0], LineTooLong)
                yield self._bad(
                    f"is longer than {LONGEST_LINE:,} characters" if whole_line else "has a quote that is not closed"
                )
                continue
            except csv.Error as error:
                yield self._bad(_explained(str(error), lines=len(self._lines.taken)))
                continue
            if not any(cells):
                continue
            if len(cells) != width:
                yield self._bad(f"has {len(cells):,} cells where the header has {width:,}", ragged=True)
                continue
            yield Row(self._lines.number - len(self._lines.taken) + 1, dict(zip(self.header, cells, strict=True)))

    def release(self) -> None:
        """Leave the stream open for others to read."""
        self._lines.release()

    def _read_header(self, encoding: str) -> list[str]:
        self._lines.begin()
        try:
            header = next(self._reader)
        except StopIteration:
            raise RetryLater(
                f"{self.name} is empty, without a header even", code="no_header", throttled=False
            ) from None
        except (csv.Error, LineTooLong):
            raise Refused(f"{self.name}:1 is no header", code="no_header", hint=self._delimiter_hint()) from None
        if any("\ud800" <= char <= "\udfff" or char == "\0" for column in header for char in column):
            raise Refused(f"{self.name}:1 is not {encoding}", code="wrong_encoding", hint="set the kind's encoding")
        return header

    def _bad(self, why: str, *, ragged: bool = False) -> BadRow:
        first, text = self._lines.taken[0], self._lines.beginning()
        line = self._lines.number - len(self._lines.taken) + 1
        if len(self._lines.taken) > 1 and self._given_back < _MOST_GIVEN_BACK:
            self._given_back += 1
            self._lines.back()
        certain = [] if isinstance(first, LineTooLong) else self._certain(first, ragged=ragged)
        column = "" if ragged or len(certain) >= len(self.header) else self.header[len(certain)]
        return BadRow(line, why, text, column, dict(zip(self.header, certain, strict=False)))

    def _certain(self, line: str, *, ragged: bool) -> list[str]:
        """The cells before the first one in doubt: in a row with too many or too few only the first is certain."""
        cells: list[str] = []
        at = 0
        while (found := self._cell.match(line, at)) is not None and at < len(line):
            quoted, bare = found.groups()
            cells.append(bare if quoted is None else quoted.replace('""', '"'))
            at = found.end()
            if ragged:
                break
        return cells if at < len(line) else cells[:-1]

    def _delimiter_hint(self) -> str:
        if len(getattr(self, "header", [])) == 1:
            for delimiter in _DELIMITERS:
                if delimiter != self._delimiter and delimiter in self.header[0]:
                    return f"is the delimiter {delimiter!r}?"
        return ""


def _whole_cell(delimiter: str) -> re.Pattern[str]:
    end = f"(?:{re.escape(delimiter)}|\r?\n?$)"
    return re.compile(f'(?:"([^"]*(?:""[^"]*)*)"|([^"{re.escape(delimiter)}\r\n][^{re.escape(delimiter)}\r\n]*|)){end}')


def _explained(error: str, *, lines: int) -> str:
    if "larger than field limit" in error and lines == 1:
        return f"has a cell longer than {csv.field_size_limit():,} characters"
    if "end of data" in error or "larger than field limit" in error:
        return "has a quote that is not closed"
    if "expected after" in error:
        return "has a quote inside a quoted cell"
    return "cannot be read as CSV"


def _listed(columns: list[str]) -> str:
    shown = ", ".join(column if len(column) <= 40 else column[:39] + "…" for column in columns[:20])
    return f"{shown} and {len(columns) - 20} more" if len(columns) > 20 else shown
