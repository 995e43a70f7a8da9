"""Starting: a listing from a store with 1,000,000 messages, against a Typer program of two commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ours_start import landscape_with_backlog
from rounds import Comparison, Sides
from yardstick_typer import start, start_two_commands

MESSAGES = 1_000_000
STARTS = 10


@contextmanager
def _listing(room: Path) -> Iterator[Sides]:
    landscape = landscape_with_backlog(room, messages=MESSAGES)
    erpsync = Path(sys.executable).parent / "erpsync"
    command = [sys.executable, str(erpsync), "--landscape", str(landscape), "dlq", "list", "-o", "json"]
    yield Sides(
        ours=lambda _folder: start(command, starts=STARTS),
        yardstick=lambda folder: start_two_commands(folder, starts=STARTS),
    )


COMPARISONS = (
    Comparison(
        name="start",
        ours="starts of `erpsync dlq list -o json` on 1,000,000 messages",
        yardstick="starts of a two-command Typer program",
        unit="starts",
        opens=_listing,
        at_most=1.3,
    ),
)
