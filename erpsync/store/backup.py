"""A copy of the store, made while others write. Rule: under its own name there is only ever a whole, checked copy on disk.

It is of one moment: a read transaction is held while the pages are copied, so what workers write meanwhile stays in the
``-wal`` (it cannot be folded back before), as much as they write in that time: 2 GB are copied in five to ten seconds. Pages are
copied as they are: a third quicker than ``VACUUM INTO``, with progress, and it ends within a few milliseconds when asked to.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from erpsync.errors import NotWritten, StoreDamaged, StoreError, UsageError
from erpsync.store.connection import (
    LOG_BYTES,
    Connection,
    DatabaseError,
    OperationalError,
    open_copy,
    open_still,
)
from erpsync.store.faults import is_out_of_room
from erpsync.store.identity import read_identity
from erpsync.store.migrations import schema_of
from erpsync.store.store import Store
from erpsync.store.telling import Telling

PART = ".part"
_PAGES = 1024  # copied between two looks at whether to go on
_STEPS = 100_000  # of SQLite's machine, between two such looks while the copy is checked
_MOST_TEXT = 200
_BESIDE = ("-wal", "-shm", "-journal")
_OF_THE_STORE = ("", "-wal", "-shm", ".epoch", "-words")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was made. ``at`` is the moment it stands for, ``size`` in bytes; ``unfinished`` of its messages."""

    file: Path
    at: datetime
    size: int
    events: int
    messages: int
    unfinished: int


def back_up(store: Store, target: Path, *, now: Callable[[], datetime], tell: Telling) -> Copy:
    """Copy the store to a file that does not exist yet, readable by its owner only.

    Raises UsageError for a target that cannot be one, NotWritten where it cannot be written (then nothing is left of
    it), StoreDamaged when what is in the store does not pass.
    """
    with _writing(target):
        _refuse(store.path, target)
    part = target.with_name(target.name + PART)
    with _part(part, target) as file:
        with store.read() as db:
            copy = _copied(db, store.path, part, target, now=now, tell=tell)
        _check(store, part, tell=tell)
        os.fsync(file)
        _name(part, target)
    _sync_folder(target.parent)
    return copy


def _refuse(store: Path, target: Path) -> None:
    name = target.name
    if target.is_dir():
        raise UsageError(f"backup {target} is a folder", hint=f"name a file in it: {target / 'erpsync-backup.db'}")
    if not target.parent.is_dir():
        raise UsageError(
            f"backup {name} cannot be made: folder {target.parent} does not exist", hint="make the folder first"
        )
    own = {store.resolve().with_name(store.resolve().name + end) for end in _OF_THE_STORE}
    part = target.with_name(name + PART)
    if any(file.resolve() in own or (file.exists() and file.samefile(store)) for file in (target, part)):
        raise UsageError(f"backup {name} would be the store itself", hint="name another file, best on another disk")
    for end in ("", *_BESIDE):
        there = target.with_name(name + end)
        if os.path.lexists(there):
            raise UsageError(
                f"backup {there.name} exists already, and is not written over",
                hint="name another file, or move it away",
            )


@contextlib.contextmanager
def _part(part: Path, target: Path) -> Iterator[int]:
    """The file that becomes the copy, empty and ours alone; gone again when it did not."""
    with _writing(target):
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _made_by_another(target) from None
        if not _is_at(part, file):  # whoever had it finished just then, and it bears the copy's name by now
            raise _made_by_another(target)
        try:
            with _writing(target):
                os.ftruncate(file, 0)  # of one that was killed
                os.fchmod(file, 0o600)
                yield file
        finally:
            part.unlink(missing_ok=True)
    finally:
        os.close(file)


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _made_by_another(target: Path) -> UsageError:
    return UsageError(
        f"backup {target.name} is being made by another process", hint="wait for it, or name another file"
    )


def _copied(
    db: Connection, store: Path, part: Path, target: Path, *, now: Callable[[], datetime], tell: Telling
) -> Copy:
    """Copy one moment of the store, page by page."""
    size, events, messages, unfinished = db.execute(
        "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size), "
        "(SELECT count(*) FROM events), (SELECT COALESCE(sum(n), 0) FROM totals), "
        "(SELECT COALESCE(sum(n), 0) FROM totals WHERE state NOT IN ('done', 'skipped'))"
    ).fetchone()
    at = now()
    free = shutil.disk_usage(part.parent).free
    shared = part.parent.stat().st_dev == store.stat().st_dev
    if free < size + (LOG_BYTES if shared else 0):  # workers go on writing where the store is
        raise NotWritten(
            f"backup {target.name} needs {size:,} bytes, its disk has {free:,}{', which the store shares' if shared else ''}",
            hint="make room, or name a file on another disk",
        )

    def told(_status: int, remaining: int, total: int) -> None:
        tell("copying", size * (total - remaining) // max(total, 1), size)

    try:
        with closing(open_copy(part)) as copy:
            db.backup(copy, pages=_PAGES, progress=told)
    except OperationalError as error:  # of a copy SQLite gives no code, and does not say on which side it was
        if is_out_of_room(part):
            raise _full(target) from error
        raise NotWritten(
            f"backup {target.name} could not be made: {error}", hint="look at the disks: dmesg; erpsync store verify"
        ) from error
    return Copy(target, at, int(size), int(events), int(messages), int(unfinished))


def _check(store: Store, part: Path, *, tell: Telling) -> None:
    """Raises StoreDamaged unless the copy is whole, and one of this store."""
    stopped: list[BaseException] = []

    def look() -> int:
        try:
            tell("checking the copy", 0, 0)
        except BaseException as stop:  # noqa: BLE001  (SQLite would swallow it: raised again below)
            stopped.append(stop)
        return len(stopped)

    try:
        with closing(open_still(part)) as copy:
            copy.set_progress_handler(look, _STEPS)
            found = [str(text) for (text,) in copy.execute("PRAGMA quick_check(1)")]
            identity = read_identity(copy)
            if identity is None or (identity.store_id, identity.epoch) != (store.store_id, store.epoch):
                found = ["it says it is another store"]
            elif not schema_of(copy):
                found = ["it has no schema"]
    except (DatabaseError, StoreError, LookupError, ValueError) as error:
        if stopped:
            raise stopped[0] from None
        if str(error) == "interrupted":
            raise KeyboardInterrupt from None
        found = [str(error)]
    if found != ["ok"]:
        text = " ".join(found[0].split())[:_MOST_TEXT] if found else "it cannot be read"
        raise StoreDamaged(
            f"store {store.path.name} is damaged, its copy is not whole: {text}", hint="erpsync store verify says more"
        )


def _name(part: Path, target: Path) -> None:
    """Give the copy its name; whatever came there meanwhile stays."""
    there = UsageError(f"backup {target.name} exists by now, and is not written over", hint="name another file")
    try:
        os.link(part, target)
    except FileExistsError:
        raise there from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise there from None
        part.rename(target)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise NotWritten(f"backup {target.name} cannot be written: {said}", hint=f"ls -ld {target.parent}") from error


def _full(target: Path) -> NotWritten:
    return NotWritten(
        f"backup {target.name} cannot be written: its disk is full, or a limit is reached; nothing was left of it",
        hint="make room, or name a file on another disk",
    )
