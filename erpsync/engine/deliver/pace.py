"""How much of an idempotent system is claimed ahead: what it takes in two seconds, so that no request waits for a claim."""

from __future__ import annotations

# Twice what may be in flight: a slow system has its next request here, and none waits longer than one call takes.
# At most some 2,000 of 64 in flight: they lie in this worker's memory.
_LEAST, _MOST = 2, 32
_SECONDS = 2.0
_LOOK_SECONDS = 0.1


class Pace:
    """How many a target takes in a second, as it did lately."""

    def __init__(self) -> None:
        self.a_second = 0.0
        self._since = self._taken = 0.0

    def took(self, n: int, *, now: float) -> None:
        """So many more; ``now`` in seconds of any clock that only goes forward."""
        self._taken += n
        if (passed := now - self._since) >= _LOOK_SECONDS:
            self.a_second, self._since, self._taken = self._taken / passed, now, 0.0

    def ahead(self, in_flight: int) -> int:
        """How many times ``in_flight`` may be claimed: in flight, waiting here, being finished."""
        return max(_LEAST, min(_MOST, int(self.a_second * _SECONDS / in_flight)))
