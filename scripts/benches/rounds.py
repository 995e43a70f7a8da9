"""How two sides are measured against each other: alternately, in one run, judged by the median of the rounds' ratios.

A comparison opens once (a server is started, a store is filled) and lends its sides. A side does its work once in an
empty folder and says how much it did and how long that took, with its own set-up left out. Machines waver by 10 to
20 % within seconds, so only ratios are judged, and the yardstick of a round is what it came to before and after ours
together. A first round warms up and is not counted.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one round of one side came to: ``count`` things in ``seconds``."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        """Things a second."""
        return self.count / self.seconds


Side: TypeAlias = Callable[[Path], Measured]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What is compared. Both do the same amount of work, or the rate of each is what counts."""

    ours: Side
    yardstick: Side


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One figure to reach, as a ratio of ours to the yardstick.

    ``at_least`` judges rates (more is better), ``at_most`` judges the time for one thing (less is better); one of the
    two is given. ``unit`` is what is counted. ``cost``: what is measured instead of seconds, like MB; it stands in
    their place.
    """

    name: str
    ours: str
    yardstick: str
    unit: str
    opens: Callable[[Path], AbstractContextManager[Sides]]
    at_least: float | None = None
    at_most: float | None = None
    rounds: int = 5
    cost: str = ""

    def ratio(self, ours: float, yardstick: float) -> float:
        """Ours to the yardstick, from two rates: of rates for ``at_least``, of times for ``at_most``."""
        return yardstick / ours if self.at_least is None else ours / yardstick

    @property
    def figure(self) -> str:
        """The figure in words: ``at least 4``."""
        return f"at most {self.at_most:g}" if self.at_least is None else f"at least {self.at_least:g}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a comparison came to: medians over the rounds; ``lowest`` and ``highest`` are the ratios of single rounds."""

    comparison: Comparison
    ours_rate: float
    yardstick_rate: float
    ratio: float
    lowest: float
    highest: float

    @property
    def reached(self) -> bool:
        """Whether the figure was reached."""
        wanted = self.comparison
        return self.ratio <= (wanted.at_most or 0) if wanted.at_least is None else self.ratio >= wanted.at_least


def compare(comparison: Comparison, *, rounds: int | None = None) -> Result:
    """Measure both sides; ``rounds`` overrides how often."""
    ours: list[float] = []
    yardstick: list[float] = []
    with tempfile.TemporaryDirectory(prefix="erpsync-bench-") as room, comparison.opens(Path(room)) as sides:
        for number in range(1 + (rounds or comparison.rounds)):
            before, mine, after = _round(sides.yardstick), _round(sides.ours), _round(sides.yardstick)
            if number > 0:
                ours.append(mine.rate)
                yardstick.append((before.count + after.count) / (before.seconds + after.seconds))
    each = [comparison.ratio(a, b) for a, b in zip(ours, yardstick, strict=True)]
    return Result(
        comparison=comparison,
        ours_rate=statistics.median(ours),
        yardstick_rate=statistics.median(yardstick),
        ratio=statistics.median(each),
        lowest=min(each),
        highest=max(each),
    )


def _round(side: Side) -> Measured:
    """One round in an empty folder, with the rubbish of the one before swept up first."""
    with tempfile.TemporaryDirectory(prefix="erpsync-bench-") as folder:
        gc.collect()
        return side(Path(folder))
