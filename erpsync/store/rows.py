"""Many rows with few statements: into a table, or onto rows that are there. Half to a third of the price of one a row.

One statement with a block of rows binds, steps and lets go of the interpreter once instead of once a row. Rule: what writes
many rows fails where it stands (OR FAIL) instead of undoing its part, for which SQLite would keep a copy of each page that it
changes: whoever fails inside a write is rolled back whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain

from erpsync.domain.flat import json_bytes
from erpsync.store.connection import Connection, Cursor

_MOST = 128  # rows in a statement, halved where there are fewer: a few sizes, so that SQLite need not read a new text each time
_FEW = 4  # down to which any number is a size


def among(values: Collection[object]) -> tuple[str, Sequence[object]]:
    """How a column is compared with any of these, and the parameters of that. A few are named one by one: no list is read."""
    if not values:
        return "IN (NULL)", ()  # an index is asked for it, where for none at all the whole table may be read
    if len(values) <= _FEW:
        return f"IN ({', '.join('?' * len(values))})", [*values]
    return "IN (SELECT value FROM json_each(?))", (listed(values),)


def listed(values: Iterable[object]) -> str:
    """Keys, ids or rows of them as JSON, to be asked for with ``json_each``; what only looks keeps to ``json``, which is there."""
    return json_bytes(list(values)).decode()


def insert_rows(db: Connection, into: str, rows: Sequence[Sequence[object]], *, conflict: str = "") -> int:
    """Insert rows; returns how many were inserted or updated.

    ``into`` is the table with its columns (``seen (company_id, dup_key)``), ``conflict`` an ON CONFLICT clause.
    """
    written = 0
    for block in _blocks(rows):
        written += _execute(db, _insertion(into, conflict, len(block[0]), len(block)), block).rowcount
    return written


def insert_numbered(db: Connection, into: str, rows: Sequence[Sequence[object]]) -> list[int]:
    """Insert rows into a table that numbers them itself; returns their ids, in order.

    SQLite gives one more than the largest, and nobody else writes during a transaction: a statement's rows follow each other.
    """
    ids: list[int] = []
    for block in _blocks(rows):
        last = _execute(db, _insertion(into, "", len(block[0]), len(block)), block).lastrowid
        assert last is not None  # noqa: S101  (a row was written)
        ids += range(last - len(block) + 1, last + 1)
    return ids


def write_rows(db: Connection, statement: str, rows: Sequence[Sequence[object]]) -> int:
    """Do ``statement`` with these rows; returns how many rows it wrote.

    It has them as ``(VALUES {rows}) v``; the values of a row are ``v.column1`` and so on: UPDATE ... FROM, INSERT ... SELECT.
    """
    written = 0
    for block in _blocks(rows):
        written += _execute(db, _text(statement, len(block[0]), len(block)), block).rowcount
    return written


def _execute(db: Connection, text: str, block: Sequence[Sequence[object]]) -> Cursor:
    return db.execute(text, block[0] if len(block) == 1 else tuple(chain.from_iterable(block)))


def _blocks(rows: Sequence[Sequence[object]]) -> Iterable[Sequence[Sequence[object]]]:
    there = len(rows)
    if there <= _FEW:
        return (rows,) if there else ()
    blocks, start = [], 0
    while there:
        size = min(_MOST, 1 << there.bit_length() - 1)
        blocks.append(rows[start : start + size])
        start, there = start + size, there - size
    return blocks


@lru_cache(maxsize=256)
def _insertion(into: str, conflict: str, columns: int, rows: int) -> str:
    return _text(f"INSERT OR FAIL INTO {into} VALUES {{rows}} {conflict}", columns, rows)


@lru_cache(maxsize=256)
def _text(statement: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.replace("{rows}", ", ".join([row] * rows))
