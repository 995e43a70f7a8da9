"""How far something is, on stderr: redrawn in a terminal and gone at the end, a line every five seconds elsewhere.

Rule: ``under_way`` goes around whatever may take longer than a second, and never around what writes to stdout.
Whoever asked for JSON or ids gets none of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from erpsync.cli.output import remark, room
from erpsync.cli.selecting import clock
from erpsync.cli.streams import on_terminal
from erpsync.terminal import Clock, count, duration, head, plural, safe, size

if TYPE_CHECKING:
    from erpsync.engine.sync import Progress, SyncRow
    from erpsync.store.workers import Elsewhere
    from erpsync.workbench import Workbench

_FIRST, _REDRAWN_EVERY, _LINE_EVERY = 1.0, 0.5, 5.0


class Lines:
    """A few lines on stderr that stand for how far something is, each time in the place of those before."""

    def __init__(self) -> None:
        self._drawn = 0
        # A person who looks at a terminal that cannot redraw is not left without a word for long.
        with suppress(ValueError):
            early = _LINE_EVERY - _FIRST if sys.stderr.isatty() else 0.0
        self._said_at = time.monotonic() - early

    def show(self, drawn: Sequence[str], said: str) -> None:
        """Draw these lines in a terminal; elsewhere ``said``, when it is time for a line again."""
        if on_terminal(sys.stderr):
            columns = (room(sys.stderr) or 80) - 1
            self.clear()
            remark(*(head(line, columns) for line in drawn))
            self._drawn = len(drawn)
        elif time.monotonic() - self._said_at >= _LINE_EVERY:
            self._said_at = time.monotonic()
            remark(said)
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the lines away again."""
        if self._drawn:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
                sys.stderr.flush()
            self._drawn = 0


class UnderWay:
    """What is under way, as it tells of itself; drawn by a thread, so that it may stay away for as long as it takes."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._step, self._done, self._total = "", 0, 0
        self._in_words = count
        self._began = time.monotonic()
        self._lines = Lines()
        self._ended = Event()
        self._gate = Lock()

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """What it is at (safe text), and how far: ``done`` of ``total``, where that is known."""
        self._step, self._done, self._total = text, done, total

    def bytes_step(self, text: str, done: int = 0, total: int = 0) -> None:
        """The same, in bytes."""
        self._in_words = size
        self.step(text, done, total)

    def remark(self, *lines: str) -> None:
        """Say something meanwhile that stays."""
        with self._gate:
            self._lines.clear()
            remark(*lines)

    def draw_on(self) -> None:
        """Draw until it has ended."""
        wait = _FIRST
        while not self._ended.wait(wait):
            wait = _REDRAWN_EVERY
            with self._gate:
                if not self._ended.is_set():
                    self._lines.show(*self._told())

    def end(self) -> None:
        """Leave nothing behind."""
        with self._gate:
            self._ended.set()
            self._lines.clear()

    def _told(self) -> tuple[list[str], str]:
        far = f"{self._in_words(self._done)} of {self._in_words(self._total)}" if self._total else ""
        lasting = duration(time.monotonic() - self._began)
        drawn = [self._what, far, _bar(self._done, self._total), self._step, lasting]
        said = ", ".join(part for part in (self._step, far, lasting) if part)
        return ["  ".join(part for part in drawn if part)], f"{self._what}: {said}"


@contextmanager
def under_way(what: str, *, quiet: bool = False) -> Iterator[UnderWay]:
    """Around what may take long: says on stderr that it goes on, once it has taken a second; ``what`` is safe text."""
    told = UnderWay(what)
    if quiet:
        yield told
        return
    Thread(target=told.draw_on, daemon=True).start()
    try:
        yield told
    finally:
        told.end()


def waits_text(found: Elsewhere, times: Clock) -> str:
    """``waits for 4 messages in the hands of a worker that has gone silent, until 03:12:07 UTC at the latest``."""
    parts = [plural(found.messages, "message")] if found.messages else []
    parts += [f"the first call to {safe(', '.join(found.first_calls))}"] if found.first_calls else []
    hands = "a worker that has gone silent" if found.silent else "another worker"
    until = f"{times.exact(found.until)} {times.zone_name}"
    return f"waits for {' and '.join(parts)} in the hands of {hands}, until {until} at the latest"


class ProgressLines:
    """How far a sync is: a line for each thing that is read, and for each system that is told."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._on_stderr = Lines()

    def show(self, progress: Progress) -> None:
        """Say how far it is."""
        waits = self._waits(progress)
        read = sum(pull.read for pull in progress.pulls)
        settled = sum(_settled(row) for row in progress.rows)
        waiting = sum(row.waiting for row in progress.rows)
        far = f"{duration(progress.seconds)}: {read:,} read, {settled:,} delivered, {waiting:,} on their way"
        self._on_stderr.show([*self._lines(progress), *waits], "; ".join((far, *waits)))

    def clear(self) -> None:
        """Take the lines away again."""
        self._on_stderr.clear()

    def _waits(self, progress: Progress) -> list[str]:
        return [waits_text(progress.elsewhere, clock(self._bench))] if progress.elsewhere else []

    @staticmethod
    def _lines(progress: Progress) -> list[str]:
        lines = []
        for pull in progress.pulls:
            total = f"{pull.total:,}" if pull.total is not None else "?"
            lines.append(
                f"{safe(pull.kind):<10}from {safe(pull.system):<8} {pull.read:>7,} of {total:<8}{_bar(pull.read, pull.total)}"
            )
            for row in progress.rows:
                if row.kind == pull.kind and row.source == pull.system:
                    done, all_of_it = _settled(row), max(_settled(row) + row.waiting + row.unknown, row.read)
                    rate = f"{done / progress.seconds:,.0f}/s" if progress.seconds else ""
                    lines.append(
                        f"{'':<10}to {safe(row.target):<10} {done:>7,} of {all_of_it:<8,}{_bar(done, all_of_it)}  {rate}"
                    )
        return lines


def _settled(row: SyncRow) -> int:
    return row.created + row.updated + row.unchanged + row.skipped + row.held + row.dead


def _bar(done: int, total: int | None) -> str:
    if not total:
        return ""
    full = min(20 * done // total, 20)
    return f"[{'#' * full}{'.' * (20 - full)}]"
