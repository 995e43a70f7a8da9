"""Tables as words and spaces. Pure: rows in, lines out; who prints them is ``output``'s business.

Where a line is too wide, free text gives way first, then columns in the order their ``rank`` says, highest first, then
the ends of long keys. Ids are never cut and never left out. Under 80 columns each row becomes a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from erpsync.terminal import head, padded, width

Row = TypeVar("Row")
KEY_ROOM = 44  # of a key in a listing: whole up to here, where there is room ...
_CUT_TO = 30  # ... and of a longer one, which would spoil the table, this much
_NARROW = 80
_SHORTEST_FREE = 14


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: what it says of a row, as text that is safe already.

    ``free``: its text may be cut. ``most``: longer than this it is cut, with its length, on a terminal; where the table
    does not fit otherwise, sooner.
    ``rank``: it may be left out, the highest first. ``wide``: not below that many columns.
    """

    heading: str
    says: Callable[[Row], str]
    right: bool = False
    free: bool = False
    rank: int = 0
    wide: int = 0
    most: int = 0


def table(columns: Sequence[Column[Row]], rows: Sequence[Row], *, room: int | None) -> list[str]:
    """The lines of a table in ``room`` columns; None: no limit, nothing is cut."""
    if not rows:
        return []
    if room is not None and room < _NARROW:
        return blocks(columns, rows, room=room)
    shown = [column for column in columns if room is None or column.wide <= room]
    cells = {id(column): [_bounded(column.says(row), column, room) for row in rows] for column in shown}
    widths = {id(column): _widest(column, cells[id(column)]) for column in shown}
    if room is not None:
        _make_fit(shown, widths, room)
        for column in shown:
            if column.most and (over := _total(shown, widths) - room) > 0:
                least = max(widths[id(column)] - over, _CUT_TO)
                cells[id(column)] = [_cut(column.says(row), least) for row in rows]
                widths[id(column)] = _widest(column, cells[id(column)])
        if _total(shown, widths) > room:
            return blocks(columns, rows, room=room)
    lines = [_line(shown, widths, [column.heading for column in shown])]
    lines += [_line(shown, widths, [cells[id(column)][n] for column in shown]) for n in range(len(rows))]
    return lines


def _widest(column: Column[Row], texts: Sequence[str]) -> int:
    return max(len(column.heading), *map(width, texts))


def _total(shown: Sequence[Column[Row]], widths: dict[int, int]) -> int:
    return sum(widths[id(column)] for column in shown) + 2 * (len(shown) - 1)


def _make_fit(shown: list[Column[Row]], widths: dict[int, int], room: int) -> None:
    """Take width from free text, then whole columns, until it fits or nothing may go; what is over goes to the text."""
    whole = {id(column): widths[id(column)] for column in shown if column.free}
    for column in shown:
        if column.free:
            widths[id(column)] = min(widths[id(column)], max(_SHORTEST_FREE, len(column.heading)))
    for column in sorted((c for c in shown if c.rank), key=lambda c: -c.rank):
        if _total(shown, widths) <= room:
            break
        shown.remove(column)
    for column in reversed(shown):
        if column.free:
            spare = max(room - _total(shown, widths), 0)
            widths[id(column)] = min(whole[id(column)], widths[id(column)] + spare)


def _line(shown: Sequence[Column[Row]], widths: dict[int, int], texts: Sequence[str]) -> str:
    parts = []
    for column, text in zip(shown, texts, strict=True):
        columns = widths[id(column)]
        fitting = shortened(text, columns) if column.free else text
        parts.append(padded(fitting, columns, right=column.right))
    return "  ".join(parts).rstrip()


def _bounded(text: str, column: Column[Row], room: int | None) -> str:
    if room is None or not column.most or width(text) <= column.most:
        return text
    return _cut(text, _CUT_TO)


def _cut(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    tail = f'..." ({len(text):,})'
    return f'"{head(text, columns - len(tail) - 1)}{tail}'


def shortened(text: str, columns: int) -> str:
    """``text`` in at most ``columns``, ending in ``...`` where it was cut."""
    if width(text) <= columns:
        return text
    return head(text, columns - 3).rstrip() + "..."


def blocks(columns: Sequence[Column[Row]], rows: Sequence[Row], *, room: int | None = None) -> list[str]:
    """One block per row, ``name: value``, for terminals too narrow for a table."""
    lines: list[str] = []
    for row in rows:
        if lines:
            lines.append("")
        for column in columns:
            if (text := _bounded(column.says(row).strip(), column, room)) not in ("", "-"):
                first, short = f"{column.heading.lower()}: ", width(text) <= KEY_ROOM
                lines += wrapped(text, room=room, first=first, then="  ", whole_words=short and not column.free)
    return lines


def wrapped(text: str, *, room: int | None, first: str = "", then: str = "", whole_words: bool = True) -> list[str]:
    """``text`` broken at spaces into lines of at most ``room``; a longer word stays whole, unless it need not."""
    limit = room or 10**9
    lines: list[str] = []
    line = first
    empty = True
    words = text.split(" ")
    if not whole_words and room:
        words = [piece for word in words for piece in _pieces(word, max(room - max(len(first), len(then)), 10))]
    for word in words:
        if not empty and width(line) + 1 + width(word) > limit:
            lines.append(line.rstrip())
            line, empty = then, True
        line += word if empty else " " + word
        empty = False
    return [*lines, line.rstrip()]


_COMMAND = re.compile(r"\s*(?:next\b[^:]*:|or|run:)\s|\s+erpsync\s")


def fitted(lines: Iterable[str], *, room: int | None) -> Iterable[str]:
    """The same lines, those wider than ``room`` broken at spaces; a command to paste, a key and an id stay whole."""
    if room is None:
        return lines
    return [part for line in lines for part in _broken(line, room)]


def _broken(line: str, room: int) -> list[str]:
    if width(line) <= room or _COMMAND.match(line):
        return [line]
    deep = min(len(line) - len(line.lstrip()) + 2, room // 2)
    return wrapped(line, room=room, then=" " * deep)


def _pieces(word: str, columns: int) -> list[str]:
    pieces = []
    while width(word) > columns:
        piece = head(word, columns) or word[:1]
        pieces.append(piece)
        word = word[len(piece) :]
    return [*pieces, word]


def padded_pair(line: str, text: str, end: int) -> str:
    """``line`` with ``text`` put so that it ends at column ``end``."""
    return line + " " * max(end - len(line) - len(text), 1) + text
