"""Where a poll of several far models stands. One rule: a cursor never passes a row that may still turn up behind it.

Tryton stamps a row when its transaction begins, so rows appear late, behind stamps that were told already. A poll goes
on by (stamp, id), model after model; the next poll begins where this one ended or ``overlap`` before this one began,
whichever is earlier. What is told twice is told twice; what had settled is not told again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from erpsync.adapters.http.jsontext import canonical, read_strict
from erpsync.adapters.tryton.envelope import moment
from erpsync.errors import Refused


@dataclass(frozen=True)
class Place:
    """After the row with this stamp and id; id 0: from the stamp on."""

    stamp: datetime
    row: int

    def domain(self) -> list[Any]:
        """The rows that come after it."""
        at = moment(self.stamp)
        return ["OR", [["last_modified_at", ">", at]], [["last_modified_at", "=", at], ["id", ">", self.row]]]


@dataclass(frozen=True)
class Cursor:
    """``places`` by model, None for *from the beginning*. In a poll: the model whose turn it is, and when it began."""

    places: tuple[Place | None, ...]
    turn: int = 0
    began: datetime | None = None

    def text(self) -> str:
        """The cursor as it is kept."""
        places = [[place.stamp.isoformat(), place.row] if place else None for place in self.places]
        began = self.began.isoformat() if self.began else None
        return canonical({"v": 1, "places": places, "turn": self.turn, "began": began}).decode()

    def begin(self, began: datetime, *, overlap: timedelta) -> Cursor:
        """The same in a poll that begins now by the far clock; models that only follow need not tell all there is."""
        first, *others = self.places
        settled = Place(began - overlap, 0)
        return replace(self, places=(first, *(place or settled for place in others)), began=began)

    def passed(self, rows: Sequence[tuple[datetime, int]], *, last: bool, overlap: timedelta) -> Cursor:
        """After ``rows`` of the model whose turn it is, in their order; ``last``: there are no more of them."""
        places = list(self.places)
        if rows:
            places[self.turn] = Place(*rows[-1])
        if not last:
            return replace(self, places=tuple(places))
        if self.turn + 1 < len(places):
            return replace(self, places=tuple(places), turn=self.turn + 1)
        if self.began is not None:
            places = [_settled(place, self.began - overlap) for place in places]
        return Cursor(tuple(places))


def read_cursor(text: str, *, models: int) -> Cursor:
    """The cursor in ``text``, '' for the beginning; raises Refused when it is none of ours."""
    if not text:
        return Cursor((None,) * models)
    try:
        content = read_strict(text.encode())
        places = tuple(
            Place(datetime.fromisoformat(place[0]), place[1]) if place else None for place in content["places"]
        )
        began = content["began"]
        cursor = Cursor(places, content["turn"], datetime.fromisoformat(began) if began else None)
    except (ValueError, KeyError, TypeError, IndexError):
        raise Refused(
            "the cursor is none of a tryton system", code="cursor", hint="read all of it again: sync --full"
        ) from None
    if len(places) != models or not 0 <= cursor.turn < models:
        raise Refused("the cursor is of another version", code="cursor", hint="read all of it again: sync --full")
    return cursor


def _settled(place: Place | None, horizon: datetime) -> Place | None:
    return place if place is None or place.stamp < horizon else Place(horizon, 0)
