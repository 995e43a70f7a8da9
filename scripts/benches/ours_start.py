"""Our side of starting: a landscape whose store has a backlog with 200 dead letters, for a command to look at."""

from __future__ import annotations

from pathlib import Path

from backlog import TARGETS, fill
from landscape import NOBODY, write_landscape

DEAD_LETTERS, BEHIND_EACH = 200, 40


def landscape_with_backlog(room: Path, *, messages: int, url: str = NOBODY) -> Path:
    """The landscape file; its store has so many messages, 50 of the dead letters fill a listing."""
    fill(room / "erpsync.db", messages=messages, behind_dead_heads=DEAD_LETTERS * BEHIND_EACH, dead_heads=DEAD_LETTERS)
    return write_landscape(room, kinds=("item",), targets=TARGETS, url=url)
