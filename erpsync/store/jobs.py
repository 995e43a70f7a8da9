"""Writes that wait for their turn, and those who wait for them. Rule: an event loop is woken once a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from erpsync.store.connection import Connection

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")


class Waiter(Generic[_T]):
    """One thread that stands still until its job is done: what a Future does for one, at a tenth of its price."""

    __slots__ = ("_error", "_lock", "_result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._result: _T | None = None
        self._error: BaseException | None = None

    def set_running_or_notify_cancel(self) -> bool:
        """It is to be run: who stands still cannot cancel."""
        return True

    def set_result(self, result: _T) -> None:
        """The job is done."""
        self._result = result
        self._lock.release()

    def set_exception(self, error: BaseException) -> None:
        """The job failed."""
        self._error = error
        self._lock.release()

    def result(self) -> _T:
        """What the job came to, once it is done; raises what it failed with."""
        with self._lock:
            if self._error is not None:
                raise self._error
            return cast("_T", self._result)


class Job:
    """A closure, and whom to tell: a thread that stands still, a future, or an event loop's."""

    __slots__ = ("error", "fn", "future", "loop", "result", "waits")

    def __init__(
        self, fn: Callable[[Connection], Any], future: Any, *, loop: asyncio.AbstractEventLoop | None, waits: bool
    ) -> None:
        self.fn = fn
        self.future = future
        self.loop = loop
        self.waits = waits  # a thread stands still until it is done
        self.result: Any = None
        self.error: BaseException | None = None

    def goes(self) -> bool:
        """Whether it is to be run: nobody cancelled it while it waited."""
        return self.loop is not None or bool(self.future.set_running_or_notify_cancel())


def tell(jobs: list[Job]) -> None:
    """Resolve the futures; those of one event loop in one call to it."""
    of_loop: dict[Any, list[Job]] = {}
    for job in jobs:
        if job.loop is not None:
            of_loop.setdefault(job.loop, []).append(job)
        elif job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
    for loop, theirs in of_loop.items():
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(_tell_loop, theirs)
            except RuntimeError:  # closed meanwhile: nobody waits any more, and the work is on disk
                continue


def _tell_loop(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():  # cancelled
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
