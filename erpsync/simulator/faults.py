"""What goes wrong at a far system, and when: rates drawn from a seed, faults aimed at one number, rules, modes.

The n-th write (or read) since the seed was set meets the same fault in every run with that seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from erpsync.simulator.fields import Json

BOTH = ("error_before", "throttle", "slow", "lose_answer", "drop", "cut_answer", "garbage", "drip", "huge")
WRITES = (*BOTH, "error_after", "late")
FEED = ("duplicate", "reorder")
MODES = ("up", "down", "hang", "denied")
SETTINGS: Json = {
    "status": 500,
    "retry_after": 1,
    "slow_seconds": 2,
    "drip_seconds": 0.05,
    "huge_bytes": 64 * 1024 * 1024,
    "find_blind_seconds": 0,
    "stuck_pages": False,
}
RULES: Json = {
    "unique": False,
    "parents": True,
    "rate": None,
    "key_life": 86_400,
    "cache_5xx": False,
    "zone": "Europe/Berlin",
}


@dataclass
class Aimed:
    """A fault that waits for the next requests of one number (any, when empty)."""

    fault: str
    kind: str = ""
    number: str = ""
    times: int = 1
    on: str = "writes"


@dataclass
class Refusal:
    """A write that breaks a business rule of the system: ``field`` (canonical) of that kind, while it has ``value``."""

    kind: str
    field: str
    number: str = ""
    value: Any = None
    code: str = "refused"
    message: str = "is not allowed"


@dataclass
class Faults:
    """The faults of one system. ``seed`` and the counts decide; the clock does not."""

    system: str
    seed: int = 0
    writes: dict[str, float] = field(default_factory=dict)
    reads: dict[str, float] = field(default_factory=dict)
    feed: dict[str, float] = field(default_factory=dict)
    settings: Json = field(default_factory=lambda: dict(SETTINGS))
    rules: Json = field(default_factory=lambda: dict(RULES))
    once: list[Aimed] = field(default_factory=list)
    refuse: list[Refusal] = field(default_factory=list)
    mode: str = "up"
    met: Counter[str] = field(default_factory=Counter)
    _drawn: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """No faults and no refusals; rules and counts stay."""
        self.writes, self.reads, self.feed, self.once, self.refuse = {}, {}, {}, [], []
        self.settings = dict(SETTINGS)

    def set(self, wish: Mapping[str, Any]) -> None:
        """Take over what a person asks for; raises ValueError naming what is not known. Sets all of it or nothing."""
        _check(wish)
        if wish.get("reset"):
            self.reset()
        if "seed" in wish:
            self.seed = int(wish["seed"])
            self._drawn.clear()
        for name in ("writes", "reads", "feed", "settings", "rules"):
            getattr(self, name).update(wish.get(name, {}))
        self.once += [Aimed(**aimed) for aimed in wish.get("once", ())]
        if "refuse" in wish:
            self.refuse = [Refusal(**refusal) for refusal in wish["refuse"]]

    def draw(self, on: str, *, kind: str, number: str) -> str:
        """The fault that this request meets, empty for none. Every call counts as one more request."""
        self._drawn[on] += 1
        fault = self._aimed(on, kind, number) or self._by_rate(on)
        if fault:
            self.met[fault] += 1
        return fault

    def shuffled(self, rows: list[Any], earlier: list[Any], *, room: int | None = None) -> list[Any]:
        """A page of a change feed with entries repeated and moved, as the feed rates say; none is lost.

        ``earlier`` are entries before this page that may come once more, ``room`` how many more the page can take.
        """
        if not rows or not self.feed:
            return rows
        seeded = random.Random(f"{self.seed}:{self.system}:feed:{self._drawn['reads']}")
        page = list(rows)
        for row in [*earlier, *rows]:
            if seeded.random() < self.feed.get("duplicate", 0) and (room is None or len(page) < len(rows) + room):
                page.insert(seeded.randint(0, len(page)), row)
                self.met["duplicate"] += 1
        for index in range(len(page)):
            if seeded.random() < self.feed.get("reorder", 0):
                other = seeded.randrange(max(0, index - 4), min(len(page), index + 5))
                page[index], page[other] = page[other], page[index]
                self.met["reorder"] += index != other
        return page

    def shown(self) -> Json:
        """The faults as they are now."""
        return {
            "seed": self.seed,
            "mode": self.mode,
            "writes": self.writes,
            "reads": self.reads,
            "feed": self.feed,
            "settings": self.settings,
            "rules": self.rules,
            "once": [vars(aimed) for aimed in self.once],
            "refuse": [vars(refusal) for refusal in self.refuse],
        }

    def _aimed(self, on: str, kind: str, number: str) -> str:
        for aimed in self.once:
            if aimed.on == on and aimed.kind in ("", kind) and aimed.number in ("", number):
                aimed.times -= 1
                if aimed.times <= 0:
                    self.once.remove(aimed)
                return aimed.fault
        return ""

    def _by_rate(self, on: str) -> str:
        rates = self.writes if on == "writes" else self.reads
        if not rates:
            return ""
        point = random.Random(f"{self.seed}:{self.system}:{on}:{self._drawn[on]}").random()
        for name in sorted(rates):
            if point < rates[name]:
                return name
            point -= rates[name]
        return ""


def _check(wish: Mapping[str, Any]) -> None:
    for name, known in (("writes", WRITES), ("reads", BOTH), ("feed", FEED)):
        rates = wish.get(name, {})
        for fault, rate in rates.items():
            if fault not in known:
                raise ValueError(f"{name}.{fault} is no fault we can make: {', '.join(known)}")
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise ValueError(f"{name}.{fault} must be a rate from 0 to 1")
    for name, defaults in (("settings", SETTINGS), ("rules", RULES)):
        if unknown := set(wish.get(name, {})) - set(defaults):
            raise ValueError(f"{name} has no {', '.join(sorted(unknown))}: {', '.join(defaults)}")
    for name, value in wish.get("settings", {}).items():
        if name != "retry_after" and not (isinstance(value, int | float) and value >= 0):
            raise ValueError(f"settings.{name} must be a number that is not negative")
    for aimed in wish.get("once", ()):
        made = _made(Aimed, aimed, "once")
        if made.on not in ("writes", "reads") or made.fault not in (WRITES if made.on == "writes" else BOTH):
            raise ValueError(f"once: {made.fault} on {made.on} is no fault we can make")
    for refusal in wish.get("refuse", ()):
        _made(Refusal, refusal, "refuse")
    if wish.get("mode", "up") not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    if not isinstance(wish.get("seed", 0), int):
        raise ValueError("seed must be an integer")  # noqa: TRY004  (the control interface tells ValueErrors)


def _made(model: type[Any], values: Any, name: str) -> Any:
    try:
        return model(**values)
    except TypeError as error:
        raise ValueError(f"{name}: {str(error).rpartition('__init__() ')[2]}") from None
