"""A filter as a condition in SQL: columns from the listing's own table, everything a person typed bound as a value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from erpsync.domain.filters import (
    And,
    Compare,
    Everything,
    Flag,
    Node,
    Not,
    Or,
    as_flag,
    as_number,
    as_seconds,
    as_span,
    check_fields,
    refuse_ordering,
)
from erpsync.domain.nearest import meant
from erpsync.domain.values import exponent
from erpsync.errors import FilterError
from erpsync.store.connection import ms
from erpsync.store.reading.asked import Field, Selection, Sort

_PLACE = re.compile(r"\{(record|kind|number)\}")
_RECORD = "(SELECT record_id FROM records WHERE company_id = (SELECT company_id FROM companies WHERE name = ?) AND kind = ? AND number = ?)"
_ALMOST = timedelta(microseconds=999)  # rounds the end of a span up to whole milliseconds


def condition(
    selection: Selection, fields: Mapping[str, Field], *, subject: str, currencies: Iterable[str] = ()
) -> tuple[str, list[object]]:
    """The condition of a filter and its values; raises FilterError for a field that ``subject`` has not."""
    check_fields(selection.where, fields, subject=subject)
    values: list[object] = []
    return condition_of(selection.where, selection, fields, frozenset(currencies), values), values


def condition_of(
    node: Node, selection: Selection, fields: Mapping[str, Field], currencies: Collection[str], values: list[object]
) -> str:
    match node:
        case Everything():
            return "1"
        case And(parts):
            return "(" + " AND ".join(condition_of(p, selection, fields, currencies, values) for p in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(condition_of(p, selection, fields, currencies, values) for p in parts) + ")"
        case Not(part):
            return f"NOT ({condition_of(part, selection, fields, currencies, values)})"
        case Flag(name):
            known = fields[name]
            if known.sort is not Sort.FLAG:
                raise FilterError(
                    f"filter field {name}, at column {node.column}, is no yes/no field",
                    hint=f"compare it: {name} = VALUE",
                )
            return f"COALESCE({known.sql}, 0)"
        case Compare():
            return _compared(node, selection, fields[node.field], currencies, values)


def _compared(
    node: Compare, selection: Selection, known: Field, currencies: Collection[str], values: list[object]
) -> str:
    if node.op in ("!=", "!~"):
        positive = Compare(node.field, node.op[1], node.value, node.column, node.glob, node.at)
        return f"NOT ({_compared(positive, selection, known, currencies, values)})"
    sql = known.sql
    if node.op == "=" and not node.glob and (found := _looked_up(node.value, selection, known, values)):
        return found
    if node.value == "" and node.op in ("=", "~") and known.sort is not Sort.TEXT:
        return f"{sql} IS NULL"
    match known.sort:
        case Sort.FLAG:
            refuse_ordering(node, "yes or no")
            values.append(int(as_flag(node.value, column=node.at)))
            return f"COALESCE({sql}, 0) = ?"
        case Sort.AGE:
            _no_text(node, "an age", "age > 2h")
            seconds = as_seconds(node.value, column=node.at)
            values.append(selection.at - round(seconds * 1000))
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(node.op, node.op)
            return f"COALESCE({sql} {turned} ?, 0)"
        case Sort.MOMENT:
            _no_text(node, "a time", "like 2026-10-15, or 2h for two hours ago")
            start, end = as_span(node.value, now=selection.now, zone=selection.zone, column=node.at)
            return _in_time(sql, node.op, ms(start), ms(end + _ALMOST), values)
        case Sort.NUMBER | Sort.MONEY:
            if node.op == "~" or node.glob:
                return _text(f"CAST({sql} AS TEXT)", node, values)
            number = as_number(node.value, column=node.at)
            right = _money(number, known, currencies, values) if known.sort is Sort.MONEY else _number(number, values)
            return f"COALESCE({sql} {node.op} {right}, 0)"
        case _:
            if known.words and node.op == "=" and node.value and not node.glob:
                node = replace(node, value=_one_of(node, known.words()))
            fits = _text(f"COALESCE({sql}, '')", node, values)
            return known.among.replace("{names}", fits) if known.among else fits


def _looked_up(text: str, selection: Selection, known: Field, values: list[object]) -> str:
    """The condition for one whole value, by index; empty where the field has none, or the value is none."""
    if known.exact:
        return _keyed(text, selection, known, values)
    if known.equal is None or not text:
        return ""
    values.append(_storable(text))
    return known.equal()


def _keyed(text: str, selection: Selection, known: Field, values: list[object]) -> str:
    """The condition for one whole key, by index; empty for what is no key."""
    from erpsync.domain.kinds import kind_or_none  # noqa: PLC0415  (only where a filter names a key)

    head, _, number = _storable(text).partition(":")
    company, slash, kind = head.rpartition("/")
    if not kind or not number:
        return ""
    known_kind = kind_or_none(kind)
    kind = known_kind.name if known_kind else kind
    places = {"record": (company if slash else selection.company, kind, number), "kind": (kind,), "number": (number,)}
    parts = _PLACE.split(known.exact)
    for name in parts[1::2]:
        values.extend(places[name])
    return "".join(_RECORD if n % 2 and part == "record" else "?" if n % 2 else part for n, part in enumerate(parts))


def _one_of(node: Compare, words: Mapping[str, str]) -> str:
    """What a word stands for; raises FilterError, naming the nearest, for one that cannot be there."""
    if node.value not in words:
        raise FilterError(
            f"filter value {node.value[:60]}, at column {node.at}, is no {node.field}",
            hint=f"{meant(node.value, words)}{node.field.capitalize()}s: {', '.join(dict.fromkeys(words.values()))}",
        )
    return words[node.value]


def _text(sql: str, node: Compare, values: list[object]) -> str:
    if node.glob:
        values.append(_storable(node.value).replace("[", "[[]"))
        return f"{sql} GLOB ?"
    if node.op == "~":
        escaped = _storable(node.value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.append(f"%{escaped}%")
        return f"{sql} LIKE ? ESCAPE '\\'"
    values.append(_storable(node.value))
    return f"{sql} {node.op} ?"


def _storable(text: str) -> str:
    """Text as SQLite takes it: half a character, which no row holds, as an escape."""
    return text if text.isascii() else text.encode("utf-8", errors="backslashreplace").decode()


def _no_text(node: Compare, sort: str, hint: str) -> None:
    if node.op == "~" or node.glob:
        raise FilterError(
            f"filter field {node.field}, at column {node.column}, is {sort}: it has no text to look into", hint=hint
        )


def _in_time(sql: str, op: str, start: int, end: int, values: list[object]) -> str:
    match op:
        case "<":
            values.append(start)
            return f"COALESCE({sql} < ?, 0)"
        case "<=":
            values.append(end)
            return f"COALESCE({sql} < ?, 0)"
        case ">":
            values.append(end)
            return f"COALESCE({sql} >= ?, 0)"
        case ">=":
            values.append(start)
            return f"COALESCE({sql} >= ?, 0)"
        case _:
            values.extend((start, end))
            return f"COALESCE({sql} >= ? AND {sql} < ?, 0)"


def _number(number: Decimal, values: list[object]) -> str:
    values.append(int(number) if number == number.to_integral_value() else float(number))
    return "?"


def _money(number: Decimal, known: Field, currencies: Collection[str], values: list[object]) -> str:
    """The amount in minor units of whatever currency the row is in."""
    odd = sorted(currency for currency in currencies if exponent(currency) != 2)
    parts = []
    for currency in odd:
        values.append(currency)
        parts.append(f"WHEN {known.currency} = ? THEN {_number(number.scaleb(exponent(currency)), values)}")
    usual = _number(number.scaleb(2), values)
    return f"CASE {' '.join(parts)} ELSE {usual} END" if parts else usual
