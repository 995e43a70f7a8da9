"""What a system told, made ready outside any transaction: flat, hashed, timed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from erpsync.adapters.protocol import Told
from erpsync.domain.document import flatten
from erpsync.domain.flat import Fields, json_bytes
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
        tells_lines = "lines" in told.document.model_fields_set
    canonical = json_bytes(fields) if fields else b""
    raw_hash = digest(told.raw)
    return Incoming(
        kind=kind,
        number=number,
        fields=fields,
        tells_lines=tells_lines,
        canonical=canonical,
        content_hash=digest(canonical) if canonical else raw_hash,
        raw=told.raw,
        raw_hash=raw_hash,
        far_id=told.far_id,
        removed=told.removed,
        far_revision=told.revision.text if told.revision else None,
        far_order=told.revision.order if told.revision else None,
        source_event_id=told.event_id,
        at=ms(told.at) if told.at else None,
        zone=told.zone,
        read_at=read_at,
        error=told.error.message if told.error else "",
        error_place=told.error.place if told.error else "",
        whole_scan=whole_scan,
    )
