"""What a landscape says of a Tryton under ``options``. One rule: a name that is not known is refused by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from erpsync.config.durations import duration
from erpsync.config.landscape import System
from erpsync.domain.nearest import meant, nearest
from erpsync.errors import LandscapeError


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Options(BaseModel):
    """The database and the user, and what Tryton and the other systems call differently.

    ``warehouse`` has the codes of the warehouses whose levels are told; orders ship from the first. ``country`` is the
    form in which countries are told and taken; ``countries`` maps our words to that form where they differ.
    ``acknowledge`` names the questions of Tryton that may be answered with yes; ``overlap`` must be longer than its
    longest transaction, for rows turn up late by as much. ``login`` ``session`` spares Tryton a tenth of a second a call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    login: Literal["basic", "session"] = "basic"
    company: int | None = None
    warehouse: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    payment_term: str = ""
    taxes: Literal["product", "none"] = "product"
    country: Literal["code", "code3", "name"] = "code"
    countries: dict[str, str] = {}
    acknowledge: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    zero_levels: Literal["refuse", "believe"] = "refuse"
    overlap: Annotated[
        timedelta, BeforeValidator(lambda value: duration(value) if isinstance(value, str) else value)
    ] = timedelta(minutes=5)
    page: int = Field(default=200, ge=1, le=2000)
    price_digits: int = Field(default=4, ge=0, le=6)


def read_options(system: System) -> Options:
    """The options of a Tryton; raises LandscapeError naming the first that is wrong."""
    try:
        return Options.model_validate(dict(system.options))
    except ValidationError as error:
        raise _landscape_error(system.name, error.errors(include_input=False, include_url=False)[0]) from None


def _landscape_error(system: str, first: Any) -> LandscapeError:
    name = ".".join(str(part) for part in first["loc"])
    where = f"systems.{system}.options.{name}"
    known = tuple(Options.model_fields)
    if first["type"] == "extra_forbidden":
        return LandscapeError(
            f"{where} is no option of a tryton system",
            hint=f"{meant(name, known)}Options: {', '.join(known)}",
            where=where,
            found=name,
            nearest=nearest(name, known),
            valid=known,
        )
    if first["type"] == "missing":
        return LandscapeError(f"{where} is missing", where=where, hint="a tryton system needs database and user")
    return LandscapeError(f"{where} {str(first['msg']).removeprefix('Value error, ').lower()}", where=where)
