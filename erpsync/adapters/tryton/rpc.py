"""Calls to one Tryton database. One rule: a call is made once, within its time, and leaves a trail.

Answers are asked for with gzip, for Tryton labels longer ones so in any case.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from erpsync.adapters.http.jsontext import canonical, read_strict
from erpsync.adapters.http.transport import KEPT, Answer, Lost, NotSent, Transport
from erpsync.adapters.protocol import Evidence
from erpsync.adapters.tryton.faults import NOT_OURS, from_error, from_status
from erpsync.adapters.tryton.login import Login
from erpsync.config.landscape import System
from erpsync.errors import CallError, OutcomeUnknown, RetryLater, SystemDown

_KEPT_OF_ONE = 8 * 1024
_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"), ("Accept-Encoding", "gzip"))


@dataclass
class Trail:
    """What was seen along the calls of one piece of work; ``wrote``: a call that changes something has been sent.

    ``until`` is when all of it must be over, by the event loop's clock; None: each call has a deadline of its own.
    """

    now: Callable[[], datetime]
    until: float | None = None
    calls: int = 0
    status: int | None = None
    answers: bytearray = field(default_factory=bytearray)
    cut: bool = False
    started: float = field(default_factory=time.monotonic)
    wrote: bool = False
    sent_at: datetime | None = None
    far_time: datetime | None = None

    def note(self, method: str, status: int | None, answer: bytes) -> None:
        """Keep what a call was answered with, within bounds."""
        line = f"{method} {status or '-'} ".encode() + answer[:_KEPT_OF_ONE] + b"\n"
        self.cut = self.cut or len(answer) > _KEPT_OF_ONE or len(self.answers) + len(line) > KEPT
        self.answers += line[: max(KEPT - len(self.answers), 0)]
        self.status = status

    def evidence(self) -> Evidence:
        """All of it, as an attempt keeps it: a line for each call."""
        return Evidence(
            status=self.status,
            answer=bytes(self.answers),
            answer_cut=self.cut,
            seconds=time.monotonic() - self.started,
            calls=self.calls,
            sent_at=self.sent_at,
        )


class Rpc:
    """The methods of one Tryton database, called as one user."""

    def __init__(self, system: System, *, login: Login, database: str, now: Callable[[], datetime]) -> None:
        self.system = system.name
        self._login = login
        self._entering = asyncio.Lock()
        self._transport = Transport(system.url, system.limits, now)
        self._target = f"{self._transport.base}/{quote(database, safe='')}/rpc/"
        self._number = 0

    async def call(self, method: str, *params: Any, trail: Trail, writes: bool = False) -> Any:
        """The result of one call, its envelopes not yet decoded; raises the CallError that says what happened."""
        if self._login.wanting:
            await self._enter("", trail)
        token = self._login.token
        number, answer = await self._send(method, params, trail=trail, writes=writes)
        if answer.status == 401 and token:  # the session has run out: nothing was carried out
            await self._enter(token, trail)
            number, answer = await self._send(method, params, trail=trail, writes=writes)
        what = f"{self.system} {method}"
        trail.note(method, answer.status, answer.body)
        if answer.status != 200:
            raise from_status(answer.status, answer.headers, what=what, writes=writes)
        return _result(answer.body, number=number, what=what, writes=writes)

    async def _enter(self, token: str, trail: Trail) -> None:
        """Take a session, unless another call has taken one in place of ``token`` meanwhile."""
        async with self._entering:
            if self._login.token != token:
                return
            what = f"{self.system} common.db.login"
            number, answer = await self._send("common.db.login", self._login.params, trail=trail, writes=False)
            trail.note("common.db.login", answer.status, b"(secret removed)")
            # Tryton's word for a database that it cannot reach now, as for one that is not there.
            if answer.status == 404:
                text = f"{what} was answered with HTTP 404: its database is busy, away, or not there"
                raise SystemDown(text, code="http_404", hint=NOT_OURS)
            if answer.status != 200:
                raise from_status(answer.status, answer.headers, what=what, writes=False)
            try:
                self._login.take(_result(answer.body, number=number, what=what, writes=False))
            except ValueError:
                raise _unreadable(f"{what} was answered with no session", writes=False) from None

    async def _send(self, method: str, params: Sequence[Any], *, trail: Trail, writes: bool) -> tuple[int, Answer]:
        self._number += 1
        number, what = self._number, f"{self.system} {method}"
        body = canonical({"id": number, "method": method, "params": list(params)})
        headers = _HEADERS if method == "common.db.login" else (*_HEADERS, self._login.header)
        trail.calls += 1
        already = trail.wrote
        trail.wrote = already or writes
        try:
            answer = await self._transport.call("POST", self._target, headers, body, until=trail.until)
        except NotSent as error:
            trail.wrote = already
            trail.note(method, None, str(error).encode())
            raise SystemDown(f"{what}: {error}", code="no_connection") from None
        except Lost as error:
            status, part = (error.answer.status, error.answer.body) if error.answer else (None, b"")
            trail.note(method, status, part or str(error).encode())
            text = f"{what}: {error}"
            raise (OutcomeUnknown(text, code=error.code) if writes else SystemDown(text, code=error.code)) from None
        finally:
            if trail.wrote and writes:
                trail.sent_at = trail.now()
        trail.far_time = _far_time(answer.headers.get("date", "")) or trail.far_time
        return number, answer

    async def close(self) -> None:
        """Give back the connections."""
        await self._transport.close()


def deadline_in(seconds: float) -> float:
    """The moment by the event loop's clock at which so many seconds are over."""
    return asyncio.get_running_loop().time() + seconds


def _result(answer: bytes, *, number: int, what: str, writes: bool) -> Any:
    try:
        content = read_strict(answer)
    except ValueError:
        raise _unreadable(f"{what} was answered with what is no JSON", writes=writes) from None
    if not isinstance(content, dict) or content.get("id") != number or not {"result", "error"} & content.keys():
        raise _unreadable(f"{what} was answered with what is no answer to it", writes=writes)
    if "error" in content:
        raise from_error(content["error"], what=what)
    return content["result"]


def _unreadable(text: str, *, writes: bool) -> CallError:
    code = "unreadable_answer"
    return OutcomeUnknown(text, code=code) if writes else RetryLater(text, code=code, throttled=False)


def _far_time(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
