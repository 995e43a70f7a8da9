"""A row becomes a document, as the landscape says.

Its one rule: what a row says wrong is told with its place, ``orders.csv:17:OrderDate``, and its number wherever the
number can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from erpsync.adapters.files.options import Cell, ColumnOptions, KindOptions, unknown_name
from erpsync.adapters.files.table import MISSING, Source, Table, at, line_model, shown
from erpsync.domain.document import Document, flatten, read_document
from erpsync.domain.flat import LINES
from erpsync.domain.kinds import Kind
from erpsync.errors import BadDocument, LandscapeError


class RowMapping:
    """How rows of one kind become documents; checked against the kind when it is made (LandscapeError)."""

    def __init__(self, kind: Kind, options: KindOptions, *, currency: str, where: str) -> None:
        self.kind = kind
        self._options = options
        fields = kind.model.model_fields
        constants: dict[str, Cell] = dict(options.constants)
        columns = dict(options.columns)
        self._by_name = not columns and options.format == "jsonl"
        if "currency" in fields and fields["currency"].is_required() and "currency" not in {*columns, *constants}:
            constants |= {} if self._by_name else {"currency": currency}
        self._head = Table(kind.model, columns, constants, forms=(options,), where=where, options=options)
        self.number_fields = _asked(kind)
        self._lines: Table | None = None
        self._line_id = ""
        if options.lines is not None:
            self._lines = self._line_table(where)
        elif LINES in columns:
            raise unknown_name(
                f"{where}.columns.{LINES}", LINES, tuple(name for name in fields if name != LINES), what="field"
            )
        if not self._by_name:
            for name in self.number_fields:
                if name not in columns and name not in constants:
                    raise LandscapeError(
                        f"{where}.columns has no {name}, which every {kind.name} needs",
                        where=f"{where}.columns",
                        found=name,
                    )
        self._validators = {name: _validator(fields[name]) for name in self.number_fields}

    @property
    def line_model(self) -> type[BaseModel] | None:
        """The model of a line, None for a kind without lines."""
        return line_model(self.kind.model)

    @property
    def columns(self) -> set[str]:
        """The columns the first file must have."""
        lines = self._options.lines
        return self._head.names | ({self.join_to} if lines is not None and lines.file else set())

    @property
    def line_columns(self) -> set[str]:
        """The columns the lines' file must have."""
        lines = self._options.lines
        return (self._lines.names | {lines.join}) if self._lines is not None and lines is not None else set()

    @property
    def join_to(self) -> str:
        """The column of the first file that the lines' file names a document by."""
        lines = self._options.lines
        if lines is not None and lines.to:
            return lines.to
        return self._head.column(self.number_fields[0])

    def document(self, source: Source, lines: Sequence[Source] = (), *, number: str) -> Document:
        """The document whose number was read before; raises BadDocument with its place."""
        if self._by_name:
            return self._checked(dict(source.cells), source, (), number=number)
        if self._options.lines is not None and self._options.lines.list:
            lines = self._listed(source, number=number)
        content = self._head.content(source, number=number)
        if self._lines is not None:
            content[LINES] = self._line_contents(lines, number=number)
        return self._checked(content, source, lines, number=number)

    def number(self, source: Source) -> str:
        """The document's number, '' when it cannot be read."""
        values: dict[str, Any] = {}
        try:
            for name in self.number_fields:
                value = source.cells.get(name, MISSING) if self._by_name else self._head.value(name, source)
                values[name] = self._validators[name].validate_python(value)
        except (ValueError, BadDocument):
            return ""
        if all(isinstance(value, str) for value in values.values()):  # as in every kind so far: its own flat form
            return self.kind.number(values)
        return self.kind.number(flatten(self.kind.model.model_construct(set(values), **values)))

    def _line_table(self, where: str) -> Table:
        options, where = self._options, f"{where}.lines"
        lines = options.lines
        model = line_model(self.kind.model)
        if lines is None or model is None:
            raise LandscapeError(f"{where}: a {self.kind.name} has no lines", where=where)
        if bool(lines.file) == bool(lines.list) or (lines.list and options.format != "jsonl"):
            raise LandscapeError(f"{where} names either a file, or for jsonl a list", where=where)
        if lines.file and lines.file == options.file:
            raise LandscapeError(f"{where}.file is the file of the {self.kind.name} itself", where=f"{where}.file")
        if lines.file and not self.join_to:
            raise LandscapeError(
                f"{where}.to is missing: the column that lines name the {self.kind.name} by", where=f"{where}.to"
            )
        if lines.file and not lines.join:
            raise LandscapeError(
                f"{where}.join is missing: the column that names the {self.kind.name}", where=f"{where}.join"
            )
        if "line" in lines.columns or "line" in lines.constants:
            raise LandscapeError(f"{where}: the line id is set by line, not by columns", where=where, found="line")
        self._line_id = lines.line.column
        if not self._line_id and "sku" not in lines.columns:
            raise LandscapeError(f'{where}.line is "item", but {where}.columns has no sku', where=f"{where}.line")
        columns = {**lines.columns, "line": ColumnOptions(column=self._line_id or lines.columns["sku"].column)}
        return Table(model, columns, dict(lines.constants), forms=(lines, options), where=where, options=options)

    def _listed(self, source: Source, *, number: str) -> list[Source]:
        lines = self._options.lines
        path = lines.list if lines else ""
        found = at(source.cells, path)
        if found is MISSING or found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
            raise BadDocument(f"{path} is no list of objects", field=LINES, place=source.place(path), number=number)
        return [Source(part, source.file, source.line) for part in found]

    def _line_contents(self, lines: Sequence[Source], *, number: str) -> list[dict[str, Any]]:
        table = self._lines
        contents: list[dict[str, Any]] = []
        seen: dict[str, Source] = {}
        for source in lines:
            content = table.content(source, number=number) if table else {}
            line = str(content.get("line") or "").strip()
            if line and line in seen and table:
                what = "the item" if not self._line_id else "the line"
                raise BadDocument(
                    f"{seen[line].place()} and {source.place()} both have {what} {line}",
                    field=LINES,
                    place=source.place(table.column("line")),
                    number=number,
                    hint=""
                    if self._line_id
                    else "where an order may have an item twice, the line id must come from a column",
                )
            seen[line] = source
            contents.append(content)
        return contents

    def _checked(self, content: dict[str, Any], source: Source, lines: Sequence[Source], *, number: str) -> Document:
        try:
            return read_document(self.kind.model, content, number=number)
        except BadDocument as error:
            head, _, rest = error.field.partition(".")
            stands, column = source, self._head.column(head) if not self._by_name else error.field
            if head == LINES and self._lines is not None and rest:
                index, _, name = rest.partition(".")
                stands = lines[int(index)] if index.isdigit() and int(index) < len(lines) else source
                column = self._lines.column(name)
            cell = stands.cells.get(column)
            subject = shown(cell) if cell not in (None, "") else column or error.field
            raise BadDocument(
                f"{subject}{error.message.removeprefix(error.field)}",
                field=error.field,
                place=stands.place(column or error.field),
                number=number,
            ) from None


def _asked(kind: Kind) -> tuple[str, ...]:
    """The fields a kind's number is made of."""
    asked: list[str] = []

    class Asked(dict[str, Any]):
        def __missing__(self, name: str) -> str:
            asked.append(name)
            return name

    kind.number(Asked())
    return tuple(dict.fromkeys(asked))


def _validator(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = Annotated[(field.annotation, *field.metadata)]
    return TypeAdapter(annotation)
