"""Runs comparisons by name and prints what each came to. Started by ``scripts/bench``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable

from rounds import Comparison, Result, compare

# Which file has which comparison: one is imported only when it is asked for.
FILES = {
    "accept": "compare_intake",
    "accept-one": "compare_intake",
    "deliver": "compare_delivery",
    "deliver-mapped": "compare_delivery",
    "claim": "compare_claims",
    "claim-finish": "compare_claims",
    "start": "compare_start",
    "listings": "compare_reading",
    "status": "compare_reading",
    "memory": "compare_reading",
}


def main() -> int:
    """Exit code: 0 when every figure was reached, 1 when one was missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Ratios of erpsync to a yardstick.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(FILES)}; all of them by default")
    parser.add_argument("--rounds", type=int, help="how often each side is measured (default 5)")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--list", action="store_true", help="name the comparisons and end")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in FILES]:
        parser.error(f"there is no comparison {unknown[0]}; there are {', '.join(FILES)}")
    if asked.rounds is not None and asked.rounds < 1:
        parser.error("--rounds is at least 1")
    if asked.list:
        sys.stdout.write("".join(f"{name}\n" for name in FILES))
        return 0
    missed = False
    for comparison in _named(asked.names or list(FILES)):
        result = compare(comparison, rounds=asked.rounds)
        sys.stdout.write(_as_json(result) if asked.output == "json" else _as_text(result))
        sys.stdout.flush()
        missed = missed or not result.reached
    return int(missed)


def _named(names: Iterable[str]) -> Iterable[Comparison]:
    for name in names:
        comparisons: tuple[Comparison, ...] = importlib.import_module(FILES[name]).COMPARISONS
        yield from (comparison for comparison in comparisons if comparison.name == name)


def _as_text(result: Result) -> str:
    told = result.comparison
    ours, yardstick = (_told(told, rate) for rate in (result.ours_rate, result.yardstick_rate))
    room = max(len(ours), len(yardstick))
    verdict = "reached" if result.reached else "MISSED"
    spread = f"rounds {result.lowest:.2f} to {result.highest:.2f}"
    return (
        f"{told.name}: {result.ratio:.2f}, {told.figure}: {verdict}  ({spread})\n"
        f"  {ours:>{room}}  {told.ours}\n"
        f"  {yardstick:>{room}}  {told.yardstick}\n"
    )


def _told(told: Comparison, rate: float) -> str:
    return f"{1 / rate:,.1f} {told.cost}" if told.cost else f"{rate:,.1f} /s"


def _as_json(result: Result) -> str:
    told = result.comparison
    row = {
        "name": told.name,
        "unit": told.unit,
        "ratio": round(result.ratio, 3),
        "lowest": round(result.lowest, 3),
        "highest": round(result.highest, 3),
        "at_least": told.at_least,
        "at_most": told.at_most,
        "reached": result.reached,
        "ours_per_second": round(result.ours_rate, 1),
        "yardstick_per_second": round(result.yardstick_rate, 1),
    }
    return json.dumps(row) + "\n"


if __name__ == "__main__":
    sys.exit(main())
