"""Reading what was sent to a far system into a document, and showing a document as that system does.

Everything wrong with a body is found at once and told by the system's own field names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from erpsync.domain.values import from_minor_units, line_amount, millionths
from erpsync.simulator.fields import Context, Field, Form, Json, Link, Shape

_ABSENT = object()
_ALWAYS_IGNORED = ("id", "version", "deleted", "created_at", "modified_at", "createdAt", "updatedAt", "expectedVersion")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a write.

    ``code`` is required, invalid, unknown_field, unknown_reference, duplicate, refused or a planted rule's own.
    """

    field: str
    code: str
    message: str
    value: Any = None


@dataclass(frozen=True)
class Parents:
    """What links are resolved with, each None for what is not there; ``enforced`` refuses unknown numbers."""

    number: Callable[[str, Any], str | None]  # (kind, id as shown) -> number
    id: Callable[[str, str], Any]  # (kind, number) -> id as shown
    enforced: bool


def at(body: Any, path: str) -> Any:
    """The value at a dotted path, or the marker for nothing there. A null on the way is a null."""
    for part in path.split("."):
        if body is None:
            return None
        if not isinstance(body, Mapping) or part not in body:
            return _ABSENT
        body = body[part]
    return body


def told(body: Any, path: str) -> bool:
    """Whether there is anything at the path, be it null."""
    return at(body, path) is not _ABSENT


