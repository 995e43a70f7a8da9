"""Reads a spec file and checks all of it before the first request: a mistake is named with file, line and key.

The rule: whatever can be known to be wrong without asking the system is said here, not in the middle of the night.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ValidationError

from erpsync.adapters.http.expressions import code_tables
from erpsync.adapters.http.functions import Setting, Words
from erpsync.adapters.http.spec import Column, KindSpec, Lines, Reading, Request, Spec, Write
from erpsync.adapters.http.templates import compile_body, named_places
from erpsync.config.places import nearest_place, places
from erpsync.domain.document import Document
from erpsync.domain.flat import LINES
from erpsync.domain.kinds import Kind, kind_named
from erpsync.domain.nearest import nearest
from erpsync.errors import LandscapeError, UsageError

Where = tuple[str | int, ...]
_WALK = frozenset({"limit", "page", "offset", "next"})
_WRITE = frozenset({"number", "key", "once_key", "far_id", "far_revision"})


class _Wrong(Exception):  # noqa: N818  (carries a place up to where the file is known)
    def __init__(self, where: Where, text: str, *, found: str | None = None, valid: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.where, self.text, self.found, self.valid = where, text, found, valid


def load_spec(file: Path, *, options: frozenset[str] = frozenset()) -> Spec:
    """The spec in ``file``; raises LandscapeError. ``options``: what the landscape's system gives under ``options``."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise LandscapeError(f"spec file {file.name} cannot be read: {reason}", file=file) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(at[1]), int(at[2])) if at else (0, 0)
        message = str(error).split(" (at", maxsplit=1)[0]
        raise LandscapeError(f"spec file is no TOML: {message.lower()}", file=file, line=line, column=column) from None
    try:
        spec = _typed(content)
        _check(spec, content, options)
    except _Wrong as wrong:
        place = nearest_place(places(text), wrong.where)
        near = nearest(wrong.found, wrong.valid) if wrong.found else None
        dotted = ".".join(str(part) for part in wrong.where)
        hint = (f"{near}? " if near else "") + (f"valid here: {', '.join(wrong.valid)}" if wrong.valid else "")
        raise LandscapeError(
            f"{dotted} {wrong.text}",
            hint=hint,
            file=file,
            line=place.key[0],
            column=place.key[1],
            where=dotted,
            found=wrong.found,
            nearest=near,
            valid=wrong.valid,
        ) from None
    return spec


def _typed(content: dict[str, Any]) -> Spec:
    try:
        return Spec.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
    # A misspelt key is told as one too many and one missing: the first says more.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    where = tuple(part for part in first["loc"] if _is_key(content, first["loc"], part))
    match first["type"]:
        case "extra_forbidden":
            raise _Wrong(where, "is no key of a spec", found=str(where[-1]), valid=_keys_at(where[:-1]))
        case "missing":
            raise _Wrong((*where, str(first["loc"][-1])), "is missing")
    raise _Wrong(where, str(first["msg"]).removeprefix("Value error, ").lower())


def _is_key(content: Any, loc: tuple[int | str, ...], part: int | str) -> bool:
    """Whether a part of pydantic's place stands in the file (it also names the members of unions)."""
    for one in loc:
        here = one in content if isinstance(content, dict) else isinstance(content, list) and isinstance(one, int)
        if one is part or one == part:
            return here
        if here:
            content = content[one]
    return False


