"""What the values in a filter mean: durations, numbers, moments and days.

One rule: a value that does not mean what its field needs is a FilterError, never a guess. The evaluation in
``filters.py`` and the store's translation both read values here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from erpsync.domain.values import to_number
from erpsync.errors import FilterError

_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,7})h)?(?:([0-9]{1,9})m(?!s))?(?:([0-9]{1,10})s)?(?:([0-9]{1,12})ms)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_POINT = timedelta(microseconds=1)


def read_duration(text: str) -> timedelta:
    """The length of time that ``500ms``, ``30s``, ``2h30m``, ``3d04h`` or ``1w`` says; raises ValueError otherwise."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("is not a duration")
    weeks, days, hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(
            days=days, weeks=weeks, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
        )
    except OverflowError:
        raise ValueError("is too long a duration") from None


def as_seconds(value: str, *, column: int = 0) -> float:
    """The seconds that an age such as ``2h`` or ``3d04h`` says (``0`` too)."""
    if value == "0":
        return 0.0
    try:
        return read_duration(value).total_seconds()
    except ValueError:
        raise _wrong(value, column, "is not a duration", "like 90s, 2h or 3d04h") from None


def as_number(value: str, *, column: int = 0) -> Decimal:
    """The exact number: digits, a point, a minus sign, nothing else."""
    try:
        return to_number(value)
    except ValueError as error:
        raise _wrong(value, column, str(error), "like 12 or 1250.50, without separators or currency") from None


def as_flag(value: str, *, column: int = 0) -> bool:
    """Yes or no."""
    flag = _WORDS.get(value.lower())
    if flag is None:
        raise _wrong(value, column, "is neither yes nor no", "yes or no; true and false are taken too")
    return flag


def as_span(value: str, *, now: datetime, zone: tzinfo = UTC, column: int = 0) -> tuple[datetime, datetime]:
    """The first moment that ``value`` means and the first one after it, in UTC.

    A day (in ``zone``) is all of it, a time to the minute or second is that minute or second, an age such as ``2h``
    is the moment that long before ``now``. So ``at = 2026-10-15`` is the whole day, and ``at > 2026-10-15`` begins
    with the next.
    """
    try:
        if _DAY.fullmatch(value):
            day = date.fromisoformat(value)
            return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        if match := _MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            start = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
            width = _POINT if match[2] else timedelta(seconds=1) if match[1] else timedelta(minutes=1)
            return start, start + width
        before = now.astimezone(UTC) - read_duration(value)
    except (ValueError, OverflowError):
        raise _wrong(
            value, column, "is not a time", "like 2026-10-15, 2026-10-15T03:12Z, or 2h for two hours ago"
        ) from None
    return before, before + _POINT


def as_moment(value: str, *, now: datetime, zone: tzinfo = UTC, column: int = 0) -> datetime:
    """The first moment that ``value`` means (see ``as_span``), in UTC."""
    return as_span(value, now=now, zone=zone, column=column)[0]


def is_number(value: str) -> bool:
    """Whether ``as_number`` would read it."""
    try:
        to_number(value)
    except ValueError:
        return False
    return True


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _wrong(value: str, column: int, text: str, hint: str) -> FilterError:
    place = f", at column {column}," if column else ""
    return FilterError(f'filter value "{value}"{place} {text}', hint=hint)
