"""JSON as it leaves us: plain ASCII, moments in UTC, bytes as the text they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def as_json(value: object, *, indent: int | None = None) -> str:
    """JSON in plain ASCII that no terminal can take for anything else."""
    return json.dumps(value, ensure_ascii=True, indent=indent, default=_plain).replace("\x7f", "\\u007f")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)


def utc(moment: datetime | None) -> str | None:
    """``2026-10-15T08:12:40Z``; None stays None."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
