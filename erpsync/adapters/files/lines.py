"""The lines of documents, from a second file, by the column that joins them.

Its one rule: a document never gets fewer lines than it has. One whose line is bad is refused; where a bad row does not
even say whose it is, the documents whose lines stand just before and after it are (files are written document by
document). They are kept in memory: about 300 bytes a row, ``max_rows`` at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from erpsync.adapters.files.cells import same_text
from erpsync.adapters.files.folder import printable
from erpsync.adapters.files.options import LinesOptions
from erpsync.adapters.files.rows import BadRow, Row
from erpsync.adapters.files.table import Source
from erpsync.errors import BadDocument, Refused


class LineIndex:
    """Every line of a file, by the document it belongs to. ``bad`` has the rows that do not say whose they are."""

    def __init__(self, rows: Iterator[Row | BadRow], *, file: str, options: LinesOptions) -> None:
        self.file, self.join = printable(file), options.join
        self.bad: list[BadRow] = []
        self._lines: dict[str, list[Source]] = {}
        self._refused: dict[str, BadDocument] = {}
        self._asked: set[str] = set()
        self._read(rows, options.max_rows)

    def of(self, number: Any) -> tuple[Sequence[Source], BadDocument | None]:
        """The lines of the document that is called so, and why it cannot have them, if it cannot."""
        joined = same_text(number) if number is not None else ""
        self._asked.add(joined)
        refused = self._refused.get(joined)
        if refused is not None:  # one error for each that is refused: its number is set on it
            refused = BadDocument(refused.message, place=refused.place, field=refused.field)
        return self._lines.get(joined, ()), refused

    def unasked(self) -> Iterator[tuple[str, Source]]:
        """The documents nobody asked for, each with its first line."""
        for joined, lines in self._lines.items():
            if joined not in self._asked:
                yield joined, lines[0]

    def _read(self, rows: Iterator[Row | BadRow], most: int) -> None:
        before = ""
        unclear: BadRow | None = None
        for count, row in enumerate(rows):
            if count >= most:
                raise Refused(f"{self.file} has more than {most:,} rows", code="too_large", hint="raise lines.max_rows")
            source = Source(row.cells, self.file, row.line)
            joined = same_text(row.cells.get(self.join) or "")
            if isinstance(row, BadRow) or not joined:
                bad = row if isinstance(row, BadRow) else BadRow(row.line, "names no document", "", self.join)
                if joined:
                    self._refuse(joined, bad)
                else:
                    self.bad.append(bad)
                    self._refuse(before, bad)
                    unclear = bad
                continue
            if unclear is not None:
                self._refuse(joined, unclear)
                unclear = None
            self._lines.setdefault(joined, []).append(source)
            before = joined

    def _refuse(self, joined: str, bad: BadRow) -> None:
        place = Source({}, self.file, bad.line)
        error = BadDocument(f"the row {bad.why}", place=place.place(bad.column), field="lines")
        self._refused.setdefault(joined, error)
