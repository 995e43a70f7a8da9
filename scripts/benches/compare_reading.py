"""Reading a store with 1,000,000 documents behind it: every command that looks, and the worker's memory over a backlog.

The figures are absolute (a second, 150 MB), so the yardstick of two of them is that figure itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ours_reading import READS, peak_of_a_worker, slowest
from ours_start import landscape_with_backlog
from past import index_the_words, landscape_with_a_past
from rounds import Comparison, Measured, Sides
from sink import running
from yardstick_typer import start

DOCUMENTS, FEW = 1_000_000, 5_000
MOST_MB = 150
STARTS = 5


@contextmanager
def _reading(room: Path) -> Iterator[Sides]:
    landscape = landscape_with_a_past(room, documents=DOCUMENTS)
    index_the_words(room / "erpsync.db")
    yield Sides(
        ours=lambda _folder: slowest(landscape, documents=DOCUMENTS),
        yardstick=lambda _folder: Measured(count=1, seconds=1.0),
    )


@contextmanager
def _status(room: Path) -> Iterator[Sides]:
    sides = []
    for documents in (DOCUMENTS, FEW):
        folder = room / str(documents)
        folder.mkdir()
        command = [
            sys.executable,
            str(Path(sys.executable).parent / "erpsync"),
            "--landscape",
            str(landscape_with_a_past(folder, documents=documents)),
            "status",
        ]
        sides.append(lambda _folder, command=command: start(command, starts=STARTS))
    yield Sides(ours=sides[0], yardstick=sides[1])


@contextmanager
def _memory(room: Path) -> Iterator[Sides]:
    with running() as sink:
        landscape = landscape_with_backlog(room, messages=DOCUMENTS, url=sink.url.rpartition("/")[0])
        yield Sides(
            ours=lambda _folder: Measured(count=1, seconds=peak_of_a_worker(landscape)),
            yardstick=lambda _folder: Measured(count=1, seconds=MOST_MB),
        )


COMPARISONS = (
    Comparison(
        name="listings",
        ours=f"the slowest of {len(READS)} commands that look, on {DOCUMENTS:,} documents",
        yardstick="a second",
        unit="commands",
        opens=_reading,
        at_most=1.0,
        rounds=3,
    ),
    Comparison(
        name="status",
        ours=f"`erpsync status` with {DOCUMENTS:,} documents behind it",
        yardstick=f"the same with {FEW:,}",
        unit="starts",
        opens=_status,
        at_most=1.3,
    ),
    Comparison(
        name="memory",
        ours=f"the most memory that a worker takes, delivering from {DOCUMENTS:,} waiting messages",
        yardstick="what it may take",
        unit="workers",
        opens=_memory,
        at_most=1.0,
        rounds=2,
        cost="MB",
    ),
)