def put(body: Json, path: str, value: Any) -> None:
    """Put a value at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for part in parents:
        body = body.setdefault(part, {})
    body[last] = value


def lay_over(body: Json, overlay: Mapping[str, Any]) -> None:
    """Lay values over a shown body, objects merged: how wrong and hostile content is planted."""
    for name, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(body.get(name), dict):
            lay_over(body[name], value)
        else:
            body[name] = value


@dataclass
class Taking:
    """Reads what was sent to a system, collecting every problem.

    ``partial``: only what is told (a change); else what is left out becomes null and required fields must be there.
    ``strict``: fields the system does not know are a problem, else they are ignored.
    """

    context: Context
    parents: Parents
    partial: bool
    strict: bool
    problems: list[Problem] = field(default_factory=list)

    def document(self, shape: Shape, body: Any) -> Json:
        """The canonical fields told in a body."""
        if not isinstance(body, Mapping):
            self._wrong("", "invalid", "the body must be an object")
            return {}
        fields = self._fields(shape.fields, shape.links, body, partial=self.partial)
        if self.strict:
            self.problems += _unknown(body, shape)
        if shape.lines and told(body, shape.lines):
            fields["lines"] = self._lines(shape, at(body, shape.lines))
        elif shape.lines and not self.partial:
            fields["lines"] = []
        return fields

    def _lines(self, shape: Shape, rows: Any) -> list[Json]:
        if not isinstance(rows, list):
            self._wrong(shape.lines, "invalid", "must be a list", rows)
            return []
        known = {f.far for f in shape.line_fields} | {
            p for link in shape.line_links for p in (link.by_number, link.by_id)
        }
        lines = []
        for index, row in enumerate(rows):
            place = f"{shape.lines}[{index}]"
            if not isinstance(row, Mapping):
                self._wrong(place, "invalid", "must be an object", row)
                continue
            for name in row if self.strict else ():
                if name not in known:
                    self._wrong(f"{place}.{name}", "unknown_field", "is no field of ours")
            lines.append(self._fields(shape.line_fields, shape.line_links, row, prefix=f"{place}."))
        ids = [line.get("line") for line in lines]
        if len(set(ids)) != len(ids):
            self._wrong(shape.lines, "invalid", "has a line number twice")
        return lines

    def _fields(
        self,
        table: Sequence[Field],
        links: Sequence[Link],
        body: Mapping[str, Any],
        *,
        prefix: str = "",
        partial: bool = False,
    ) -> Json:
        fields: Json = {}
        for each in table:
            value = at(body, each.far)
            if value is _ABSENT and partial:
                continue
            if value is _ABSENT or value is None:
                if each.required:
                    self._wrong(prefix + each.far, "required", "is required")
                fields[each.name] = None
                continue
            try:
                fields[each.name] = each.form.take(value, self.context)
            except ValueError as error:
                self._wrong(prefix + each.far, "invalid", str(error), value)
        for link in links:
            if not partial or told(body, link.by_number) or (link.by_id and told(body, link.by_id)):
                fields[link.name] = self._link(link, body, prefix)
        return fields

    def _link(self, link: Link, body: Mapping[str, Any], prefix: str) -> str | None:
        if link.by_id and (far_id := at(body, link.by_id)) not in (_ABSENT, None):
            number = self.parents.number(link.kind, far_id)
            if number is None:
                self._wrong(prefix + link.by_id, "unknown_reference", f"no {link.kind} has this id", far_id)
            return number
        value, place = at(body, link.by_number), prefix + link.by_number
        if value in (_ABSENT, None, ""):
            self._wrong(place, "required", "is required")
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            self._wrong(place, "invalid", "must be a text", value)
            return None
        if self.parents.enforced and self.parents.id(link.kind, str(value)) is None:
            self._wrong(place, "unknown_reference", f"no {link.kind} has this number", value)
        return str(value)

    def _wrong(self, place: str, code: str, message: str, value: Any = None) -> None:
        self.problems.append(Problem(place, code, message, value))


def _unknown(body: Mapping[str, Any], shape: Shape) -> Iterable[Problem]:
    prefixes = {place.rpartition(".")[0] for place in shape.known} - {""}
    for name, value in body.items():
        if name in shape.known or name in _ALWAYS_IGNORED:
            continue
        if name in prefixes:
            for inner in value if isinstance(value, Mapping) else ():
                if f"{name}.{inner}" not in shape.known:
                    yield Problem(f"{name}.{inner}", "unknown_field", "is no field of ours")
        else:
            yield Problem(name, "unknown_field", "is no field of ours", value if isinstance(value, str | int) else None)


def show(shape: Shape, fields: Mapping[str, Any], *, context: Context, parents: Parents) -> Json:
    """A document's fields as the system shows them; a value that cannot be put in its form is shown as it is."""
    body = _shown_fields(shape.fields, shape.links, fields, context, parents)
    if shape.net:
        put(body, shape.net.far, _shown(shape.net.form, _net_amount(fields, context), context))
    if shape.lines:
        lines = fields.get("lines") or ()
        rows = [_shown_fields(shape.line_fields, shape.line_links, line, context, parents) for line in lines]
        put(body, shape.lines, rows)
    return body


def _shown_fields(
    table: Sequence[Field], links: Sequence[Link], fields: Mapping[str, Any], context: Context, parents: Parents
) -> Json:
    body: Json = {}
    for each in table:
        put(body, each.far, _shown(each.form, fields.get(each.name), context))
    for link in links:
        number = fields.get(link.name)
        put(body, link.by_number, number)
        if link.by_id:
            put(body, link.by_id, parents.id(link.kind, number) if isinstance(number, str) else None)
    return body


def _shown(form: Form, value: Any, context: Context) -> Any:
    if value is None:
        return form.empty
    try:
        return form.show(value, context)
    except (ValueError, ArithmeticError, TypeError):
        return value


def _net_amount(fields: Mapping[str, Any], context: Context) -> str | None:
    try:
        amount = sum(
            line_amount(
                quantity=_millionths(line.get("quantity")),
                unit_price=_millionths(line.get("unit_price")),
                discount=_millionths(line.get("discount")),
                currency=context.currency,
            )
            for line in fields.get("lines") or ()
        )
    except (ValueError, ArithmeticError, TypeError):
        return None
    return format(from_minor_units(amount, context.currency), "f")


def _millionths(value: Any) -> int:
    return millionths(Decimal(str(value))) if value is not None else 0
