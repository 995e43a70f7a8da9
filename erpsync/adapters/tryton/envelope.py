"""How Tryton writes values in JSON. One rule: no number passes through a float, in either direction.

Money is ``{"__class__": "Decimal", "decimal": "8.00"}``, quantities are bare JSON numbers, days and moments are
dicts of parts, moments naive UTC. A bare ``Decimal`` is written as a number; ``money`` gives the other form.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

JsonObject = dict[str, Any]


def money(value: Decimal) -> JsonObject:
    """A unit price or amount as Tryton takes it."""
    return {"__class__": "Decimal", "decimal": format(value, "f")}


def day(value: date) -> JsonObject:
    """A day as Tryton takes it."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


def moment(value: datetime) -> JsonObject:
    """A moment as Tryton takes it, to the microsecond; ``value`` is aware."""
    at = value.astimezone(UTC)
    parts = {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")}
    return {"__class__": "datetime", **parts}


def decode(value: Any) -> Any:
    """The value with Decimals, days and (aware) moments in place of their envelopes; raises ValueError."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    decoder = _DECODERS.get(str(value.get("__class__", "")))
    return decoder(value) if decoder else {name: decode(item) for name, item in value.items()}


def _decimal(value: JsonObject) -> Decimal:
    try:
        number = Decimal(value["decimal"])
    except (KeyError, TypeError, InvalidOperation):
        raise ValueError("a Decimal that is no number") from None
    if not number.is_finite():
        raise ValueError("a Decimal that is no number")
    return number


def _day(value: JsonObject) -> date:
    year, month, day_ = (_part(value, name) for name in ("year", "month", "day"))
    return date(year, month, day_)


def _moment(value: JsonObject) -> datetime:
    at = _day(value)
    hour, minute, second, micro = (_part(value, name) for name in ("hour", "minute", "second", "microsecond"))
    return datetime(at.year, at.month, at.day, hour, minute, second, micro, tzinfo=UTC)


def _part(value: JsonObject, name: str) -> int:
    part = value.get(name, 0)
    if isinstance(part, bool) or not isinstance(part, int):
        raise ValueError(f"a date whose {name} is no whole number")  # noqa: TRY004  (callers take ValueError for all)
    return part


_DECODERS: dict[str, Callable[[JsonObject], Any]] = {"Decimal": _decimal, "date": _day, "datetime": _moment}
