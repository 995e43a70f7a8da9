"""The write-ahead log's place on disk. Rule: it is only ever made longer, by whoever holds the write lock.

SQLite lets the log grow by what each COMMIT writes, until it is as long as it gets: each of those takes half as long
again to be synced, and a file that grew in small pieces stays slower. A process that will write for days lays it out in
large ones instead. What lies behind the last frame is no part of the log, as after every checkpoint
(sqlite.org/walformat): zeros are no frame.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from erpsync.store.connection import LOG_BYTES

_PIECE = bytes(1 << 20)
PIECES = -(-LOG_BYTES // len(_PIECE))  # it takes no more
_ROOM = 16  # times as much must be free


def lengthen(store: Path) -> bool:
    """Make the log of a store longer by a piece, inside a writing transaction; False when it is as long as it gets.

    A disk that has no room to spare, or fails, is left alone.
    """
    file = Path(f"{store}-wal")
    try:
        log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            lacks = LOG_BYTES - os.fstat(log).st_size
            if lacks <= 0 or shutil.disk_usage(file.parent).free < _ROOM * LOG_BYTES:
                return False
            os.write(log, _PIECE[:lacks])
            os.fdatasync(log)
        finally:
            os.close(log)
    except OSError:
        return False
    return True
