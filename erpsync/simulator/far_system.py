"""A far system without its network: what it keeps, how it reads a write, what it refuses, what time it has.

Each of the three (``erp.py``, ``shop.py``, ``wms.py``) says how it looks; nothing here knows HTTP's bytes.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from erpsync.simulator.faults import Faults
from erpsync.simulator.fields import Context, Json, Shape, stamp
from erpsync.simulator.kept import Far, Kept, number_of_fields
from erpsync.simulator.shapes import Parents, Problem, Taking, at, lay_over, show, told

WRITING = ("POST", "PUT", "PATCH", "DELETE")


class BadRequest(Exception):  # noqa: N818  (it is an answer, not a failure of ours)
    """A request that is not understood; ``field`` is what is wrong with it."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Call:
    """A request as the system's own code sees it."""

    method: str
    path: str
    parts: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    no: int

    @property
    def write(self) -> bool:
        """Whether it may change something."""
        return self.method in WRITING

    @cached_property
    def json(self) -> Any:
        """The body, numbers exact; raises BadRequest."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON") from None

    def whole_number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number from the query; raises BadRequest."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise BadRequest(f"{name} must be from {least} to {most}", field=name)
        return int(text)


@dataclass
class Answer:
    """What is answered. ``document`` is what was kept by it, if anything was."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    document: Far | None = None
    replayed: bool = False


