"""How far a sync is, on stderr: redrawn in a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from erpsync.cli.output import remark, room
from erpsync.cli.streams import on_terminal
from erpsync.terminal import duration, safe

if TYPE_CHECKING:
    from erpsync.engine.sync import Progress, SyncRow

_LINE_EVERY = 5.0


class ProgressLines:
    """How far a sync is: lines that are redrawn in a terminal, one every five seconds elsewhere."""

    def __init__(self) -> None:
        self._drawn = 0
        self._said_at = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Say how far it is."""
        if on_terminal(sys.stderr):
            lines = self._lines(progress)
            self.clear()
            remark(*lines)
            sys.stderr.flush()
            self._drawn = len(lines)
        elif time.monotonic() - self._said_at >= _LINE_EVERY:
            self._said_at = time.monotonic()
            read = sum(pull.read for pull in progress.pulls)
            settled = sum(_settled(row) for row in progress.rows)
            waiting = sum(row.waiting for row in progress.rows)
            remark(f"{duration(progress.seconds)}: {read:,} read, {settled:,} delivered, {waiting:,} on their way")

    def clear(self) -> None:
        """Take the lines away again."""
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            sys.stderr.flush()
            self._drawn = 0

    def _lines(self, progress: Progress) -> list[str]:
        columns = (room(sys.stderr) or 80) - 1
        lines = []
        for pull in progress.pulls:
            total = f"{pull.total:,}" if pull.total is not None else "?"
            lines.append(
                f"{safe(pull.kind):<10}from {safe(pull.system):<8} {pull.read:>7,} of {total:<8}{_bar(pull.read, pull.total)}"[
                    :columns
                ]
            )
            for row in progress.rows:
                if row.kind == pull.kind and row.source == pull.system:
                    done, all_of_it = _settled(row), max(_settled(row) + row.waiting + row.unknown, row.read)
                    rate = f"{done / progress.seconds:,.0f}/s" if progress.seconds else ""
                    lines.append(
                        f"{'':<10}to {safe(row.target):<10} {done:>7,} of {all_of_it:<8,}{_bar(done, all_of_it)}  {rate}"[
                            :columns
                        ]
                    )
        return lines


def _settled(row: SyncRow) -> int:
    return row.created + row.updated + row.unchanged + row.skipped + row.held + row.dead


def _bar(done: int, total: int | None) -> str:
    if not total:
        return ""
    full = min(20 * done // total, 20)
    return f"[{'#' * full}{'.' * (20 - full)}]"
