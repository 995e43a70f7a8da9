"""The index of words: a file beside the store (``<store>-words``) by which ``find`` looks through contents.

Derived, and behind the store: it is filled in small steps by increasing id, never in the transaction that writes. Rule:
it may be missing, damaged, another store's or too old at any time; then it is made anew, and nobody is told of an error.

A row of an index is a document of the store, by its id: the number of a record, what an event said (raw, canonical and
its numbers), what a try sent, what it was answered. Headers and requests are in none. Only the words are kept, no text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from erpsync.errors import StoreError
from erpsync.store.connection import (
    Connection,
    DatabaseError,
    OperationalError,
    open_aside,
    open_aside_reader,
)
from erpsync.store.faults import is_busy, is_damage

KINDS = ("records", "events", "sent", "answers")
MOST_BYTES = 262_144  # of one content: what a larger one says further down is not found
_FORMAT = "1"
_PAGES_BETWEEN_CHECKPOINTS = 2_000


def content_sql(column: str) -> str:
    """SQL for the part of a content that is looked through, as text; line breaks of JSON end a word."""
    text = f"CAST(substr({column}, 1, {MOST_BYTES}) AS TEXT)"
    for letter in "nrt":
        text = f"replace({text}, '\\{letter}', ' ')"
    return f"ifnull({text}, '')"


_TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE marks (what TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE open_tries (attempt_id INTEGER PRIMARY KEY) STRICT",
    "INSERT INTO marks VALUES ('records', 0), ('events', 0), ('tries', 0)",
    *(
        f"CREATE VIRTUAL TABLE {kind} USING fts5(words, content = '', detail = none, columnsize = 0, "
        "tokenize = 'unicode61 remove_diacritics 2')"
        for kind in KINDS
    ),
)
_RECORDS = (
    "INSERT INTO main.records (rowid, words) SELECT record_id, number FROM books.records "
    "WHERE record_id > ? AND record_id <= ? ORDER BY record_id",
)
_EVENTS = (
    "INSERT INTO main.events (rowid, words) SELECT event_id, number || ' ' || far_id || ' ' || ifnull(source_event_id, '') || ' ' || "
    f"{content_sql('raw.content')} || ' ' || {content_sql('canonical.content')} FROM books.events e "
    "LEFT JOIN books.payloads raw ON raw.payload_id = e.raw_id "
    "LEFT JOIN books.payloads canonical ON canonical.payload_id = e.canonical_id "
    "WHERE event_id > ? AND event_id <= ? ORDER BY event_id",
)
_ANSWER = f"a.far_id || ' ' || a.error || ' ' || {content_sql('a.answer')}"
_TRIES = (
    f"INSERT INTO main.sent (rowid, words) SELECT attempt_id, a.once_key || ' ' || {content_sql('body.content')} FROM books.attempts a "
    "CROSS JOIN books.payloads body ON body.payload_id = a.body_id WHERE attempt_id > ? AND attempt_id <= ? ORDER BY attempt_id",
    "INSERT INTO open_tries SELECT attempt_id FROM books.attempts WHERE attempt_id > ? AND attempt_id <= ? AND ended_at IS NULL",
    f"INSERT INTO main.answers (rowid, words) SELECT attempt_id, {_ANSWER} FROM books.attempts a "
    "WHERE attempt_id > ? AND attempt_id <= ? AND ended_at IS NOT NULL ORDER BY attempt_id",
)
_ENDED = (
    f"INSERT INTO main.answers (rowid, words) SELECT attempt_id, {_ANSWER} FROM open_tries o CROSS JOIN books.attempts a "
    "USING (attempt_id) WHERE ended_at IS NOT NULL ORDER BY attempt_id",
    "DELETE FROM open_tries WHERE EXISTS (SELECT 1 FROM books.attempts a WHERE a.attempt_id = open_tries.attempt_id "
    "AND ended_at IS NOT NULL)",
)
_FILLS = {"records": ("record_id", _RECORDS), "events": ("event_id", _EVENTS), "tries": ("attempt_id", _TRIES)}
_TABLE_OF = {"records": "records", "events": "events", "tries": "attempts"}


def path_beside(store: Path) -> Path:
    """Where the index of a store lies."""
    return store.with_name(f"{store.name}-words")


@dataclass(frozen=True)
class Step:
    """What one step came to: documents it took in, and whether there are more."""

    taken: int
    more: bool


class Words:
    """The index of one store, open to be filled. Whoever opens it closes it."""

    def __init__(self, store: Path, *, store_id: str, epoch: int) -> None:
        """Raises StoreError where this SQLite has no FTS5, and DatabaseError or OSError where no file can be made."""
        self._store, self._path = store, path_beside(store)
        self._of = _about_of(store_id, epoch)
        self._db = self._opened()
        self._file = _file_of(self._path)

    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""
        self._db.close()

    def newest(self) -> int:
        """A number that grows with every event and try that the store takes in."""
        ends = "SELECT ifnull((SELECT max(event_id) FROM books.events), 0) + ifnull((SELECT max(attempt_id) FROM books.attempts), 0)"
        return int(self._db.execute(ends).fetchone()[0])

    def step(self, most: int) -> Step:
        """Take in at most so many documents of each kind, in one transaction of the index's own.

        Nothing is done while another process fills it. Raises DatabaseError, OSError and StoreError: it is to be closed then,
        and opened again after a while; what was damaged is gone by then.
        """
        if _file_of(self._path) != self._file:
            raise StoreError(f"{self._path.name} was made anew by another process")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            step = self._step(most)
            self._db.execute("COMMIT")
        except OperationalError as error:
            if is_busy(error):
                return Step(0, more=False)
            raise
        except DatabaseError as error:
            if is_damage(error):
                discard(self._store)
            raise
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        return step

    def _step(self, most: int) -> Step:
        marks, taken, more = _marks(self._db), 0, False
        for statement in _ENDED:
            self._db.execute(statement)
        for what, (column, statements) in _FILLS.items():
            end = int(self._db.execute(f"SELECT ifnull(max({column}), 0) FROM books.{_TABLE_OF[what]}").fetchone()[0])
            begin, until = marks[what], min(end, marks[what] + most)
            if end < begin:  # what was taken in is not in the store any more
                discard(self._store)
                raise StoreError(f"{self._path.name} is ahead of its store")
            if until == begin:
                continue
            for statement in statements:
                self._db.execute(statement, (begin, until))
            self._db.execute("UPDATE marks SET id = ? WHERE what = ?", (until, what))
            taken, more = taken + until - begin, more or until < end
        return Step(taken, more)

    def _opened(self) -> Connection:
        for last in (False, True):
            try:
                db = open_aside(self._path, self._store)
                try:
                    if self._is_ours(db):
                        return db
                except BaseException:
                    db.close()
                    raise
                db.close()
            except DatabaseError as error:
                if last or not is_damage(error):
                    raise
            discard(self._store)
        raise StoreError(f"{self._path.name} cannot be made")

    def _is_ours(self, db: Connection) -> bool:
        """Whether it is of this store as it is, made now if the file is empty; False when it must be made anew."""
        db.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_BETWEEN_CHECKPOINTS}").fetchone()
        db.execute("BEGIN IMMEDIATE")
        try:
            if not db.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone():
                for statement in _TABLES:
                    db.execute(statement)
                db.executemany("INSERT INTO about VALUES (?, ?)", sorted(self._of.items()))
            ours = _about(db) == self._of and _FILLS.keys() == _marks(db).keys()
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
        return ours


class IndexBrokenError(StoreError):
    """The index broke while it was asked: ask without one."""


@dataclass(frozen=True)
class Index:
    """The index, open to be asked: how far it has come, and the tries of which it has no answer yet."""

    db: Connection
    marks: dict[str, int]
    open_tries: tuple[int, ...]

    def ids(self, kind: str, expression: str) -> Iterator[int]:
        """Ids of the documents of a kind that have these words, the newest first. Raises IndexBrokenError."""
        try:
            rows = self.db.execute(f"SELECT rowid FROM {kind} WHERE {kind} MATCH ? ORDER BY rowid DESC", (expression,))
            for row in rows:
                yield int(row[0])
        except DatabaseError as error:
            raise IndexBrokenError(f"the index of words cannot be read: {error}") from error


@contextlib.contextmanager
def index_of(store: Path, *, store_id: str, epoch: int) -> Iterator[Index | None]:
    """The index of a store, as far as it goes; None where there is none that can be used."""
    path = path_beside(store)
    with contextlib.ExitStack() as undo:
        found: Index | None = None
        try:
            if path.is_file():
                db = open_aside_reader(path)
                undo.callback(db.close)
                db.execute("BEGIN")
                marks = _marks(db)
                if _about(db) == _about_of(store_id, epoch) and _FILLS.keys() == marks.keys():
                    found = Index(
                        db, marks, tuple(int(row[0]) for row in db.execute("SELECT attempt_id FROM open_tries"))
                    )
        except (DatabaseError, OSError):  # half made, damaged, in the hands of another: nothing to ask
            found = None
        yield found


def discard(store: Path) -> None:
    """Throw the index of a store away; whoever fills it makes it anew."""
    path = path_beside(store)
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")  # noqa: PTH108  (a name with an ending is no path of its own)


def _about_of(store_id: str, epoch: int) -> dict[str, str]:
    return {"format": _FORMAT, "store_id": store_id, "epoch": str(epoch)}


def _about(db: Connection) -> dict[str, str]:
    return {str(name): str(value) for name, value in db.execute("SELECT name, value FROM about")}


def _marks(db: Connection) -> dict[str, int]:
    return {str(what): int(number) for what, number in db.execute("SELECT what, id FROM marks")}


def _file_of(path: Path) -> tuple[int, int] | None:
    try:
        file = path.stat()
    except OSError:
        return None
    return file.st_dev, file.st_ino
