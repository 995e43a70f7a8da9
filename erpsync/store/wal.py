"""The write-ahead log's place on disk. Rule: it is only ever made longer, by whoever holds the write lock.

SQLite lets the log grow by what each COMMIT writes, and a file that grew in small pieces takes a third longer to be
synced for as long as it lives. A process that writes much lays it out in one piece. What lies behind the last frame is
no part of the log, as after every checkpoint (sqlite.org/walformat): zeros are no frame.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_MUCH = 50  # commits of one process
_PIECE = bytes(1 << 20)
_ROOM = 16  # times as much must be free


class Log:
    """The log of one store, as the process that has it open for writing sees it."""

    def __init__(self, store: Path, *, size: int) -> None:
        """``size`` is how long it is before it is checkpointed, in bytes."""
        self._file = Path(f"{store}-wal")
        self._size = size
        self._commits = 0

    def look(self) -> None:
        """Before each COMMIT, inside its transaction. A disk that has no room, or fails, is left alone."""
        self._commits += 1
        if self._commits == _MUCH:
            with contextlib.suppress(OSError):
                self._lay_out()

    def _lay_out(self) -> None:
        if shutil.disk_usage(self._file.parent).free < _ROOM * self._size:
            return
        log = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            there = os.fstat(log).st_size
            while there < self._size:
                there += os.write(log, _PIECE[: self._size - there])
            os.fdatasync(log)
        finally:
            os.close(log)
