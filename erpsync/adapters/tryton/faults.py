"""What an answer that is no result means, by its HTTP status and by the class in its envelope.

One rule: the class decides, never the text (Tryton translates its texts). An error inside the envelope has been
rolled back, so it is a definite no; what comes without an envelope on a write leaves the outcome unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from erpsync.errors import AccessDenied, CallError, Conflict, OutcomeUnknown, Refused, RetryLater

_LONGEST_TEXT = 300
NOT_OURS = "is this the address of a Tryton 8 server, and options.database its database?"


class Warned(Refused):
    """Tryton asks whether to go on; ``name`` is what it calls the question, without the hash of the record."""

    def __init__(self, message: str, *, name: str, key: str) -> None:
        super().__init__(
            message, code="user_warning", hint=f"where that is safe, name it: options.acknowledge = [{name!r}]"
        )
        self.name = name
        self.key = key


class UserRefused(Refused):
    """A plain UserError: a validation, or no right to it. Tryton does not tell the two apart."""


def from_status(status: int, headers: Mapping[str, str], *, what: str, writes: bool) -> CallError:
    """What an HTTP status other than 200 means."""
    text, code, after = f"{what} was answered with HTTP {status}", f"http_{status}", retry_after(headers)
    error: CallError
    if status in (401, 403):
        hint = "check options.user and the secret, and that user's access rights"
        error = AccessDenied(f"{what} was not allowed (HTTP {status})", code=code, hint=hint)
    elif status in (404, 405) or 300 <= status < 400:
        error = AccessDenied(text, code=code, hint=NOT_OURS)
    elif status in (429, 503):  # 503: its database is busy or holds a lock, and what was begun is rolled back
        error = RetryLater(text, code=code, after=after, throttled=status == 429 or after is not None)
    elif status == 423:
        error = Conflict(text, code=code)
    elif 400 <= status < 500 and status != 408:
        error = Refused(text, code=code)
    elif writes:
        error = OutcomeUnknown(text, code=code)
    else:
        error = RetryLater(text, code=code, throttled=False)
    return error


def from_error(error: Any, *, what: str) -> CallError:
    """What ``error`` in the envelope means."""
    name, details = _split(error)
    parts = [part for part in details if isinstance(part, str) and part]
    match name:
        case "UserError":
            return UserRefused(f"{what} was refused: {_said(parts[:2])}", code="user_error")
        case "UserWarning":
            key = parts[0] if parts else ""
            return Warned(
                f"{what} was not done without an answer: {_said(parts[1:3])}",
                name=key.partition(".")[2] or key,
                key=key,
            )
        case "ConcurrencyException":
            return Conflict(f"{what} met a document that was changed meanwhile", code="concurrency")
        case "LoginException":
            return AccessDenied(f"{what} was not allowed: Tryton asks for more than a password", code="login")
        case "RateLimitException":
            return RetryLater(f"{what} was one call too many", code="rate_limit")
        case _:
            return Refused(f"{what} failed there: {_said([name])}", code="exception")


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The wait that ``Retry-After`` asks for in seconds, at most a day; None without one."""
    text = headers.get("retry-after", "").strip()
    return timedelta(seconds=min(int(text), 86_400)) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _split(error: Any) -> tuple[str, list[Any]]:
    if not isinstance(error, list) or not error:
        return str(error), []
    details = error[1] if len(error) > 1 else []
    return str(error[0]), details if isinstance(details, list) else [details]


def _said(parts: list[str]) -> str:
    text = " ".join(" ".join(parts).split()) or "no reason given"
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
