"""A far document into ours: one expression a field, then the kind's own model judges the values.

A document that cannot be mapped is told as such, with its bytes; those beside it go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from erpsync.adapters.http.expressions import BESIDE, Expression, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.jsontext import canonical, flaw
from erpsync.adapters.http.spec import Column, KindSpec, Lines, Reading
from erpsync.adapters.protocol import Revision, Told
from erpsync.domain.document import Document, flatten, read_document
from erpsync.domain.flat import LINES, Fields
from erpsync.domain.kinds import Kind
from erpsync.errors import BadDocument

_ANY_DEPTH = 1_000  # what the readers let through; kept as it is, read by nobody
_Read = Callable[..., Any]  # of the document; of a line, with what stands beside it


@dataclass(frozen=True)
class Facts:
    """The expressions that find what is true of a told thing beside its fields."""

    far_id: Expression | None = None
    number: Expression | None = None
    removed: Expression | None = None
    at: Expression | None = None
    revision: Expression | None = None
    event_id: Expression | None = None
    document: Expression | None = None


class Mapping:
    """The mapping of one kind: ``told`` reads a document, ``wrapped`` an entry of a feed that holds one."""

    def __init__(self, kind: Kind, spec: KindSpec, words: Words) -> None:
        self.kind = kind
        self._zone = words.setting.zone if words.setting.zone != "UTC" else ""
        self._currency = words.setting.currency if "currency" in kind.model.model_fields else ""
        self._revised = spec.revision.kind if spec.revision else "opaque"
        self._facts = Facts(
            far_id=_maybe(spec.far_id, words),
            number=_maybe(spec.number, words),
            removed=_maybe(spec.removed, words),
            at=_maybe(spec.at, words),
            revision=_maybe(spec.revision.value if spec.revision else None, words),
        )
        self._fields = [(name, *_reader(given, words, spec.nulls)) for name, given in spec.fields.items()]

    @property
    def ordered(self) -> bool:
        """Its revisions can be compared."""
        return self._facts.revision is not None and self._revised != "opaque"

    def entry_facts(self, reading: Reading, words: Words) -> Facts | None:
        """The facts of a reading whose items say them in their own way; None where they are plain documents."""
        given = {
            name: _maybe(getattr(reading, name), words)
            for name in ("far_id", "number", "removed", "at", "revision", "event_id", "document")
        }
        return Facts(**given) if any(given.values()) else None

    def told(self, item: Any, *, place: str, sound: bool = True, entry: Facts | None = None) -> Told:
        """What one item of an answer tells. ``sound`` False: the page had something wrong in it, maybe here."""
        number, far_id = "", ""
        try:
            raw = canonical(item)
        except ValueError as error:
            return self._bad(f"document {error}", canonical(item, deepest=_ANY_DEPTH), place=place)
        try:
            if not sound and (wrong := flaw(item)):
                raise BadDocument(f"document {wrong}", place=place)
            document, wrapped = self._inside(item, entry)
            facts = self._facts
            pick = _Picker(facts, entry, item, document) if wrapped else _Picker(facts, None, document, document)
            far_id, number = pick.text("far_id"), pick.text("number")
            common: dict[str, Any] = {
                "kind": self.kind.name,
                "raw": raw,
                "revision": self._revision(pick),
                "event_id": pick.text("event_id"),
                "at": _moment(pick.value("at")),
                "zone": self._zone,
            }
            if pick.value("removed") not in (None, False, "", 0):
                number = number or self._number_of(document)
                return Told(**common, far_id=far_id or number, number=number, removed=True)
            if not isinstance(document, dict):
                raise BadDocument("document is no object", place=place)
            if facts.far_id is not None and not far_id:  # its number is no stand-in where the system has ids
                raise BadDocument("document has no id", field="far_id", place=place)
            read = self.read(document, place=place)
            number = self.kind.number(flatten(read))
            return Told(**common, document=read, far_id=far_id or number, number=number)
        except BadDocument as error:
            number = error.number or number or self._number_of(item)
            return self._bad(error.message, raw, place=place, field=error.field, number=number, far_id=far_id)

    def read(self, document: dict[str, Any], *, place: str = "") -> Document:
        """Our document in a far one; raises BadDocument naming the field."""
        values: dict[str, Any] = {}
        for name, read, keep_null in self._fields:
            try:
                value = read(document)
            except ValueError as error:
                raise BadDocument(
                    f"{name} {error}", field=name, place=place, number=self._number_of(document)
                ) from None
            if value is not None or keep_null:
                values[name] = value
        if self._currency and values.get("currency") is None:
            values["currency"] = self._currency
        number = values.get(self.kind.natural_key or "number")
        return read_document(self.kind.model, values, place=place, number="" if number is None else str(number)[:200])

    def holds(self, document: Any) -> tuple[Fields | None, str]:
        """The flat form and number of the document in an answer; None where there is none to be read."""
        if not isinstance(document, dict) or not self._fields:
            return None, ""
        try:
            fields = flatten(self.read(document))
            return fields, self.kind.number(fields)
        except BadDocument:
            return None, ""

    def far_id(self, document: Any) -> str:
        """What the system calls it; empty when the document does not say."""
        return _Picker(self._facts, None, document, document).text("far_id")

    def revision(self, document: Any) -> Revision | None:
        """The far revision the document names."""
        return self._revision(_Picker(self._facts, None, document, document))

    def revision_of(self, value: Any) -> Revision | None:
        """The revision in a value, as this kind's revisions are compared."""
        text = _word(value)
        if not text:
            return None
        order: int | None = None
        if self._revised == "number" and text.isascii() and text.isdigit() and len(text) < 19:
            order = int(text)
        elif self._revised == "time" and (moment := _moment(value)) is not None:
            order = int(moment.timestamp()) * 1_000_000 + moment.microsecond
        return Revision(text[:500], order)

    def _revision(self, pick: _Picker) -> Revision | None:
        return self.revision_of(pick.value("revision"))

    def _inside(self, item: Any, entry: Facts | None) -> tuple[Any, bool]:
        if entry is None:
            return item, False
        if entry.document is None:
            return item, True
        try:
            inner = entry.document.of(item)
        except ValueError:
            inner = None
        if inner is None and entry.removed is not None and _truth(entry.removed, item):
            return None, True
        return (item, False) if inner is None else (inner, True)

    def _number_of(self, document: Any) -> str:
        known = (self._facts.number,) if self._facts.number else ()
        for expression in known:
            try:
                return _word(expression.of(document))
            except ValueError:
                return ""
        values: dict[str, Any] = {}
        for name, read, _ in self._fields:
            if name == LINES:
                continue
            try:
                value = read(document)
            except ValueError:
                continue
            if isinstance(value, str | int) and not isinstance(value, bool):
                values[name] = value
        try:
            return self.kind.number(values)[:200]
        except (KeyError, TypeError, ValueError):
            return ""

    def _bad(self, text: str, raw: bytes, *, place: str, field: str = "", number: str = "", far_id: str = "") -> Told:
        error = BadDocument(text, field=field, place=place, number=number)
        return Told(self.kind.name, raw, far_id=far_id, number=number, error=error)


