"""How far something long is, on stderr: redrawn in a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from erpsync.cli.output import remark, room
from erpsync.cli.selecting import clock
from erpsync.cli.streams import on_terminal
from erpsync.terminal import Clock, duration, plural, safe

if TYPE_CHECKING:
    from erpsync.engine.sync import Progress, SyncRow
    from erpsync.store.workers import Elsewhere
    from erpsync.workbench import Workbench

_LINE_EVERY, _REDRAWN_EVERY = 5.0, 0.2
_QUIET = 1.0  # what ends sooner is not talked about


def waits_text(found: Elsewhere, times: Clock) -> str:
    """``waits for 4 messages in the hands of a worker that has gone silent, until 03:12:07 UTC at the latest``."""
    parts = [plural(found.messages, "message")] if found.messages else []
    parts += [f"the first call to {safe(', '.join(found.first_calls))}"] if found.first_calls else []
    hands = "a worker that has gone silent" if found.silent else "another worker"
    until = f"{times.exact(found.until)} {times.zone_name}"
    return f"waits for {' and '.join(parts)} in the hands of {hands}, until {until} at the latest"


class ProgressLines:
    """How far a sync is: lines that are redrawn in a terminal, one every five seconds elsewhere."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._drawn = 0
        self._said_at = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Say how far it is."""
        if on_terminal(sys.stderr):
            columns = (room(sys.stderr) or 80) - 1
            lines = [line[:columns] for line in (*self._lines(progress), *self._waits(progress))]
            self.clear()
            remark(*lines)
            sys.stderr.flush()
            self._drawn = len(lines)
        elif time.monotonic() - self._said_at >= _LINE_EVERY:
            self._said_at = time.monotonic()
            read = sum(pull.read for pull in progress.pulls)
            settled = sum(_settled(row) for row in progress.rows)
            waiting = sum(row.waiting for row in progress.rows)
            far = f"{duration(progress.seconds)}: {read:,} read, {settled:,} delivered, {waiting:,} on their way"
            remark("; ".join((far, *self._waits(progress))))

    def clear(self) -> None:
        """Take the lines away again."""
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            sys.stderr.flush()
            self._drawn = 0

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


class LongLine:
    """One line about something that takes longer than a second: redrawn in a terminal, said every five seconds elsewhere."""

    def __init__(self) -> None:
        self._begun_at = self._said_at = time.monotonic()
        self._drawn = False

    def show(self, what: str, done: str = "", of: str = "", *, part: float | None = None) -> None:
        """Say how far it is: ``copied 812 MiB of 1.7 GiB``; ``part`` (0 to 1) draws a bar."""
        now = time.monotonic()
        terminal = on_terminal(sys.stderr)
        if now - self._begun_at < _QUIET or now - self._said_at < (_REDRAWN_EVERY if terminal else _LINE_EVERY):
            return
        self._said_at = now
        text = " ".join(word for word in (what, done, f"of {of}" if of else "") if word)
        if not terminal:
            remark(f"{duration(now - self._begun_at)}: {text}")
            return
        bar = "" if part is None else _bar(round(part * 1000), 1000)
        self.clear()
        sys.stderr.write(f"{text:<46}{bar}"[: (room(sys.stderr) or 80) - 1])
        sys.stderr.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take the line away again."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False
