"""One cell becomes one value: code tables, days, moments, numbers with other marks.

Its one rule: nothing is guessed. What is not written exactly in the form the landscape states is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erpsync.adapters.files.options import Cell, ColumnOptions, FormOptions

Reader = Callable[[Any], Any]
"""Takes a cell that is not empty; gives what the document's model takes; raises ValueError saying what is wrong."""

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # full-width signs begin formulas in some spreadsheets


def neutral(text: str) -> str:
    """``text`` with a ' before it where a spreadsheet would take it for a formula; ``plain`` undoes it."""
    return "'" + text if _FORMULA.match(text) else text


def plain(text: str) -> str:
    """The text that ``neutral`` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def reader(column: ColumnOptions, *, type_: type, forms: Sequence[FormOptions]) -> Reader:
    """How cells of a column are read for a field of ``type_``; the first of ``forms`` that says something counts."""

    def said(name: str, default: Any = None) -> Any:
        own = getattr(column, name, None)
        found = (getattr(form, name) for form in forms if getattr(form, name) is not None)
        return own if own is not None else next(found, default)

    if column.map is not None:
        return _coded(column.map)
    if type_ is Decimal:
        return _number(decimal=said("decimal", "."), thousands=said("thousands", ""))
    if type_ is datetime:
        zone = said("zone")
        return _moment(column.format or said("moments"), zone=ZoneInfo(zone) if zone else None)
    if type_ is date:
        form = column.format or said("dates")
        return _day(form) if form else _as_is
    if type_ is bool:
        return _coded({"true": True, "false": False})
    return _text


def _as_is(value: Any) -> Any:
    return value


def _text(value: Any) -> Any:
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("holds bytes that its encoding does not have")
    return value


def _coded(table: Mapping[str, Cell]) -> Reader:
    def read(value: Any) -> Any:
        if isinstance(value, bool) and table == {"true": True, "false": False}:
            return value
        code = str(value).lower() if isinstance(value, bool) else str(value)
        if code not in table:
            raise ValueError("has a code that is not in its code table")
        return table[code]

    return read


def _number(*, decimal: str, thousands: str) -> Reader:
    point = re.escape(decimal)
    grouped = rf"-?[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+(?:{point}[0-9]+)?" if thousands else "(?!)"
    form = re.compile(rf"{grouped}|-?[0-9]+(?:{point}[0-9]+)?")

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not form.fullmatch(value):
            raise ValueError("is not a plain number")
        return (value.replace(thousands, "") if thousands else value).replace(decimal, ".")

    return read


def _day(form: str) -> Reader:
    def read(value: Any) -> Any:
        return _parsed(value, form, "day").date().isoformat()

    return read


def _moment(form: str | None, *, zone: ZoneInfo | None) -> Reader:
    def read(value: Any) -> Any:
        moment = _parsed(value, form, "moment") if form else _iso(value)
        if moment.tzinfo is not None:
            return moment
        if zone is None:
            raise ValueError("has no zone, and the landscape names none")
        early, late = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
        if early.utcoffset() != late.utcoffset():
            raise ValueError(f"is an hour that {zone.key} has twice or not at all")
        return early.astimezone(UTC)

    return read


def _iso(value: Any) -> datetime:
    if not isinstance(value, str) or not value.isascii():
        raise ValueError("is not a moment (ISO 8601)")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a moment (ISO 8601)") from None


def _parsed(value: Any, form: str, what: str) -> datetime:
    if not isinstance(value, str) or not value.isascii() or value != value.strip():
        raise ValueError(f"is no {what} as {form} writes it")
    try:
        parsed = datetime.strptime(value, form)  # noqa: DTZ007  (the zone, if the form has none, is the landscape's)
    except ValueError:
        raise ValueError(f"is no {what} as {form} writes it") from None
    if not 1900 <= parsed.year <= 2200:
        raise ValueError("is not a year of business")
    return parsed


def same_text(value: Any) -> str:
    """The text two files are joined by: as it stands, less the space around it, in one normal form."""
    return unicodedata.normalize("NFC", str(value).strip())
