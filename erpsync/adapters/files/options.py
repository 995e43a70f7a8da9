"""What a landscape may say of a ``files`` system, typed. Its one rule: a key it does not know is refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from erpsync.domain.nearest import meant, nearest
from erpsync.errors import LandscapeError

Cell = str | bool | int
_SOME_MOMENT = datetime(2001, 11, 23, 13, 45, tzinfo=UTC)
Encoding = Literal["utf-8", "latin-1", "cp1252", "iso-8859-15", "cp850", "cp437"]


def _relative(value: str) -> str:
    path = PurePosixPath(value)
    if not value or "\0" in value or "\\" in value or path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("must be a path below the system's folder")
    if any(set(part) & set("*?[") for part in path.parts[:-1]):
        raise ValueError("may have a pattern in its last part only")
    return str(path)


def _fixed(value: str) -> str:
    if set(value) & set("*?["):
        raise ValueError("is no pattern: it must name one")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, KeyError, OSError):
        raise ValueError("is no time zone (Europe/Berlin)") from None
    return value


def _form(value: str) -> str:
    try:
        said = datetime.strptime(_SOME_MOMENT.strftime(value), value)  # noqa: DTZ007  (only its day is looked at)
    except ValueError:
        raise ValueError("is no form for days and moments (%m/%d/%Y)") from None
    if said.date() != _SOME_MOMENT.date():
        raise ValueError("does not say a whole day: year, month and day (%m/%d/%Y)")
    return value


def _octal(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError("is no file mode (0640)")
    return value


def _as_column(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _as_line_id(value: object) -> object:
    if isinstance(value, str):
        if value != "item":
            raise ValueError('is "item" (the line id is the SKU) or { column = "..." }')
        return {}
    return value


Relative = Annotated[str, AfterValidator(_relative)]
FixedPath = Annotated[str, AfterValidator(_relative), AfterValidator(_fixed)]
Form = Annotated[str, AfterValidator(_form)]
Zone = Annotated[str, AfterValidator(_zone)]
Decimals = Literal[".", ","]
Thousands = Literal["", ",", ".", "'", " "]
OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)


class ColumnOptions(_Options):
    """Where one canonical field comes from, and how it is written there."""

    column: Annotated[str, Field(min_length=1)]
    map: dict[str, Cell] | None = None
    format: Form | None = None
    zone: Zone | None = None
    decimal: Decimals | None = None
    thousands: Thousands | None = None


class LineIdOptions(_Options):
    """A line's id: what a column says, or the item's SKU (``column`` empty)."""

    column: str = ""


Columns = dict[str, Annotated[ColumnOptions, BeforeValidator(_as_column)]]


class FormOptions(_Options):
    """How values are written in a file."""

    dates: Form | None = None
    moments: Form | None = None
    zone: Zone | None = None
    decimal: Decimals | None = None
    thousands: Thousands | None = None


class LinesOptions(FormOptions):
    """Where a document's lines come from; forms not given are those of the document."""

    file: FixedPath = ""
    list: str = ""
    join: str = ""
    to: str = ""
    line: Annotated[LineIdOptions, BeforeValidator(_as_line_id)]
    columns: Columns
    constants: dict[str, Cell] = {}
    max_rows: Annotated[int, Field(ge=1)] = 500_000


class WriteOptions(_Options):
    """Where documents of a kind are put."""

    folder: FixedPath
    format: Literal["json", "csv", "jsonl"] = "json"
    columns: dict[str, str] = {}
    lines: dict[str, str] = {}
    delimiter: OneCharacter = ","
    mode: Annotated[str, AfterValidator(_octal)] = "0600"


class KindOptions(FormOptions):
    """How a kind is read (``file``), written (``write``), or both."""

    file: Relative = ""
    complete: bool | None = None
    format: Literal["csv", "jsonl"] = "csv"
    delimiter: OneCharacter = ","
    encoding: Encoding = "utf-8"
    columns: Columns = {}
    constants: dict[str, Cell] = {}
    nulls: list[str] = [""]
    trim: bool = False
    neutralised: bool = False
    lines: LinesOptions | None = None
    write: WriteOptions | None = None

    @property
    def is_drop_folder(self) -> bool:
        """Whether ``file`` is a pattern."""
        return bool(set(self.file) & set("*?["))

    @property
    def tells_all(self) -> bool:
        """Whether what the files do not have is gone."""
        return not self.is_drop_folder if self.complete is None else self.complete


class FilesOptions(_Options):
    """The options of a system whose adapter is ``files``."""

    folder: Annotated[str, Field(min_length=1)]
    quiet_seconds: Annotated[float, Field(ge=0, le=3600)] = 1
    max_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    kinds: dict[str, KindOptions]


def read_options(options: Mapping[str, Any], *, where: str) -> FilesOptions:
    """The options, typed; raises LandscapeError with the dotted path below ``where`` and the nearest valid name."""
    try:
        return FilesOptions.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        place = ".".join([where, *path])
        name = path[-1] if path else where
        if first["type"] == "extra_forbidden":
            raise unknown_name(place, name, _names_beside(path)) from None
        text = "is missing" if first["type"] == "missing" else str(first["msg"]).removeprefix("Value error, ").lower()
        raise LandscapeError(f"{place} {text}", where=place, text=text) from None


def unknown_name(place: str, name: str, valid: tuple[str, ...], *, what: str = "option") -> LandscapeError:
    """The error for a name that is none of ``valid``, with the nearest that is."""
    return LandscapeError(
        f"{place} is no {what} that this version knows",
        hint=f"{meant(name, valid)}{what}s here: {', '.join(valid)}",
        where=place,
        found=name,
        nearest=nearest(name, valid),
        valid=valid,
        text=f"is no {what} that this version knows",
    )


def _names_beside(path: list[str]) -> tuple[str, ...]:
    """The names that may stand where the last of ``path`` does."""
    here: Any = FilesOptions
    for part in path[:-1]:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = _inside(here.model_fields[part].annotation) if part in here.model_fields else None
        elif here is not None:  # a table of names the landscape chooses: kinds, columns
            here = _inside(get_args(here)[1])
    return tuple(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else ()


def _inside(annotation: Any) -> Any:
    """The model or table in an annotation: without None beside it, without what validates it."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if isinstance(annotation, type) or getattr(annotation, "__origin__", None) is dict:
        return annotation
    return next((part for part in get_args(annotation) if part is not type(None)), annotation)
