"""What a scan finds, in pages, made in a thread so that nobody waits for a disk.

Its one rule: only the last page has a cursor to go on from; a scan that broke off begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from erpsync.adapters.files.scanning import Found
from erpsync.adapters.files.snapshot import Look
from erpsync.adapters.files.writing import FileTarget
from erpsync.adapters.protocol import Page, Told

T = TypeVar("T")
_DOCUMENTS = 500
_BYTES = 4 * 1024 * 1024


def scanned(found: Iterator[Found], *, cursor: str, read_at: datetime, complete: bool) -> Iterator[Page]:
    """Pages of what a scan finds. From the first row whose number cannot be read on, no page is whole."""
    whole = complete
    tolds: list[Told] = []
    size = 0
    for each in found:
        if len(tolds) >= _DOCUMENTS or size >= _BYTES:
            yield Page(tuple(tolds), "", more=True, read_at=read_at, whole=whole)
            tolds, size = [], 0
        whole = whole and each.certain
        tolds.append(each.told)
        size += len(each.told.raw)
    yield Page(tuple(tolds), cursor, more=False, read_at=read_at, whole=whole)


def kept(target: FileTarget) -> Iterator[Found]:
    """The documents a target keeps."""
    for name in target.names():
        told = target.read(name)
        if not told.removed:
            yield Found(told, certain=bool(told.number))


async def in_thread(pages: Iterator[Page]) -> AsyncIterator[Page]:
    """The same pages, each made in a thread; ``pages`` is closed at the end."""
    try:
        while (page := await finished(lambda: next(pages, None))) is not None:
            yield page
    finally:
        if isinstance(pages, Generator):
            pages.close()


async def finished(work: Callable[[], T]) -> T:
    """What ``work`` gives, done in a thread; a cancelled caller leaves only when the thread is done."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def age_seconds(looks: Sequence[Look], *, now: datetime) -> float:
    """How long ago the youngest of the files was written to, by our clock; negative when it is ahead of us."""
    return now.timestamp() - max(look[4] for look in looks) / 1_000_000_000
