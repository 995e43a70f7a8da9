"""The index of words, kept by workers in what time is left. Rule: nothing that moves documents waits for it, or fails by it.

Its steps are small, in a thread of their own, with SQLite at work and not Python. While much is coming in or going out
it takes a hundredth of the time, else a fifth until it has caught up; ``find`` says how far it has come.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
import time
from dataclasses import dataclass

from erpsync.errors import StoreError
from erpsync.store.connection import DatabaseError
from erpsync.store.store import Store
from erpsync.store.words import Words

LOOK_SECONDS = 0.25
_STEP_SECONDS, _SMALL_STEP_SECONDS = 0.05, 0.01
_MUCH_A_SECOND = 300  # events and tries together
_SMALL_STEP_EVERY = 4  # looks
_FEWEST, _MOST = 20, 5_000
_STANDS_BACK_SECONDS = 60.0
_ROOM_BYTES = 256 * 2**20  # left free for the store itself
_BEGINS_AFTER_SECONDS = 1.0  # a sync that is over at once leaves it to others


@dataclass
class _Pace:
    """How many documents fit into a step, and what the store took in since the last look."""

    fit: int = 200
    newest: int = -1
    looked_at: float = 0.0
    looks: int = 0


class WordKeeper:
    """Fills the index of a store, a step at each look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._words: Words | None = None
        self._pace = _Pace()
        self._not_before = time.monotonic() + _BEGINS_AFTER_SECONDS
        self._in_use = threading.Lock()
        self._closed = False

    async def look(self) -> None:
        """Take in a part of what is new, if there is anything, and time for it."""
        if time.monotonic() >= self._not_before:
            await asyncio.to_thread(self._look)

    def close(self) -> None:
        """Let go of the file, after the step under way. Nothing is done after that."""
        with self._in_use:
            self._closed = True
            self._let_go()

    def _look(self) -> None:
        with self._in_use:
            if self._closed:
                return
            try:
                if shutil.disk_usage(self._store.path.parent).free < _ROOM_BYTES:
                    raise OSError(errno.ENOSPC, "the rest of the disk is the store's")
                if self._words is None:
                    self._words = Words(self._store.path, store_id=self._store.store_id, epoch=self._store.epoch)
                self._step(self._words)
            except (
                DatabaseError,
                OSError,
                StoreError,
            ):  # a full disk, damage, no FTS5: nothing that work would wait for
                self._let_go()
                self._not_before = time.monotonic() + _STANDS_BACK_SECONDS

    def _let_go(self) -> None:
        words, self._words = self._words, None
        if words is not None:
            words.close()

    def _step(self, words: Words) -> None:
        pace, now = self._pace, time.monotonic()
        newest = words.newest()
        much = pace.newest >= 0 and (newest - pace.newest) > _MUCH_A_SECOND * max(now - pace.looked_at, LOOK_SECONDS)
        pace.newest, pace.looked_at, pace.looks = newest, now, pace.looks + 1
        if much and pace.looks % _SMALL_STEP_EVERY:
            return
        share = _SMALL_STEP_SECONDS / _STEP_SECONDS if much else 1.0
        step = words.step(max(_FEWEST, int(pace.fit * share)))
        took = time.monotonic() - now
        if step.more:
            grown = min(max(_STEP_SECONDS * share / max(took, 0.001), 0.5), 2.0)
            pace.fit = int(min(max(pace.fit * grown, _FEWEST), _MOST))
