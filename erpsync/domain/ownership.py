"""Who may change what: a document told by a system, against its picture and our record, field by field.

*incoming = picture*: nothing happened. *incoming = record*: that system caught up, or tells our own write back; only
the picture moves. *Both differ*: that system changed it. Its owner's change is accepted, anyone else's refused, and
the stray system is mended with the record's value (DESIGN 4 and 6, rulings B6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from erpsync.domain.flat import LINES, Fields, Scalar

_MISSING = object()


@dataclass(slots=True)
class Decision:
    """What a document changes. ``seen`` moves the picture; ``accepted`` the record too; ``refused`` is to be mended."""

    seen: Fields = field(default_factory=dict)
    accepted: Fields = field(default_factory=dict)
    refused: Fields = field(default_factory=dict)


def whole(incoming: Fields, *known: Mapping[str, Scalar] | None) -> Fields:
    """``incoming`` with every line field that is known but no longer told set to None: its line is gone."""
    complete = dict(incoming)
    for fields in known:
        for path in fields or ():
            if path.startswith("lines.") and path not in complete:
                complete[path] = None
    return complete


def decide(
    incoming: Mapping[str, Scalar],
    picture: Mapping[str, Scalar] | None,
    record: Mapping[str, Scalar] | None,
    *,
    owns: bool,
    asked: Mapping[str, Scalar] | None = None,
) -> Decision:
    """What of ``incoming`` is news, and whose. ``asked`` is what an open try of ours put there: seeing it is an echo.

    ``record`` None: its owner has told nothing yet, so nothing can be refused.
    """
    decision = Decision()
    held = picture if picture is not None else {}
    for name, value in incoming.items():
        if held.get(name, _MISSING) == value:
            continue
        decision.seen[name] = value
        if owns:
            if record is None or record.get(name, _MISSING) != value:
                decision.accepted[name] = value
            continue
        ours = record.get(name, _MISSING) if record is not None else _MISSING
        if ours is _MISSING or ours == value or (value is None and ours is None):
            continue
        if asked is not None and asked.get(name, _MISSING) == value:
            continue
        decision.refused[name] = value
    return decision


def differs(
    record: Mapping[str, Scalar],
    held: Mapping[str, Scalar] | None,
    *,
    asked: Mapping[str, Scalar] | None = None,
    carries: frozenset[str] | None = None,
) -> frozenset[str]:
    """The fields of the record that a system does not hold, of those it carries.

    A field it holds otherwise although we asked for exactly this (it rounds, trims, upper-cases) does not differ.
    """
    holds = held if held is not None else {}
    asks = asked if asked is not None else {}
    if not holds and not asks:  # it has nothing of it yet
        return frozenset([name for name, value in carried(record, carries) if value is not None])
    out = set()
    for name, value in carried(record, carries):
        there = holds.get(name, _MISSING)
        if there == value or (value is None and there is _MISSING) or asks.get(name, _MISSING) == value:
            continue
        out.add(name)
    if carries is None or "lines" in carries:
        out.update(
            path
            for path, value in holds.items()
            if path.startswith("lines.")
            and value is not None
            and path not in record
            and asks.get(path, _MISSING) is not None
        )
    return frozenset(out)


def carried(fields: Mapping[str, Scalar], carries: frozenset[str] | None) -> Iterable[tuple[str, Scalar]]:
    """The fields, with their values, that reach a system which carries these canonical ones; None: all."""
    if carries is None:
        return fields.items()
    if LINES in carries:
        return [item for item in fields.items() if item[0] in carries or item[0].startswith("lines.")]
    return [item for item in fields.items() if item[0] in carries]


def without_gone_lines(fields: Fields) -> Fields:
    """The fields less those of lines that are empty throughout."""
    if not any(value is None and path.startswith("lines.") for path, value in fields.items()):
        return fields
    alive = {
        path.rpartition(".")[0] for path, value in fields.items() if path.startswith("lines.") and value is not None
    }
    return {path: v for path, v in fields.items() if not path.startswith("lines.") or path.rpartition(".")[0] in alive}
