"""The only place that opens files of a ``files`` system.

Its one rule: only regular files below the configured folder. Every part of a path is opened on its own from the
folder above it and no link is followed, so neither ``..`` nor a link placed there later leads outside.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from erpsync.errors import AccessDenied, CallError, OutcomeUnknown, Refused, SystemDown

_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """A system's folder; names are relative to it, with ``/`` between parts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, name: str) -> int:
        """A file descriptor of a regular file, to be closed by the caller.

        Raises SystemDown when it is not there, AccessDenied when it may not be read, Refused when it is no plain file.
        """
        path = PurePosixPath(name)
        with self._at(path.parent) as directory, _as_call_errors(name):
            fd = os.open(path.name, _FILE, dir_fd=directory)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Refused(f"{name} is no regular file", code="not_a_file")
        return fd

    def stat(self, name: str) -> os.stat_result:
        """What stands under a name now; raises as ``open`` does."""
        fd = self.open(name)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def matching(self, pattern: str) -> list[str]:
        """The files that match a pattern, sorted by name; hidden ones and those being written are left out."""
        path = PurePosixPath(pattern)
        with self._at(path.parent) as directory, _as_call_errors(str(path.parent)):
            names = os.listdir(directory)  # noqa: PTH208  (of a descriptor, which Path cannot list)
        found = (n for n in names if fnmatch.fnmatchcase(n, path.name) and not n.startswith("."))
        return [str(path.parent / n) for n in sorted(found) if not n.lower().endswith(_UNFINISHED)]

    def check(self, name: str = ".", *, writable: bool = False) -> int:
        """How many entries a folder has; raises SystemDown or AccessDenied. ``writable``: it will be written to."""
        with self._at(PurePosixPath(name)) as directory, _as_call_errors(name):
            if writable and not os.access(".", os.W_OK, dir_fd=directory):
                raise PermissionError(errno.EACCES, "not writable")
            return len(os.listdir(directory))  # noqa: PTH208  (of a descriptor, which Path cannot list)

    def replace(self, name: str, body: bytes, *, mode: int) -> None:
        """Put a whole file in place at once.

        It is written beside its place, synced, renamed, and the folder synced: what fails before the rename leaves
        nothing behind (SystemDown, AccessDenied), a failure after it is OutcomeUnknown. Folders below the system's
        are made; the system's own is not (it may be a share that is not mounted).
        """
        path = PurePosixPath(name)
        part = f".{os.getpid()}.{path.name}"[:250] + ".tmp"
        with self._at(path.parent, make=True) as directory:
            with _as_call_errors(name):
                try:
                    self._write(part, body, directory=directory, mode=mode)
                    os.rename(part, path.name, src_dir_fd=directory, dst_dir_fd=directory)
                except OSError:
                    with suppress(OSError):
                        os.unlink(part, dir_fd=directory)
                    raise
            _sync(directory, name)

    def remove(self, name: str) -> bool:
        """Take a file away; True when there was one."""
        path = PurePosixPath(name)
        with self._at(path.parent) as directory:
            with _as_call_errors(name):
                try:
                    os.unlink(path.name, dir_fd=directory)
                except FileNotFoundError:
                    return False
            _sync(directory, name)
        return True

    @staticmethod
    def _write(name: str, body: bytes, *, directory: int, mode: int) -> None:
        fd = os.open(name, _NEW, 0o600, dir_fd=directory)
        with open(fd, "wb") as file:  # noqa: PTH123  (a descriptor, not a path)
            file.write(body)
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)

    @contextmanager
    def _at(self, path: PurePosixPath, *, make: bool = False) -> Iterator[int]:
        with _as_call_errors(str(self.path)):
            here = os.open(self.path, _DIRECTORY)
        try:
            for part in path.parts:
                with _as_call_errors(str(path)):
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(part, 0o700, dir_fd=here)
                    below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


def _sync(directory: int, name: str) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        raise OutcomeUnknown(f"{name} may not be on disk: {_why(error)}", code="sync_failed") from None


@contextmanager
def _as_call_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise call_error(error, name) from None


def call_error(error: OSError, name: str) -> CallError:
    """What an operating system's error on a file means for the call."""
    name = printable(name)
    match error.errno:
        case errno.ENOENT:
            return SystemDown(f"{name} is not there", code="missing", hint="is the folder mounted, was the file moved?")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return AccessDenied(f"{name} is not ours to open: {_why(error)}", code="no_permission")
        case errno.ELOOP | errno.ENOTDIR | errno.EISDIR | errno.ENXIO | errno.ENODEV:
            return Refused(f"{name} is no regular file below the system's folder", code="not_a_file")
        case errno.ENAMETOOLONG:
            return Refused(f"{name} is too long a name", code="bad_name")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return SystemDown(f"{name} finds no room on the disk: {_why(error)}", code="disk_full")
        case _:
            return SystemDown(f"{name} cannot be reached: {_why(error)}", code="io_error")


def printable(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
