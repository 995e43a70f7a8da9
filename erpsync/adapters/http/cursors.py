"""Where a reading stands: a stamp or token to go on from, and the page inside an unfinished walk.

The engine keeps it as text and hands it back; a page's cursor alone is enough to go on, after a crash too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from erpsync.adapters.http.spec import Since
from erpsync.domain.values import json_default
from erpsync.errors import UsageError


@dataclass(frozen=True, slots=True)
class Cursor:
    """``since``: the stamp to ask from; ``token``: the system's own; ``latest``: the highest stamp of this walk."""

    since: str = ""
    token: str = ""
    page: int = 0  # of the walk, counted from 0
    seen: int = 0  # items of the walk so far
    after: str = ""  # the system's word for the next page, or its address
    latest: str = ""

    def text(self) -> str:
        """As the engine keeps it; empty at the very beginning."""
        told = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        return json.dumps(told, separators=(",", ":"), sort_keys=True) if told else ""


def read_cursor(text: str) -> Cursor:
    """The cursor kept as ``text``; raises UsageError when it is none of this adapter's."""
    if not text:
        return Cursor()
    try:
        return Cursor(**json.loads(text))
    except (ValueError, TypeError):
        raise UsageError(
            "cursor is none of this adapter", hint="erpsync sync --full reads from the beginning"
        ) from None


def next_walk(cursor: Cursor, since: Since, *, told_time: datetime | None) -> Cursor:
    """The cursor after a whole walk: the latest stamp less the overlap, never behind where it stood.

    A stamp later than the system's own clock does not pull the cursor past that clock.
    """
    if not cursor.latest:
        return Cursor(since=cursor.since)
    if since.kind == "number":
        return Cursor(since=cursor.latest)
    latest = datetime.fromisoformat(cursor.latest)
    if told_time is not None:
        latest = min(latest, told_time + timedelta(seconds=1))
    start = max(
        latest - since.overlap, datetime.fromisoformat(cursor.since) if cursor.since else latest - since.overlap
    )
    return Cursor(since=json_default(start))


def later(one: str, other: str, since: Since) -> bool:
    """Whether a stamp is later than another; an empty one is later than none."""
    if not one or not other:
        return False
    if since.kind == "number":
        return Decimal(one) > Decimal(other)
    return datetime.fromisoformat(one) > datetime.fromisoformat(other)


def with_stamp(cursor: Cursor, stamp: Any, since: Since) -> Cursor:
    """The cursor after an item with this stamp was seen; what is no stamp changes nothing."""
    told = _number(stamp) if since.kind == "number" else _moment(stamp)
    if told is None or (cursor.latest and not later(told, cursor.latest, since)):
        return cursor
    return replace(cursor, latest=told)


def _number(stamp: Any) -> str | None:
    if isinstance(stamp, bool) or not isinstance(stamp, int | Decimal | str):
        return None
    try:
        number = Decimal(stamp)
    except ArithmeticError:
        return None
    return format(number, "f") if number.is_finite() and abs(number.adjusted()) <= 30 else None


def _moment(stamp: Any) -> str | None:
    try:
        moment = datetime.fromisoformat(stamp)
    except (ValueError, TypeError):
        return None
    return None if moment.tzinfo is None else json_default(moment)
