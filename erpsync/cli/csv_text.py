"""CSV as it leaves us: one line a row, no cell that a spreadsheet would take for a formula, nothing that acts on a terminal.

The columns are the keys of the JSON item, flattened with dots, the same for no rows as for many. Lists and objects whose
names are data are JSON in one cell. Control characters are visible escapes, as everywhere; JSON has the exact text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

from erpsync.cli.json_text import as_json
from erpsync.cli.shapes.keys import Keys, Of, Plain, columns
from erpsync.terminal import safe

# What spreadsheets take for a formula at the beginning of a cell; full-width forms are taken so where those are typed.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def csv_lines(keys: Keys, items: Iterable[Mapping[str, object]], *, raw: bool) -> Iterator[str]:
    """The heading and a line an item. A cell that could be a formula gets ``'`` before it, unless ``raw``."""
    yield csv_heading(keys)
    for item in items:
        yield csv_row(keys, item, raw=raw)


def csv_heading(keys: Keys) -> str:
    """The line that names the columns."""
    return _line([".".join(path) for path, _ in columns(keys)])


def csv_row(keys: Keys, item: Mapping[str, object], *, raw: bool) -> str:
    """The line of an item."""
    return _line([_cell(_at(item, path), of, raw=raw) for path, of in columns(keys)])


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _at(item: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = item
    for name in path:
        if not isinstance(value, Mapping):  # an object that is null has no keys
            return None
        value = value[name]
    return value


def _cell(value: object, of: Of, *, raw: bool) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            text = safe(value)
        case int() | float():
            text = str(value)
        case _:
            return as_json(value)
    if raw or (isinstance(of, Plain) and of.numeric and _NUMBER.fullmatch(text)):
        return text
    return f"'{text}" if text.startswith(_FORMULA) else text
