"""A store, open: its identity, its writer, its readers. Rule: whoever opens it closes it; no reading stays open."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from erpsync.errors import ReadOnly, StoreError
from erpsync.store import faults, identity, migrations
from erpsync.store.connection import (
    Connection,
    DatabaseError,
    begin_immediate,
    is_of_the_file,
    open_reader,
    open_writer,
    translated,
    unsound_advice,
)

if TYPE_CHECKING:
    from erpsync.store.writer import Writer


class Store:
    """One SQLite file with everything in it.

    ``epoch`` rises when a backup is found in the store's place; ``restored_at`` (milliseconds) is when that was;
    ``advice`` is a line for the person on call when this machine's SQLite may not share the store, else empty.
    """

    def __init__(
        self, path: Path, found: identity.Identity, *, db: Connection | None, sidecar: identity.Sidecar | None
    ) -> None:
        """Not for callers: ``create``, ``open`` and ``open_or_create`` make stores."""
        self.path = path
        self.store_id = found.store_id
        self.epoch = found.epoch
        self.restored_at = found.restored_at
        self.advice = unsound_advice() if db else ""
        self._identity = found
        self._sidecar = sidecar
        self._db = db
        self._path_text = str(path)  # what is asked of before every commit
        self._file = _file_of(self._path_text)
        self._writer: Writer | None = None
        self._gate = threading.Lock()
        self._mine = threading.local()
        self._readers: list[Connection] = []
        self._closed = False
        self._patience_seconds = 30.0

    @classmethod
    def create(cls, path: Path, *, now: datetime) -> Self:
        """A new store at ``path``, open for writing. Raises StoreError when there is one already."""
        if path.exists() and (path.is_dir() or path.stat().st_size):
            raise StoreError(f"store {path.name} exists already", hint="open it, or name another file")
        return cls._open_to_write(path, now=now, make=True)

    @classmethod
    def open(cls, path: Path, *, now: datetime, write: bool = True, patience_seconds: float = 30.0) -> Self:
        """The store at ``path``. Raises StoreError when there is none, StoreTooNew, StoreDamaged, StoreLocked.

        ``patience_seconds``: how long reading waits for a process that keeps everybody out.
        """
        if not path.exists():
            raise faults.missing(path)
        return cls._open_to_write(path, now=now, make=False) if write else cls._open_to_read(path, patience_seconds)

    @classmethod
    def open_or_create(cls, path: Path, *, now: datetime) -> Self:
        """The store at ``path``, made if there is none, open for writing."""
        return cls._open_to_write(path, now=now, make=True)

    @property
    def writer(self) -> Writer:
        """The thread that writes, started at first use. Raises ReadOnly when the store was opened to read."""
        if self._writer is None:
            with self._gate:
                if self._writer is None:
                    self._writer = self._start_writer()
        return self._writer

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection of this thread's own that sees one moment of the store throughout; rows are ``Row``.

        Nested uses share the outer one's moment. SQLite's errors about the file leave as StoreError.
        """
        mine = self._mine
        if getattr(mine, "depth", 0):
            yield mine.db
            return
        try:
            db = self._reader()
            db.execute("BEGIN")
            mine.depth = 1
            try:
                yield db
            finally:
                mine.depth = 0
                if db.in_transaction:
                    db.execute("ROLLBACK")
        except DatabaseError as error:
            if is_of_the_file(error):
                raise translated(error, self.path) from error
            raise

    def close(self) -> None:
        """Write what was submitted, then close every connection. Closing twice does nothing."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            writer, db, readers = self._writer, self._db, self._readers
        for reader in readers:
            reader.close()
        if writer:
            writer.close()
        elif db:
            db.close()
        if self._sidecar:
            self._sidecar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def _open_to_write(cls, path: Path, *, now: datetime, make: bool) -> Self:
        if path.is_dir() or not path.parent.is_dir():
            raise translated(OSError(), path)
        with _opening(path), contextlib.ExitStack() as undo:
            db = open_writer(path)
            undo.callback(db.close)
            _refuse_schema(db, path, make=make)
            sidecar = identity.Sidecar(path)
            undo.callback(sidecar.close)
            if make:
                migrations.migrate(db, now=now)
            found = _adopt(db, path, sidecar=sidecar, now=now)
            undo.pop_all()
        return cls(path, found, db=db, sidecar=sidecar)

    @classmethod
    def _open_to_read(cls, path: Path, patience_seconds: float) -> Self:
        with _opening(path), contextlib.closing(open_reader(path, patience_seconds=patience_seconds)) as db:
            _refuse_schema(db, path, make=False)
            found = identity.read_identity(db)
        if found is None:
            raise faults.missing(path)
        store = cls(path, found, db=None, sidecar=None)
        store._patience_seconds = patience_seconds
        return store

    def _start_writer(self) -> Writer:
        from erpsync.store.writer import Writer  # noqa: PLC0415  (commands that only look must not pay for threads)

        if self._db is None or self._sidecar is None:
            raise ReadOnly(f"store {self.path.name} was opened to read", hint="leave --read-only out")
        if self._closed:
            raise self._is_closed()
        found, sidecar = self._identity, self._sidecar
        marking = identity.Marking(found, sidecar, self._db)

        def check(db: Connection) -> None:
            self._refuse_moved()
            marking.look(db)

        return Writer(self._db, self.path, check=check, committed=marking)

    def _refuse_moved(self) -> None:
        """Raises StoreError when the path no longer leads to the file that is open: what is written would be lost."""
        if (here := _file_of(self._path_text)) != self._file:
            gone = "is gone" if here is None else "was replaced by another file"
            raise StoreError(
                f"store {self.path.name} {gone} while it was open",
                hint="stop every erpsync process before a store is moved or restored, then start again",
            )

    def _reader(self) -> Connection:
        if self._closed:
            raise self._is_closed()
        mine, here = self._mine, _file_of(self._path_text)
        db: Connection | None = getattr(mine, "db", None)
        if db is not None and mine.file == here:
            return db
        if here is None:
            raise StoreError(f"store {self.path.name} is gone", hint=f"ls -l {self.path.parent}")
        new = open_reader(self.path, patience_seconds=self._patience_seconds)
        with self._gate:
            if db is not None:
                self._readers.remove(db)
                db.close()
            self._readers.append(new)
        mine.db, mine.file = new, here
        return new

    def _is_closed(self) -> StoreError:
        return StoreError(f"store {self.path.name} is closed", hint="open it again")


def migrate(path: Path, *, now: datetime) -> tuple[int, int]:
    """Bring the store at ``path`` to this erpsync's schema; returns (schema before, schema now)."""
    if not path.exists():
        raise faults.missing(path)
    with _opening(path), contextlib.closing(open_writer(path)) as db:
        before = migrations.schema_of(db)
        if before == 0:
            raise faults.missing(path)
        migrations.migrate(db, now=now)
        return before, migrations.schema_of(db)


