"""Documents are put into a folder.

Two ways, each whole and at once. ``json``: one file a document, named by its number, replaced when it changes and taken
away when it is removed: an upsert, and it can be looked up. ``csv`` and ``jsonl``: one file a delivery, named by its
once_key, for a program that takes files away: the same delivery again is the same name and the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from erpsync.adapters.files.cells import neutral
from erpsync.adapters.files.folder import Folder, call_error
from erpsync.adapters.files.jsonrows import parse_object
from erpsync.adapters.files.mapping import RowMapping
from erpsync.adapters.files.naming import file_name
from erpsync.adapters.files.options import KindOptions, WriteOptions, unknown_name
from erpsync.adapters.files.table import Source
from erpsync.adapters.protocol import Evidence, Item, Prepared, Receipt, Revision, Told, Writes
from erpsync.domain.document import Document, flatten
from erpsync.domain.flat import LINES
from erpsync.domain.kinds import Kind
from erpsync.domain.messages import Once
from erpsync.domain.values import json_default
from erpsync.errors import BadDocument, CallError, Conflict, LandscapeError, Refused, SystemDown, Unmappable

_LARGEST = 16 * 1024 * 1024
_JSON = ".json"


class FileTarget:
    """One kind of a system, as a folder documents are put into."""

    def __init__(self, folder: Folder, kind: Kind, options: WriteOptions, *, currency: str, where: str) -> None:
        self._folder, self._kind, self._options = folder, kind, options
        self._mapping = RowMapping(kind, KindOptions(format="jsonl"), currency=currency, where=where)
        self._check(where)

    @property
    def folder(self) -> str:
        """The folder's name, below the system's."""
        return self._options.folder

    @property
    def keeps(self) -> bool:
        """Whether documents stay there and can be read again."""
        return self._options.format == "json"

    def check(self) -> None:
        """Raises SystemDown or AccessDenied when nothing can be put there."""
        try:
            self._folder.check(self._options.folder, writable=True)
        except SystemDown as error:
            if error.code != "missing":
                raise
            self._folder.check(writable=True)  # it is made with the first document

    def writes(self) -> Writes:
        """How a write is made once there."""
        if self.keeps:
            return Writes(Once.IDEMPOTENT, finds=True, upsert=True, removes=True)
        fields = {*self._options.columns, *([LINES] if self._options.lines else [])}
        return Writes(Once.IDEMPOTENT, fields=frozenset(fields) if self._options.format == "csv" else None)

    def prepare(self, item: Item) -> Prepared:
        """The file for an item; raises Unmappable."""
        name = (
            (item.far_id or file_name(item.number, _JSON))
            if self.keeps
            else file_name(item.once_key, f".{self._options.format}")
        )
        if item.removed and not self.keeps:
            raise Unmappable(
                "a file that is taken away cannot say that a document was removed", field="removed", code="removal"
            )
        body = b"" if item.removed else self._body(item.document)
        return Prepared(
            kind=item.kind,
            number=item.number,
            request=f"{'remove' if item.removed else 'put'} {self._options.folder}/{name}",
            body=body,
            far_id=name,
            once_key=item.once_key,
            far_revision=item.far_revision,
        )

    def write(self, prepared: Prepared) -> Receipt:
        """Put one file; raises CallError."""
        name = self._path(prepared.far_id)
        before = self._bytes(name)
        if before is not None and self.keeps:
            self._refuse_other(before, prepared)
        if not prepared.body:
            was_there = before is not None and self._folder.remove(name)
            return Receipt("updated" if was_there else "unchanged", far_id=prepared.far_id, number=prepared.number)
        outcome = (
            "created" if before is None or not self.keeps else "unchanged" if before == prepared.body else "updated"
        )
        if before != prepared.body:
            if before is not None and not self.keeps:
                raise Refused(f"{prepared.far_id} was delivered with another content", code="once_key_used")
            self._folder.replace(name, prepared.body, mode=int(self._options.mode, 8))
        return self._receipt(prepared.body, far_id=prepared.far_id, number=prepared.number, outcome=outcome)

    def find(self, number: str) -> list[Receipt]:
        """The document with this number, if there is one."""
        name = file_name(number, _JSON)
        body = self._bytes(self._path(name))
        if body is None or self._told(name, body).number != number:
            return []
        return [self._receipt(body, far_id=name, number=number, outcome="")]

    def read(self, far_id: str) -> Told:
        """One document as it is now."""
        body = self._bytes(self._path(far_id))
        if body is None:
            return Told(self._kind.name, b"", far_id=far_id, removed=True)
        return self._told(far_id, body)

    def names(self) -> list[str]:
        """The names of all documents there."""
        self._folder.check()
        try:
            return [name.rpartition("/")[2] for name in self._folder.matching(f"{self._options.folder}/*{_JSON}")]
        except SystemDown as error:
            if error.code == "missing":  # nothing was put there yet
                return []
            raise

    def understand(self, raw: bytes) -> Told:
        """A document's file, read with the fields of now."""
        told = self._told("", raw)
        return Told(
            told.kind,
            raw,
            told.document,
            file_name(told.number, _JSON) if told.number else "",
            told.number,
            error=told.error,
        )

    def _told(self, name: str, body: bytes) -> Told:
        number = ""
        try:
            source = Source(parse_object(body), f"{self._options.folder}/{name}")
            number = self._mapping.number(source)
            document = self._mapping.document(source, number=number)
        except ValueError as error:
            error_ = BadDocument(f"{name} {error}", place=f"{self._options.folder}/{name}")
            return Told(self._kind.name, body, far_id=name, error=error_)
        except BadDocument as error:
            return Told(self._kind.name, body, far_id=name, number=number, error=error)
        return Told(self._kind.name, body, document, far_id=name, number=number, revision=_revision(body))

    def _receipt(self, body: bytes, *, far_id: str, number: str, outcome: str) -> Receipt:
        evidence = Evidence(answer=f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}".encode())
        if not self.keeps:
            return Receipt(outcome, far_id=far_id, number=number, evidence=evidence)
        document = self._told(far_id, body).document
        holds = flatten(document) if document is not None else None
        return Receipt(outcome, far_id, _revision(body), holds, number, evidence)

    def _refuse_other(self, before: bytes, prepared: Prepared) -> None:
        """A file of another number, or one that somebody changed since we saw it, is not written over."""
        told = self._told(prepared.far_id, before)
        if told.number and told.number != prepared.number:
            raise Refused(f"{prepared.far_id} holds {self._kind.name} {told.number}", code="name_taken")
        if prepared.far_revision and before != prepared.body and _revision(before).text != prepared.far_revision:
            raise Conflict(f"{prepared.far_id} was changed by somebody else", code="changed")

    def _bytes(self, name: str) -> bytes | None:
        try:
            fd = self._folder.open(name)
        except SystemDown as error:
            if error.code == "missing":
                self._folder.check()  # the system's own folder must be there
                return None
            raise
        try:
            with open(fd, "rb") as file:  # noqa: PTH123  (a descriptor, not a path)
                body = file.read(_LARGEST + 1)
        except OSError as error:
            raise call_error(error, name) from None
        if len(body) > _LARGEST:
            raise Refused(f"{name} is larger than {_LARGEST:,} bytes", code="too_large")
        return body

    def _path(self, name: str) -> str:
        if "/" in name or "\0" in name or name.startswith(".") or os.sep in name:
            raise Refused(f"{name!r} is no file name of ours", code="bad_name")
        return f"{self._options.folder}/{name}"

    def _body(self, document: Document) -> bytes:
        if self._options.format == "csv":
            return self._csv(document)
        content = document.model_dump(exclude_unset=True)
        indent = 2 if self.keeps else None
        return json.dumps(content, default=json_default, indent=indent, sort_keys=True).encode() + b"\n"

    def _csv(self, document: Document) -> bytes:
        columns, lines = self._options.columns, self._options.lines
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._options.delimiter, lineterminator="\r\n")
        writer.writerow([neutral(name) for name in (*columns.values(), *lines.values())])
        head = [_cell(getattr(document, field)) for field in columns]
        rows: list[list[str]] = [
            [_cell(getattr(line, field)) for field in lines]
            for line in (getattr(document, LINES, None) or () if lines else ())
        ]
        for row in rows or [[""] * len(lines)]:
            writer.writerow([*head, *row])
        return text.getvalue().encode()

    def _check(self, where: str) -> None:
        options = self._options
        models: list[tuple[str, Mapping[str, str], Any]] = [("columns", options.columns, self._kind.model)]
        models.append(("lines", options.lines, self._mapping.line_model))
        for part, columns, model in models:
            valid = tuple(name for name in model.model_fields if name != LINES) if model else ()
            for field in columns:
                if options.format != "csv" or field not in valid:
                    raise unknown_name(
                        f"{where}.{part}.{field}", field, valid if options.format == "csv" else (), what="field"
                    )
        missing = [name for name in self._mapping.number_fields if name not in options.columns]
        if options.format == "csv" and missing:
            raise LandscapeError(f"{where}.columns has no {missing[0]}", where=f"{where}.columns", found=missing[0])


def _cell(value: Any) -> str:
    """A value as a CSV cell; only texts can look like formulas."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal() | datetime() | date():
            return json_default(value)
        case _:
            return neutral(str(value))


def _revision(body: bytes) -> Revision:
    return Revision(hashlib.sha256(body).hexdigest()[:16])


def failed(prepared: Prepared, error: CallError) -> Receipt:
    """The receipt of a write that did not come about."""
    return Receipt(number=prepared.number, far_id=prepared.far_id, error=error)
