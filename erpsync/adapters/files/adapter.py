"""The ``files`` adapter: what a folder of files can do, as facts and calls. It decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from erpsync.adapters.files.folder import Folder
from erpsync.adapters.files.mapping import RowMapping
from erpsync.adapters.files.options import KindOptions, read_options, unknown_name
from erpsync.adapters.files.pages import age_seconds, finished, in_thread, kept, scanned
from erpsync.adapters.files.scanning import FileSource, Mark, read_mark
from erpsync.adapters.files.snapshot import changing
from erpsync.adapters.files.writing import FileTarget, failed
from erpsync.adapters.protocol import Capabilities, Health, Item, Page, Prepared, Reads, Receipt, Told, Writes
from erpsync.config.landscape import System
from erpsync.domain.kinds import kinds
from erpsync.errors import CallError, LandscapeError, Refused


class FilesAdapter:
    """A system that is a folder of files; raises LandscapeError when its options (see the package) are wrong."""

    def __init__(self, system: System, *, currency: str, now: Callable[[], datetime]) -> None:
        self.system = system.name
        self._now = now
        where = f"systems.{system.name}.options"
        self._options = read_options(system.options, where=where)
        self._folder = Folder(system.folder / self._options.folder)
        self._sources: dict[str, FileSource] = {}
        self._targets: dict[str, FileTarget] = {}
        for name, options in self._options.kinds.items():
            self._add(name, options, currency=currency, where=f"{where}.kinds.{name}")

    def capabilities(self) -> Capabilities:
        """Sources are scanned, cheaply when the files are as they were; targets of ``json`` can be read as well."""
        reads: dict[str, Reads] = {}
        writes: dict[str, Writes] = {}
        for name, target in self._targets.items():
            writes[name] = target.writes()
            if target.keeps:
                reads[name] = Reads(one=True, ordered=False)
        for name in self._sources:
            reads[name] = Reads(ordered=False, all_or_nothing=True)
        return Capabilities(reads, writes)

    async def changes(self, kind: str, cursor: str) -> AsyncIterator[Page]:
        """As a scan when the files differ from what ``cursor`` saw, else one empty page that is not whole."""
        mark = read_mark(cursor)
        source = self._sources.get(kind)
        read_at = self._now()
        if source is not None and mark is not None and source.same(mark, await asyncio.to_thread(source.looks)):
            yield Page((), cursor, more=False, read_at=read_at, whole=False)
            return
        async for page in self._pages(kind, unless=mark):
            yield page

    async def scan(self, kind: str) -> AsyncIterator[Page]:
        """Everything the files hold, as of one moment.

        Raises SystemDown when a file is missing, RetryLater while one is written to, AccessDenied, or Refused.
        """
        async for page in self._pages(kind, unless=None):
            yield page

    async def read(self, kind: str, far_id: str) -> Told:
        """One document of a ``json`` target."""
        target = self._keeping(kind)
        return await asyncio.to_thread(target.read, far_id)

    def understand(self, kind: str, raw: bytes) -> Told:
        """A row or a document that was kept raw, with the mapping of now."""
        source = self._sources.get(kind)
        return source.understand(raw) if source is not None else self._keeping(kind).understand(raw)

    def prepare(self, item: Item) -> Prepared:
        """The file to be put for an item."""
        return self._target(item.kind).prepare(item)

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        """Put each file; one that fails leaves nothing behind."""
        return await asyncio.to_thread(lambda: [self._write(prepared) for prepared in batch])

    async def find(self, kind: str, number: str) -> Sequence[Receipt]:
        """The document of a ``json`` target with this number."""
        target = self._keeping(kind)
        return await asyncio.to_thread(target.find, number)

    async def probe(self) -> Health:
        """Looks whether the folder is there, and may be read or written to as far as needed."""
        began = time.monotonic()
        entries = await asyncio.to_thread(self._look)
        return Health(time.monotonic() - began, text=f"{entries:,} {'entry' if entries == 1 else 'entries'}")

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _add(self, name: str, options: KindOptions, *, currency: str, where: str) -> None:
        if name not in (known := kinds()):
            raise unknown_name(where, name, tuple(known), what="kind")
        if not options.file and options.write is None:
            raise LandscapeError(f"{where} names neither a file to read nor, under write, a folder", where=where)
        if options.file:
            mapping = RowMapping(known[name], options, currency=currency, where=where)
            max_bytes = self._options.max_megabytes * 1024 * 1024
            self._sources[name] = FileSource(self._folder, options, mapping, max_bytes=max_bytes)
        if options.write is not None:
            where = f"{where}.write"
            self._targets[name] = FileTarget(self._folder, known[name], options.write, currency=currency, where=where)

    def _look(self) -> int:
        entries = self._folder.check()
        for target in self._targets.values():
            target.check()
        return entries

    def _write(self, prepared: Prepared) -> Receipt:
        began, sent_at = time.monotonic(), self._now()
        try:
            receipt = self._target(prepared.kind).write(prepared)
        except CallError as error:
            receipt = failed(prepared, error)
        return replace(receipt, evidence=replace(receipt.evidence, seconds=time.monotonic() - began, sent_at=sent_at))

    async def _pages(self, kind: str, *, unless: Mark | None) -> AsyncIterator[Page]:
        read_at = self._now()
        source = self._sources.get(kind)
        if source is None:
            found = kept(self._keeping(kind))
            async for page in in_thread(scanned(found, cursor="", read_at=read_at, complete=True)):
                yield page
            return
        await self._quiet(source)
        with ExitStack() as open_files:
            taken = await finished(lambda: source.take(open_files))
            mark = source.mark(taken)
            if unless is not None and (unless.content, unless.mapping) == (mark.content, mark.mapping):
                yield Page((), mark.text(), more=False, read_at=read_at, whole=False)
                return
            found = source.scan(taken)
            async for page in in_thread(
                scanned(found, cursor=mark.text(), read_at=read_at, complete=source.is_complete)
            ):
                yield page

    async def _quiet(self, source: FileSource) -> None:
        """Look twice at files that were written to just now; raises RetryLater when they still are."""
        quiet = self._options.quiet_seconds
        looks = await asyncio.to_thread(source.looks)
        if not quiet or not looks or age_seconds(looks, now=self._now()) >= quiet:
            return
        await asyncio.sleep(quiet)
        again = await asyncio.to_thread(source.looks)
        if again != looks:
            error = changing(next((look[0] for look in again if look not in looks), looks[0][0]))
            error.after = timedelta(seconds=quiet)
            raise error

    def _target(self, kind: str) -> FileTarget:
        if (target := self._targets.get(kind)) is None:
            raise Refused(f"{self.system} takes no {kind}", code="not_written")
        return target

    def _keeping(self, kind: str) -> FileTarget:
        if (target := self._targets.get(kind)) is None or not target.keeps:
            raise Refused(f"{self.system} keeps no {kind} that can be read", code="not_read")
        return target
