"""Delivering: over loopback HTTP, durable, evidence kept, 64 in flight, against a bare aiohttp loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bodies import bodies
from ours_delivery import deliver
from rounds import Comparison, Sides
from sink import running
from yardstick_aiohttp import post_all

MESSAGES = 6_000
IN_FLIGHT = 64


def _to_one_sink(*, mapped: bool) -> Callable[[Path], AbstractContextManager[Sides]]:
    @contextmanager
    def opens(_room: Path) -> Iterator[Sides]:
        posted = bodies(MESSAGES)
        with running() as sink:
            yield Sides(
                ours=lambda folder: deliver(folder, sink=sink, bodies=posted, in_flight=IN_FLIGHT, mapped=mapped),
                yardstick=lambda _folder: post_all(sink, posted, in_flight=IN_FLIGHT),
            )

    return opens


COMPARISONS = (
    Comparison(
        name="deliver",
        ours="messages delivered, bodies prebuilt",
        yardstick="bodies posted by a bare aiohttp loop",
        unit="messages",
        opens=_to_one_sink(mapped=False),
        at_least=0.45,
    ),
    Comparison(
        name="deliver-mapped",
        ours="messages delivered through a spec file's mapping",
        yardstick="bodies posted by a bare aiohttp loop",
        unit="messages",
        opens=_to_one_sink(mapped=True),
        at_least=0.25,
    ),
)
