"""What an answer means: the spec's rules in their order, then its status. Success is judged by the body too.

The rule of this room: a write that is not plainly refused, throttled or turned away, and not plainly done, is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from erpsync.adapters.http.access import Access
from erpsync.adapters.http.expressions import Expression, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.jsontext import read_page, read_strict
from erpsync.adapters.http.spec import Rule, Throttle
from erpsync.adapters.http.throttle import bounded, wanted
from erpsync.adapters.http.transport import Answer, Lost, NotSent
from erpsync.errors import (
    AccessDenied,
    CallError,
    Conflict,
    OutcomeUnknown,
    ParentMissing,
    Refused,
    RetryLater,
    SystemDown,
)

Use = Literal["read", "write", "find", "probe"]
_NOT_THERE = (404, 410)  # RFC 9110, 15.5.5 and 15.5.11
_LONGEST_TEXT = 500
_USUAL_TEXTS = ("message", "detail", "error_description", "title", "error", "errors", "reason")


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and what it means. ``error`` None: it is an answer to work with, or the document is ``gone``.

    Both: by its status the document is not there, which is an error for whoever did not want just that.
    """

    value: Any = None
    sound: bool = True  # False: something in the value is not sound JSON (``jsontext.flaw``)
    error: CallError | None = None
    gone: bool = False


@dataclass(frozen=True)
class _Compiled:
    rule: Rule
    when: Expression | None
    text: Expression | None
    code: Expression | None
    field: Expression | None
    after: Expression | None
    key: Expression | None


@dataclass
class Judge:
    """The rules of one kind, its own before those of the whole system."""

    system: str
    rules: Sequence[Rule]
    throttle: Throttle
    access: Access
    words: Words
    _compiled: list[_Compiled] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        names = ("when", "text", "code", "field", "after", "key")
        for rule in self.rules:
            parts = {n: compile_expression(t, self.words) if (t := getattr(rule, n)) else None for n in names}
            self._compiled.append(_Compiled(rule, **parts))

    def judge(self, answer: Answer, use: Use, *, now: datetime, gone: frozenset[int] = frozenset()) -> Judged:
        """What the answer means for this use; ``gone``: the statuses that say a document is not there."""
        value, sound, readable = self._read(answer, use)
        for one in self._compiled:
            if use in one.rule.on and self._fits(one, answer, value):
                if one.rule.means == "ok":
                    return Judged(value, sound)
                if one.rule.means == "gone":
                    return Judged(value, sound, gone=True)
                return Judged(value, sound, error=self._by_rule(one, answer, value, use, now))
        if answer.status in gone:
            return Judged(value, sound, gone=True)
        if 200 <= answer.status < 300:
            if readable:
                return Judged(value, sound)
            text = f"system {self.system} answered {answer.status} with something that is no JSON ({readable})"
            return Judged(error=_open_end(use, self.access.clear(text), "unreadable_answer"))
        absent = use == "write" and answer.status in _NOT_THERE
        return Judged(value, sound, error=self._by_status(answer, value, use, now), gone=absent)

    def failed(self, error: NotSent | Lost, use: Use) -> CallError:
        """What a call without a whole answer means."""
        if isinstance(error, NotSent):
            return SystemDown(
                f"system {self.system} is not reached: {error}", code="not_reached", hint="nothing was sent"
            )
        return _open_end(use, f"system {self.system} left us without an answer: {error}", error.code)

    def _read(self, answer: Answer, use: Use) -> tuple[Any, bool, _Readable]:
        if not answer.body:
            return None, True, _Readable(answer.status in (204, 205) or use == "write", "it is empty")
        try:
            if use in ("read", "find"):
                value, sound = read_page(answer.body)
                return value, sound, _Readable(True)
            return read_strict(answer.body), True, _Readable(True)
        except ValueError as error:
            return None, True, _Readable(False, str(error))

    def _fits(self, one: _Compiled, answer: Answer, value: Any) -> bool:
        if one.rule.status is not None and answer.status not in one.rule.status:
            return False
        if one.rule.content_type and answer.content_type != one.rule.content_type.lower():
            return False
        return one.when is None or _found(one.when, value) not in (None, False, "", [], {})

    def _by_rule(self, one: _Compiled, answer: Answer, value: Any, use: Use, now: datetime) -> CallError:
        said = self._say(_found(one.text, value)) if one.text else self._told_by(answer, value)
        text = f"system {self.system} answered {answer.status}" + (f": {said}" if said else "")
        code = self._say(_found(one.code, value)) or f"http_{answer.status}"
        about = self._say(_found(one.field, value))
        match one.rule.means:
            case "refused":
                return Refused(text, code=code, field=about)
            case "retry_later":
                after = _seconds(_found(one.after, value))
                wait = (
                    bounded(after, self.throttle)
                    if after is not None
                    else wanted(answer.headers, self.throttle, now=now)
                )
                return RetryLater(text, code=code, field=about, after=wait, throttled=one.rule.throttled)
            case "system_down":
                return SystemDown(text, code=code)
            case "access_denied":
                return AccessDenied(text, code=code, hint="mend the secret, then resume the system")
            case "conflict":
                return Conflict(text, code=code, field=about)
            case "parent_missing":
                key = self._say(_found(one.key, value))
                return (
                    ParentMissing(text, key=key, code=code, field=about)
                    if key
                    else Refused(text, code=code, field=about)
                )
        return _open_end(use, text, code)

    def _by_status(self, answer: Answer, value: Any, use: Use, now: datetime) -> CallError:
        said = self._told_by(answer, value)
        text = f"system {self.system} answered {answer.status}" + (f": {said}" if said else "")
        code, after = f"http_{answer.status}", wanted(answer.headers, self.throttle, now=now)
        match answer.status:
            case 401 | 403:
                return AccessDenied(text, code=code, hint="mend the secret, then resume the system")
            case 400 | 404:
                return Refused(text, code=code)
            case 429:
                return RetryLater(text, code=code, after=after)
            case 503 if use != "write" or after is not None:
                return RetryLater(text, code=code, after=after)
            case 422 if use == "write":
                return Refused(text, code=code)
            case 409 | 412 if use == "write":
                return Conflict(text, code=code)
        return _open_end(use, text, code)

    def _told_by(self, answer: Answer, value: Any) -> str:
        if 300 <= answer.status < 400:
            return "a redirect, which is not followed"
        found = value
        for _ in range(3):
            if isinstance(found, list) and found:
                found = found[0]
            elif isinstance(found, dict):
                found = next((found[name] for name in _USUAL_TEXTS if found.get(name)), None)
        if isinstance(found, str):
            return self._say(found)
        return "" if value is not None else self._say(answer.content_type)

    def _say(self, value: Any) -> str:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = str(value)
        return self.access.clear(value)[:_LONGEST_TEXT] if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class _Readable:
    yes: bool
    why_not: str = ""

    def __bool__(self) -> bool:
        return self.yes

    def __str__(self) -> str:
        return self.why_not


def _open_end(use: Use, text: str, code: str) -> CallError:
    """A write may have arrived; a read has cost nothing and is asked again."""
    if use == "write":
        return OutcomeUnknown(
            text, code=code, hint="it is settled by asking, by repeating it under its key, or by a person"
        )
    return RetryLater(text, code=code, throttled=False)


def _found(expression: Expression | None, value: Any) -> Any:
    if expression is None:
        return None
    try:
        return expression.of(value)
    except ValueError:
        return None


def _seconds(value: Any) -> timedelta | None:
    try:
        return timedelta(seconds=float(value)) if isinstance(value, int | Decimal | str) and value is not True else None
    except (ValueError, OverflowError):
        return None
