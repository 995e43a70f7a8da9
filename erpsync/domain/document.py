"""A document: what all kinds have in common, and its flat form for comparing and keeping.

Flat form: one dict of scalars. A line's field is ``lines.<line id>.<field>``, lines are joined by id and never
by position. Numbers are integers (millionths, or minor units of the document's currency), days and moments ISO
texts. Two flat forms are equal exactly when the documents say the same.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from erpsync.domain.flat import LINES, Fields, Scalar, line_order
from erpsync.domain.values import from_millionths, from_minor_units, millionths, minor_units
from erpsync.errors import BadDocument


class Line(BaseModel):
    """One line of an order or shipment; ``line`` is its id, stable whatever the order of the lines."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    line: str


class Document(BaseModel):
    """A business document as it crosses a border. Only the fields that were told are set; None is *told to be empty*."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def read_document(model: type[Document], content: Mapping[str, Any], *, place: str = "", number: str = "") -> Document:
    """The document in ``content``; raises BadDocument naming the first field that is wrong, and why."""
    try:
        document: Document = model.__pydantic_validator__.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=True)[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            text = "is missing"
        elif first["type"] == "extra_forbidden":
            text = "is no field of this kind"
        else:
            text = str(first["msg"]).removeprefix("Value error, ").lower()
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadDocument(f"{field} {text}{more}", field=field, place=place, number=number) from None
    lines = document.__dict__.get(LINES)  # asking the model for what it has not costs more than checking it
    if lines:
        ids = [line.line for line in lines]
        if len(set(ids)) != len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise BadDocument(f"lines has line {twice!r} twice", field=LINES, place=place, number=number)
    return document


def flatten(document: Document) -> Fields:
    """The flat form of the fields that were told, in the order of the model; then the lines, in that of their ids."""
    flat: Fields = {}
    values = document.__dict__
    currency = values.get("currency") or "USD"
    _flatten(document, _paths(type(document), ""), flat, currency)
    lines = values[LINES] if LINES in document.__pydantic_fields_set__ else None
    if lines:
        model = type(lines[0])
        for line in lines if len(lines) == 1 else sorted(lines, key=_line_id):
            _flatten(line, _paths(model, line.line), flat, currency)
    return flat


_line_id = attrgetter("line")


def _flatten(part: BaseModel, paths: _Paths, flat: Fields, currency: str) -> None:
    """Put what was told in a document, or in a line of it, into its flat form."""
    told, values = part.__pydantic_fields_set__, part.__dict__
    for path, name, to_flat in paths:
        if name in told:
            value = values[name]
            if value is None or to_flat is None:
                flat[path] = value
            else:
                flat[path] = to_flat(value, currency) if to_flat is minor_units else to_flat(value)


_Paths = tuple[tuple[str, str, Callable[..., Scalar] | None], ...]


def _paths_of(model: type[BaseModel], line: str) -> _Paths:
    """Where each field of a model stands in a flat form, and how it gets there; ``line``: the model is that of lines, and this one's id."""
    prefix, left_out = (f"{LINES}.{line}.", "line") if line else ("", LINES)
    return tuple((prefix + name, name, to_flat) for name, to_flat, _ in _plan(model) if name != left_out)


# The same ids come in nearly every document.
_paths: Callable[[type[BaseModel], str], _Paths] = lru_cache(4_096)(_paths_of)


def unflatten(model: type[Document], flat: Mapping[str, Scalar]) -> Document:
    """The document with this flat form. Lines all of whose fields are empty are gone; lines come in order of id."""
    currency = str(flat.get("currency") or "USD")
    values: dict[str, Any] = {}
    for name, _, from_flat in _plan(model):
        if name != LINES:
            if name in flat:
                value = flat[name]
                values[name] = value if value is None or from_flat is _same else from_flat(value, currency)
            continue
        line_model, plan = _line_plan(model)
        lines: dict[str, dict[str, Any]] = {}
        for path, value in flat.items():
            if path.startswith("lines."):
                line, _, field = path[6:].rpartition(".")
                lines.setdefault(line, {})[field] = None if value is None else plan[field](value, currency)
        if lines:
            values[LINES] = tuple(
                _made(line_model, {"line": line, **parts})
                for line, parts in sorted(lines.items(), key=lambda item: line_order(item[0]))
                if any(value is not None for value in parts.values())
            )
    return _made(model, values)


def plain(model: type[Document], path: str, value: Scalar, currency: str) -> str | bool | None:
    """One value of a flat form as people write it: decimals with their point, days and moments as they are."""
    if value is None or isinstance(value, bool):
        return value
    plan = {name: from_flat for name, _, from_flat in _plan(model)}
    if path.startswith("lines."):
        path, plan = path.rpartition(".")[2], _line_plan(model)[1]
    found = plan[path](value, currency)
    return format(found, "f") if isinstance(found, Decimal) else str(value)


_Model = TypeVar("_Model", bound=BaseModel)
_untold: dict[type[BaseModel], dict[str, Any]] = {}


def _made(model: type[_Model], told: dict[str, Any]) -> _Model:
    """The model with what was told and its defaults for the rest, unchecked: pydantic's own way costs six times as much."""
    if (untold := _untold.get(model)) is None:
        untold = _untold[model] = {
            name: info.default for name, info in model.model_fields.items() if not info.is_required()
        }
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", {**untold, **told})
    object.__setattr__(made, "__pydantic_fields_set__", set(told))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


_Plan = tuple[tuple[str, Callable[..., Scalar] | None, Callable[[Any, str], Any]], ...]


_plans: dict[type[BaseModel], _Plan] = {}  # flatten and unflatten are on every hot path


def _plan(model: type[BaseModel]) -> _Plan:
    if (plan := _plans.get(model)) is None:
        fields = model.model_fields.items()
        plan = _plans[model] = tuple((name, *_converters(info.annotation, info.metadata)) for name, info in fields)
    return plan


_line_plans: dict[type[Document], tuple[type[Line], dict[str, Callable[[Any, str], Any]]]] = {}


def _line_plan(model: type[Document]) -> tuple[type[Line], dict[str, Callable[[Any, str], Any]]]:
    """The model of a document's lines, and how each of their fields comes back from its flat form."""
    if (plan := _line_plans.get(model)) is None:
        line_model = _line_model(model)
        plan = line_model, {field: from_flat for field, _, from_flat in _plan(line_model)}
        _line_plans[model] = plan
    return plan


def _line_model(model: type[Document]) -> type[Line]:
    annotation: Any = model.model_fields[LINES].annotation
    for part in _parts(annotation):
        if get_origin(part) is tuple:
            line: type[Line] = get_args(part)[0]
            return line
    raise TypeError(f"{model.__name__}.lines is no tuple of lines")


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _converters(annotation: Any, metadata: list[Any]) -> tuple[Callable[..., Scalar] | None, Callable[[Any, str], Any]]:
    """How a value gets into the flat form (None: as it is; ``minor_units`` is told the currency) and comes back."""
    bare = next(part for part in _parts(annotation) if part is not type(None))
    if get_origin(bare) is not None and hasattr(bare, "__metadata__"):
        metadata = [*metadata, *bare.__metadata__]
        bare = bare.__origin__
    if bare is Decimal:
        if "minor units" in metadata:
            return minor_units, from_minor_units
        return millionths, (lambda value, _: from_millionths(value))
    if bare is date:
        return date.isoformat, (lambda value, _: date.fromisoformat(value))
    if bare is datetime:
        return (
            lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            lambda value, _: datetime.fromisoformat(value),
        )
    return None, _same


def _same(value: Any, _: str) -> Any:
    return value
