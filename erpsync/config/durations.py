"""How the landscape writes lengths of time, sizes and rates. One rule: every number carries its unit."""

from __future__ import annotations

import re
from datetime import timedelta

from erpsync.domain.filter_values import read_duration

_SIZE = re.compile(r"([0-9]{1,9})(B|KB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def duration(text: str) -> timedelta:
    """The length of time in ``500ms``, ``30s``, ``2h30m`` or ``1d``; raises ValueError, also for none at all."""
    length = read_duration(text)
    if not length:
        raise ValueError("is no time at all")
    return length


def size(text: str) -> int:
    """The bytes in ``16MiB`` or ``1MB``; raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError("is not a size")
    return int(match[1]) * _UNITS[match[2]]


def rate(text: str) -> float:
    """The requests a second in ``20/s``, ``100/m`` or ``0.5/s``; raises ValueError."""
    match = _RATE.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError("is not a rate")
    return float(match[1]) / _SECONDS[match[2]]
