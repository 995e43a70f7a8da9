"""What a typed word becomes for its parameter: plain words are taken here, everything else is asked of Typer.

Typer asks pydantic, whose loading takes longer than a listing. One rule: what is taken here is what Typer would have
made of it, and whatever is wrong is left to Typer, whose words are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

_LONGEST_NUMBER = 15  # digits


class _Plain:
    """Stands where Typer keeps how a parameter reads its words, until one comes that is not plain."""

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value of a parameter for its command; raises Typer's BadParameter."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        described = param.type_descriptor
        taken = None if described.parameter_info.parser else _taken(value, described.annotation, param)
        if taken is not None:
            return taken
        param._runtime_param = None  # it makes its own when asked for one
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


_PLAIN = _Plain()


def plainly_read(parameters: Iterable[Any]) -> list[Any]:
    """These parameters of Typer, taking plain words without pydantic from now on."""
    plain = list(parameters)
    for parameter in plain:
        parameter._runtime_param = _PLAIN
    return plain


def _taken(value: Any, kind: Any, parameter: Any) -> Any:
    """What a plain value comes to; None when it is not plain, or no kind of value that is known here."""
    if kind == list[str]:
        plain = isinstance(value, list | tuple) and all(type(word) is str for word in value)
        return list(value) if plain else None
    if kind is str:
        return value if type(value) is str else None
    if kind is int:
        return _number(value, parameter)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((member for member in kind if value is member or value == member.value), None)
    return None


def _number(value: Any, parameter: Any) -> int | None:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER:
        value = int(value)
    if type(value) is not int:
        return None
    least, most = parameter.min, parameter.max
    return value if (least is None or value >= least) and (most is None or value <= most) else None
