"""Text fit for a terminal: foreign text made harmless, widths, money, quantities, durations, clock times.

The one rule: nothing that came from outside reaches a terminal except through ``safe`` or ``quoted``. Neither
markup nor escape sequences survive them; what could act on a terminal is shown as an escape one can read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from erpsync.domain.values import from_minor_units

_ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MOST_MARKS = 4
_DAY = 86_400


def safe(text: object, *, limit: int | None = None) -> str:
    """``text`` on one line, with everything that acts on a terminal as a visible escape (``\\x1b``, ``\\u202e``).

    Wider than ``limit`` columns it is quoted, cut, and followed by its length: ``"begin..." (214)``.
    """
    whole = str(text)
    shown = _escaped(_enough(whole, limit))
    if limit is None or width(shown) <= limit:
        return shown
    return _cut_and_counted(whole, shown, limit)


def quoted(text: object, *, limit: int | None = None) -> str:
    """``safe`` text in quotes, whatever its length: where foreign words stand among ours."""
    whole = str(text)
    inner = _escaped(_enough(whole, limit).replace("\\", "\\\\").replace('"', '\\"'))
    if limit is None or width(inner) + 2 <= limit:
        return f'"{inner}"'
    return _cut_and_counted(whole, inner, limit)


def _enough(text: str, limit: int | None) -> str:
    """No more of a long text than can matter: at most five characters make one column."""
    return text if limit is None else text[: 5 * limit + 64]


def _cut_and_counted(text: str, shown: str, limit: int) -> str:
    tail = f'..." ({len(text):,})'
    return '"' + head(shown, max(limit - len(tail) - 1, 4)) + tail


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in _ACTING:
            marks = 0
            parts.append(_escape(character))
        elif category[0] == "M":
            marks += 1
            parts.append(character if marks <= _MOST_MARKS else _escape(character))
        else:
            marks = 0
            parts.append(character)
    return "".join(parts)


def _escape(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """How many columns ``text`` (already safe) takes: wide characters two, combining ones none.

    The sum of its characters: what joins several into one shape acts, and ``safe`` makes an escape of it.
    """
    if text.isascii():
        return len(text)
    from rich.cells import get_character_cell_size  # noqa: PLC0415  (only where a character is not ASCII)

    return sum(map(get_character_cell_size, text))


def head(text: str, columns: int) -> str:
    """As much of the beginning as fits into ``columns``, never half a character and no lone first half of an escape."""
    if text.isascii():
        kept = text[:columns]
    else:
        taken: list[str] = []
        used = 0
        for character in text:
            used += width(character)
            if used > columns:
                break
            taken.append(character)
        kept = "".join(taken)
    slash = kept.rfind("\\", max(len(kept) - 10, 0))
    if slash >= 0 and len(kept) < len(text):
        size = {"x": 4, "u": 6, "U": 10}.get(text[slash + 1 : slash + 2], 2)
        if slash + size > len(kept):
            return kept[:slash]
    return kept


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """``text`` filled with spaces to ``columns``; ``right`` puts them in front."""
    space = " " * max(columns - width(text), 0)
    return space + text if right else text + space


def count(number: int | None) -> str:
    """A count with thousands separators; none is ``-``."""
    return "-" if number is None else f"{number:,}"


def money(minor: int | None, currency: str) -> str:
    """An amount of minor units with separators and all decimals of its currency; zero is ``0``, none is ``-``."""
    if minor is None:
        return "-"
    if minor == 0:
        return "0"
    return f"{from_minor_units(minor, currency):,f}"


def amounts(sums: Iterable[tuple[str, int]]) -> str:
    """Sums in several currencies as one phrase, the largest first: ``9,870.00 USD and 120.00 EUR``."""
    parts = [f"{money(minor, currency)} {safe(currency)}".rstrip() for currency, minor in sums if minor]
    return " and ".join(parts) or "0"


def quantity(value: Decimal | None) -> str:
    """A quantity with separators and the decimals it has; none is ``-``."""
    return "-" if value is None else f"{value:,f}"


def duration(seconds: float | None) -> str:
    """How long, in at most two units: ``8s``, ``4m37s`` (to ten minutes), ``34m``, ``2h20m``, ``3d04h``."""
    if seconds is None:
        return "-"
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < _DAY:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // 3600:02d}h"


def took(seconds: float | None) -> str:
    """How long a call took: ``0.19 s``, ``30.0 s``."""
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.1f} s"


def size(number: int | None) -> str:
    """Bytes as people say them: ``812 B``, ``64 KiB``, ``1.7 GiB``; none is ``-``."""
    if number is None:
        return "-"
    if number < 1024:
        return f"{number} B"
    power = 1 if number < 999.5 * 2**10 else 2 if number < 999.5 * 2**20 else 3
    value = number / 1024**power
    return f"{value:,.{1 if value < 9.95 else 0}f} {'BKMG'[power]}iB"


def plural(number: int, word: str, words: str = "") -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


@dataclass(frozen=True)
class Clock:
    """Moments as people of one landscape read them: in its zone, seen from ``now``."""

    now: datetime
    timezone: str = "UTC"

    @cached_property
    def zone(self) -> ZoneInfo:
        """The landscape's zone; UTC when this machine does not know it."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @property
    def zone_name(self) -> str:
        """What the zone is called now: ``CDT``."""
        return self.now.astimezone(self.zone).tzname() or self.timezone

    def since(self, moment: datetime | None) -> str:
        """``02:05`` within 24 hours, before that ``10-12``, in another year ``2025-10-12``; none is ``-``."""
        if moment is None:
            return "-"
        local = moment.astimezone(self.zone)
        if abs(self.now - moment) < timedelta(hours=24):
            return f"{local:%H:%M}"
        if local.year == self.now.astimezone(self.zone).year:
            return f"{local:%m-%d}"
        return f"{local:%Y-%m-%d}"

    def exact(self, moment: datetime | None) -> str:
        """``02:05:12`` within 24 hours, before that with its day: ``10-12 02:05:12``."""
        if moment is None:
            return "-"
        local = moment.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}"
        return clock if abs(self.now - moment) < timedelta(hours=24) else f"{self.since(moment)} {clock}"

    def lasting(self, moment: datetime | None) -> str:
        """How long it has been since ``moment``, as ``duration`` has it."""
        return duration(None if moment is None else (self.now - moment).total_seconds())

    def both(self, moment: datetime) -> str:
        """``02:05:12 (1h07m)``: the clock time and how long since."""
        return f"{self.exact(moment)} ({self.lasting(moment)})"

    def day(self, moment: datetime) -> str:
        """``Wed 2026-10-14``, the day of ``moment`` in the zone."""
        return f"{moment.astimezone(self.zone):%a %Y-%m-%d}"

    def whole(self, moment: datetime) -> str:
        """``Thu 2026-10-15 03:12:40 CDT``."""
        local = moment.astimezone(self.zone)
        return f"{local:%a %Y-%m-%d %H:%M:%S} {local.tzname()}"
