"""The filter language of every listing's ``--where`` and of the flows' ``where``.

    system = wms and (age > 2h or error ~ timeout) and not due

``= != < <= > >=``, ``~`` contains and ``!~`` does not (whatever the case of the letters), ``and or not ( )``, yes/no
fields without an operator. A bare value with ``*`` or ``?`` after ``=`` is a glob; quotes make every character itself.
One rule: what a comparison does depends on the sort of the field and on the value as written, never on the data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from erpsync.domain.filter_nodes import (
    OPERATORS,
    ORDERINGS,
    And,
    Compare,
    Everything,
    Flag,
    Node,
    Not,
    Or,
    fields_of,
    leaves,
    text_of,
)
from erpsync.domain.filter_reading import parse
from erpsync.domain.filter_values import as_flag, as_moment, as_number, as_seconds, as_span, is_number, read_duration
from erpsync.domain.nearest import meant
from erpsync.errors import FilterError

__all__ = [
    "OPERATORS",
    "ORDERINGS",
    "And",
    "Compare",
    "Everything",
    "Flag",
    "Node",
    "Not",
    "Or",
    "as_flag",
    "as_moment",
    "as_number",
    "as_seconds",
    "as_span",
    "check_fields",
    "fields_of",
    "leaves",
    "matches",
    "parse",
    "read_duration",
    "refuse_ordering",
    "text_of",
]


def check_fields(node: Node, valid: Collection[str], *, subject: str) -> None:
    """Refuse the first field that ``subject`` (``dead letters``) has not; raises FilterError naming the right ones."""
    for leaf in leaves(node):
        if leaf.field not in valid:
            raise FilterError(
                f"filter field {leaf.field}, at column {leaf.column}, does not exist",
                hint=f"{meant(leaf.field, sorted(valid))}Fields of {subject}: {', '.join(sorted(valid))}",
            )


def matches(node: Node, values: Mapping[str, object], *, now: datetime, zone: tzinfo = UTC) -> bool:
    """Whether the filter is true of ``values``, plain values by field.

    A text is compared as text, a number as a number, a bool as yes or no, a datetime or date in time (days are those
    of ``zone``), a timedelta as an age. None, and a field that is not there, equals only the empty text. Raises
    FilterError when a comparison makes no sense for the sort of its field.
    """
    match node:
        case Everything():
            return True
        case And(parts):
            return all(matches(part, values, now=now, zone=zone) for part in parts)
        case Or(parts):
            return any(matches(part, values, now=now, zone=zone) for part in parts)
        case Not(part):
            return not matches(part, values, now=now, zone=zone)
        case Flag(field):
            value = values.get(field)
            if value is not None and not isinstance(value, bool):
                raise FilterError(
                    f"filter field {field}, at column {node.column}, is no yes/no field",
                    hint=f"compare it: {field} = VALUE",
                )
            return bool(value)
        case Compare():
            return _true_of(values.get(node.field), node, now, zone)


def refuse_ordering(node: Compare, sort: str) -> None:
    """Raise FilterError when a comparison asks for an order that the ``sort`` of its field has not."""
    if node.op in ORDERINGS:
        raise FilterError(
            f"filter field {node.field}, at column {node.column}, is {sort}: {node.op} needs a number or a time",
            hint=f"operators for it: {'= !=' if sort == 'yes or no' else '= != ~ !~'}",
        )


def _true_of(value: object, node: Compare, now: datetime, zone: tzinfo) -> bool:  # noqa: PLR0911  (a line a sort)
    if node.op in ("!=", "!~"):
        return not _true_of(
            value, Compare(node.field, node.op[1], node.value, node.column, node.glob, node.at), now, zone
        )
    if value is None:
        return node.value == "" and node.op in ("=", "~")
    if node.glob:
        return _glob(node.value).fullmatch(_plain(value)) is not None
    if node.op == "~":
        return node.value.casefold() in _plain(value).casefold()
    if isinstance(value, bool):
        refuse_ordering(node, "yes or no")
        return value is as_flag(node.value, column=node.at)
    if node.value == "" and node.op == "=":
        return value == ""
    if isinstance(value, int | Decimal | float):
        return _ordered(
            Decimal(str(value)) if isinstance(value, float) else value, node.op, as_number(node.value, column=node.at)
        )
    if isinstance(value, timedelta):
        return _ordered(value.total_seconds(), node.op, as_seconds(node.value, column=node.at))
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=zone)
        return _in_time(moment, node.op, as_span(node.value, now=now, zone=zone, column=node.at))
    if node.op in ORDERINGS and is_number(node.value):
        refuse_ordering(node, "text")
    return _ordered(str(value), node.op, node.value)


def _ordered(value: Any, op: str, other: Any) -> bool:
    match op:
        case "<":
            return bool(value < other)
        case "<=":
            return bool(value <= other)
        case ">":
            return bool(value > other)
        case ">=":
            return bool(value >= other)
        case _:
            return bool(value == other)


def _in_time(moment: datetime, op: str, span: tuple[datetime, datetime]) -> bool:
    start, end = span
    match op:
        case "<":
            return moment < start
        case "<=":
            return moment < end
        case ">":
            return moment >= end
        case ">=":
            return moment >= start
        case _:
            return start <= moment < end


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


@lru_cache(maxsize=256)
def _glob(value: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in value)
    return re.compile("".join(parts), re.DOTALL)
