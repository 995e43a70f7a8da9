"""Claiming and finishing with 1,000,000 messages, 400,000 of them behind dead heads, against the same with 5,000.

Both sides are ours: the figure says that a backlog does not slow the work down. Each store is filled once and serves
every round, so a round claims few and leaves the store as large as it found it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ours_claims import claim, claim_and_finish, filled
from rounds import Comparison, Side, Sides

SMALL, LARGE, BEHIND_DEAD_HEADS = 5_000, 1_000_000, 400_000


def _at_both_sizes(work: Callable[[Path], Side]) -> Callable[[Path], AbstractContextManager[Sides]]:
    @contextmanager
    def opens(room: Path) -> Iterator[Sides]:
        small = filled(room / "small.db", messages=SMALL, behind_dead_heads=0)
        large = filled(room / "large.db", messages=LARGE, behind_dead_heads=BEHIND_DEAD_HEADS)
        yield Sides(ours=work(large), yardstick=work(small))

    return opens


COMPARISONS = (
    Comparison(
        name="claim",
        ours="messages picked at 1,000,000, 400,000 behind dead heads",
        yardstick="messages picked at 5,000",
        unit="messages",
        opens=_at_both_sizes(claim),
        at_most=1.3,
    ),
    Comparison(
        name="claim-finish",
        ours="messages claimed and finished at 1,000,000, 400,000 behind dead heads",
        yardstick="messages claimed and finished at 5,000",
        unit="messages",
        opens=_at_both_sizes(claim_and_finish),
        at_most=2.5,
    ),
)
