"""Whether this is the store that was here last, or a backup of it. Rule: a new epoch may be needless, never missed.

The store's ``meta`` says which file it lived in (device, inode). Beside it lies ``<store>.epoch``, one line: the
highest epoch and how far the store had come (``progress``, which only grows). A copy lives in another file; a backup
written over the same file is behind the line; a line that was itself brought back is older than its own file. The
line is also what writing processes lock: together where their SQLite is sound, else one alone. A file system or machine
set back as a whole cannot be told from inside.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from erpsync.errors import StoreLocked
from erpsync.store.connection import Connection, ms, sqlite_is_sound, unsound_advice

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is read as another
_ID_LENGTH = 5
_LINE_BYTES = 128
_SAME_NS = 2_000_000_000
_PATIENCE_SECONDS = 0.5
_STRIDE = 1000

_ANOTHER_FILE = "the file is another one than before"

# Numbers that are not given twice as long as pruning keeps the last row; each is one step down an index.
_MARK_SECONDS = 0.05
_ACTS = ("attempts", "audit")  # tries, and what people and the engine did
_PROGRESS = """SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'opens')
    + ifnull((SELECT max(event_id) FROM events), 0) + ifnull((SELECT max(message_id) FROM messages), 0)
    + ifnull((SELECT max(attempt_id) FROM attempts), 0)
    + ifnull((SELECT max(seq) FROM audit WHERE chain = 'main'), 0)"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which store this is; ``restored_at`` (milliseconds) is when a backup was last found in its place."""

    store_id: str
    epoch: int
    restored_at: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What the line says: of which store, its highest epoch, how far it had come."""

    store_id: str
    epoch: int
    progress: int
    moved: bool  # the line itself was brought back, or copied


class Sidecar:
    """The file beside the store, open as long as this process may write."""

    def __init__(self, path: Path) -> None:
        """Raises StoreLocked where this SQLite, or that of another process, cannot share the store."""
        self._path = path
        self._fd = os.open(f"{path}.epoch", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._said = (0, 0)
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if sqlite_is_sound() else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise StoreLocked(
                f"store {path.name} is open for writing in another process, and cannot be shared with it",
                hint=unsound_advice() or "that process has an unsound SQLite: stop it, pip install 'pysqlite3>=0.6.1'",
            ) from None

    def read(self) -> Mark | None:
        """The line; None when there is none that can be read."""
        return _mark(os.pread(self._fd, _LINE_BYTES, 0), changed_ns=os.fstat(self._fd).st_ctime_ns)

    def write(self, store_id: str, epoch: int, progress: int) -> None:
        """Raise the line to this; another process's higher one stays. Raises OSError, also when another holds it too long.

        Whoever holds it needs microseconds, unless its process was stopped just then: nobody stands still with it, and
        the next commit raises the line again.
        """
        self._take()
        try:
            mark = self.read()
            if (
                mark
                and mark.store_id == store_id
                and (mark.epoch, mark.progress) >= (epoch, progress)
                and not mark.moved
            ):
                return
            # Twice: the second time with the file's own time of change, by the clock of its file system.
            for _ in range(2):
                at = os.fstat(self._fd).st_ctime_ns
                os.pwrite(
                    self._fd,
                    f"erpsync-epoch {store_id} {epoch} {progress} {at}".ljust(_LINE_BYTES - 1).encode() + b"\n",
                    0,
                )
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _take(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.002)
            else:
                return

    def close(self) -> None:
        """Give the lock back. Closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_identity(db: Connection) -> Identity | None:
    """Which store this is; None when it has not been drawn yet (a store half made)."""
    meta = _meta(db)
    if "store_id" not in meta:
        return None
    restored_at = meta.get("restored_at")
    return Identity(meta["store_id"], int(meta["epoch"]), int(restored_at) if restored_at else None)


def line_beside(path: Path) -> Mark | None:
    """What the line beside a store says, without a lock on it; None when there is none that can be read."""
    line = Path(f"{path}.epoch")
    try:
        return _mark(line.read_bytes()[:_LINE_BYTES], changed_ns=line.stat().st_ctime_ns)
    except OSError:
        return None


def taken_for_backup(db: Connection, path: Path, line: Mark | None) -> str:
    """Why whoever writes next takes this store for a backup; empty when nobody will.

    ``line`` was read before the moment that ``db`` sees, or a commit in between would look like one that is missing.
    """
    found, file, identity = _meta(db), path.stat(), read_identity(db)
    if identity is None:
        return ""
    if (found["device"], found["inode"]) != (str(file.st_dev), str(file.st_ino)):
        return _ANOTHER_FILE
    if line is None or line.store_id != identity.store_id:
        return ""
    return _behind(line, identity, progress(db))


