"""JMESPath, compiled to closures: a field is a dictionary look-up, not a walk of an interpreter.

What the closures do not cover is left to JMESPath's own interpreter, node by node, so every expression means what
its specification says. ``_`` names what stands beside the document (``_.number``, ``_.once_key``, ``_.doc``), and
``far('customer', customer)`` is what the far system calls that document.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import Options, TreeInterpreter

from erpsync.adapters.http.functions import OURS, Words
from erpsync.errors import ParentMissing

Root = Mapping[str, Any]
Closure = Callable[[Any, Root], Any]
Node = Any  # JMESPath's own tree: dictionaries with type, value, children
FAR = "far"
BESIDE = "_"
_FIRST_ONLY = ("index_expression", "projection", "value_projection", "filter_projection", "pipe", "flatten", "slice")


@dataclass(frozen=True)
class Expression:
    """A compiled expression. ``fields``: the fields it reads of what it is put to; None: all of it."""

    text: str
    call: Closure
    fields: frozenset[str] | None
    simple: str = ""  # the one field it is, where it is no more than that

    def of(self, value: Any, beside: Root | None = None) -> Any:
        """What it finds in ``value``. Raises ValueError where a function cannot make what it should."""
        try:
            return self.call(value, beside or _NOTHING)
        except JMESPathError as error:
            raise ValueError(str(error).splitlines()[0]) from None


_NOTHING: Root = {}


def check(text: str) -> None:
    """Raises ValueError when ``text`` is no expression, or calls a function nobody knows."""
    for node in _walk(_parse(text)):
        if node["type"] == "function_expression" and node["value"] not in Words.FUNCTION_TABLE and node["value"] != FAR:
            raise ValueError(f"calls {node['value']}(), which is no function")


def compile_expression(text: str, words: Words) -> Expression:
    """The expression in ``text``; raises ValueError when it is none."""
    tree = _parse(text)
    simple = str(tree["value"]) if tree["type"] == "field" else ""
    closure = _Compiler(words).compile(tree)
    return Expression(text, closure, _fields(tree), simple)


def code_tables(text: str) -> set[str]:
    """The code tables an expression names."""
    return {
        str(first["value"])
        for node in _walk(_parse(text))
        if node["type"] == "function_expression" and node["value"] in ("from_code", "to_code")
        for first in node["children"][:1]
        if first["type"] == "literal"
    }


class _Compiler:
    def __init__(self, words: Words) -> None:
        self.words = words
        self.interpreter = TreeInterpreter(Options(custom_functions=words))

    def compile(self, node: Node) -> Closure:  # noqa: PLR0911  (one a kind of node)
        children = node.get("children", [])
        match node["type"]:
            case "field":
                return _beside if node["value"] == BESIDE else _field(node["value"])
            case "subexpression" | "pipe" | "index_expression":
                return _chain(self._all(children))
            case "current" | "identity":
                return lambda value, _: value
            case "literal":
                literal = node["value"]
                return lambda *_: literal
            case "index":
                return _index(node["value"])
            case "projection":
                return _projection(*self._all(children))
            case "or_expression":
                return _either(*self._all(children))
            case "and_expression":
                return _both(*self._all(children))
            case "comparator" if node["value"] in ("eq", "ne"):
                return _compare(self.interpreter.COMPARATOR_FUNC[node["value"]], *self._all(children))
            case "multi_select_dict":
                parts = [(child["value"], self.compile(child["children"][0])) for child in children]
                return lambda value, root: None if value is None else {k: part(value, root) for k, part in parts}
            case "function_expression" if node["value"] == FAR:
                if len(children) != 2:
                    raise ValueError("calls far() with other than two arguments (kind and number)")
                return _far(*self._all(children))
            case "function_expression" if all(child["type"] != "expref" for child in children):
                return self._function(node["value"], self._all(children))
        inside = [n["value"] for n in _walk(node) if n["type"] == "function_expression" and n["value"] == FAR]
        if inside:
            raise ValueError("calls far() inside a filter or another construct where it cannot stand")
        visit = self.interpreter.visit
        return lambda value, _: visit(node, value)

    def _all(self, children: list[Node]) -> list[Closure]:
        return [self.compile(child) for child in children]

    def _function(self, name: str, arguments: list[Closure]) -> Closure:
        known = Words.FUNCTION_TABLE.get(name)
        if known is None:
            raise ValueError(f"calls {name}(), which is no function")
        if name in OURS:
            parameters = inspect.signature(known["function"]).parameters.values()
            least = sum(1 for one in parameters if one.default is one.empty) - 1  # less self
            if not least <= len(arguments) < len(parameters):
                raise ValueError(f"calls {name}() with {len(arguments)} arguments")
            function = partial(known["function"], self.words)
            if len(arguments) == 1:
                (only,) = arguments
                return lambda value, root: function(only(value, root))
            return lambda value, root: function(*[argument(value, root) for argument in arguments])
        call = self.words.call_function
        return lambda value, root: call(name, [argument(value, root) for argument in arguments])


def _parse(text: str) -> Node:
    try:
        return jmespath.compile(text).parsed
    except JMESPathError as error:
        raise ValueError(f"is no JMESPath expression: {str(error).splitlines()[0]}") from None


def _walk(node: Node) -> list[Node]:
    found = [node]
    for child in node.get("children", []):
        if isinstance(child, dict):
            found += _walk(child)
    return found


def _fields(node: Node) -> frozenset[str] | None:
    kind, children = node["type"], [child for child in node.get("children", []) if isinstance(child, dict)]
    if kind == "field":
        return frozenset() if node["value"] == BESIDE else frozenset({str(node["value"])})
    if kind in ("current", "identity"):
        return None
    if kind in ("literal", "expref", "index", "slice") and not children:
        return frozenset()
    if kind == "subexpression":
        first = children[0]
        if first["type"] == "field" and first["value"] == BESIDE:
            return None if children[1].get("value") == "doc" else frozenset()
        return _fields(first)
    parts = [_fields(child) for child in (children[:1] if kind in _FIRST_ONLY else children)]
    found: set[str] = set()
    for part in parts:
        if part is None:
            return None
        found |= part
    return frozenset(found)


def _field(name: str) -> Closure:
    def field(value: Any, _: Root) -> Any:
        return value.get(name) if isinstance(value, dict) else None

    return field


def _beside(_: Any, root: Root) -> Any:
    return root.get(BESIDE)


def _chain(steps: list[Closure]) -> Closure:
    first, second = steps[0], steps[1]
    if len(steps) == 2:
        return lambda value, root: second(first(value, root), root)

    def chain(value: Any, root: Root) -> Any:
        for step in steps:
            value = step(value, root)
        return value

    return chain


def _index(at: int) -> Closure:
    def index(value: Any, _: Root) -> Any:
        if not isinstance(value, list):
            return None
        try:
            return value[at]
        except IndexError:
            return None

    return index


def _projection(base: Closure, each: Closure) -> Closure:
    def project(value: Any, root: Root) -> Any:
        elements = base(value, root)
        if not isinstance(elements, list):
            return None
        found = [each(element, root) for element in elements]
        return [one for one in found if one is not None]

    return project


def _either(left: Closure, right: Closure) -> Closure:
    def either(value: Any, root: Root) -> Any:
        found = left(value, root)
        return right(value, root) if _is_false(found) else found

    return either


def _both(left: Closure, right: Closure) -> Closure:
    def both(value: Any, root: Root) -> Any:
        found = left(value, root)
        return found if _is_false(found) else right(value, root)

    return both


def _compare(same: Callable[[Any, Any], bool], left: Closure, right: Closure) -> Closure:
    return lambda value, root: same(left(value, root), right(value, root))


def _is_false(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _far(kind: Closure, number: Closure) -> Closure:
    def far(value: Any, root: Root) -> str | None:
        ours = number(value, root)
        if ours is None:
            return None
        key = f"{kind(value, root)}:{ours}"
        beside = root.get(BESIDE)
        far_id = beside["ids"].get(key) if beside else None
        if not far_id:
            raise ParentMissing(f"{key} is not known there", key=key, hint="it is delivered first")
        return str(far_id)

    return far
