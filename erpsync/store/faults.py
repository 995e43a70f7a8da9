"""What SQLite's errors mean for the person on call: one line of text, and what to do. Rule: no SQL here."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

from erpsync.errors import StoreDamaged, StoreError, StoreFull, StoreLocked

# SQLite's primary result codes (sqlite.org/rescode.html); the low byte of an extended one.
_PERM, _BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = (
    3,
    5,
    6,
    7,
    8,
    10,
    11,
    13,
    14,
    26,
)
_OF_THE_FILE = frozenset((_PERM, _BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB))
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_TEXT = "Could not decode to UTF-8"  # Python's own complaint about a text column, without a code
_PROBE_BYTES = 65_536
_MOST_BYTES = 64 * 2**20  # what one transaction may have tried to add; what did not fit is gone again


def code_of(error: BaseException) -> int:
    """SQLite's extended result code, 0 when it is none of SQLite's errors."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code if isinstance(code, int) else 0


def is_busy(error: BaseException) -> bool:
    """Another connection holds the lock: the same statement may go through in a moment."""
    return code_of(error) & 0xFF in (_BUSY, _LOCKED)


def is_damage(error: BaseException) -> bool:
    """What is in the file is not what SQLite wrote there."""
    return code_of(error) & 0xFF in (_CORRUPT, _NOTADB)


def is_of_the_file(error: BaseException) -> bool:
    """The store's file is at fault, not the statement or its values: it belongs to everybody, not to one caller."""
    if isinstance(error, StoreError) or code_of(error) & 0xFF in _OF_THE_FILE:
        return True
    return str(error).startswith(_NO_TEXT)


def translated(error: BaseException, path: Path) -> StoreError:
    """The StoreError for what SQLite or the file system said about the store at ``path``."""
    primary, name = code_of(error) & 0xFF, path.name
    if isinstance(error, StoreError):
        result = type(error)(error.message, hint=error.hint)
    elif primary in (_BUSY, _LOCKED):
        result = locked(path)
    elif primary == _FULL or (isinstance(error, OSError) and error.errno in _NO_ROOM):
        result = StoreFull(f"store {name} cannot grow: its disk is full", hint=_ROOM)
    elif primary == _IOERR and is_out_of_room(path):
        result = StoreFull(f"store {name} cannot grow: no room, a quota, or a limit on file sizes", hint=_ROOM)
    elif primary == _CORRUPT or isinstance(error, LookupError | ValueError) or str(error).startswith(_NO_TEXT):
        result = StoreDamaged(f"store {name} is damaged: {_plain(error)}", hint=_DAMAGE)
    elif primary == _NOTADB:
        result = not_ours(path)
    elif isinstance(error, OSError):
        result = _cannot_open(path, error.strerror or "it cannot be opened", making=error.errno != errno.ENOENT)
    elif primary in (_PERM, _READONLY, _CANTOPEN) or path.is_dir():
        result = _cannot_open(path, _plain(error))
    elif primary == _IOERR:
        result = StoreError(f"store {name} cannot be read or written: {_plain(error)}", hint="look at the disk: dmesg")
    else:
        result = StoreError(f"store {name} cannot be used: {_plain(error)}", hint="erpsync store verify says more")
    return result


def locked(path: Path, *, after_seconds: float | None = None) -> StoreLocked:
    """The StoreLocked that names the store, and the process that holds it where that can be known."""
    who = holder(path)
    what = f"store {path.name} is locked" + (f": {who} holds it" if who else "")
    if after_seconds is not None and not who:
        what += f": no turn to write in {after_seconds:g} s"
    return StoreLocked(what, hint="wait for it; reading works meanwhile: erpsync status")


def not_ours(path: Path) -> StoreDamaged:
    """The StoreDamaged for a file that is something else."""
    return StoreDamaged(f"{path.name} is not an erpsync store", hint="[store] url in the landscape names the file")


