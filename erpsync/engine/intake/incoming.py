"""What a system told, made ready outside any transaction: flat, hashed, timed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from erpsync.adapters.protocol import Told
from erpsync.domain.document import flatten
from erpsync.domain.flat import LINES, Fields, json_bytes
from erpsync.domain.kinds import Kind, kind_named
from erpsync.store.connection import ms
from erpsync.store.payloads import digest


@dataclass(slots=True)
class Incoming:
    """One thing told. ``read_at`` is our time before it was asked for, ``at`` the source's own; both milliseconds."""

    kind: Kind
    number: str
    fields: Fields
    tells_lines: bool
    canonical: bytes
    content_hash: bytes
    raw: bytes
    raw_hash: bytes
    far_id: str
    removed: bool
    far_revision: str | None
    far_order: int | None
    source_event_id: str
    at: int | None
    zone: str
    read_at: int
    error: str = ""
    error_place: str = ""
    whole_scan: bool = False
    event_id: int | None = None  # of the kept event that is read again

    @property
    def key(self) -> str:
        """Its business key, short form, as far as it is known."""
        return f"{self.kind.name}:{self.number or '?'}"

    @property
    def dup_key(self) -> str:
        """What a sent event is known by: its id, else key, revision and content. Empty: it was read, not sent."""
        return f"id:{self.source_event_id}" if self.source_event_id else ""


def receive(tolds: Iterable[Told], *, read_at: datetime, whole_scan: bool = False) -> list[Incoming]:
    """Each thing told, ready to be decided about."""
    began = ms(read_at)
    return [_receive(told, began, whole_scan) for told in tolds]


def _receive(told: Told, read_at: int, whole_scan: bool) -> Incoming:
    kind = kind_named(told.kind)
    fields: Fields = {}
    number, tells_lines = told.number, False
    if told.document is not None:
        fields = flatten(told.document)
        number = kind.number(fields)
        tells_lines = LINES in told.document.__pydantic_fields_set__
    canonical = json_bytes(fields) if fields else b""
    raw_hash = digest(told.raw)
    revision, error = told.revision, told.error
    return Incoming(  # by position: with names it costs three times as much
        kind,
        number,
        fields,
        tells_lines,
        canonical,
        digest(canonical) if canonical else raw_hash,
        told.raw,
        raw_hash,
        told.far_id,
        told.removed,
        revision.text if revision else None,
        revision.order if revision else None,
        told.event_id,
        ms(told.at) if told.at else None,
        told.zone,
        read_at,
        error.message if error else "",
        error.place if error else "",
        whole_scan,
    )
