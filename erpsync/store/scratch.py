"""A copy of the store to try things in; what is done there leaves the store as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from erpsync.store.connection import open_reader, open_writer
from erpsync.store.store import Store


@contextmanager
def copy_aside(path: Path, copy: Path, *, now: datetime) -> Iterator[Store]:
    """The store at ``path`` as it is now, copied to ``copy`` and open to write; a new one when there is none yet.

    The copy stands for the same store: it does not count as restored from a backup.
    """
    if path.exists():
        with closing(open_reader(path)) as source, closing(open_writer(copy)) as target:
            source.backup(target)
    with Store.open_or_create(copy, now=now) as store:
        store.restored_at = None
        yield store
