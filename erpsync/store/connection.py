"""The one place that opens a store's file. Rule: nothing else in erpsync imports an SQLite module.

One copy of SQLite per process: ``pysqlite3`` brings its own and is taken where it is installed, else Python's.
Connections are in autocommit: a transaction is begun in so many words, by ``begin_immediate`` or ``Store.read``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from erpsync.domain.events import Verdict
from erpsync.domain.messages import Reason, State
from erpsync.store.faults import is_busy, is_of_the_file, locked, no_file, not_ours, translated

if TYPE_CHECKING:
    import sqlite3 as dbapi
    from random import Random
    from sqlite3 import Connection, Cursor, DatabaseError, IntegrityError, OperationalError, Row
else:
    try:
        from pysqlite3 import dbapi2 as dbapi
    except ImportError:
        import sqlite3 as dbapi
    Connection, Cursor, Row = dbapi.Connection, dbapi.Cursor, dbapi.Row
    DatabaseError, IntegrityError, OperationalError = dbapi.DatabaseError, dbapi.IntegrityError, dbapi.OperationalError

# Binding asks an object of any type but int, float, str and bytearray whether it adapts itself, and that question costs
# ten times the binding. These answers are C's own, so that nobody is asked; what is stored stays the same.
_EXACT: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    *((type(None), {}.get), (bool, int), (bytes, bytearray)),
    *((words, str) for words in (State, Reason, Verdict)),
)
for _type, _exact in _EXACT:
    dbapi.register_adapter(_type, _exact)

__all__ = [
    "APPLICATION_ID",
    "LOG_BYTES",
    "SQLITE_VERSION",
    "Connection",
    "Cursor",
    "DatabaseError",
    "IntegrityError",
    "OperationalError",
    "Row",
    "begin_immediate",
    "is_of_the_file",
    "moment",
    "ms",
    "open_aside",
    "open_aside_reader",
    "open_copy",
    "open_reader",
    "open_still",
    "open_writer",
    "sqlite_is_sound",
    "translated",
    "unsound_advice",
]

APPLICATION_ID = 0x45525053  # "ERPS", in the file's header
SQLITE_VERSION: tuple[int, ...] = tuple(int(part) for part in dbapi.sqlite_version.split("."))

# A commit writes whole pages, some fourteen for one event. With 2048 instead of 4096 it costs 7 % less, a batch 2 % more.
_PAGE_BYTES = 2048
_CHECKPOINT_PAGES = 32_000
LOG_BYTES = _CHECKPOINT_PAGES * (_PAGE_BYTES + 24)  # how long the -wal file gets: its frames have heads of 24 bytes
_CACHE_KIB = 16_384
_ASIDE_CACHE_KIB = 2_048
_ASIDE_WAIT_SECONDS = 0.2
_STATEMENTS = 256
_READER_WAIT_SECONDS = 5.0  # a reader waits only while another process recovers or closes the file
_OPEN_WAIT_SECONDS = 30.0
_FIRST_NAP, _LONGEST_NAP = 0.001, 0.008

_BORN = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_T = TypeVar("_T")


def ms(moment: datetime) -> int:
    """Milliseconds since 1970, UTC, of an aware moment; what is finer is cut off."""
    return (moment - _BORN) // _MILLISECOND


def moment(ms: int) -> datetime:
    """The moment, in UTC, of milliseconds since 1970; of what no calendar has, the first or last that every zone has."""
    try:
        found = _BORN + timedelta(milliseconds=ms)
    except OverflowError:
        return _FIRST if ms < 0 else _LAST
    return min(max(found, _FIRST), _LAST)


def sqlite_is_sound(version: tuple[int, ...] = SQLITE_VERSION) -> bool:
    """Whether this SQLite may share a store with other writers.

    All but 3.44.6, 3.50.7 and those from 3.51.3 on have the WAL-reset bug: two processes that write or checkpoint
    at the same moment can lose what was committed.
    """
    return version >= (3, 51, 3) or version[:3] in ((3, 50, 7), (3, 44, 6))


def unsound_advice(version: tuple[int, ...] = SQLITE_VERSION) -> str:
    """What to tell people when this SQLite must be the only writer and how to mend it; empty when it is sound."""
    if sqlite_is_sound(version):
        return ""
    number = ".".join(map(str, version))
    return f"SQLite {number} can lose data when several processes write, so one may: pip install 'pysqlite3>=0.6.1'"


def open_writer(path: Path) -> Connection:
    """A connection that may write; the file is made (0600) when there is none. Rows are tuples.

    It never waits for a lock by itself: transactions start with ``begin_immediate``. Raises StoreError.
    """
    try:
        _make_private(path)
        return _patiently(lambda: _open_writer(path))
    except (DatabaseError, OSError, UnicodeDecodeError) as error:
        raise translated(error, path) from error


def open_reader(path: Path, *, patience_seconds: float = _OPEN_WAIT_SECONDS) -> Connection:
    """A connection that cannot write. Rows are ``Row``: by position and by name. Raises StoreError.

    ``patience_seconds``: how long it waits for a process that keeps everybody out, while it makes or closes the file.
    """
    try:
        wait = min(patience_seconds, _READER_WAIT_SECONDS)
        return _patiently(lambda: _open_reader(path, wait), seconds=patience_seconds)
    except (DatabaseError, OSError, UnicodeDecodeError) as error:
        raise translated(error, path) from error


def open_copy(path: Path) -> Connection:
    """A connection that fills a file which nobody else knows of yet: what is in it counts once the caller has synced it."""
    db = _connect(path, mode="rw", timeout=0.0)
    try:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            db.execute(f"PRAGMA {setting}").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def open_aside(path: Path, books: Path) -> Connection:
    """A connection to a derived file of the store's, made (0600) when there is none, with the store in it as ``books``, to read.

    Losing power may cost it its newest rows, nothing else. Raises DatabaseError and OSError as they come: whoever keeps
    such a file can make it anew.
    """
    _make_private(path)
    db = _connect(path, mode="rw", timeout=0.0)
    try:
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_ASIDE_CACHE_KIB}")
        db.execute("ATTACH ? AS books", (f"{books.absolute().as_uri()}?mode=ro",))
        db.execute(f"PRAGMA books.cache_size = -{_ASIDE_CACHE_KIB}")
    except BaseException:
        db.close()
        raise
    return db


def open_still(path: Path) -> Connection:
    """A connection to a file that nobody changes: it is only read, and neither -wal nor -shm appears beside it."""
    db = _connect(path, mode="ro&immutable=1", timeout=0.0)
    try:
        _refuse_foreign(db, path)
    except BaseException:
        db.close()
        raise
    return db


def open_aside_reader(path: Path) -> Connection:
    """A connection that cannot write to such a file. Raises DatabaseError and OSError as they come."""
    db = _connect(path, mode="ro", timeout=_ASIDE_WAIT_SECONDS)
    db.execute("PRAGMA query_only = ON")
    return db


def begin_immediate(db: Connection, *, deadline_seconds: float = 30.0, rng: Random) -> None:
    """Begin a writing transaction, waiting for other processes up to the deadline.

    The waits are short, random and our own: SQLite's busy timeout sleeps longest where most wait, and starves them.
    Raises StoreLocked after the deadline, another StoreError when the file cannot be written.
    """
    nap, until = _FIRST_NAP, time.monotonic() + deadline_seconds
    while True:
        try:
            db.execute("BEGIN IMMEDIATE")
        except OperationalError as error:
            path = path_of(db)
            if not is_busy(error):
                raise translated(error, path) from error
            if time.monotonic() >= until:
                raise locked(path, after_seconds=deadline_seconds) from error
        else:
            return
        time.sleep(rng.uniform(nap / 8, nap))
        nap = min(nap * 2, _LONGEST_NAP)


def path_of(db: Connection) -> Path:
    """The file that a connection has open."""
    return Path(next((file for _, name, file in db.execute("PRAGMA database_list") if name == "main"), ""))


def _open_writer(path: Path) -> Connection:
    db = _connect(path, mode="rw", timeout=0.0)
    try:
        _refuse_foreign(db, path)
        db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _open_reader(path: Path, wait_seconds: float) -> Connection:
    db = _connect(path, mode="ro", timeout=wait_seconds)
    try:
        _refuse_foreign(db, path)
        db.execute("PRAGMA query_only = ON")
    except BaseException:
        db.close()
        raise
    db.row_factory = Row
    return db


def _connect(path: Path, *, mode: str, timeout: float) -> Connection:
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise no_file(path)
    db = dbapi.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,  # opened by one thread, closed by another; never used by two at once
        cached_statements=_STATEMENTS,
    )
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except BaseException:
        db.close()
        raise
    return db


def _refuse_foreign(db: Connection, path: Path) -> None:
    """Raises StoreDamaged for a database that is not ours, before anything in it is changed."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID:
        return
    if application or db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        raise not_ours(path)


def _make_private(path: Path) -> None:
    """Make the file, readable by its owner alone: SQLite gives -wal and -shm the same mode.

    A file that exists is not opened here: closing it would drop the locks that this process holds on it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _patiently(open_: Callable[[], _T], *, seconds: float = _OPEN_WAIT_SECONDS) -> _T:
    """Opening meets a lock for a moment, while another process makes, recovers or closes the file."""
    until = time.monotonic() + seconds
    while True:
        try:
            return open_()
        except OperationalError as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
        time.sleep(_FIRST_NAP * 5)
