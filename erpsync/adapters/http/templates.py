"""Requests from templates, compiled once: paths, queries and headers with ``{places}``, bodies with ``=expressions``.

What the document does not tell is left out of a body; what it tells to be empty is sent as null. Where only changes
are sent, a part of the body goes along when a field that it reads has changed, and so do constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import quote

from erpsync.adapters.http.expressions import BESIDE, Expression, Root, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.jsontext import write
from erpsync.domain.document import Document
from erpsync.domain.values import json_default

Places = Mapping[str, str]
EACH = "=each"
_PLACE = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_-]+)?)\}")


def named_places(template: str) -> set[str]:
    """The places a text leaves open; raises ValueError for a brace that opens none."""
    if "{" in _PLACE.sub("", template) or "}" in _PLACE.sub("", template):
        raise ValueError("has a brace that is no place like {far_id}")
    return set(_PLACE.findall(template))


def compile_text(template: str, encode: Callable[[str], str]) -> Callable[[Places], str | None]:
    """The text with its places filled; None when one of them is empty. Raises KeyError for an unknown place."""
    parts = _PLACE.split(template)
    if len(parts) == 1:
        return lambda _: template
    literal, names = parts[0::2], parts[1::2]

    def fill(places: Places) -> str | None:
        out = [literal[0]]
        for name, after in zip(names, literal[1:], strict=True):
            value = places[name]
            if not value:
                return None
            out += (encode(value), after)
        return "".join(out)

    return fill


def compile_target(path: str, query: Mapping[str, str | int | bool], *, base: str) -> Callable[[Places], str]:
    """Path and query of a request, below the path of the system's address; raises ValueError for what fits no path."""
    fill_path = compile_text(base + path, _in_path)
    fill_query = [(_in_query(name), compile_text(_plain(value), _in_query)) for name, value in query.items()]

    def target(places: Places) -> str:
        filled = fill_path(places)
        if filled is None:
            raise ValueError(f"has nothing to put into {path}")
        pairs = [f"{name}={value}" for name, fill in fill_query if (value := fill(places)) is not None]
        return f"{filled}?{'&'.join(pairs)}" if pairs else filled

    return target


def compile_headers(headers: Mapping[str, str]) -> Callable[[Places], tuple[tuple[str, str], ...]]:
    """Headers, those that come out empty left out; raises ValueError for characters a header cannot have."""
    fills = [
        ((name, value), compile_text(value, _in_header) if named_places(value) else None)
        for name, value in headers.items()
    ]

    def fill_all(places: Places) -> tuple[tuple[str, str], ...]:
        out = []
        for fixed, fill in fills:
            if fill is None:
                out.append(fixed)
            elif (value := fill(places)) is not None:
                out.append((fixed[0], value))
        return tuple(out)

    return fill_all


def content(document: Document, *, decimals_as_text: bool) -> dict[str, Any]:
    """The document as expressions see it: the fields that were told, days and moments as ISO texts."""
    values = document.__dict__
    return {name: _seen(values[name], decimals_as_text) for name in document.model_fields_set}


Part = Callable[[Any, Root, Collection[str] | None], str | None]


@dataclass(frozen=True)
class Body:
    """A compiled body. ``fields``: those of the document it carries; None: all of them."""

    part: Part
    fields: frozenset[str] | None

    def text(self, document: Mapping[str, Any], beside: Mapping[str, Any], changed: Collection[str] | None) -> str:
        """The body's JSON. ``changed``: only what reads these fields (None: everything that was told)."""
        return self.part(document, {**document, BESIDE: beside}, changed) or "{}"


def compile_body(template: Any, words: Words, *, whole: Collection[str] = ()) -> Body:
    """The body in ``template``; raises ValueError (with the part's name in front) for an expression that is none."""
    part, fields = _compile(template, words, frozenset(whole), "body")
    return Body(part, fields)


def _compile(template: Any, words: Words, whole: Collection[str], where: str) -> tuple[Part, frozenset[str] | None]:
    if isinstance(template, str) and template.startswith("="):
        return _leaf(_expression(template, words, where))
    if isinstance(template, dict):
        if EACH in template:
            return _each(template, words, where)
        return _object(template, words, whole, where)
    if isinstance(template, list):
        return _list([_compile(one, words, (), f"{where}[{n}]") for n, one in enumerate(template)])
    text = write(template)
    return (lambda *_: text), frozenset()


