"""Which rows, how many, in what order: a filter as SQL.

The one rule: names of columns come from a listing's own table of fields, everything a person typed is bound as a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from erpsync.domain.filter_nodes import Compare, Everything, Node, leaves
from erpsync.domain.messages import State
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError
from erpsync.store.connection import Connection, moment
from erpsync.store.reading.asked import Field, Selection, Sort

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows shown, how many match, and how many there are without the filter."""

    items: tuple[Row, ...]
    total: int
    everything: int


def moment_or_none(value: int | None) -> datetime | None:
    """The moment of a store's milliseconds; None stays None."""
    return None if value is None else moment(value)


def company_id(db: Connection, company: str) -> int:
    """The id of a company; 0, which no row has, as long as the store does not know it."""
    row = db.execute("SELECT company_id FROM companies WHERE name = ?", (company,)).fetchone()
    return int(row[0]) if row else 0


def where_sql(
    selection: Selection, fields: Mapping[str, Field], *, subject: str, currencies: Iterable[str] = ()
) -> tuple[str, list[object]]:
    """The condition of a filter and its values; raises FilterError for a field that ``subject`` has not."""
    if isinstance(selection.where, Everything):
        return "1", []
    from erpsync.store.reading.conditions import condition  # noqa: PLC0415  (most listings are asked for without a filter)

    return condition(selection, fields, subject=subject, currencies=currencies)


def order_sql(selection: Selection, fields: Mapping[str, Field], *, usual: str, last: str) -> str:
    """ORDER BY: as asked for, with ``last`` (the id) to break ties; ``usual`` when nothing is asked."""
    if not selection.sort:
        return f"ORDER BY {usual}"
    name = selection.sort.removeprefix("-")
    if name not in fields:
        raise UsageError(
            f"--sort {selection.sort}: there is no such field",
            hint=f"{meant(name, fields)}Fields: {', '.join(sorted(fields))}",
        )
    # An age grows as its moment gets older.
    downwards = selection.sort.startswith("-") != (fields[name].sort is Sort.AGE)
    return f"ORDER BY {fields[name].sql} {'DESC' if downwards else 'ASC'}, {last}"


def limit_sql(selection: Selection) -> str:
    """LIMIT, or nothing for all."""
    return f"LIMIT {int(selection.limit)}" if selection.limit else ""


def is_own(selection: Selection, fields: Mapping[str, Field], alias: str) -> bool:
    """Whether a filter and an order ask for nothing but columns of a listing's own table: then no other is read to find rows."""
    wanted = [fields[leaf.field] for leaf in leaves(selection.where) if leaf.field in fields]
    order = fields.get(selection.sort.removeprefix("-"))
    own = all(known.among or _tables_in(known.sql) == {alias} for known in wanted)
    return own and (order is None or _tables_in(order.sql) == {alias})


def _tables_in(sql: str) -> set[str]:
    return set(re.findall(r"\b(\w+)\.\w", sql))


def in_their_order(db: Connection, sorting: str, rows: str, values: Sequence[object]) -> list[tuple[object, ...]]:
    """Rows in an order that no index has: their ids are sorted first, and whole rows are read for those alone.

    ``sorting`` selects the ids with ``values``; ``rows`` selects them, their id first, for a JSON list of ids.
    """
    ids = [row[0] for row in db.execute(sorting, values)]
    found = {row[0]: tuple(row) for row in db.execute(rows, (json.dumps(ids),))}
    return [found[number] for number in ids]


def total_of(
    db: Connection, selection: Selection, counting: str, values: Sequence[object], *, shown: int, everything: int | None
) -> int:
    """How many match: those shown where that is all, ``everything`` where nothing is left out (None: not known), else counted.

    ``counting``: what stands behind ``SELECT count(*) FROM``.
    """
    if selection.limit == 0 or shown < selection.limit:
        return shown
    if everything is not None and isinstance(selection.where, Everything):
        return everything
    return int(db.execute(f"SELECT count(*) FROM {counting}", values).fetchone()[0])


def asks_about(node: Node, name: str) -> bool:
    """Whether a filter mentions a field."""
    return any(leaf.field == name for leaf in leaves(node))


def only_equal(node: Node) -> tuple[str, str] | None:
    """(field, value) of a filter that is one plain ``field = value``, else None."""
    if isinstance(node, Compare) and node.op == "=" and not node.glob:
        return node.field, node.value
    return None


def state_words() -> dict[str, str]:
    """The states of messages."""
    return {str(state): str(state) for state in State}


def all_kind_words() -> dict[str, str]:
    """The kinds of documents, singular and plural."""
    from erpsync.domain.kinds import kind_words  # noqa: PLC0415  (only where a filter names one)

    return kind_words()
