"""What the checks look at, opened once: the landscape, the store's files, the store. Nothing here makes or changes any.

Rule: the files are looked at before the store is opened (``erpsync.store.whereabouts`` says why).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from erpsync.errors import ErpsyncError
from erpsync.terminal import Clock

if TYPE_CHECKING:
    from datetime import datetime

    from erpsync.config.landscape import Landscape
    from erpsync.store.connection import Connection
    from erpsync.store.store import Store
    from erpsync.store.whereabouts import Files, Log
    from erpsync.workbench import Workbench

_PATIENCE_SECONDS = 0.3


class Needs(Exception):  # noqa: N818  (it says what a check lacks, and is no error of its own)
    """A check cannot be made without this."""


class Patient:
    """One landscape and its store, as far as they can be opened."""

    def __init__(self, bench: Workbench, *, online: bool) -> None:
        """``online``: the systems are asked too."""
        self.bench = bench
        self.online = online
        self.mounts = Path("/proc/self/mounts")
        self.began = (time.time(), time.monotonic())
        self._store: Store | None = None

    @cached_property
    def now(self) -> datetime:
        """The moment of the look."""
        return self.bench.now()

    @cached_property
    def times(self) -> Clock:
        """The clock on the wall of this landscape; UTC where it cannot be read."""
        return Clock(self.now, self._read[0].timezone if self._read[0] else "UTC")

    @cached_property
    def _read(self) -> tuple[Landscape | None, ErpsyncError | None]:
        try:
            return self.bench.landscape, None
        except ErpsyncError as error:
            return None, error

    @property
    def landscape(self) -> Landscape:
        """The landscape; raises Needs where it cannot be read."""
        if self._read[0] is None:
            raise Needs("the landscape")
        return self._read[0]

    @property
    def path(self) -> Path:
        """Where the store lies; raises Needs."""
        return self.landscape.store

    @cached_property
    def files(self) -> Files:
        """The store's files; raises OSError."""
        from erpsync.store.whereabouts import files  # noqa: PLC0415  (not for help)

        return files(self.path)

    @cached_property
    def log(self) -> Log | None:
        """The store's log, as it was before the store was opened."""
        from erpsync.store.whereabouts import log  # noqa: PLC0415  (as above)

        return log(self.path)

    @cached_property
    def _opened(self) -> tuple[Store | None, ErpsyncError | None]:
        from erpsync.store.store import Store  # noqa: PLC0415  (as above)

        files, _ = self.files, self.log  # both before it is open
        if not files.there:
            return None, None
        try:
            self._store = Store.open(self.path, now=self.now, write=False, patience_seconds=_PATIENCE_SECONDS)
        except ErpsyncError as error:
            return None, error
        return self._store, None

    @property
    def store_error(self) -> ErpsyncError | None:
        """Why the store cannot be opened; None where it is open or not there."""
        return self._opened[1]

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the store; raises Needs where it cannot be opened, and what reading comes to."""
        if self._opened[0] is None:
            raise Needs("the store")
        with self._opened[0].read() as db:
            yield db

    def close(self) -> None:
        """Let the store go."""
        if self._store is not None:
            self._store.close()
