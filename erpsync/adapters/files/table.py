"""The fields of one model, read from the columns of one table.

Its one rule: a cell that cannot be read is told with its place, ``orders.csv:17:OrderDate``.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from erpsync.adapters.files.cells import Reader, plain, reader
from erpsync.adapters.files.options import Cell, ColumnOptions, FormOptions, KindOptions, unknown_name
from erpsync.domain.document import Document
from erpsync.domain.flat import LINES
from erpsync.errors import BadDocument, LandscapeError

MISSING = object()
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Source:
    """Cells, and where they stand."""

    cells: Mapping[str, Any]
    file: str = ""
    line: int = 0

    def place(self, column: str = "") -> str:
        """``orders.csv:17:OrderDate``, as far as it is known."""
        return ":".join(part for part in (self.file, str(self.line) if self.line else "", column) if part)


class Table:
    """The fields of one model, read from the columns of one table."""

    def __init__(
        self,
        model: type[BaseModel],
        columns: Mapping[str, ColumnOptions],
        constants: Mapping[str, Cell],
        *,
        forms: Sequence[FormOptions],
        where: str,
        options: KindOptions,
    ) -> None:
        valid = tuple(name for name in model.model_fields if name != LINES)
        for part, names in (("columns", columns), ("constants", constants)):
            for name in names:
                if name not in valid:
                    raise unknown_name(f"{where}.{part}.{name}", name, valid, what="field")
        _check_constants(model, constants, where=where)
        self._constants = {name: value for name, value in constants.items() if name not in columns}
        self._columns = {
            name: (column.column, reader(column, type_=_type(model, name), forms=forms), frozenset(column.map or ()))
            for name, column in columns.items()
        }
        self._required = {name for name in columns if model.model_fields[name].is_required()}
        self._nulls = frozenset(options.nulls)
        self._trim, self._neutralised, self._nested = options.trim, options.neutralised, options.format == "jsonl"
        self.names = {column.column for column in columns.values()}

    def column(self, field: str) -> str:
        """The column of a field, '' when it has none."""
        return self._columns[field][0] if field in self._columns else ""

    def content(self, source: Source, *, number: str) -> dict[str, Any]:
        """What the row says, by canonical field; raises BadDocument for the first cell that cannot be read."""
        content: dict[str, Any] = dict(self._constants)
        for name in self._columns:
            try:
                value = self.value(name, source)
            except BadDocument as error:
                error.number = number
                raise
            if value is not MISSING:
                content[name] = value
        return content

    def value(self, field: str, source: Source) -> Any:
        """One field's value as the model takes it; raises BadDocument with its place."""
        if field not in self._columns:
            return self._constants.get(field, MISSING)
        column, read, codes = self._columns[field]
        cell = at(source.cells, column) if self._nested else source.cells.get(column, MISSING)
        if isinstance(cell, str):
            cell = cell.strip() if self._trim else cell
            cell = plain(cell) if self._neutralised else cell
            if cell in self._nulls and cell not in codes:
                cell = None
        if cell is None and field in self._required:
            raise BadDocument("the cell is empty", field=field, place=source.place(column))
        if cell is None or cell is MISSING:
            return cell
        return _read(read, cell, field=field, column=column, source=source)


def at(cells: Mapping[str, Any], path: str) -> Any:
    """The value under a key, or under a path of keys (``address.city``)."""
    if path in cells:
        return cells[path]
    here: Any = cells
    for part in path.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return MISSING
        here = here[part]
    return here


def line_model(model: type[Document]) -> type[BaseModel] | None:
    if LINES not in model.model_fields:
        return None
    for part in _parts(model.model_fields[LINES].annotation):
        if get_origin(part) is tuple:
            line: type[BaseModel] = get_args(part)[0]
            return line
    return None


def _read(read: Reader, cell: Any, *, field: str, column: str, source: Source) -> Any:
    try:
        return read(cell)
    except ValueError as error:
        raise BadDocument(f"{shown(cell)} {error}", field=field, place=source.place(column)) from None


def shown(cell: Any) -> str:
    """A cell as an error names it: a text quoted, what is long cut, with its length."""
    if isinstance(cell, str):
        return f'"{cell}"' if len(cell) <= _SHOWN else f'"{cell[:_SHOWN]}..." ({len(cell):,})'
    text = json.dumps(cell, default=str) if isinstance(cell, dict | list | bool) else str(cell)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,})"


def _type(model: type[BaseModel], name: str) -> type:
    """Decimal, date, datetime, bool or str: what a field holds."""
    bare = next(part for part in _parts(model.model_fields[name].annotation) if part is not type(None))
    bare = getattr(bare, "__origin__", bare) if hasattr(bare, "__metadata__") else bare
    return bare if isinstance(bare, type) and issubclass(bare, Decimal | date | bool) else str


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        yield from get_args(annotation)
    else:
        yield annotation


def _check_constants(model: type[BaseModel], constants: Mapping[str, Cell], *, where: str) -> None:
    try:
        model.model_validate(dict(constants))
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            if problem["type"] != "missing":
                place = f"{where}.constants.{problem['loc'][0]}"
                text = str(problem["msg"]).removeprefix("Value error, ").lower()
                raise LandscapeError(f"{place} {text}", where=place) from None
