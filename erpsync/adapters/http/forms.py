"""The forms that single values of a spec file have: expressions, lengths of time, rates, paths, statuses."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from erpsync.adapters.http.expressions import check
from erpsync.config.durations import rate, size
from erpsync.domain.filter_values import read_duration


def _expression(text: str) -> str:
    check(text)
    return text


def _duration(value: object) -> object:
    if isinstance(value, str):
        return read_duration(value)
    raise ValueError("is not a length of time (30s, 5m, 1d)")


def _rate(value: object) -> object:
    if isinstance(value, str):
        return rate(value)
    raise ValueError("is not a rate (20/s)")


def _size(value: object) -> object:
    if isinstance(value, str):
        return size(value)
    raise ValueError("is not a size (16MiB)")


def _path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or any(c in text for c in "?#\\") or not text.isprintable():
        raise ValueError("is no path (it begins with one /, and its query goes under query)")
    return text


# What says how a request goes over the wire, or to whom.
_OURS = frozenset(("connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"))


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):  # RFC 9110 5.6.2
        raise ValueError("is no name of a header")
    if text.lower() in _OURS:
        raise ValueError("is said by erpsync itself")
    return text


def _header_text(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("has characters that a header cannot carry")
    return text


def _statuses(value: object) -> object:
    given = value if isinstance(value, list) else [value]
    found: list[int] = []
    for one in given:
        if isinstance(one, str) and re.fullmatch("[1-5]xx", one):
            found += range(int(one[0]) * 100, int(one[0]) * 100 + 100)
        elif isinstance(one, str) and (match := re.fullmatch(r"([0-9]{3})-([0-9]{3})", one)):
            found += range(int(match[1]), int(match[2]) + 1)
        elif isinstance(one, int) and 100 <= one <= 599:
            found.append(one)
        else:
            raise ValueError("is no status (422, '5xx' or '500-599', or a list of them)")
    return frozenset(found)


Expr = Annotated[str, AfterValidator(_expression)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Path = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderText = Annotated[str, AfterValidator(_header_text)]
Statuses = Annotated[frozenset[int], BeforeValidator(_statuses)]
Rate = Annotated[float, BeforeValidator(_rate)]
Size = Annotated[int, BeforeValidator(_size)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
