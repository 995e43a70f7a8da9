"""The types that fields of documents may have: each takes what a system wrote in its exact form, or says what is wrong.

A check raises ValueError, as pydantic wants it; its words are shown behind the field's name.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, NoReturn

from pydantic import PlainValidator

from erpsync.domain.values import currency_code, to_number

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_TEXT = 20_000
_LONGEST_NUMBER = 200


def _not_negative(value: object) -> Decimal:
    number = to_number(value)
    if number.is_signed() and number:
        raise ValueError("is negative")
    return number


def _rate(value: object) -> Decimal:
    number = _not_negative(value)
    if number > 1:
        raise ValueError("is more than 1: a rate is a share of one, 0.15 for 15 %")
    return number


def _text(value: object) -> str:
    if type(value) is str and len(value) <= _LONGEST_TEXT and value.isascii() and "\0" not in value:
        return value  # nearly every one
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"is longer than {_LONGEST_TEXT:,} characters")
    if "\0" in value:
        raise ValueError("holds a NUL character")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("holds half a character (a lone surrogate)")
    return unicodedata.normalize("NFC", value)


def _number_text(value: object) -> str:
    """A business number: NFC, no space around it, no control characters. Case and leading zeros count."""
    if type(value) is str and 0 < len(value) <= _LONGEST_NUMBER and value.isascii() and value.isprintable():
        return value.strip() or _empty()  # nearly every one
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    number = _text(value).strip()
    if not number:
        return _empty()
    if len(number) > _LONGEST_NUMBER:
        raise ValueError(f"is longer than {_LONGEST_NUMBER} characters")
    if not (number.isascii() and number.isprintable()) and any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in number
    ):
        raise ValueError("holds control characters")
    return number


def _empty() -> NoReturn:
    raise ValueError("is empty")


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) != 10 or not value[4] == value[7] == "-":  # 20260302, 2026-W10-1
        raise ValueError("is not a day (YYYY-MM-DD)")
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(str(error) if _DAY.fullmatch(value) else "is not a day (YYYY-MM-DD)") from None
    if not 1900 <= day.year <= 2200:
        raise ValueError("is not a year of business")
    return day


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is not a moment (ISO 8601)") from None
    if not isinstance(value, datetime):
        raise ValueError("is not a moment (ISO 8601)")  # noqa: TRY004
    if value.tzinfo is None:
        raise ValueError("has no zone")
    return value.astimezone(UTC)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")  # noqa: TRY004
    return value


Text = Annotated[str, PlainValidator(_text)]
Number = Annotated[str, PlainValidator(_number_text)]
Currency = Annotated[str, PlainValidator(currency_code)]
Quantity = Annotated[Decimal, PlainValidator(to_number), "millionths"]
UnitPrice = Annotated[Decimal, PlainValidator(_not_negative), "millionths"]
Rate = Annotated[Decimal, PlainValidator(_rate), "millionths"]
Amount = Annotated[Decimal, PlainValidator(to_number), "minor units"]
Day = Annotated[date, PlainValidator(_day)]
Moment = Annotated[datetime, PlainValidator(_moment)]
Flag = Annotated[bool, PlainValidator(_flag)]