def no_file(path: Path) -> StoreError:
    """The StoreError for what stands in the store's place and is no file: a folder, a pipe, a device."""
    what = "a folder" if path.is_dir() else "no regular file"
    return StoreError(f"store {path.name} is {what}", hint="[store] url in the landscape names a file")


_DAMAGE = (
    "restore the last backup, as erpsync store backup --help says; erpsync store verify says how far the damage goes"
)
_ROOM = "make room, then run it again: nothing acknowledged was lost"


def _cannot_open(path: Path, said: str, *, making: bool = False) -> StoreError:
    name = path.name
    if path.is_dir():
        return no_file(path)
    if not path.parent.is_dir():
        return StoreError(
            f"store {name} cannot be made: folder {path.parent} does not exist", hint="make the folder first"
        )
    if path.is_symlink() and not path.exists():
        return StoreError(
            f"store {name} is a link to {path.readlink()}, which does not exist", hint=f"ls -l {path.parent}"
        )
    if not path.exists():
        if making:
            return StoreError(f"store {name} cannot be made: {said.lower()}", hint=f"ls -ld {path.parent}")
        return missing(path)
    for suffix in ("", "-wal", "-shm", ".epoch"):
        file = Path(f"{path}{suffix}")
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            return StoreError(
                f"store {name} cannot be opened: no permission on {file.name}", hint=f"ls -l {path.parent}"
            )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return StoreError(
            f"store {name} cannot be opened: its folder must be writable, also for reading",
            hint=f"ls -ld {path.parent}",
        )
    return StoreError(f"store {name} cannot be opened: {said.lower()}", hint=f"ls -l {path.parent}")


def missing(path: Path) -> StoreError:
    """The StoreError for a store that is not there, or was never finished making."""
    what = "is empty" if path.is_file() else "does not exist"
    return StoreError(f"store {path.name} {what}", hint="erpsync run makes it; erpsync init makes a landscape")


def is_out_of_room(path: Path) -> bool:
    """Whether a plain I/O error was for want of room: SQLite says so itself only where the disk is full (ENOSPC).

    A quota, or a limit on file sizes, is found by trying: a nameless file beside the store, gone at once.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm")]
    if limit != resource.RLIM_INFINITY and any(f.exists() and f.stat().st_size + _MOST_BYTES > limit for f in files):
        return True
    import tempfile  # noqa: PLC0415  (commands that only look must not pay for it)

    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return error.errno in _NO_ROOM
    return False


def _plain(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError | KeyError):
        return "what it says about itself cannot be read"
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)


def holder(path: Path) -> str:
    """Which process holds the lock to write, by /proc/locks (Linux); empty where that cannot be known."""
    # The write lock is byte 120 of -shm (sqlite.org/walformat); who keeps readers out too has the store's own bytes.
    for suffix, byte in (("-shm", 120), ("", None)):
        for kind, pid, first, last in locks_on(Path(f"{path}{suffix}")):
            if kind == "WRITE" and (byte is None or first <= byte <= last):
                return process_named(pid)
    return ""


def locks_on(file: Path) -> list[tuple[str, int, int, int]]:
    """(READ or WRITE, process id, first byte, last byte) of each lock that a process has on a file (Linux); else none."""
    found = []
    try:
        inode = file.stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines():
            words = line.split()  # 1: POSIX ADVISORY WRITE 4121 fe:00:1234 120 120
            if len(words) == 8 and words[1] == "POSIX" and words[5].endswith(f":{inode}"):
                last = words[7]
                found.append((words[3], int(words[4]), int(words[6]), 2**63 if last == "EOF" else int(last)))
    except (OSError, ValueError):
        return []
    return found


def process_named(pid: int) -> str:
    """``process 4121 (erpsync store migrate)``."""
    return "this process" if pid == os.getpid() else f"process {pid}{_command(pid)}"


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    shown = [Path(word).name if "/" in word else word for word in words[:4] if word]
    if shown and shown[0].startswith("python"):
        shown = shown[1:]
    text = "".join(c if c.isprintable() else "?" for c in " ".join(shown))[:60]
    return f" ({text})" if text else ""
