"""The values a document may hold, and their exact form.

Quantities, unit prices and rates are Decimals with at most six decimals, amounts have the decimals of
their currency. In the books all of them are integers (millionths, minor units): nothing here is a float.
A number is read from a Decimal, an int, or a text of plain ASCII digits; ``"1_000"``, ``" 7 "``, ``1e3``
in a text, booleans and floats are refused.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

MILLION = 1_000_000
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_TEXT = 20_000
_LONGEST_NUMBER = 200
_LARGEST = Decimal(10) ** 12

# ISO 4217: the currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    "CLF": 4,
    "UYW": 4,
}
# ISO 4217, list one: the other currencies in use.
_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR "
    "IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN "
    "NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG "
)
_HUNDREDTHS = frozenset(_CODES.split())


def exponent(currency: str) -> int:
    """How many decimals the currency's minor unit has (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def to_number(value: object) -> Decimal:
    """The exact Decimal of a number as documents may write it; raises ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError("is not a number")  # noqa: TRY004  (pydantic turns ValueError into a validation error)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError("is not a plain number")
        value = Decimal(value)
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError("is out of range")
        value = Decimal(value)
    if not value.is_finite():
        raise ValueError("is not a number")
    if value and not -12 <= value.adjusted() <= 12:  # before any arithmetic: 1e1000000 must not be spelled out
        raise ValueError("is out of range")
    if abs(value) > _LARGEST:
        raise ValueError("is out of range")
    if isinstance(exp := value.as_tuple().exponent, int) and exp < -6:
        shorter = value.quantize(Decimal("0.000001"))
        if shorter != value:
            raise ValueError("has more than six decimals")
        return shorter
    return value


def _quantity(value: object) -> Decimal:
    return to_number(value)


def _not_negative(value: object) -> Decimal:
    number = to_number(value)
    if number < 0:
        raise ValueError("is negative")
    return number


def _rate(value: object) -> Decimal:
    number = _not_negative(value)
    if number > 1:
        raise ValueError("is more than 1: a rate is a share of one, 0.15 for 15 %")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"is longer than {_LONGEST_TEXT:,} characters")
    if value.isascii() and "\0" not in value:
        return value
    if "\0" in value:
        raise ValueError("holds a NUL character")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("holds half a character (a lone surrogate)")
    return unicodedata.normalize("NFC", value)


def _number_text(value: object) -> str:
    """A business number: NFC, no space around it, no control characters. Case and leading zeros count."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    number = _text(value).strip()
    if not number:
        raise ValueError("is empty")
    if len(number) > _LONGEST_NUMBER:
        raise ValueError(f"is longer than {_LONGEST_NUMBER} characters")
    if not (number.isascii() and number.isprintable()) and any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in number
    ):
        raise ValueError("holds control characters")
    return number


def currency_code(value: object) -> str:
    """An ISO 4217 code as it is written; raises ValueError for what is none."""
    if not isinstance(value, str) or not (value in _HUNDREDTHS or value in _EXPONENTS):
        raise ValueError("is no currency code (ISO 4217)")
    return value


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        day = date.fromisoformat(value)
        if not 1900 <= day.year <= 2200:
            raise ValueError("is not a year of business")
        return day
    raise ValueError("is not a day (YYYY-MM-DD)")


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


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[str, BeforeValidator(_number_text)]
Currency = Annotated[str, BeforeValidator(currency_code)]
Quantity = Annotated[Decimal, BeforeValidator(_quantity), "millionths"]
UnitPrice = Annotated[Decimal, BeforeValidator(_not_negative), "millionths"]
Rate = Annotated[Decimal, BeforeValidator(_rate), "millionths"]
Amount = Annotated[Decimal, BeforeValidator(_quantity), "minor units"]
Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Flag = Annotated[bool, BeforeValidator(_flag)]


def millionths(value: Decimal) -> int:
    """A quantity, unit price or rate as the books keep it."""
    return int(value.scaleb(6))


def from_millionths(value: int) -> Decimal:
    """The Decimal of a quantity, unit price or rate in the books, without needless zeros."""
    whole, rest = divmod(value, MILLION)
    return Decimal(whole) if not rest else (Decimal(value) / MILLION).normalize()


def minor_units(value: Decimal, currency: str) -> int:
    """An amount as the books keep it, rounded half up to the currency's minor unit."""
    return int(value.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


def from_minor_units(value: int, currency: str) -> Decimal:
    """The Decimal of an amount in the books, with all decimals of its currency."""
    return Decimal(value).scaleb(-exponent(currency))


def line_amount(*, quantity: int, unit_price: int, discount: int, currency: str) -> int:
    """What a line comes to, in minor units: quantity times unit price less discount (all in millionths), half up."""
    minor: int = 10 ** exponent(currency)
    exact = quantity * unit_price * (MILLION - discount) * minor  # in 10**-18 of the minor unit
    amount = (2 * abs(exact) + MILLION**3) // (2 * MILLION**3)
    return amount if exact >= 0 else -amount


def json_default(value: Any) -> str:
    """How the values above are written in JSON: decimals, days and moments as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
