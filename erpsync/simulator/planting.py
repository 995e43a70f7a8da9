"""What people do in a far system by hand: seed it, put, edit, delete and double documents. Not counted as requests.

Values are taken as they are given: this is how wrong, rounded and hostile content gets into a far system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from erpsync.simulator import data
from erpsync.simulator.far_system import FarSystem
from erpsync.simulator.fields import Json
from erpsync.simulator.kept import Far, number_of_fields

CLERK = "clerk"
_PLURALS = {
    "items": "item",
    "customers": "customer",
    "orders": "order",
    "stock": "stock",
    "movements": "movement",
    "shipments": "shipment",
}


def seed(system: FarSystem, wish: Mapping[str, Any]) -> dict[str, int]:
    """Put generated documents there, those with a number that is there already left out; how many were put per kind.

    ``start`` says from which position on, ``of`` how many items and customers orders draw on (default: as many as are
    asked for here, else as many as are there).
    """
    known = {"system", "seed", "start", "of", *_PLURALS}
    if unknown := set(wish) - known:
        raise ValueError(f"{sorted(unknown)[0]} cannot be seeded: {', '.join(_PLURALS)}")
    which, start, of = int(wish.get("seed", 1)), wish.get("start", {}), wish.get("of", {})
    items = int(of.get("items") or wish.get("items") or len(system.kept.all("item")) or 50)
    customers = int(of.get("customers") or wish.get("customers") or len(system.kept.all("customer")) or 20)
    makers: dict[str, Callable[[int], Json]] = {
        "items": lambda position: data.item(which, position),
        "customers": lambda position: data.customer(which, position),
        "orders": lambda position: data.order(which, position, items=items, customers=customers),
        "stock": lambda position: data.stock(which, position, items=items),
        "movements": lambda position: data.movement(which, position, items=items),
        "shipments": lambda position: data.shipment(which, position, items=items, customers=customers),
    }
    counts: dict[str, int] = {}
    for plural, make in makers.items():
        kind = _PLURALS[plural]
        if not wish.get(plural):
            continue
        if kind not in system.by_kind:
            raise ValueError(f"{system.name} keeps no {plural}")
        first = int(start.get(plural, 0))
        for position in range(first, first + int(wish[plural])):
            fields = make(position)
            if not system.kept.by_number(kind, number_of_fields(kind, fields)):
                system.kept.create(kind, fields, stamp=system.stamp(), by="seed")
                counts[kind] = counts.get(kind, 0) + 1
    return counts


def put(system: FarSystem, wish: Mapping[str, Any]) -> Far:
    """A new document with these canonical fields, made by a clerk; ``overlay`` is laid over what is shown."""
    kind = _kind(system, wish)
    fields = dict(wish.get("fields", {}))
    return system.kept.create(kind, fields, stamp=system.stamp(), by=CLERK, overlay=wish.get("overlay"))


def edit(system: FarSystem, wish: Mapping[str, Any]) -> Far:
    """A document changed by a clerk."""
    old = chosen(system, wish)
    fields = {**old.fields, **wish.get("changes", {})}
    return system.kept.change(old, fields, stamp=system.stamp(), by=CLERK, overlay=wish.get("overlay"))


def delete(system: FarSystem, wish: Mapping[str, Any]) -> Far:
    """A document deleted by a clerk."""
    return system.kept.remove(chosen(system, wish), stamp=system.stamp(), by=CLERK)


def duplicate(system: FarSystem, wish: Mapping[str, Any]) -> Far:
    """A second document just like the one there, number too."""
    old = chosen(system, wish)
    return system.kept.create(old.kind, dict(old.fields), stamp=system.stamp(), by=CLERK, number=old.number)


def chosen(system: FarSystem, wish: Mapping[str, Any]) -> Far:
    """The one document meant by ``id`` (as its interface shows it) or ``number``; raises ValueError."""
    kind = _kind(system, wish)
    if "id" in wish:
        document = system.living(kind, wish["id"])
        found = [document] if document else []
    else:
        found = system.kept.by_number(kind, str(wish.get("number", "")))
    if not found:
        raise ValueError(f"{system.name} has no {kind} {wish.get('id', wish.get('number'))!r}")
    return found[0]


def shown(system: FarSystem, document: Far) -> Json:
    """A document as the control interface tells it: canonical fields, and the body as its own interface shows it."""
    return {
        "id": str(system.shown_id(document.kind, document.id)),
        "kind": document.kind,
        "number": document.number,
        "version": document.version,
        "by": document.by,
        "created_at": document.created_at,
        "modified_at": document.modified_at,
        "deleted": document.deleted,
        "fields": document.fields,
        "body": None if document.deleted else system.full(document),
    }


def _kind(system: FarSystem, wish: Mapping[str, Any]) -> str:
    kind = wish.get("kind")
    if kind not in system.by_kind:
        raise ValueError(f"kind must be one of {', '.join(system.by_kind)}")
    return str(kind)
