"""How a far system writes the fields of a document: one table a record, read in both directions.

Inside the simulator a document is a dict of canonical field names with plain JSON values (decimals, days and moments
as texts); only these tables know what a system calls them and how it writes them. Taking checks, showing never fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from erpsync.domain.values import exponent

Json = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a value may depend on: the document's currency, the system's zone."""

    currency: str
    zone: ZoneInfo


@dataclass(frozen=True)
class Form:
    """One way to write a value that is not null. ``take`` raises ValueError with what is wrong."""

    take: Callable[[Any, Context], Any]
    show: Callable[[Any, Context], Any]
    empty: Any = None  # how no value is shown


@dataclass(frozen=True)
class Field:
    """One field: its (dotted) place in the system's JSON, its canonical name, its form."""

    far: str
    name: str
    form: Form
    required: bool = False


@dataclass(frozen=True)
class Link:
    """A document that another names: by the system's own id, by its number, or either; both are shown."""

    name: str
    kind: str
    by_number: str
    by_id: str = ""


@dataclass(frozen=True)
class Shape:
    """How one kind looks at one system. ``number`` is where its business number stands, one place or two.

    ``theirs`` is a running number the system gives, ``net`` the net amount it works out; ``feed``: changes are told.
    """

    kind: str
    collection: str
    word: str
    number: tuple[str, ...]
    fields: tuple[Field, ...]
    links: tuple[Link, ...] = ()
    lines: str = ""
    line_fields: tuple[Field, ...] = ()
    line_links: tuple[Link, ...] = ()
    theirs: str = ""
    net: Field | None = None
    feed: bool = True
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        places = [f.far for f in self.fields] + [p for link in self.links for p in (link.by_number, link.by_id) if p]
        places += [place for place in (self.lines, self.theirs, self.net and self.net.far) if place]
        object.__setattr__(self, "known", frozenset(places))


def number_of(value: Any) -> Decimal:
    """The exact number in a JSON value; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str | float):
        raise ValueError("is not a number")  # noqa: TRY004  (a value's fault whatever its type)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("is not a number") from None
    if not number.is_finite() or (number and number.adjusted() > 12):
        raise ValueError("is not a number we can keep")
    return number


def plain(number: Decimal) -> str:
    """A number as a text without exponent and needless zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _take_text(value: Any, _: Context) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004  (a value's fault whatever its type)
    if len(value) > 20_000:
        raise ValueError("is too long")
    return value


def _take_number_text(value: Any, _: Context) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not blank")
    return value


def _take_flag(value: Any, _: Context) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  (a value's fault whatever its type)
    return value


def _take_day(value: Any, _: Context) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("is not a date (YYYY-MM-DD)") from None


def _take_moment(value: Any, context: Context) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("is not a time (ISO 8601)") from None
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=context.zone))


def stamp(moment: datetime) -> str:
    """A moment as text: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(text: str, zone: ZoneInfo) -> str:
    """A moment's text as a clock on the wall of ``zone`` shows it, without offset."""
    return datetime.fromisoformat(text).astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def json_number(text: Any) -> int | float:
    """A number as JSON has it: an integer where it is one."""
    number = Decimal(str(text))
    return int(number) if number == number.to_integral_value() else float(number)


def _same(value: Any, _: Context) -> Any:
    return value


def decimal_text(places: int | None = None) -> Form:
    """A decimal as a text; with ``places`` rounded half up to so many on keeping."""

    def take(value: Any, _: Context) -> str:
        number = number_of(value)
        return plain(number if places is None else _rounded(number, places))

    def show(value: Any, _: Context) -> str:
        number = Decimal(value)
        return plain(number) if places is None else format(_rounded(number, places), "f")

    return Form(take, show)


def _minor(value: Any, context: Context) -> str:
    number = number_of(value)
    if number != number.to_integral_value():
        raise ValueError("must be an integer of the currency's minor unit")
    return plain(number.scaleb(-exponent(context.currency)))


def _show_minor(value: Any, context: Context) -> int:
    return int(_rounded(Decimal(value).scaleb(exponent(context.currency)), 0))


def status(*, otherwise: str, cancelled: str) -> Form:
    """A flag told as one of two words."""

    def take(value: Any, _: Context) -> bool:
        if value not in (otherwise, cancelled):
            raise ValueError(f"must be {otherwise} or {cancelled}")
        return bool(value == cancelled)

    return Form(take, lambda value, _: cancelled if value else otherwise, empty=otherwise)


TEXT = Form(_take_text, _same)
NUMBER_TEXT = Form(_take_number_text, _same)
FLAG = Form(_take_flag, _same)
DAY = Form(_take_day, _same)
MOMENT = Form(_take_moment, _same)
LOCAL = Form(_take_moment, lambda value, context: local(value, context.zone))
DECIMAL = decimal_text()
PRICE = decimal_text(2)
JSON_NUMBER = Form(lambda value, _: plain(number_of(value)), lambda value, _: json_number(value))
MINOR = Form(_minor, _show_minor)
PERCENT = Form(lambda value, _: plain(number_of(value) / 100), lambda value, _: json_number(Decimal(value) * 100))