def _expression(template: str, words: Words, where: str) -> Expression:
    try:
        return compile_expression(template[1:], words)
    except ValueError as error:
        raise ValueError(f"{where} {error}") from None


def _leaf(expression: Expression) -> tuple[Part, frozenset[str] | None]:
    fields, call, name = expression.fields, expression.call, expression.simple
    if fields is None:
        return (lambda value, root, _: write(call(value, root))), fields
    if not fields:  # what stands beside the document: left out where there is none
        return (lambda value, root, _: None if (found := call(value, root)) is None else write(found)), fields

    def simple(value: Any, _: Root, changed: Collection[str] | None) -> str | None:
        if name not in value or (changed is not None and name not in changed):
            return None
        found = value[name]
        return encode_basestring(found) if type(found) is str else write(found)

    def leaf(value: Any, root: Root, changed: Collection[str] | None) -> str | None:
        if changed is not None and fields.isdisjoint(changed):
            return None
        untold = sum(1 for field in fields if field not in value)
        if untold == len(fields):
            return None
        found = call(value, root)
        return None if found is None and untold else write(found)

    return (simple if name else leaf), fields


def _object(
    template: Mapping[str, Any], words: Words, whole: Collection[str], where: str
) -> tuple[Part, frozenset[str] | None]:
    parts: list[tuple[str, Part]] = []
    every: frozenset[str] | None = frozenset()
    for name, inner in template.items():
        part, fields = _compile(inner, words, (), f"{where}.{name}")
        every = None if every is None or fields is None else every | fields
        parts.append((encode_basestring(name) + ":", _whole(part, fields) if name in whole else part))
    empty = None if parts else "{}"

    def build(value: Any, root: Root, changed: Collection[str] | None) -> str | None:
        out = [name + text for name, part in parts if (text := part(value, root, changed)) is not None]
        return "{" + ",".join(out) + "}" if out else empty

    return build, every


def _whole(part: Part, fields: frozenset[str] | None) -> Part:
    def all_or_nothing(value: Any, root: Root, changed: Collection[str] | None) -> str | None:
        if changed is not None and fields is not None and fields.isdisjoint(changed):
            return None
        return part(value, root, None)

    return all_or_nothing


def _list(compiled: list[tuple[Part, frozenset[str] | None]]) -> tuple[Part, frozenset[str] | None]:
    every: frozenset[str] | None = frozenset()
    for _, fields in compiled:
        every = None if every is None or fields is None else every | fields

    def build(value: Any, root: Root, changed: Collection[str] | None) -> str | None:
        out = [text for part, _ in compiled if (text := part(value, root, changed)) is not None]
        return "[" + ",".join(out) + "]" if out or not compiled else None

    return build, every


def _each(template: Mapping[str, Any], words: Words, where: str) -> tuple[Part, frozenset[str] | None]:
    over = _expression("=" + str(template[EACH]).removeprefix("="), words, where)
    call, fields = over.call, over.fields
    one, _ = _object({name: inner for name, inner in template.items() if name != EACH}, words, (), where)

    def build(value: Any, root: Root, changed: Collection[str] | None) -> str | None:
        if changed is not None and fields is not None and fields.isdisjoint(changed):
            return None
        if fields and all(field not in value for field in fields):
            return None
        elements = call(value, root)
        if elements is None:
            return "null"
        return "[" + ",".join([one(element, root, None) or "{}" for element in elements]) + "]"

    return build, fields


def _seen(value: Any, decimals_as_text: bool) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is tuple:
        return [content(line, decimals_as_text=decimals_as_text) for line in value]
    if kind.__name__ == "Decimal":
        return format(value, "f") if decimals_as_text else value
    return value if kind is int else json_default(value)


def _plain(value: str | int | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _in_query(value: str) -> str:
    return quote(value, safe="-._~:,@!$*()")


def _in_path(value: str) -> str:
    if value in (".", ".."):
        raise ValueError(f"{value!r} cannot stand in a path")
    return quote(value, safe="-_~")


def _in_header(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("has characters that a header cannot carry")
    return value
