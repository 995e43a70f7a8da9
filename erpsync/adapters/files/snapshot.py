"""Files as of one moment.

Its one rule: what is read is a copy that is whole. A file is copied aside while its hash is taken, and when it, or one
that belongs with it, is another afterwards, nothing of it is used. Small files stay in memory.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from erpsync.adapters.files.folder import Folder, call_error, printable
from erpsync.errors import Refused, RetryLater

_IN_MEMORY = 4 * 1024 * 1024
_CHUNK = 1024 * 1024

Look = tuple[str, int, int, int, int, int]
"""A file's name, device, inode, size, and times of change (content, status) in nanoseconds."""


@dataclass(frozen=True)
class Snapshot:
    """One file's content; ``stream`` is at its beginning."""

    name: str
    stream: IO[bytes]
    sha256: str
    size: int
    look: Look


def look(folder: Folder, name: str) -> Look:
    """What tells a file from what it was before, without reading it."""
    return _look(name, folder.stat(name))


def take(folder: Folder, names: Sequence[str], *, open_files: ExitStack, max_bytes: int) -> list[Snapshot]:
    """Copies of the files as they were together at one moment; ``open_files`` closes them.

    Raises RetryLater when one changed meanwhile, Refused when one is larger than ``max_bytes``, else as Folder.open.
    """
    taken = [_copy(folder, name, open_files=open_files, max_bytes=max_bytes) for name in names]
    for snapshot in taken:
        if look(folder, snapshot.name)[:5] != snapshot.look[:5]:
            raise changing(snapshot.name)
    return taken


def changing(name: str) -> RetryLater:
    """The error for a file that somebody is writing to."""
    return RetryLater(
        f"{printable(name)} is being written to: it is left alone for now", code="half_written", throttled=False
    )


def _copy(folder: Folder, name: str, *, open_files: ExitStack, max_bytes: int) -> Snapshot:
    fd = folder.open(name)
    with open(fd, "rb", buffering=0) as file:  # noqa: PTH123  (a descriptor, not a path)
        stream: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  (open_files closes it)
        open_files.callback(stream.close)
        before = _look(name, os.fstat(fd))
        digest, size = hashlib.sha256(), 0
        try:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise Refused(f"{printable(name)} is larger than {max_bytes:,} bytes", code="too_large")
                digest.update(chunk)
                stream.write(chunk)
        except OSError as error:
            raise call_error(error, name) from None
        if _look(name, os.fstat(fd))[:5] != before[:5] or size != before[3]:
            raise changing(name)
    stream.seek(0)
    return Snapshot(name=name, stream=stream, sha256=digest.hexdigest(), size=size, look=before)


def _look(name: str, found: os.stat_result) -> Look:
    return (name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
