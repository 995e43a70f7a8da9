"""The words a spec may use in its expressions beside JMESPath's own: their forms of values into ours, and back.

``from_x`` reads a far system's form, ``to_x`` makes it. Nothing in, nothing out: a null stays null. A value that
cannot be put into the other form raises ValueError (``is not ...``); the room that asked says which field it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from jmespath.functions import Functions, signature

from erpsync.domain.values import exponent, json_default, to_number

_ANY: Any = {"types": []}
_MORE: Any = {"types": [], "variadic": True}  # one or more: what is optional is seen to when an expression is compiled
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 300 * 366 * 86_400 * 1_000_000  # microseconds before or after 1970


@dataclass(frozen=True)
class Setting:
    """What expressions lean on beside the document: the zone naive times mean, the currency, the code tables."""

    currency: str = "USD"
    zone: str = "UTC"  # of the system's times that name none
    company_zone: str = "UTC"  # of business days
    codes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # table -> ours -> theirs


class Words(Functions):
    """JMESPath's functions and ours."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._zones = {name: ZoneInfo(name) for name in {setting.zone, setting.company_zone}}
        self._theirs = setting.codes
        self._ours = {
            name: {_word(theirs): ours for ours, theirs in table.items() if ours != "*"}
            for name, table in setting.codes.items()
        }

    @signature(_MORE)
    def _func_from_minor(self, value: Any, currency: Any = None) -> Decimal | None:
        """An integer of minor units as an amount: 1250, 'USD' -> 12.50."""
        if value is None:
            return None
        number = to_number(value)
        if number != number.to_integral_value():
            raise ValueError("is not a whole number of minor units")
        return number.scaleb(-exponent(str(currency or self.setting.currency)))

    @signature(_MORE)
    def _func_to_minor(self, value: Any, currency: Any = None) -> int | None:
        """An amount as an integer of minor units, rounded half up."""
        if value is None:
            return None
        places = exponent(str(currency or self.setting.currency))
        return int(to_number(value).scaleb(places).to_integral_value(ROUND_HALF_UP))

    @signature(_MORE)
    def _func_number(self, value: Any, mark: str = ".") -> Decimal | None:
        """A number, also from a text; ``mark`` is its decimal mark, spaces and the other mark part thousands."""
        if value is None:
            return None
        if isinstance(value, str) and mark == ",":
            value = value.replace(".", "").replace("\u00a0", "").replace(" ", "").replace(",", ".")
        return to_number(value)

    @signature(_ANY, _ANY)
    def _func_scaled(self, value: Any, places: Any) -> Decimal | None:
        """A number with its decimal point moved: 15, -2 -> 0.15."""
        return None if value is None else to_number(value).scaleb(int(places))

    @signature(_ANY, _ANY)
    def _func_rounded(self, value: Any, places: Any) -> Decimal | None:
        """A number rounded half up to so many decimals."""
        return None if value is None else to_number(value).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)

    @signature(_ANY)
    def _func_text(self, value: Any) -> str | None:
        """A scalar as text, numbers in plain digits."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, Decimal):
            return format(to_number(value), "f")
        if isinstance(value, date):
            return json_default(value)
        raise ValueError("is no single value")

    @signature(_ANY)
    def _func_whole(self, value: Any) -> int | None:
        """A whole number from its text."""
        if value is None:
            return None
        number = to_number(value)
        if number != number.to_integral_value():
            raise ValueError("is not a whole number")
        return int(number)

    @signature(_ANY)
    def _func_or_null(self, value: Any) -> Any:
        """Null for a text of nothing but spaces, else the value."""
        return None if isinstance(value, str) and not value.strip() else value

    @signature(_MORE)
    def _func_from_local(self, value: Any, zone: str | None = None) -> str | None:
        """A moment told in local time without its zone; an hour that the clock skips or has twice is refused."""
        if value is None:
            return None
        moment = _iso(value)
        if moment.tzinfo is None:
            there = self._zone(zone)
            moment = moment.replace(tzinfo=there)
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                raise ValueError(f"is an hour that {there.key} has twice or skips, told without its offset")
        return json_default(moment)

    @signature(_MORE)
    def _func_to_local(self, value: Any, zone: str | None = None) -> str | None:
        """A moment as local time without its zone, to the second."""
        if value is None:
            return None
        return _iso(value).astimezone(self._zone(zone)).replace(tzinfo=None).isoformat(timespec="seconds")

    @signature(_ANY)
    def _func_from_epoch(self, value: Any) -> str | None:
        """A moment told as seconds since 1970."""
        return None if value is None else _since_1970(value, 1_000_000)

    @signature(_ANY)
    def _func_from_epoch_ms(self, value: Any) -> str | None:
        """A moment told as milliseconds since 1970."""
        return None if value is None else _since_1970(value, 1_000)

    @signature(_ANY)
    def _func_to_epoch(self, value: Any) -> int | None:
        """A moment as whole seconds since 1970."""
        return None if value is None else (_iso(value) - _EPOCH) // timedelta(seconds=1)

    @signature(_ANY)
    def _func_to_epoch_ms(self, value: Any) -> int | None:
        """A moment as whole milliseconds since 1970."""
        return None if value is None else (_iso(value) - _EPOCH) // timedelta(milliseconds=1)

    @signature(_MORE)
    def _func_from_day(self, value: Any, form: str = "") -> str | None:
        """A day told in a form of strptime ('%d.%m.%Y'); without one, the company's day of a moment."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise ValueError("is not a day")  # noqa: TRY004  (callers act on ValueError alone)
        try:
            if form:
                return datetime.strptime(value, form).date().isoformat()  # noqa: DTZ007  (a day has no zone)
            if len(value) == 10:
                return date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError(f"is not a day{f' ({form})' if form else ''}") from None
        moment = _iso(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(self._zones[self.setting.company_zone])
        return moment.date().isoformat()

    @signature(_ANY, _ANY)
    def _func_to_day(self, value: Any, form: str) -> str | None:
        """A day in a form of strftime."""
        if value is None:
            return None
        return (value if isinstance(value, date) else date.fromisoformat(str(value)[:10])).strftime(form)

    @signature(_ANY, _ANY)
    def _func_from_code(self, table: str, value: Any) -> Any:
        """Our word for their code."""
        if value is None:
            return None
        try:
            return self._ours[table][_word(value)]
        except (KeyError, TypeError):
            if "*" in self._theirs.get(table, {}):
                return value
            raise ValueError(f"is {value!r}, which the code table {table} does not have") from None

    @signature(_ANY, _ANY)
    def _func_to_code(self, table: str, value: Any) -> Any:
        """Their code for our word."""
        if value is None:
            return None
        codes = self._theirs.get(table, {})
        word = self._func_text(value) or ""
        if word in codes:
            return codes[word]
        if "*" in codes:
            return value if codes["*"] == "*" else codes["*"]
        raise ValueError(f"is {word!r}, which the code table {table} does not have")

    def _zone(self, name: str | None) -> ZoneInfo:
        return ZoneInfo(name) if name else self._zones[self.setting.zone]


OURS = frozenset(Words.FUNCTION_TABLE) - frozenset(Functions.FUNCTION_TABLE)


def _word(value: Any) -> Any:
    return value if isinstance(value, str | bool) else str(value)


def _iso(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("is not a moment (ISO 8601)")


def _since_1970(value: Any, microseconds: int) -> str:
    number = Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else to_number(value)
    if abs(number) * microseconds > _LONGEST:
        raise ValueError("is not a moment of this age")
    return json_default(_EPOCH + timedelta(microseconds=int(number * microseconds)))
