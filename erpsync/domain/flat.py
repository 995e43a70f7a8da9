"""The flat form of a document, as the books keep it: one dict of scalars (``document.flatten`` makes it).

A line's field is ``lines.<line id>.<field>``; lines are joined by id and never by position.
"""

from __future__ import annotations

from collections.abc import Mapping

Scalar = str | int | bool | None
Fields = dict[str, Scalar]
Flat = Mapping[str, Scalar]
LINES = "lines"


def line_order(line: str) -> tuple[int, int, str]:
    """Sorts line ids as people do: 2 before 10, numbers before words."""
    return (0, int(line), line) if line.isascii() and line.isdigit() and len(line) < 19 else (1, 0, line)


def field_group(path: str) -> str:
    """The canonical field a flat path belongs to: ``lines`` for ``lines.1.quantity``."""
    return LINES if path.startswith("lines.") else path