class FarSystem(ABC):
    """One system: its documents, its faults, and its way to answer."""

    name: str
    once: str
    prefix: tuple[str, ...]
    shapes: Sequence[Shape]
    strict = True
    secret: str
    user = ""

    def __init__(self, folder: Path | None, faults: Faults) -> None:
        self.kept = Kept(self.name, folder)
        self.faults = faults
        self.clock_offset = timedelta()
        self.by_collection = {shape.collection: shape for shape in self.shapes}
        self.by_kind = {shape.kind: shape for shape in self.shapes}

    @abstractmethod
    def allows(self, headers: Mapping[str, str]) -> bool:
        """Whether these headers let one in."""

    @abstractmethod
    def denial(self) -> Answer:
        """What it says to those it does not let in."""

    @abstractmethod
    def broken(self, status: int) -> Answer:
        """How it fails."""

    @abstractmethod
    def throttled(self, retry_after: str) -> Answer:
        """How it asks to come back later."""

    @abstractmethod
    def answer(self, call: Call) -> Answer:
        """Do what is asked for, whole, at once."""

    def shown_id(self, kind: str, far_id: int) -> Any:  # noqa: ARG002  (ids look alike for all kinds, by default)
        """An id as its interface shows it: a whole number."""
        return far_id

    def id_in(self, kind: str, shown: Any) -> int:  # noqa: ARG002  (ids look alike for all kinds, by default)
        """The id in what its interface shows, a whole number or its digits; 0 for none of its own."""
        text = str(shown)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def begin(self, call: Call) -> Answer | None:  # noqa: ARG002  (most systems take every write as a new one)
        """What is answered to a write without doing it (a repeated key); None goes on."""
        return None

    def end(self, call: Call, answer: Answer | None) -> None:  # noqa: B027  (nothing to remember, by default)
        """After a write for which ``begin`` gave None; ``answer`` is None when it never took effect."""

    def rate_headers(self, remaining: int) -> dict[str, str]:
        """Headers that tell of its rate."""
        return {} if remaining < 0 else {"X-RateLimit-Remaining": str(remaining)}

    def now(self) -> datetime:
        """The time by its clock."""
        return datetime.now(UTC) + self.clock_offset

    def stamp(self) -> str:
        """The time by its clock, as it is kept."""
        return stamp(self.now())

    @property
    def stuck(self) -> bool:
        """Whether every list page is the first one, whichever is asked for."""
        return bool(self.faults.settings["stuck_pages"])

    @property
    def zone(self) -> ZoneInfo:
        """The zone its local times are in."""
        return ZoneInfo(self.faults.rules["zone"])

    def subject(self, call: Call) -> tuple[str, str]:
        """The kind and number that a request is about, as far as they can be told."""
        parts = call.parts[len(self.prefix) :]
        if call.parts[: len(self.prefix)] != self.prefix or not parts or parts[0] not in self.by_collection:
            return "", ""
        shape = self.by_collection[parts[0]]
        if len(parts) == 2 and (document := self.kept.by_id(shape.kind, self.id_in(shape.kind, parts[1]))):
            return shape.kind, document.number
        if len(parts) == 3:
            return shape.kind, "@".join(parts[1:])
        source: Any = call.query
        if call.write:
            try:
                source = call.json
            except BadRequest:
                return shape.kind, ""
        values = [at(source, place) for place in shape.number]
        return shape.kind, "@".join(str(value) for value in values if isinstance(value, str | int))

    def shown(self, document: Far) -> Json:
        """A document as its interface shows it, without what is about the record itself."""
        shape = self.by_kind[document.kind]
        return show(shape, document.fields, context=self._context(document.fields), parents=self._parents)

    def overlaid(self, document: Far, body: Json) -> Json:
        """The body with what a clerk planted laid over it."""
        if document.overlay:
            lay_over(body, document.overlay)
        return body

    @abstractmethod
    def full(self, document: Far) -> Json:
        """A document as its interface shows it, whole."""

    def living(self, kind: str, shown_id: Any) -> Far | None:
        """The document with this id, unless it was deleted."""
        document = self.kept.by_id(kind, self.id_in(kind, shown_id))
        return None if document is None or document.deleted else document

    def found(self, kind: str, number: str) -> list[Far]:
        """What a search for a number finds: new documents only after a while, if so set."""
        blind = timedelta(seconds=self.faults.settings["find_blind_seconds"])
        latest = stamp(self.now() - blind)
        return [
            document for document in self.kept.by_number(kind, number) if not blind or document.created_at <= latest
        ]

    def keep_new(self, shape: Shape, body: Any, *, by: str) -> Far | list[Problem]:
        """A new document from a write, or what is wrong with it."""
        fields, problems = self._taken(shape, body, partial=False, currency=None)
        number = number_of_fields(shape.kind, fields)
        if not problems and self.faults.rules["unique"] and self.kept.by_number(shape.kind, number):
            problems = [Problem(shape.number[0], "duplicate", "is taken", number)]
        if problems := problems or self._refused(shape, number, fields):
            return problems
        return self.kept.create(shape.kind, fields, stamp=self.stamp(), by=by)

    def keep_change(self, document: Far, body: Any, *, partial: bool, by: str) -> Far | list[Problem]:
        """The changed document from a write, or what is wrong with it."""
        shape = self.by_kind[document.kind]
        fields, problems = self._taken(shape, body, partial=partial, currency=document.fields.get("currency"))
        if partial:
            fields = {**document.fields, **fields}
        if problems := problems or self._refused(shape, document.number, fields):
            return problems
        return self.kept.change(document, fields, stamp=self.stamp(), by=by)

    def take_away(self, document: Far, call: Call) -> Far:
        """The tombstone of a document that a write deletes."""
        return self.kept.remove(document, stamp=self.stamp(), by=f"request {call.no}")

    def _taken(self, shape: Shape, body: Any, *, partial: bool, currency: Any) -> tuple[Json, list[Problem]]:
        place = next((f.far for f in shape.fields if f.name == "currency"), "")
        if place and told(body, place):
            currency = at(body, place)
        context = self._context({"currency": currency})
        taking = Taking(context, self._parents, partial=partial, strict=self.strict)
        return taking.document(shape, body), taking.problems

    def _refused(self, shape: Shape, number: str, fields: Json) -> list[Problem]:
        names = {f.name: f.far for f in shape.fields}
        return [
            Problem(names.get(rule.field, rule.field), rule.code, rule.message, fields.get(rule.field))
            for rule in self.faults.refuse
            if rule.kind == shape.kind and rule.number in ("", number) and rule.value in (None, fields.get(rule.field))
        ]

    def _context(self, fields: Json) -> Context:
        currency = fields.get("currency")
        return Context(currency if isinstance(currency, str) else "USD", self.zone)

    @property
    def _parents(self) -> Parents:
        return Parents(self._parent_number, self._parent_id, bool(self.faults.rules["parents"]))

    def _parent_number(self, kind: str, shown_id: Any) -> str | None:
        document = self.living(kind, shown_id)
        return document.number if document else None

    def _parent_id(self, kind: str, number: str) -> Any:
        documents = self.kept.by_number(kind, number)
        return self.shown_id(kind, documents[0].id) if documents else None
