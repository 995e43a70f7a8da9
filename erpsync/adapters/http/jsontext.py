"""JSON as far systems write it and as we write it: exact numbers, no key twice, no NaN, a bounded depth.

Whole answers are read strictly. A page of documents is read so that one broken document does not take the others
with it: what is wrong stays where it stands, marked, and ``flaw`` says what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

import jiter

from erpsync.domain.values import json_default

DEEPEST = 64
_LONGEST_DIGITS = 1_000
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class BrokenObject(dict[str, Any]):
    """An object that names a key twice; as a dict it has the last of each, ``pairs`` has them all."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class BrokenNumber(str):
    """What stands where a number should and is none: NaN, Infinity, thousands of digits."""

    __slots__ = ()


def read_strict(raw: bytes) -> Any:
    """The value in ``raw``; raises ValueError (lower case, where and why) unless it is whole and exact JSON."""
    try:
        return jiter.from_json(raw, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        text = str(error)
        raise ValueError(text[:1].lower() + text[1:]) from None


def read_page(raw: bytes) -> tuple[Any, bool]:
    """The value in ``raw`` and whether all of it is sound; where not, ``flaw`` finds out what is not.

    Raises ValueError when it is no JSON at all, or cut off.
    """
    try:
        return read_strict(raw), True
    except ValueError as error:
        first = error
    try:
        value = json.loads(
            raw.decode("utf-8", "surrogateescape"),
            parse_float=Decimal,
            parse_int=_whole_number,
            parse_constant=BrokenNumber,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError, ArithmeticError):
        raise first from None
    return value, False


def flaw(value: Any, *, depth: int = 0) -> str:
    """What is wrong with a value of a page that is not sound, empty when nothing is."""
    if depth > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels"
    if isinstance(value, BrokenNumber):
        return "holds a number that is none (NaN, Infinity or thousands of digits)"
    if isinstance(value, str):
        return "holds half a character or bytes that are no UTF-8" if _HALF_CHARACTER.search(value) else ""
    if isinstance(value, BrokenObject):
        names = [name for name, _ in value.pairs]
        return f"names {next(n for n in names if names.count(n) > 1)!r} twice"
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        return ""
    return next((found for part in parts if (found := flaw(part, depth=depth + 1))), "")


def canonical(value: Any, *, deepest: int = DEEPEST) -> bytes:
    """The one form in which a far document is kept raw: keys sorted, numbers as they were, UTF-8.

    Raises ValueError when it is nested deeper than so many levels.
    """
    return _canonical(value, deepest).encode("utf-8", "surrogateescape")


def write(value: Any) -> str:
    """JSON text of what a template put together: Decimals as exact numbers, days and moments as ISO texts."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring(str(k))}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([write(v) for v in value]) + "]"
    if isinstance(value, date):  # a datetime is one too
        return encode_basestring(json_default(value))
    raise ValueError(f"holds a {type(value).__name__}, which has no form in JSON")


def _canonical(value: Any, left: int) -> str:
    if isinstance(value, BrokenNumber):
        return str.__str__(value)
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in value):
            return encode_basestring_ascii(value)
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if left < 0:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return "[" + ",".join([_canonical(v, left - 1) for v in value]) + "]"
    pairs = value.pairs if isinstance(value, BrokenObject) else sorted(value.items())
    return "{" + ",".join([f"{_canonical(k, 0)}:{_canonical(v, left - 1)}" for k, v in pairs]) + "}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else BrokenObject(pairs)


def _whole_number(text: str) -> int | BrokenNumber:
    return int(text) if len(text) <= _LONGEST_DIGITS else BrokenNumber(text)
