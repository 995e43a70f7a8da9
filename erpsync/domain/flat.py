"""The flat form of a document, as the books keep it: one dict of scalars (``document.flatten`` makes it).

A line's field is ``lines.<line id>.<field>``; lines are joined by id and never by position.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache

import jiter

Scalar = str | int | bool | None
Fields = dict[str, Scalar]
Flat = Mapping[str, Scalar]
LINES = "lines"


def json_bytes(fields: object) -> bytes:
    """Fields (or anything of plain values) as JSON; equal fields in the same order are equal bytes."""
    try:
        return _to_json()(fields)
    except ValueError:  # half a surrogate pair, which UTF-8 has no bytes for
        return json.dumps(fields, separators=(",", ":")).encode()


def fields_of(content: bytes) -> Fields:
    """The fields again, from what ``json_bytes`` made of them."""
    try:
        fields: Fields = jiter.from_json(content)
    except ValueError:  # as above
        fields = json.loads(content)
    return fields


@cache
def _to_json() -> Callable[[object], bytes]:
    from pydantic_core import to_json  # noqa: PLC0415  (35 ms that a listing does not pay)

    return to_json


def line_order(line: str) -> tuple[int, int, str]:
    """Sorts line ids as people do: 2 before 10, numbers before words."""
    return (0, int(line), line) if line.isascii() and line.isdigit() and len(line) < 19 else (1, 0, line)


def field_group(path: str) -> str:
    """The canonical field a flat path belongs to: ``lines`` for ``lines.1.quantity``."""
    return LINES if path.startswith("lines.") else path
