"""The filter language over documents of one kind: what a flow's ``where`` may ask, and of what it is asked.

One rule: a filter that passes ``check_document_filter`` can be asked of every document of the kind.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

from erpsync.domain.document import unflatten
from erpsync.domain.filters import Node, check_fields, leaves, matches
from erpsync.domain.flat import LINES, Flat
from erpsync.domain.kinds import Kind

_SAMPLES: dict[type, object] = {
    bool: True,
    Decimal: Decimal(1),
    datetime: datetime(2000, 1, 1, tzinfo=UTC),
    date: date(2000, 1, 1),
    int: 1,
}


def document_fields(kind: Kind) -> tuple[str, ...]:
    """The fields of a kind that a filter can ask about: all but its lines."""
    return tuple(name for name in kind.model.model_fields if name != LINES)


def document_values(kind: Kind, fields: Flat) -> dict[str, object]:
    """The plain values of a document in flat form, for ``matches``; None where nothing was told."""
    document = unflatten(kind.model, fields)
    return {name: getattr(document, name, None) for name in document_fields(kind)}


def check_document_filter(kind: Kind, node: Node) -> None:
    """Raise FilterError when a filter asks what documents of this kind cannot answer."""
    check_fields(node, document_fields(kind), subject=kind.plural)
    samples = {name: _sample(info.annotation) for name, info in kind.model.model_fields.items()}
    for leaf in leaves(node):
        matches(leaf, samples, now=datetime(2000, 1, 1, tzinfo=UTC))


def _sample(annotation: Any) -> object:
    if isinstance(annotation, type):
        return _SAMPLES.get(annotation, "a")
    return next((sample for part in get_args(annotation) if (sample := _sample(part)) != "a"), "a")