class _Picker:
    """Finds a fact in the entry where the reading names it there, else in the document."""

    def __init__(self, facts: Facts, entry: Facts | None, item: Any, document: Any) -> None:
        self._facts, self._entry, self._item, self._document = facts, entry, item, document

    def value(self, name: str) -> Any:
        expression = getattr(self._entry, name) if self._entry else None
        where = self._item
        if expression is None:
            expression, where = getattr(self._facts, name), self._document
        if expression is None:
            return None
        try:
            return expression.of(where)
        except ValueError:
            return None

    def text(self, name: str) -> str:
        return _word(self.value(name))


def _maybe(text: str | None, words: Words) -> Expression | None:
    return compile_expression(text, words) if text is not None else None


def _reader(given: str | Column | Lines, words: Words, nulls: str) -> tuple[_Read, bool]:
    if isinstance(given, Lines):
        return _lines(given, words, nulls), False
    column = given if isinstance(given, Column) else Column(value=given)
    expression = compile_expression(column.value, words)
    return (_plain_field(expression.simple) if expression.simple else expression.of), (column.null or nulls) == "empty"


def _plain_field(name: str) -> _Read:
    return lambda document, _=None: document.get(name) if isinstance(document, dict) else None


def _lines(given: Lines, words: Words, nulls: str) -> _Read:
    each = compile_expression(given.each, words)
    fields = [(name, *_reader(inner, words, nulls)) for name, inner in given.fields.items()]

    def read(document: Any) -> Any:
        found = each.of(document)
        beside = {BESIDE: {"doc": document}}
        if found is None:
            return None
        if not isinstance(found, list):
            raise ValueError("is no list")  # noqa: TRY004  (the caller makes it a BadDocument)
        lines = []
        for n, one in enumerate(found):
            values: dict[str, Any] = {}
            for name, reader, keep_null in fields:
                try:
                    value = reader(one, beside)
                except ValueError as error:
                    raise ValueError(f"{n}.{name} {error}") from None
                if value is not None or keep_null:
                    values[name] = value
            lines.append(values)
        return lines

    return read


def _truth(expression: Expression, value: Any) -> bool:
    try:
        return expression.of(value) not in (None, False, "", 0)
    except ValueError:
        return False


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | Decimal):
        return str(value)
    return ""


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
