"""Taking in: an event accepted, applied to the books and put into two targets' lanes, durable, against a huey task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ours_intake import accept_and_apply
from rounds import Comparison, Sides
from yardstick_huey import enqueue_and_execute

EVENTS = 20_000
TASKS = 2_000


@contextmanager
def _batches_of_500(_room: Path) -> Iterator[Sides]:
    yield Sides(
        ours=lambda folder: accept_and_apply(folder, events=EVENTS, at_most=500),
        yardstick=lambda folder: enqueue_and_execute(folder, tasks=TASKS),
    )


@contextmanager
def _one_by_one(_room: Path) -> Iterator[Sides]:
    yield Sides(
        ours=lambda folder: accept_and_apply(folder, events=TASKS, at_most=1),
        yardstick=lambda folder: enqueue_and_execute(folder, tasks=TASKS),
    )


COMPARISONS = (
    Comparison(
        name="accept",
        ours="events accepted and applied, at most 500 a transaction",
        yardstick="huey tasks enqueued and executed",
        unit="events",
        opens=_batches_of_500,
        at_least=4,
    ),
    Comparison(
        name="accept-one",
        ours="events accepted and applied, one a transaction",
        yardstick="huey tasks enqueued and executed",
        unit="events",
        opens=_one_by_one,
        at_least=0.7,
    ),
)