def adopt(db: Connection, path: Path, *, sidecar: Sidecar, now: datetime) -> Identity:
    """Draw the store's id if it has none, or a new epoch if this is a backup; inside a writing transaction.

    The caller commits, then calls ``mark``.
    """
    import secrets  # noqa: PLC0415  (commands that only look must not pay for it)

    from erpsync.store import audit  # noqa: PLC0415  (commands that only look must not pay for it)

    found, file = _meta(db), path.stat()
    here = {"device": str(file.st_dev), "inode": str(file.st_ino)}
    identity = read_identity(db)
    if identity is None:
        identity = Identity("".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)), 1, None)
        _put_meta(db, {"store_id": identity.store_id, "epoch": "1", "opens": "1", "created_at": str(ms(now)), **here})
        return identity
    mark = sidecar.read()
    if mark and mark.store_id != identity.store_id:
        mark = None
    came_to = progress(db)
    _put_meta(db, {"opens": str(int(found["opens"]) + 1)})
    if here["device"] == found["device"] and here["inode"] == found["inode"]:
        why = "" if mark is None else _behind(mark, identity, came_to)
    else:
        why = _ANOTHER_FILE
    if not why:
        return identity
    # Without its line nobody knows how many epochs were drawn from the same backup elsewhere: leave room.
    epoch = mark.epoch if mark else identity.epoch + secrets.randbelow(_STRIDE)
    identity = Identity(identity.store_id, max(epoch, identity.epoch) + 1, ms(now))
    _put_meta(db, {"epoch": str(identity.epoch), "restored_at": str(identity.restored_at), **here})
    audit.append(
        db,
        chain="main",
        company_id=0,
        at=now,
        actor="erpsync",
        what="store.epoch",
        subject=f"store:{identity.store_id}",
        reason=why,
        before=found["epoch"].encode(),
        after=str(identity.epoch).encode(),
    )
    return identity


def mark(db: Connection, identity: Identity, *, sidecar: Sidecar) -> None:
    """Say beside the store how far it has come. Raises OSError."""
    sidecar.write(identity.store_id, identity.epoch, progress(db))


class Marking:
    """Marks tries and acts at once, what was told a few times a second.

    Nothing leaves under a key that was not put on record first, so what a backup would send again is never behind the mark.
    """

    def __init__(self, identity: Identity, sidecar: Sidecar, db: Connection) -> None:
        """``db`` is the connection that writes: it tells of tries and acts as they are written (triggers of its own)."""
        self._identity = identity
        self._sidecar = sidecar
        self._acted = True
        self._coming: int | None = None
        self._due = 0.0
        db.create_function("erpsync_acted", 0, self._act)
        for table in _ACTS:
            db.execute(
                f"CREATE TEMP TRIGGER acted_{table} AFTER INSERT ON main.{table} BEGIN SELECT erpsync_acted(); END"
            )

    def look(self, db: Connection) -> None:
        """Before each COMMIT, inside its transaction: how far the store will have come, where that is to be marked."""
        self._coming = progress(db) if self._acted or time.monotonic() >= self._due else None

    def __call__(self) -> None:
        """After the COMMIT, before anyone is told of it. Raises OSError."""
        if self._coming is not None:
            self._sidecar.write(self._identity.store_id, self._identity.epoch, self._coming)
            self._acted, self._due = False, time.monotonic() + _MARK_SECONDS

    def _act(self) -> None:
        self._acted = True  # also where the transaction is then rolled back: marked once more, no harm is done


def progress(db: Connection) -> int:
    """A number that grows with what was received, decided and sent."""
    (number,) = db.execute(_PROGRESS).fetchone()
    return int(number)


def _behind(mark: Mark, identity: Identity, came_to: int) -> str:
    if (mark.epoch, mark.progress) > (identity.epoch, came_to):
        return "the store is behind what it was"
    return "the store's folder was brought back" if mark.moved else ""


def _mark(line: bytes, *, changed_ns: int) -> Mark | None:
    words = line.decode(errors="replace").split()
    try:
        store_id, epoch, progress, at = words[1], int(words[2]), int(words[3]), int(words[4])
    except (IndexError, ValueError):
        return None
    return Mark(store_id, epoch, progress, abs(changed_ns - at) > _SAME_NS)


def _meta(db: Connection) -> dict[str, str]:
    return {str(name): str(value) for name, value in db.execute("SELECT name, value FROM meta")}


def _put_meta(db: Connection, values: dict[str, str]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", sorted(values.items()))
