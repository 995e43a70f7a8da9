"""What a far system received and what it did about it: every write request with its outcome, apart from what is kept.

Whoever waits for a write, and whoever is to be killed at one, is told here at that very moment.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Literal

from erpsync.simulator.fields import Json
from erpsync.simulator.kills import Kills

Event = Literal["received", "answered"]
_READS_KEPT = 2_000


@dataclass(slots=True)
class Request:
    """One request as it came in, and what became of it. ``committed``: it changed what is kept."""

    no: int
    at: str
    method: str
    path: str
    write: bool
    kind: str = ""
    number: str = ""
    key: str = ""
    body_sha256: str = ""
    fault: str = ""
    status: int | None = None
    committed: bool = False
    answered: bool = False
    replayed: bool = False
    far_id: str = ""
    peer_port: int = 0


@dataclass
class Counting:
    """The requests of one system. ``events`` counts writes received and answered."""

    system: str
    kills: Kills
    requests: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    writes: list[Request] = field(default_factory=list)
    reads: deque[Request] = field(default_factory=lambda: deque(maxlen=_READS_KEPT))
    _last_no: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def next_no(self) -> int:
        """The number that the next request gets."""
        return self._last_no + 1

    def received(self, request: Request, body: bytes) -> None:
        """Count a request that is here whole."""
        self._last_no += 1
        request.no = self._last_no
        self.requests["writes" if request.write else "reads"] += 1
        if request.write:
            request.body_sha256 = hashlib.sha256(body).hexdigest()
            self.writes.append(request)
            self._tell("received", request)
        else:
            self.reads.append(request)
            self._kill("asked", request)

    def answered(self, request: Request) -> None:
        """Count an answer whose last byte has been handed to the network."""
        request.answered = True
        if request.write:
            self._tell("answered", request)

    async def wait(self, event: Event, *, after: int, seconds: float) -> tuple[int, bool]:
        """The count of an event once it is more than ``after``, and whether the time ran out first."""
        try:
            async with asyncio.timeout(seconds):
                while self.events[event] <= after:
                    await self._news.wait()
        except TimeoutError:
            return self.events[event], True
        return self.events[event], False

    def listed(self, *, after: int, number: str, reads: bool) -> list[Json]:
        """Requests past number ``after``, in order; writes alone unless ``reads``."""
        found = [*self.writes, *self.reads] if reads else self.writes
        wanted = (request for request in found if request.no > after and number in ("", request.number))
        return [asdict(request) for request in sorted(wanted, key=lambda request: request.no)]

    def _tell(self, event: Event, request: Request) -> None:
        self.events[event] += 1
        self._kill(event, request)
        self._news.set()
        self._news.clear()

    def _kill(self, event: str, request: Request) -> None:
        self.kills.happened(self.system, event, request_no=request.no, path=request.path, peer_port=request.peer_port)
