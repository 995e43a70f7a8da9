"""Where a store lies: its files, their disk and file system, its log, who has it open. Nothing here opens it with SQLite.

Rule: asked before this process opens the store. A process that closes any descriptor of a file drops the locks that it
holds on it, SQLite's among them (sqlite.org/howtocorrupt).
"""

from __future__ import annotations

import os
import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from erpsync.store.connection import LOG_BYTES
from erpsync.store.faults import holder, locks_on, process_named

# How the names of file systems begin whose locks do not hold between machines, or not at all.
_OVER_A_NETWORK = ("nfs", "cifs", "smb", "ncpfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "davfs")
_BY_A_PROCESS = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.davfs")
_OCTAL = re.compile(r"\\([0-7]{3})")
_PARTS = ("", "-wal", "-shm", ".epoch")
_HELD_TOO_LONG = 2 * LOG_BYTES
_LOOK_SECONDS = 0.02
_READERS = range(123, 128)  # bytes of -shm, one for each old moment that is kept for readers (sqlite.org/walformat)


@dataclass(frozen=True, slots=True)
class Files:
    """A store's files. Sizes in bytes; ``open_to_others``: (name, mode) of those that more than their owner may touch.

    ``not_ours``: those that this process may not read and write. ``was_here``: something beside it says that it was here.
    """

    there: bool
    size: int
    log_size: int
    open_to_others: tuple[tuple[str, int], ...]
    not_ours: tuple[str, ...]
    was_here: bool


@dataclass(frozen=True, slots=True)
class Log:
    """The write-ahead log. ``in_use``: bytes that the next reset would free; ``kept_by``: processes that keep it from that."""

    in_use: int
    kept_by: tuple[str, ...]

    @property
    def too_long(self) -> bool:
        """Whether it has grown past what a store's own work makes of it."""
        return self.in_use > _HELD_TOO_LONG


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on a disk: bytes, and files (None where a file system does not count them)."""

    free: int
    size: int
    files_free: int | None
    files: int
    read_only: bool


def files(path: Path) -> Files:
    """A store's files as they lie there. Raises OSError where the folder cannot be looked into."""
    here = [(file, file.stat()) for file in (Path(f"{path}{part}") for part in _PARTS) if file.exists()]
    sizes = {file.name: stat.st_size for file, stat in here}
    return Files(
        there=path.is_file() and sizes[path.name] > 0,
        size=sizes.get(path.name, 0),
        log_size=sizes.get(f"{path.name}-wal", 0),
        open_to_others=tuple((file.name, stat.st_mode & 0o777) for file, stat in here if stat.st_mode & 0o077),
        not_ours=tuple(file.name for file, _ in here if not os.access(file, os.R_OK | os.W_OK)),
        was_here=any(f"{path.name}{part}" in sizes for part in _PARTS[1:]),
    )


def log(path: Path) -> Log | None:
    """How much of the log is in use, and who keeps it; None where there is none, or it cannot be known."""
    shared = Path(f"{path}-shm")
    try:
        head = shared.read_bytes()[:120]
        (newest,), (page,) = struct.unpack_from("=I", head, 16), struct.unpack_from("=H", head, 14)
        marks = struct.unpack_from("=5I", head, 100)
    except (OSError, struct.error):
        return None
    page = 65_536 if page == 1 else page
    old = {byte for byte, mark in zip(_READERS, marks, strict=True) if mark < newest}
    keepers = {
        pid for kind, pid, first, last in locks_on(shared) if kind == "READ" for byte in old if first <= byte <= last
    }
    return Log(newest * (page + 24), tuple(process_named(pid) for pid in sorted(keepers)))


def stuck_writer(path: Path, *, seconds: float) -> str:
    """The process that keeps everybody from writing and writes nothing itself for so long; empty when there is none."""
    who, written = holder(path), _written(path)
    until = time.monotonic() + seconds
    while who and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        if holder(path) != who or _written(path) != written:
            return ""
    return who


def _written(path: Path) -> tuple[int, ...]:
    """When the store and its log were last written to."""
    parts = (Path(f"{path}{part}") for part in _PARTS[:2])
    return tuple(part.stat().st_mtime_ns for part in parts if part.exists())


def room(folder: Path) -> Room:
    """What is left on the disk of a folder. Raises OSError."""
    found = os.statvfs(folder)
    return Room(
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        files_free=found.f_favail if found.f_files else None,
        files=found.f_files,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def file_system(folder: Path, *, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of file system a folder lies on (``ext4``, ``nfs4``), by the kernel's table; empty where there is none."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    here, best, kind = str(folder.resolve()), "", ""
    for line in lines:
        words = line.split(" ")
        if len(words) < 3:
            continue
        place = _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[1])
        inside = here == place or here.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):  # of several mounts on one place the last is seen
            best, kind = place, words[2]
    return kind


def is_over_a_network(kind: str) -> bool:
    """Whether SQLite's locks do not hold on a file system of this kind."""
    return kind.startswith((*_OVER_A_NETWORK, *_BY_A_PROCESS))
