"""Building what is sent: a kept document from its record as it is now, what happened from its own content.

Pure: the same claimed message and the same books give the same item, or say why nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from erpsync.adapters.protocol import Item
from erpsync.domain.document import unflatten
from erpsync.domain.flat import Fields
from erpsync.domain.kinds import Nature
from erpsync.domain.messages import Reason
from erpsync.domain.ownership import carried, differs
from erpsync.engine.routes import Route, changed_only
from erpsync.store.claimed import Claimed


@dataclass(frozen=True)
class Nothing:
    """Nothing is sent, and why."""

    reason: Reason


@dataclass(frozen=True)
class Missing:
    """The target lacks these documents, which this one names."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """It must be looked for before it is created."""


@dataclass(frozen=True)
class Ready:
    """An item to be sent, and what it asks the target to hold: nothing, where it is to be removed."""

    item: Item
    asked: Fields


def build(
    claimed: Claimed,
    route: Route,
    *,
    parents: Mapping[str, str],
    once_key: str,
    now: datetime,
    looked: bool = False,
) -> Nothing | Missing | Look | Ready:
    """What to do with a claimed message. ``parents``: what the target calls each key it has, of those this one names."""
    record, picture = claimed.record, claimed.picture
    there = bool(claimed.far_id)
    held = picture.fields if picture is not None and picture.present else {}
    if record.removed:
        if not there or (picture is not None and not picture.present):
            return Nothing(Reason.REMOVED)
        if not route.writes.removes:
            return Nothing(Reason.FILTERED)
    elif not route.lets_through(record.fields, now=now):
        return Nothing(Reason.FILTERED)
    asked_before = picture.asked if picture is not None else {}
    changed = differs(record.fields, held, asked=asked_before, carries=route.carries)
    happened = route.kind.nature is Nature.HAPPENED
    if there and (happened or not changed) and not record.removed:
        return Nothing(Reason.UNCHANGED)
    may_create = looked or not route.writes.finds
    if not there and may_create and route.kind.cancelled(record.fields):
        return Nothing(Reason.CANCELLED)
    wanted = parent_keys(claimed, route)
    missing = tuple(key for key in wanted if key not in parents)
    if missing:
        return Missing(missing)
    if not there and route.writes.finds and not looked:
        return Look()
    carried = _carried(record.fields, route.carries)
    item = Item(
        *(record.kind, record.key, record.number, unflatten(route.kind.model, carried), changed, once_key),
        *(claimed.far_id, (picture.far_revision or "") if picture is not None else ""),
        {key: parents[key] for key in wanted},
        removed=record.removed,
    )
    return Ready(item, {} if record.removed else changed_only(record.fields, changed))


def parent_keys(claimed: Claimed, route: Route) -> tuple[str, ...]:
    """Every key the document names that the target must have before it."""
    if claimed.names is None:
        claimed.names = () if claimed.record.removed else route.kind.parents(claimed.record.fields)
    return claimed.names


def _carried(fields: Fields, carries: frozenset[str] | None) -> Fields:
    """What is told of a document to a target; amounts need their currency."""
    return fields if carries is None else dict(carried(fields, carries | {"currency"}))