def _refuse_schema(db: Connection, path: Path, *, make: bool) -> None:
    """Raises StoreError unless the schema is this erpsync's, or it is an empty file and a store may be made of it."""
    migrations.refuse_newer(db)
    version = migrations.schema_of(db)
    if version == 0 and not make:
        raise faults.missing(path)
    if 0 < version < migrations.SCHEMA_VERSION:
        raise StoreError(
            f"store {path.name} has schema {version}, this erpsync needs {migrations.SCHEMA_VERSION}",
            hint="stop the workers, then: erpsync store migrate",
        )


def _adopt(db: Connection, path: Path, *, sidecar: identity.Sidecar, now: datetime) -> identity.Identity:
    from random import Random  # noqa: PLC0415  (commands that only look must not pay for it)

    begin_immediate(db, rng=Random())
    try:
        found = identity.adopt(db, path, sidecar=sidecar, now=now)
        db.execute("COMMIT")
        with contextlib.suppress(BlockingIOError):  # a stopped process holds the line: the next commit raises it
            identity.mark(db, found, sidecar=sidecar)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return found


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a store is opened is the store's: a head that cannot be read is damage."""
    try:
        yield
    except (DatabaseError, OSError, LookupError, ValueError) as error:
        raise translated(error, path) from error


def _file_of(path: str) -> tuple[int, int] | None:
    try:
        file = os.stat(path)  # noqa: PTH116  (before every commit: half the price)
    except OSError:
        return None
    return file.st_dev, file.st_ino
