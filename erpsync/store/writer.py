"""One connection that writes. Rule: a future is resolved only after the COMMIT that holds its work.

A thread of its own writes: what arrives within a few milliseconds shares one transaction, and so one wait for the disk
(group commit). A caller that stands still for its write anyway does it itself, when nobody waits before it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import TYPE_CHECKING, TypeVar

from erpsync.errors import Defect, StoreError
from erpsync.store.connection import (
    Connection,
    DatabaseError,
    OperationalError,
    begin_immediate,
    is_of_the_file,
    translated,
)
from erpsync.store.jobs import Job, Waiter, tell

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")
_GATHER_SECONDS = 0.005
_GAP_SECONDS = 0.001  # nothing more for so long: what is there goes
_PLENTY = 64  # enough to be worth a commit: no waiting for more
_MOST = 500
_HOLD_SECONDS = 0.020  # no further closure is begun after so long in one transaction
_LONG_SECONDS, _YIELD_SECONDS = 0.005, 0.001  # after a long one other processes get a chance
_OTHERS_SECONDS = 10.0  # for how long a commit by another process is taken as a sign of it


class Writer:
    """All that a process writes to its store, one transaction after another.

    Closures run inside a transaction that is not theirs: they neither begin nor end one, and do nothing slow (no
    HTTP, no parsing). One that raises is rolled back alone, and only its caller gets the error. When the file itself
    fails, every caller of that transaction gets the StoreError, and nothing of it was kept.
    """

    def __init__(
        self,
        db: Connection,
        path: Path,
        *,
        check: Callable[[Connection], None] | None = None,
        committed: Callable[[], None] | None = None,
        deadline_seconds: float = 30.0,
    ) -> None:
        """``check`` runs before each COMMIT, in its transaction, and may raise; ``committed`` runs after it, before anyone is told."""
        self._db = db
        self._path = path
        self._check = check
        self._committed = committed
        self._deadline_seconds = deadline_seconds
        self._rng = Random()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._left: deque[Job] = deque()
        self._gate = threading.Lock()
        self._turn = threading.Lock()  # whoever has it may use the connection
        self._waiting = 0  # jobs that were put and are not done
        self._writes = 0  # the thread that is inside a transaction
        self._closed = False
        self._begun_at = 0.0
        self._others = self._commits_of_others()
        self._others_at = -_OTHERS_SECONDS
        self._thread = threading.Thread(target=self._live, name="erpsync-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[[Connection], _T]) -> Future[_T]:
        """A future of what ``fn`` returns, resolved once it is on disk."""
        future: Future[_T] = Future()
        self._put(Job(fn, future, loop=None, waits=False))
        return future

    def call(self, fn: Callable[[Connection], _T]) -> _T:
        """What ``fn`` returns, once it is on disk; the calling thread waits."""
        if threading.get_ident() == self._writes:
            raise Defect("the writer was called from inside a write")
        waiter: Waiter[_T] = Waiter()
        job = Job(fn, waiter, loop=None, waits=True)
        if self._write_now(job):
            if job.error is not None:
                raise job.error
            result: _T = job.result
            return result
        self._put(job)
        return waiter.result()

    async def run(self, fn: Callable[[Connection], _T]) -> _T:
        """What ``fn`` returns, once it is on disk. Cancelling the wait does not stop the write."""
        import asyncio  # noqa: PLC0415  (commands that do not run a loop must not pay for it)

        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        self._put(Job(fn, future, loop=loop, waits=False))
        return await future

    def close(self) -> None:
        """Write what was submitted, stop the thread, close the connection. Closing twice does nothing."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _put(self, job: Job) -> None:
        with self._gate:
            if self._closed:
                raise StoreError(f"store {self._path.name} is closed", hint="open it again")
            self._waiting += 1
            self._queue.put(job)

    def _write_now(self, job: Job) -> bool:
        """Write it here and now; False where somebody writes, or was there before it."""
        if self._waiting or self._closed or not self._turn.acquire(blocking=False):
            return False
        try:
            if self._waiting or self._closed:
                return False
            self._transact(deque((job,)))
        finally:
            self._turn.release()
        return True  # nobody need be told: who stands here sees it

    # The thread ------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            while self._gather():
                with self._turn:
                    there = len(self._left)
                    tell(self._transact(self._left))
                    with self._gate:
                        self._waiting -= there - len(self._left)
                    self._yield()
        except BaseException as error:  # noqa: BLE001  (a dead writer must not leave anyone waiting)
            self._die(error)
        finally:
            with self._turn:
                self._db.close()

    def _gather(self) -> bool:
        """Wait for work and let a little more arrive; False when closed and nothing is left."""
        left, queue = self._left, self._queue
        if not left:
            job = queue.get()
            if job is None:
                return False
            left.append(job)
        until = time.monotonic() + _GATHER_SECONDS
        while len(left) < _MOST:
            try:
                job = queue.get_nowait()
            except Empty:
                rest = until - time.monotonic()
                if left[-1].waits or len(left) >= _PLENTY or rest <= 0:
                    break
                try:
                    job = queue.get(timeout=min(_GAP_SECONDS, rest))
                except Empty:
                    break
            if job is None:
                queue.put(None)  # seen again when all is written
                break
            left.append(job)
        return True

    def _transact(self, left: deque[Job]) -> list[Job]:
        """One transaction with as many closures as fit; who put them may be told now."""
        done: list[Job] = []
        self._writes = threading.get_ident()
        try:
            self._roll_back()  # a caller may have been interrupted wherever it was
            begin_immediate(self._db, deadline_seconds=self._deadline_seconds, rng=self._rng)
            self._run_many(left, done)
            if self._db.in_transaction:
                if self._check:
                    self._check(self._db)
                self._db.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  (whatever it was, nothing was kept and everybody must hear of it)
            self._roll_back()
            if not done:  # it could not even begin: those who wait have waited long enough
                done = [job for job in left if job.goes()]
                left.clear()
            for job in done:
                job.error = job.error or self._shared(error)
        else:
            if self._committed:
                with contextlib.suppress(OSError):  # the work is on disk, whatever becomes of the mark
                    self._committed()
        finally:
            self._writes = 0
        return done

    def _run_many(self, left: deque[Job], done: list[Job]) -> None:
        self._begun_at = time.monotonic()
        until = self._begun_at + _HOLD_SECONDS
        while left and len(done) < _MOST:
            job = left.popleft()
            if not job.goes():
                continue
            done.append(job)
            if not self._run(job, alone=len(done) == 1) or time.monotonic() >= until:
                return

    def _yield(self) -> None:
        """Leave a gap after a long transaction while other processes write: they try every few milliseconds."""
        now = time.monotonic()
        if now - self._begun_at < _LONG_SECONDS or (not self._left and self._queue.empty()):
            return
        with contextlib.suppress(DatabaseError):
            others = self._commits_of_others()
            if others != self._others:
                self._others, self._others_at = others, now
        if now - self._others_at < _OTHERS_SECONDS:
            time.sleep(_YIELD_SECONDS)

    def _commits_of_others(self) -> int:
        (number,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(number)

    def _shared(self, error: BaseException) -> BaseException:
        """An error of its own for each caller: raised in several threads, one would collect all their tracebacks."""
        if isinstance(error, KeyboardInterrupt | SystemExit):  # of the thread that wrote for itself
            return error
        if isinstance(error, DatabaseError | StoreError):
            return translated(error, self._path)
        return Defect(
            error.message if isinstance(error, Defect) else f"the writer failed: {type(error).__name__}: {error}"
        )

    def _run(self, job: Job, *, alone: bool) -> bool:
        """Run one closure; False when it took the transaction with it (it was alone, and failed).

        The first of a transaction needs no savepoint: what it did is all there is to roll back.
        """
        db = self._db
        if not alone:
            db.execute("SAVEPOINT closure")
        try:
            job.result = job.fn(db)
        except BaseException as error:
            if is_of_the_file(error):
                raise
            if not db.in_transaction:
                raise _ended() from error
            job.error = error
            if alone:
                self._roll_back()
                return False
            db.execute("ROLLBACK TO closure")
        if not db.in_transaction:
            raise _ended()
        if not alone:
            try:
                db.execute("RELEASE closure")
            except OperationalError as error:
                raise _ended() from error
        return True

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with contextlib.suppress(DatabaseError):  # what brought us here says more
                self._db.execute("ROLLBACK")

    def _die(self, error: BaseException) -> None:
        with self._gate:
            self._closed = True
        jobs = list(self._left)
        while not self._queue.empty():
            if (job := self._queue.get()) is not None:
                jobs.append(job)
        jobs = [job for job in jobs if job.goes()]
        for job in jobs:
            job.error = Defect(f"the writer died: {type(error).__name__}: {error}")
        tell(jobs)


def _ended() -> Defect:
    return Defect("a write ended the transaction it was given")
