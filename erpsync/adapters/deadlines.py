"""Time limits for many calls at once: one timer for all of them, where ``asyncio.timeout`` sets one for each.

For what goes out many at a time; a single call may take ``asyncio.timeout``. Moments are those of the running loop's
clock (``loop.time()``), in seconds.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

NEARLY = 0.001  # seconds; a timer may fire a little before its moment


class Deadlines:
    """The limits of calls that are under way. ``with deadlines.until(moment)`` raises TimeoutError when it has come."""

    def __init__(self) -> None:
        self._inside: set[Limit] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._fires = math.inf

    def until(self, moment: float) -> Limit:
        """A limit to be entered once."""
        return Limit(self, moment)

    def enter(self, limit: Limit) -> None:
        """A call under this limit begins."""
        self._inside.add(limit)
        self.watch(limit.moment)

    def leave(self, limit: Limit) -> None:
        """It has ended."""
        self._inside.discard(limit)
        if not self._inside:
            self._disarm()

    def watch(self, moment: float) -> None:
        """Look at the limits no later than at this moment."""
        if moment >= self._fires:
            return  # the timer comes by before that
        self._disarm()
        self._fires = moment
        self._timer = asyncio.get_running_loop().call_at(moment, self._sweep)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._fires = None, math.inf

    def _sweep(self) -> None:
        self._timer, self._fires = None, math.inf
        now = asyncio.get_running_loop().time() + NEARLY
        for limit in [limit for limit in self._inside if limit.moment <= now]:
            self._inside.discard(limit)
            limit.expire()
        if self._inside:
            self.watch(min(limit.moment for limit in self._inside))


class Limit:
    """One call's limit; ``move`` sets it to another moment while the call is under way."""

    __slots__ = ("_all", "_before", "_expired", "_task", "moment")

    def __init__(self, all_: Deadlines, moment: float) -> None:
        self._all = all_
        self.moment = moment
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._before = 0

    def move(self, moment: float) -> None:
        """Let it end then instead."""
        self.moment = moment
        if not self._expired:
            self._all.watch(moment)

    def expire(self) -> None:
        """Its moment has come: the task it was entered in is cancelled out of it."""
        assert self._task is not None  # noqa: S101  (it was entered)
        self._expired = True
        self._task.cancel()

    def __enter__(self) -> Limit:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (this runs in one)
        self._task, self._before = task, task.cancelling()
        self._all.enter(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._all.leave(self)
        # Cancelled by us alone: somebody else's cancelling goes on as it is.
        ours = self._expired and self._task is not None and self._task.uncancel() <= self._before
        if ours and kind is asyncio.CancelledError:
            raise TimeoutError from error
