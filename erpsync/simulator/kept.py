"""What one far system keeps: its documents, the log of their changes, and the journal on disk that brings them back.

Every change is a line in the journal before it is answered: a process that is killed loses nothing it answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from erpsync.domain.kinds import kind_named
from erpsync.simulator.fields import Json


@dataclass(frozen=True, slots=True)
class Far:
    """One document as the system keeps it; a change makes a new one. ``by``: ``request 17``, ``clerk`` or ``seed``."""

    id: int
    kind: str
    number: str
    fields: Json
    version: int
    created_at: str
    modified_at: str
    by: str
    deleted: bool = False
    overlay: Json | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the change log: the document as of then. ``action`` is created, updated or deleted."""

    seq: int
    action: str
    document: Far


def number_of_fields(kind: str, fields: Json) -> str:
    """The business number in canonical fields; empty where it cannot be told."""
    try:
        return kind_named(kind).number(fields)
    except (KeyError, TypeError):
        return ""


class Kept:
    """The documents of one system. ``folder`` None keeps them in memory alone."""

    def __init__(self, name: str, folder: Path | None) -> None:
        self.changes: list[Change] = []
        self.answers: dict[str, Json] = {}
        self._documents: dict[str, dict[int, Far]] = {}
        self._by_number: dict[str, dict[str, list[int]]] = {}
        self._sorted: dict[tuple[str, bool], list[Far]] = {}
        self._journal: TextIO | None = None
        if folder is not None:
            path = folder / f"{name}.jsonl"
            if path.exists():
                _drop_half_line(path)
                self._replay(path)
            self._journal = path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the journal."""
        if self._journal:
            self._journal.close()

    def create(
        self, kind: str, fields: Json, *, stamp: str, by: str, number: str = "", overlay: Json | None = None
    ) -> Far:
        """A new document with an id of its own, whatever is there already."""
        far_id = len(self._documents.get(kind, {})) + 1
        number = number or number_of_fields(kind, fields)
        return self._commit(Far(far_id, kind, number, fields, 1, stamp, stamp, by, overlay=overlay))

    def change(self, old: Far, fields: Json, *, stamp: str, by: str, overlay: Json | None = None) -> Far:
        """The document with these fields instead."""
        number = number_of_fields(old.kind, fields) or old.number
        laid = {**(old.overlay or {}), **overlay} if overlay else old.overlay
        new = replace(
            old,
            fields=fields,
            number=number,
            version=old.version + 1,
            modified_at=stamp,
            by=by,
            deleted=False,
            overlay=laid,
        )
        return self._commit(new)

    def remove(self, old: Far, *, stamp: str, by: str) -> Far:
        """The document taken away; its tombstone stays."""
        return self._commit(replace(old, version=old.version + 1, modified_at=stamp, by=by, deleted=True))

    def remember(self, key: str, answer: Json) -> None:
        """Keep what was answered under an idempotency key."""
        self.answers[key] = answer
        self._write({"key": key, "answer": answer})

    def by_id(self, kind: str, far_id: int) -> Far | None:
        """The document with this id, its tombstone too."""
        return self._documents.get(kind, {}).get(far_id)

    def by_number(self, kind: str, number: str) -> list[Far]:
        """Every document there with this business number, oldest first."""
        ids = self._by_number.get(kind, {}).get(number, ())
        found = (self._documents[kind][far_id] for far_id in ids)
        return [document for document in found if not document.deleted and document.number == number]

    def all(self, kind: str, *, deleted: bool = False) -> list[Far]:
        """Every document of a kind, oldest first."""
        if (kind, deleted) not in self._sorted:
            documents = self._documents.get(kind, {}).values()
            self._sorted[kind, deleted] = [document for document in documents if deleted or not document.deleted]
        return self._sorted[kind, deleted]

    def since(self, kind: str, stamp: str, *, deleted: bool = False) -> list[Far]:
        """Those changed at or after a moment, by moment and id."""
        found = [document for document in self.all(kind, deleted=deleted) if document.modified_at >= stamp]
        return sorted(found, key=lambda document: (document.modified_at, document.id))

    def counts(self) -> dict[str, int]:
        """How many documents are kept, per kind."""
        return {kind: len(self.all(kind)) for kind in sorted(self._documents)}

    def twice(self) -> dict[str, dict[str, list[Far]]]:
        """Per kind, the numbers that several documents have."""
        found: dict[str, dict[str, list[Far]]] = {}
        for kind, numbers in self._by_number.items():
            for number, ids in numbers.items():
                if len(ids) > 1 and len(same := self.by_number(kind, number)) > 1:
                    found.setdefault(kind, {})[number] = same
        return found

    def _commit(self, document: Far) -> Far:
        self._write({"document": asdict(document)})
        self._put(document)
        return document

    def _put(self, document: Far) -> None:
        shelf = self._documents.setdefault(document.kind, {})
        known = document.id in shelf
        action = "deleted" if document.deleted else "updated" if known else "created"
        shelf[document.id] = document
        ids = self._by_number.setdefault(document.kind, {}).setdefault(document.number, [])
        if document.id not in ids:
            ids.append(document.id)
        self._sorted.pop((document.kind, True), None)
        self._sorted.pop((document.kind, False), None)
        self.changes.append(Change(len(self.changes) + 1, action, document))

    def _write(self, line: dict[str, Any]) -> None:
        if self._journal:
            self._journal.write(json.dumps(line) + "\n")
            self._journal.flush()

    def _replay(self, path: Path) -> None:
        for line in _lines(path):
            if "document" in line:
                self._put(Far(**line["document"]))
            else:
                self.answers[line["key"]] = line["answer"]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _drop_half_line(path: Path) -> None:
    """A kill may leave half a line behind: nobody was answered for it."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
