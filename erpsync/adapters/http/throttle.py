"""How long a system wants to be left alone, from its headers: seconds, or a date by its own clock.

A date is read against the answer's own Date header, so a clock that is wrong there or here does no harm. Absurd
waits are cut to the spec's longest, negative ones to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from erpsync.adapters.http.spec import Throttle

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
_A_MOMENT = 1_000_000_000  # seconds; a larger number is a moment since 1970, not a wait


def wanted(headers: Mapping[str, str], throttle: Throttle, *, now: datetime) -> timedelta | None:
    """How long to wait; None when no header says so in a way that can be read."""
    for name in throttle.headers:
        if (value := headers.get(name)) and (wait := _wait(value.strip(), headers, now)) is not None:
            return bounded(wait, throttle)
    return None


def bounded(wait: timedelta, throttle: Throttle) -> timedelta:
    """The wait, not below nothing and not above the spec's longest."""
    return min(max(wait, timedelta()), throttle.longest)


def told_time(headers: Mapping[str, str]) -> datetime | None:
    """The system's own time, from the Date header."""
    return _date(headers.get("date", ""))


def _wait(value: str, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    if _NUMBER.fullmatch(value):
        seconds = float(value)
        if seconds < _A_MOMENT:
            return timedelta(seconds=seconds)
        if seconds > 1e11:  # milliseconds, or no moment at all
            return None
        return datetime.fromtimestamp(seconds, UTC) - (told_time(headers) or now)
    until = _date(value)
    return None if until is None else until - (told_time(headers) or now)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
