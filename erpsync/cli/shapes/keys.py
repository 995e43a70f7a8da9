"""What an answer in JSON is made of: keys, each with its type and what it says. Pure data, and three ways to read it.

One rule: within a version a key is never renamed, removed or given another type; what is not known is null, never left out.
From the same declaration come the page of ``erpsync help json``, the JSON Schema, and the columns of ``-o csv``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plain:
    """One value: its name for people, its JSON Schema, and whether it is a number for a spreadsheet too."""

    name: str
    schema: Mapping[str, object]
    numeric: bool = False


@dataclass(frozen=True)
class Keys:
    """An object with exactly these keys."""

    keys: tuple[Key, ...]

    def and_(self, *more: Key) -> Keys:
        """The same with more keys behind."""
        return Keys((*self.keys, *more))


@dataclass(frozen=True)
class Each:
    """A list."""

    of: Plain | Keys


@dataclass(frozen=True)
class Named:
    """An object whose names are data: a document's fields, systems."""

    of: Plain | Keys


Of = Plain | Keys | Each | Named


@dataclass(frozen=True)
class Key:
    """One key. ``null``: it may be null, where it does not apply or is not known."""

    name: str
    of: Of
    says: str
    null: bool = False


@dataclass(frozen=True)
class Shape:
    """The JSON of one command. ``items`` are the keys of each item of a listing, None for what is no listing."""

    name: str
    says: str
    answer: Keys
    items: Keys | None = None
    version: int = 1

    @property
    def schema_name(self) -> str:
        """What stands under ``schema`` in the answer."""
        return f"erpsync/{self.name}/{self.version}"


TEXT = Plain("text", {"type": "string"})
WHOLE = Plain("number", {"type": "integer"}, numeric=True)
FLAG = Plain("true, false", {"type": "boolean"})
MOMENT = Plain("time, UTC", {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"})
DECIMAL = Plain("decimal", {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, numeric=True)
ANYTHING = Plain("any", {})
NOT_YET = Plain("null", {"type": "null"})


def one_of(*words: str) -> Plain:
    """One of these words."""
    return Plain(" | ".join(words), {"enum": list(words)})


def keys(*these: Key) -> Keys:
    """An object with exactly these keys."""
    return Keys(these)


def key(name: str, of: Of, says: str) -> Key:
    """A key that always has a value."""
    return Key(name, of, says)


def maybe(name: str, of: Of, says: str) -> Key:
    """A key that may be null."""
    return Key(name, of, says, null=True)


def not_yet(name: str, says: str) -> Key:
    """A key that is null as long as what it tells of is not built."""
    return Key(name, NOT_YET, says, null=True)


# ---- as JSON Schema --------------------------------------------------------------------------------------------------


def json_schema(shape: Shape, *, strict: bool = False) -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of an answer. ``strict`` refuses keys that are not declared; others may be added in time."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": shape.schema_name,
        "description": shape.says,
        **schema_of(shape.answer, strict=strict),
    }


def schema_of(of: Of, *, strict: bool = False) -> dict[str, object]:
    """The JSON Schema of a part: of a listing's items it is that of a line of ``-o jsonl``."""
    match of:
        case Plain():
            return dict(of.schema)
        case Each():
            return {"type": "array", "items": schema_of(of.of, strict=strict)}
        case Named():
            return {"type": "object", "additionalProperties": schema_of(of.of, strict=strict)}
        case Keys():
            return {
                "type": "object",
                "properties": {one.name: _of_key(one, strict=strict) for one in of.keys},
                "required": [one.name for one in of.keys],
                **({"additionalProperties": False} if strict else {}),
            }


def _of_key(one: Key, *, strict: bool) -> dict[str, object]:
    found = schema_of(one.of, strict=strict)
    if one.null and one.of is not NOT_YET and found:
        found = {"anyOf": [found, {"type": "null"}]}
    return {"description": one.says, **found}


# ---- for people ------------------------------------------------------------------------------------------------------


def described(of: Of, before: str = "") -> Iterator[tuple[str, str, str]]:
    """Each key with its path (``at_stake.amount``, ``items[].id``), its type, and what it says."""
    match of:
        case Keys():
            for one in of.keys:
                path = f"{before}{one.name}"
                yield path + _marks(one.of), _type_of(one.of) + (" or null" if _may_lack(one) else ""), one.says
                yield from described(_inner(one.of), f"{path}{_marks(one.of)}.")
        case _:
            return


def _may_lack(one: Key) -> bool:
    return one.null and one.of not in (NOT_YET, ANYTHING)


def _inner(of: Of) -> Of:
    return of.of if isinstance(of, Each | Named) else of


def _marks(of: Of) -> str:
    return "[]" if isinstance(of, Each) else ".NAME" if isinstance(of, Named) else ""


def _type_of(of: Of) -> str:
    match of:
        case Plain():
            return of.name
        case Keys():
            return "object"
        case Each():
            return f"list of {'objects' if isinstance(of.of, Keys) else of.of.name}"
        case Named():
            return "object" if isinstance(of.of, Keys) else of.of.name


# ---- for a spreadsheet -----------------------------------------------------------------------------------------------


def columns(of: Keys, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Of]]:
    """The path of each column and what stands in it: objects are flattened, lists and named things stay one cell."""
    for one in of.keys:
        path = (*before, one.name)
        if isinstance(one.of, Keys):
            yield from columns(one.of, path)
        else:
            yield path, one.of
