"""JSON lines read strictly and exactly: one object a line, numbers as Decimals, no key twice, no NaN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import jiter

from erpsync.adapters.files.rows import LONGEST_LINE, BadRow, Lines, LineTooLong, Row


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object in ``line``; raises ValueError that says what is wrong with it."""
    try:
        value = jiter.from_json(line, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="decimal")
    except ValueError as error:
        raise ValueError(_explained(str(error))) from None
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004  (about the line, not about a Python value)
    return value


class JsonRows:
    """The rows of a JSON lines file, as CsvRows has those of a CSV file."""

    def __init__(self, stream: IO[bytes], *, name: str) -> None:
        self.name = name
        self._lines = Lines(stream, encoding="utf-8")

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Every object; empty lines are none."""
        while True:
            self._lines.begin()
            try:
                text = next(self._lines)
            except StopIteration:
                return
            except LineTooLong as long:
                yield BadRow(self._lines.number, f"is longer than {LONGEST_LINE:,} characters", long.beginning)
                continue
            if text.isspace():
                continue
            line = text.strip().encode("utf-8", "surrogateescape")
            try:
                yield Row(self._lines.number, parse_object(line), line)
            except ValueError as error:
                yield BadRow(self._lines.number, str(error), self._lines.beginning(), cells=_certain(line))

    def release(self) -> None:
        """Leave the stream open for others to read."""
        self._lines.release()


def _certain(line: bytes) -> dict[str, Any]:
    """The keys that stand once in an object that is wrong elsewhere (a key twice, a NaN)."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        return {name: value for name, value in pairs if names.count(name) == 1} if len(names) <= 1_000 else {}

    try:
        value = json.loads(line, object_pairs_hook=once, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _explained(error: str) -> str:
    lower = error.lower()
    if "duplicate" in lower:
        return "has a key twice"
    if "recursion" in lower:
        return "is nested too deep"
    if "unicode" in lower or "utf" in lower:
        return "is not UTF-8"
    return f"is not JSON: {lower.partition(' at line')[0]}"
