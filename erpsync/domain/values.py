"""The values a document may hold, and their exact form.

Quantities, unit prices and rates are Decimals with at most six decimals, amounts have the decimals of
their currency. In the books all of them are integers (millionths, minor units): nothing here is a float.
A number is read from a Decimal, an int, or a text of plain ASCII digits; ``"1_000"``, ``" 7 "``, ``1e3``
in a text, booleans and floats are refused.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

MILLION = 1_000_000
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_LARGEST_INT = 10**12
_LARGEST = Decimal(_LARGEST_INT)
_REMEMBERED = 4_096  # quantities and prices come again and again
_SHORT = 20  # characters: what is longer is not worth remembering

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
    if type(value) is int and -_LARGEST_INT <= value <= _LARGEST_INT:
        return _whole(value)
    if type(value) is Decimal and value.is_finite() and len(text := str(value)) <= _SHORT and _is_short(text):
        return value  # nearly every number there is
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
    exp = value.as_tuple().exponent
    if isinstance(exp, int) and exp < -6:
        shorter = value.quantize(Decimal("0.000001"))
        if shorter != value:
            raise ValueError("has more than six decimals")
        return shorter
    return value


_whole = lru_cache(_REMEMBERED)(Decimal)


@lru_cache(_REMEMBERED)
def _is_short(value: str) -> bool:
    """Whether a finite number is in range and has six decimals at most, by its digits alone.

    By its text: Decimals are equal, and so remembered as one, whatever zeros stand behind them.
    """
    _, digits, exp = Decimal(value).as_tuple()
    return isinstance(exp, int) and -6 <= exp <= 0 and len(digits) <= 12


def currency_code(value: object) -> str:
    """An ISO 4217 code as it is written; raises ValueError for what is none."""
    if not isinstance(value, str) or not (value in _HUNDREDTHS or value in _EXPONENTS):
        raise ValueError("is no currency code (ISO 4217)")
    return value


@lru_cache(_REMEMBERED)
def millionths(value: Decimal) -> int:
    """A quantity, unit price or rate as the books keep it, whatever the currency."""
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
    minor_unit = _minor_unit(currency)
    exact = quantity * unit_price
    if discount:
        exact, minor_unit = exact * (MILLION - discount), minor_unit * MILLION
    amount = (2 * abs(exact) + minor_unit) // (2 * minor_unit)
    return amount if exact >= 0 else -amount


@lru_cache(_REMEMBERED)
def _minor_unit(currency: str) -> int:
    """The currency's minor unit in what a quantity times a price, both in millionths, comes to."""
    return MILLION * MILLION // int(10 ** exponent(currency))


def json_default(value: Any) -> str:
    """How the values above are written in JSON: decimals, days and moments as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
