"""A kind's files are read, whole, as of one moment.

Its one rule: nothing is concluded from what could not be read. A bad row keeps its number, a row whose number cannot be
read makes the scan not whole, and files that are being written to are not read at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from erpsync.adapters.files.csvrows import CsvRows
from erpsync.adapters.files.folder import Folder, printable
from erpsync.adapters.files.jsonrows import JsonRows, parse_object
from erpsync.adapters.files.lines import LineIndex
from erpsync.adapters.files.mapping import RowMapping
from erpsync.adapters.files.options import KindOptions
from erpsync.adapters.files.rows import BadRow, Row
from erpsync.adapters.files.snapshot import Look, Snapshot, changing, look, take
from erpsync.adapters.files.table import Source
from erpsync.adapters.protocol import Told
from erpsync.domain.kinds import Nature
from erpsync.errors import BadDocument, SystemDown


@dataclass(frozen=True)
class Found:
    """One thing a scan found; ``certain`` False: a row whose number cannot be read."""

    told: Told
    certain: bool = True


@dataclass(frozen=True)
class Mark:
    """What a scan read: the files as they looked, the hash of their content, the mapping they were read with."""

    looks: tuple[Look, ...]
    content: str
    mapping: str

    def text(self) -> str:
        """As a cursor."""
        return json.dumps(
            {"looks": self.looks, "content": self.content, "mapping": self.mapping}, separators=(",", ":")
        )


def read_mark(cursor: str) -> Mark | None:
    """The mark in a cursor; None when it is none of ours."""
    try:
        content = json.loads(cursor)
        return Mark(tuple(tuple(part) for part in content["looks"]), content["content"], content["mapping"])
    except (ValueError, TypeError, KeyError):
        return None


class FileSource:
    """One kind of a system, as files."""

    def __init__(self, folder: Folder, options: KindOptions, mapping: RowMapping, *, max_bytes: int) -> None:
        self._folder, self._options, self._max_bytes = folder, options, max_bytes
        self.mapping = mapping
        said = options.model_dump_json(exclude={"write"})
        self._digest = hashlib.sha256(said.encode()).hexdigest()[:16]

    def names(self) -> list[str]:
        """The files to be read, the lines' file last; raises SystemDown when there must be one and is none."""
        options = self._options
        names = self._folder.matching(options.file) if options.is_drop_folder else [options.file]
        if not names and options.tells_all:
            raise SystemDown(f"no file is there for {options.file}", code="missing")
        lines = options.lines
        return [*names, lines.file] if lines is not None and lines.file else names

    def looks(self) -> tuple[Look, ...]:
        """What tells the files from what they were before, without reading them."""
        return tuple(look(self._folder, name) for name in self.names())

    @property
    def is_complete(self) -> bool:
        """Whether what the files do not have is gone."""
        return self._options.tells_all

    def take(self, open_files: ExitStack) -> list[Snapshot]:
        """The files as of one moment; ``open_files`` closes them. Raises RetryLater when one is being written to."""
        taken = take(self._folder, self.names(), open_files=open_files, max_bytes=self._max_bytes)
        for snapshot in taken:
            self._refuse_half(snapshot)
        return taken

    def mark(self, taken: Sequence[Snapshot]) -> Mark:
        """What was read, to be known again."""
        digest = hashlib.sha256("".join(snapshot.sha256 for snapshot in taken).encode()).hexdigest()
        return Mark(tuple(snapshot.look for snapshot in taken), digest, self._digest)

    def same(self, mark: Mark | None, looks: tuple[Look, ...]) -> bool:
        """Whether the files look as they did when ``mark`` was made, and are read the same way."""
        return mark is not None and mark.mapping == self._digest and mark.looks == looks

    def scan(self, taken: Sequence[Snapshot]) -> Iterator[Found]:
        """Everything the files tell; raises Refused when one has not the columns it must have."""
        lines: LineIndex | None = None
        heads = list(taken)
        if self._options.lines is not None and self._options.lines.file:
            last = heads.pop()
            rows = self._rows(last, self.mapping.line_columns)
            lines = LineIndex(iter(rows), file=last.name, options=self._options.lines)
            yield from (self._bad(bad, name=lines.file) for bad in lines.bad)
        seen: dict[str, tuple[str, int]] = {}  # number -> where it stands: about 130 bytes a row
        for snapshot in self._in_order(heads):
            yield from self._scan_one(snapshot, seen, lines)
        if lines is not None:
            yield from self._orphans(lines)

    def understand(self, raw: bytes) -> Told:
        """What was kept raw, read with the mapping of now."""
        try:
            kept = parse_object(raw) if self._options.format == "jsonl" else json.loads(raw)
        except ValueError:
            return self._untold(BadDocument("what was kept is not JSON"), raw)
        if "row" not in kept:
            return self._untold(BadDocument("what was kept is no whole row: it is read again when the file is"), raw)
        rows = [Source(part) for part in kept.get("lines", ())]
        source = Source(kept["row"])
        return self._told(source, rows, raw, number=self.mapping.number(source))

    def _scan_one(
        self, snapshot: Snapshot, seen: dict[str, tuple[str, int]], lines: LineIndex | None
    ) -> Iterator[Found]:
        name = printable(snapshot.name)
        for row in self._rows(snapshot, self.mapping.columns):
            if isinstance(row, BadRow):
                yield self._bad(row, name=name)
                continue
            source = Source(row.cells, name, row.line)
            number = self.mapping.number(source)
            first = seen.get(number) if number else None
            if first is not None and first[0] == name:
                why = f"{name}:{first[1]} and {source.place()} both have the number {number}"
                error = BadDocument(why, place=source.place(), number=number, field=self.mapping.number_fields[0])
                yield Found(Told(self.mapping.kind.name, _raw(row, ()), number=number, error=error))
                continue
            if first is not None and self.mapping.kind.nature is Nature.KEPT:
                continue  # a newer file of the drop folder has it
            if number:
                seen[number] = (name, row.line)
            of_it, bad = lines.of(row.cells.get(self.mapping.join_to)) if lines is not None else ((), None)
            raw = _raw(row, of_it)
            told = self._untold(bad, raw, number=number) if bad else self._told(source, of_it, raw, number=number)
            yield Found(told, certain=bool(told.number))

    def _in_order(self, heads: Sequence[Snapshot]) -> Iterator[Snapshot]:
        """What is kept: the newest name first, since it wins. What happened: as it did. The same content once."""
        once = {snapshot.sha256: snapshot for snapshot in heads}
        ordered = sorted(once.values(), key=lambda snapshot: snapshot.name)
        yield from ordered if self.mapping.kind.nature is Nature.HAPPENED else reversed(ordered)

    def _rows(self, snapshot: Snapshot, columns: set[str]) -> CsvRows | JsonRows:
        name = printable(snapshot.name)
        if self._options.format == "jsonl":
            return JsonRows(snapshot.stream, name=name)
        rows = CsvRows(snapshot.stream, name=name, delimiter=self._options.delimiter, encoding=self._options.encoding)
        rows.require(columns)
        return rows

    def _refuse_half(self, snapshot: Snapshot) -> None:
        """Raise RetryLater for a file whose last row is cut: it ends without a line end and in the middle of a row."""
        if not snapshot.size:
            return
        snapshot.stream.seek(-1, 2)
        ended = snapshot.stream.read(1) in (b"\n", b"\r")
        snapshot.stream.seek(0)
        if ended:
            return
        rows = self._rows(snapshot, set())
        last: Row | BadRow | None = None
        for last in rows:  # noqa: B007  (the last one is what is asked for)
            pass
        rows.release()
        snapshot.stream.seek(0)
        if isinstance(last, BadRow) or last is None:
            raise changing(snapshot.name)

    def _orphans(self, lines: LineIndex) -> Iterator[Found]:
        kind = self.mapping.kind.name
        for named, first in lines.unasked():
            error = BadDocument(
                f"the row names {kind} {named}, which {self._options.file} does not have",
                field=lines.join,
                place=first.place(lines.join),
                number=named,
            )
            yield Found(Told(kind, _broken(json.dumps(dict(first.cells), default=str)), number=named, error=error))

    def _bad(self, row: BadRow, *, name: str) -> Found:
        source = Source(row.cells, name, row.line)
        is_head = self._options.lines is None or name != self._options.lines.file
        number = self.mapping.number(source) if is_head else ""
        error = BadDocument(f"the row {row.why}", place=source.place(row.column), number=number)
        told = Told(self.mapping.kind.name, _broken(row.text), number=number, error=error)
        return Found(told, certain=bool(number) or not is_head)

    def _told(self, source: Source, lines: Sequence[Source], raw: bytes, *, number: str) -> Told:
        try:
            document = self.mapping.document(source, lines, number=number)
        except BadDocument as error:
            return self._untold(error, raw, number=number)
        return Told(self.mapping.kind.name, raw, document=document, far_id=number, number=number)

    def _untold(self, error: BadDocument, raw: bytes, *, number: str = "") -> Told:
        error.number = error.number or number
        return Told(self.mapping.kind.name, raw, far_id=error.number, number=error.number, error=error)


def _raw(row: Row, lines: Sequence[Source]) -> bytes:
    """The row as it stood, with its lines: JSON, the texts of a CSV row by column."""
    head = row.source or json.dumps(row.cells, ensure_ascii=True).encode()
    if not lines:
        return b'{"row":' + head + b"}"
    return b'{"row":' + head + b',"lines":' + json.dumps([line.cells for line in lines], default=str).encode() + b"}"


def _broken(text: str) -> bytes:
    return json.dumps({"broken": text}, ensure_ascii=True).encode()
