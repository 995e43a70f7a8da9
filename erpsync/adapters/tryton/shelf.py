"""A kind as Tryton keeps it: the model, the fields asked for, and what they say in our words.

One rule: what a record says is worked out from its raw form alone, so that what was kept can be read again later.
The raw form is the record as Tryton gave it beside the few facts of the company that it cannot be read without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from erpsync.adapters.http.jsontext import canonical, read_strict
from erpsync.adapters.protocol import Revision, Told
from erpsync.adapters.tryton.envelope import decode
from erpsync.adapters.tryton.options import Options
from erpsync.domain.document import read_document
from erpsync.domain.kinds import kind_named
from erpsync.errors import BadDocument

Record = Mapping[str, Any]
STAMP = "last_modified_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Follows:
    """A model whose changes change the document though the document's own stamp stays.

    ``up`` is its field that names the document ('' for its own id), ``by`` the document's field to search that in.
    """

    model: str
    up: str
    by: str


@dataclass(frozen=True)
class Shelf:
    """How a kind is kept. ``content`` gives the canonical fields of a decoded record."""

    kind: str
    model: str
    fields: tuple[str, ...]
    number: Callable[[Record], Any]
    content: Callable[[Record, Record, Options], dict[str, Any]]
    follows: tuple[Follows, ...] = ()
    domain: tuple[Any, ...] = ()
    ordered: bool = True

    def told(self, record: Any, about: Record, options: Options) -> Told:
        """What a record says, ``about`` being the company's facts."""
        return self.understand(canonical({"model": self.model, "record": record, "about": dict(about)}), options)

    def understand(self, raw: bytes, options: Options) -> Told:
        """What the raw form says; a document that cannot be read carries its error."""
        far_id = number = ""
        revision, at = None, None
        try:
            kept = decode(read_strict(raw))
            record = kept["record"]
            far_id = str(record["id"])
            at = max(stamps(record), default=None)
            revision = _revision(at, ordered=self.ordered) if at else None
            number = str(self.number(record) or "")
            document = read_document(
                kind_named(self.kind).model,
                self.content(record, kept["about"], options),
                place=f"{self.model},{far_id}",
                number=number,
            )
        except BadDocument as error:
            return Told(self.kind, raw, far_id=far_id, number=number, revision=revision, at=at, error=error)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            bad = BadDocument(
                f"{self.model} {far_id or '?'} has a form that is not known: {error!r}", place=f"{self.model},{far_id}"
            )
            return Told(self.kind, raw, far_id=far_id, number=number, revision=revision, at=at, error=bad)
        return Told(self.kind, raw, document=document, far_id=far_id, number=number, revision=revision, at=at)


def stamps(record: Any) -> Iterator[datetime]:
    """When a decoded record and what it holds were changed last, each of them."""
    if isinstance(record, list):
        for item in record:
            yield from stamps(item)
    elif isinstance(record, Mapping):
        for name, value in record.items():
            if name == STAMP and isinstance(value, datetime):
                yield value
            elif isinstance(value, list | Mapping):
                yield from stamps(value)


def text(value: Any) -> Any:
    """A far text, None where it is empty: Tryton makes no difference."""
    return None if value == "" else value


def _revision(at: datetime, *, ordered: bool) -> Revision:
    order = (at - _EPOCH) // timedelta(microseconds=1) if ordered else None
    return Revision(at.isoformat().replace("+00:00", "Z"), order)
