"""A far system in memory, of any class, that does what a test tells it: the border's stand-in for engine tests.

It counts the writes that reached it and the documents it keeps, apart. ``answers`` scripts its next writes.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from erpsync.adapters.protocol import (
    Capabilities,
    Evidence,
    Health,
    Item,
    Page,
    Prepared,
    Reads,
    Receipt,
    Revision,
    Told,
    Writes,
)
from erpsync.domain.document import flatten, read_document, unflatten
from erpsync.domain.flat import Fields
from erpsync.domain.kinds import kind_named
from erpsync.domain.messages import Once
from erpsync.domain.values import json_default
from erpsync.errors import BadDocument, CallError, OutcomeUnknown, Refused


@dataclass
class Far:
    """One document as the far system keeps it."""

    far_id: str
    kind: str
    number: str
    fields: Fields
    revision: int
    visible: bool = True


@dataclass
class Answer:
    """What the system does with one write: ``error`` is raised, before or after it was done; ``then`` runs in between."""

    error: CallError | None = None
    done: bool = False
    then: Callable[[], None] | None = None


@dataclass
class FarSystem:
    """An adapter whose far side is this object."""

    system: str
    once: Once
    clock: Callable[[], datetime]
    kinds: tuple[str, ...] = ("item", "customer", "stock", "order", "shipment", "movement")
    finds: bool | None = None
    reads_one: bool = True
    tells_holds: bool = True
    carries: dict[str, frozenset[str]] = field(default_factory=dict)
    rounds: Callable[[str, object], object] | None = None
    key_life: timedelta | None = None
    documents: dict[str, Far] = field(default_factory=dict)
    keys: dict[str, Receipt] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    writes: list[tuple[str, str, bytes]] = field(default_factory=list)  # (request, once_key, body) as they arrived
    finds_made: list[tuple[str, str]] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    read_error: CallError | None = None
    probe_error: CallError | None = None
    feed: list[Told] = field(default_factory=list)
    ordered: bool = True
    changes_offered: bool = True
    removes: bool = True
    refuses_gone: bool = False  # an update of a document that is not there is a refusal, as most say 404
    probes: int = 0

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._revisions = itertools.count(1)

    # What a test does over there --------------------------------------------------------------------------------

    def keep(self, kind: str, **content: object) -> Far:
        """A document that is there (or changed there) without us."""
        document = read_document(kind_named(kind).model, content)
        fields = flatten(document)
        number = kind_named(kind).number(fields)
        there = next((far for far in self.documents.values() if (far.kind, far.number) == (kind, number)), None)
        if there is None:
            there = Far(f"{self.system}-{next(self._ids)}", kind, number, {}, 0)
            self.documents[there.far_id] = there
        if "lines" in document.model_fields_set:
            there.fields = {path: value for path, value in there.fields.items() if not path.startswith("lines.")}
        there.fields.update(fields)
        there.revision = next(self._revisions)
        self.feed.append(self._told(there))
        return there

    def send(self, event_id: str, kind: str, **content: object) -> Told:
        """An event with an id of its own, put into the feed; sending it again is a duplicate."""
        self.keep(kind, **content)
        self.feed[-1] = replace(self.feed[-1], event_id=event_id)
        return self.feed[-1]

    def garble(self, kind: str, number: str, raw: bytes = b'{"fault": 1}', *, far_id: str = "", why: str = "") -> Told:
        """Something told that cannot be read; it says no more than its number, if that."""
        error = BadDocument(why or "price is no number", field="price", place="items.csv:17:3", number=number)
        self.feed.append(Told(kind=kind, raw=raw, number=number, far_id=far_id, error=error))
        return self.feed[-1]

    def remove(self, kind: str, number: str) -> None:
        """A document taken away over there."""
        far = next(far for far in self.documents.values() if (far.kind, far.number) == (kind, number))
        del self.documents[far.far_id]

    def kept(self, kind: str, number: str) -> list[Far]:
        """The documents it keeps under a number."""
        return [far for far in self.documents.values() if (far.kind, far.number) == (kind, number)]

    def writes_of(self, number: str) -> list[tuple[str, str, bytes]]:
        """The writes that arrived for a number."""
        return [write for write in self.writes if json.loads(write[2])["number"] == number]

    def count(self) -> Counter[str]:
        """How many documents it keeps, by kind."""
        return Counter(far.kind for far in self.documents.values())

    # The adapter -----------------------------------------------------------------------------------------------

    @property
    def _finds(self) -> bool:
        return self.finds if self.finds is not None else self.once is not Once.BLIND

    def capabilities(self) -> Capabilities:
        return Capabilities(
            reads={
                k: Reads(changes=self.changes_offered, scan=True, one=self.reads_one, ordered=self.ordered)
                for k in self.kinds
            },
            writes={
                k: Writes(
                    self.once,
                    fields=self.carries.get(k),
                    finds=self._finds,
                    key_life=self.key_life,
                    removes=self.removes,
                )
                for k in self.kinds
            },
        )

    def _told(self, far: Far) -> Told:
        model = kind_named(far.kind).model
        return Told(
            kind=far.kind,
            raw=json.dumps({"id": far.far_id, "fields": far.fields}, sort_keys=True).encode(),
            document=unflatten(model, far.fields),
            far_id=far.far_id,
            revision=Revision(str(far.revision), far.revision) if self.ordered else None,
            at=self.clock(),
        )

    async def changes(self, kind: str, cursor: str) -> AsyncIterator[Page]:
        if self.read_error is not None:
            raise self.read_error
        start = int(cursor or 0)
        tolds = [told for told in self.feed[start:] if told.kind == kind]
        yield Page(tolds, str(len(self.feed)), more=False, read_at=self.clock())

    async def scan(self, kind: str) -> AsyncIterator[Page]:
        if self.read_error is not None:
            raise self.read_error
        tolds = [self._told(far) for far in self.documents.values() if far.kind == kind]
        yield Page(tolds, "", more=False, read_at=self.clock())

    async def read(self, kind: str, far_id: str) -> Told:
        far = self.documents.get(far_id)
        if far is None:
            return Told(kind=kind, raw=b"", far_id=far_id, removed=True)
        return self._told(far)

    def understand(self, kind: str, raw: bytes) -> Told:
        content = json.loads(raw)
        if "fields" not in content:
            return Told(kind=kind, raw=raw, error=BadDocument("it is still no document"))
        document = unflatten(kind_named(kind).model, content["fields"])
        return Told(kind=kind, raw=raw, document=document, far_id=content["id"])

    def prepare(self, item: Item) -> Prepared:
        content = {
            "number": item.number,
            "far_id": item.far_id,
            "removed": item.removed,
            "fields": {name: flatten(item.document).get(name) for name in sorted(item.changed)},
        }
        body = json.dumps(content, sort_keys=True, default=json_default).encode()
        verb = "PATCH" if item.far_id else "POST"
        return Prepared(
            item.kind, item.number, f"{verb} /{item.kind}", (), body, item.far_id, item.once_key, item.far_revision
        )

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Receipt]:
        return [await self._write(prepared) for prepared in batch]

    async def _write(self, prepared: Prepared) -> Receipt:
        self.writes.append((prepared.request, prepared.once_key, prepared.body))
        answer = self.answers.popleft() if self.answers else Answer()
        if answer.error is not None and not answer.done:
            if answer.then:
                answer.then()
            return Receipt(error=answer.error, evidence=Evidence(sent_at=self.clock()))
        receipt = self._do(prepared)
        if answer.then:
            answer.then()
        if answer.error is not None:
            return Receipt(error=answer.error, evidence=Evidence(sent_at=self.clock()))
        return receipt

    def _do(self, prepared: Prepared) -> Receipt:
        if self.once is Once.IDEMPOTENT and (before := self.keys.get(prepared.once_key)) is not None:
            assert self.bodies[prepared.once_key] == prepared.body, "same key, other body"
            return before
        content = json.loads(prepared.body)
        far = self.documents.get(prepared.far_id)
        if far is None and prepared.far_id and self.refuses_gone:
            return Receipt(error=Refused(f"404: there is no {prepared.far_id}", code="http_404"))
        outcome = "updated" if far is not None else "created"
        if far is None:
            far = Far(f"{self.system}-{next(self._ids)}", prepared.kind, prepared.number, {}, 0)
            self.documents[far.far_id] = far
        if content["removed"]:
            del self.documents[far.far_id]
        for name, value in content["fields"].items():
            far.fields[name] = self.rounds(name, value) if self.rounds else value
        far.revision = next(self._revisions)
        receipt = Receipt(
            outcome=outcome,
            far_id=far.far_id,
            far_revision=Revision(str(far.revision), far.revision) if self.ordered else None,
            holds=dict(far.fields) if self.tells_holds and not content["removed"] else None,
            number=far.number,
            evidence=Evidence(status=200, answer=b"{}", seconds=0.001, sent_at=self.clock()),
        )
        if self.once is Once.IDEMPOTENT:
            self.keys[prepared.once_key] = receipt
            self.bodies[prepared.once_key] = prepared.body
        return receipt

    async def find(self, kind: str, number: str) -> Sequence[Receipt]:
        self.finds_made.append((kind, number))
        return [
            Receipt(
                far_id=far.far_id,
                far_revision=Revision(str(far.revision), far.revision),
                holds=dict(far.fields),
                number=number,
            )
            for far in self.kept(kind, number)
            if far.visible
        ]

    async def probe(self) -> Health:
        self.probes += 1
        if self.probe_error is not None:
            raise self.probe_error
        return Health(0.001)

    async def close(self) -> None:
        return None


def lost(*, done: bool = True) -> Answer:
    """The answer is lost: after the write was done, or before."""
    return Answer(OutcomeUnknown("no answer in 10 s: POST /x", code="timeout"), done=done)