def _keys_at(where: Where) -> tuple[str, ...]:
    model: Any = Spec
    for part in where:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation)
    return tuple(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else ()


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _check(spec: Spec, content: dict[str, Any], options: frozenset[str]) -> None:
    if spec.zone:
        try:
            ZoneInfo(spec.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _Wrong(("zone",), "is no time zone", found=spec.zone) from None
    if any(name.lower() == "authorization" for name in spec.headers):
        raise _Wrong(("headers",), "holds Authorization, which [auth] and the landscape's secret are for")
    known = frozenset(f"options.{name}" for name in options)
    words = Words(Setting(codes=spec.codes))
    for table, text, where in _coded({name: part for name, part in content.items() if name != "codes"}, ()):
        if table not in spec.codes:
            raise _Wrong(where, f"names the code table {table!r} in {text!r}, which [codes] does not have")
    if spec.probe:
        _check_request(spec.probe, ("probe",), known, words)
    for number, rule in enumerate(spec.errors):
        if rule.means == "parent_missing" and rule.key is None:
            raise _Wrong(("errors", number), "means parent_missing, but says no key")
    for name, given in spec.kinds.items():
        try:
            kind = kind_named(name)
        except UsageError as error:
            raise _Wrong(("kinds", name), f"is no kind of document ({error.hint})", found=name) from None
        _check_kind(given, kind, ("kinds", name), known, words)


def _check_kind(spec: KindSpec, kind: Kind, where: Where, known: frozenset[str], words: Words) -> None:
    _check_fields(spec, kind, where)
    _check_reads(spec, where, known, words)
    fields = frozenset(kind.model.model_fields)
    for name in ("create", "update", "remove"):
        write: Write | None = getattr(spec, name)
        if write is not None:
            if spec.write is None:
                raise _Wrong(
                    (*where, name),
                    f"is there, but [{'.'.join(map(str, where))}.write] does not say how it is made once",
                )
            _check_request(write, (*where, name), known | _WRITE | {f"doc.{field}" for field in fields}, words, fields)
    if spec.body is not None:
        _check_body(spec.body, (*where, "body"), words, fields)
    if spec.write and not spec.create:
        raise _Wrong((*where, "write"), "is there, but no create request")


def _check_reads(spec: KindSpec, where: Where, known: frozenset[str], words: Words) -> None:
    for name, reading, more in (
        ("changes", spec.changes, _WALK | {"since", "cursor"}),
        ("scan", spec.scan, _WALK),
        ("one", spec.one, {"far_id"}),
    ):
        if reading is not None:
            _check_request(reading, (*where, name), known | more, words)
    if spec.changes and not spec.changes.since and not spec.changes.cursor:
        raise _Wrong((*where, "changes"), "says neither since nor cursor, so it could not go on from where it was")
    if spec.find:
        try:
            groups = frozenset(re.compile(spec.find.parts).groupindex)
        except re.error:
            raise _Wrong((*where, "find", "parts"), "is no pattern") from None
        for name in ("by_reference", "by_natural_key"):
            if (reading := getattr(spec.find, name)) is not None:
                _check_request(reading, (*where, "find", name), known | _WALK | {"number"} | groups, words)
        if not spec.find.by_reference and not spec.find.by_natural_key:
            raise _Wrong((*where, "find"), "says neither by_reference nor by_natural_key")


def _check_fields(spec: KindSpec, kind: Kind, where: Where) -> None:
    _check_names(spec.fields, kind.model, (*where, "fields"))
    if (lines := spec.fields.get(LINES)) is not None:
        if not isinstance(lines, Lines):
            raise _Wrong((*where, "fields", LINES), "needs each (where the lines stand) and fields")
        line_model = get_args(get_args(kind.model.model_fields[LINES].annotation)[0])[0]
        _check_names(lines.fields, line_model, (*where, "fields", LINES, "fields"))
        if "line" not in lines.fields:
            raise _Wrong((*where, "fields", LINES, "fields"), "has no line, which says which line is which")
    if (spec.changes or spec.scan or spec.one) and not spec.fields:
        raise _Wrong((*where, "fields"), "is missing, so what is read cannot be understood")


def _check_names(fields: dict[str, str | Column | Lines] | dict[str, str | Column], model: Any, where: Where) -> None:
    for name, given in fields.items():
        if name not in model.model_fields:
            raise _Wrong((*where, name), "is no field of this kind", found=name, valid=tuple(model.model_fields))
        if isinstance(given, Lines) and (name != LINES or not issubclass(model, Document)):
            raise _Wrong((*where, name), "has lines, which only the field lines can have")


def _check_request(
    request: Request, where: Where, known: frozenset[str], words: Words, fields: frozenset[str] | None = None
) -> None:
    texts: dict[Where, str] = {("path",): request.path}
    texts |= {("query", name): str(value) for name, value in request.query.items()}
    texts |= {("headers", name): value for name, value in request.headers.items()}
    for place, text in texts.items():
        try:
            unknown = named_places(text) - known
        except ValueError as error:
            raise _Wrong((*where, *place), str(error)) from None
        if unknown:
            name = min(unknown)
            raise _Wrong(
                (*where, *place), f"names {{{name}}}, which is not known here", found=name, valid=tuple(sorted(known))
            )
    if request.body is not None:
        _check_body(request.body, (*where, "body"), words, fields)
    if isinstance(request, Reading) and request.paging.by == "link" and request.method != "GET":
        raise _Wrong((*where, "paging"), "follows links, which only GET can")


def _check_body(template: Any, where: Where, words: Words, fields: frozenset[str] | None) -> None:
    try:
        body = compile_body(template, words)
    except ValueError as error:
        raise _Wrong(where, str(error)) from None
    if fields is not None and body.fields and (strange := body.fields - fields):
        name = min(strange)
        valid = tuple(sorted(fields))
        raise _Wrong(where, f"reads {name!r}, which is no field of this kind", found=name, valid=valid)


def _coded(value: Any, where: Where) -> Iterator[tuple[str, str, Where]]:
    """Every code table that an expression of the file names, with the expression and its place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _coded(inner, (*where, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _coded(inner, (*where, number))
    elif isinstance(value, str) and "_code(" in value:
        try:
            yield from ((table, value, where) for table in code_tables(value.removeprefix("=")))
        except ValueError:
            return  # a text, not an expression
