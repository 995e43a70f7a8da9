"""What a check found: how it is, in one line, and the next command where it is not good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something is. ``unknown``: it could not be looked at."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is true; ``run`` is the next command, empty where nothing needs doing."""

    state: State
    text: str
    run: str = ""


def ok(text: str) -> Finding:
    """It is good."""
    return Finding(State.OK, text)


def warn(text: str, run: str) -> Finding:
    """It works, but not for ever."""
    return Finding(State.WARN, text, run)


def bad(text: str, run: str) -> Finding:
    """It does not work."""
    return Finding(State.BAD, text, run)


_WORST = (State.BAD, State.WARN, State.UNKNOWN, State.OK)


def together(findings: Sequence[Finding], *, good: str) -> Finding:
    """All of them as one: as bad as the worst, which stands first; ``good`` where there are none."""
    if not findings:
        return ok(good)
    order = sorted(findings, key=lambda finding: _WORST.index(finding.state))
    return Finding(order[0].state, "; ".join(finding.text for finding in order), order[0].run)
