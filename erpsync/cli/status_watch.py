"""``status --watch``: redrawn on a terminal; in a pipe one line a change. Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from erpsync.cli.options import Answer
from erpsync.cli.output import as_json, envelope, flush, say
from erpsync.cli.selecting import clock, stake_json
from erpsync.cli.status import read_status, status_lines
from erpsync.cli.status_json import status_answer
from erpsync.cli.streams import on_terminal, room
from erpsync.cli.tables import fitted
from erpsync.cli.wording import waiting_seconds
from erpsync.errors import StoreError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.store.reading.status import Status
    from erpsync.workbench import Workbench

_HOME_AND_CLEAR = "\x1b[H\x1b[2J"
_LEAST_ROWS = 5


def watch(bench: Workbench, *, every_seconds: float, output: Answer) -> NoReturn:
    """Show how everything stands at this pace, until a signal ends it. The store is let go in between."""
    redraws = output is Answer.TABLE and on_terminal(sys.stdout)
    store, before = bench.landscape.store, None
    begun = False
    while True:
        if begun and not store.exists():
            raise StoreError(f"store {store.name} is gone", hint=f"ls -l {store.parent}")
        found, begun = read_status(bench), True
        if redraws:
            lines = _on_one_screen(list(fitted(status_lines(bench, found), room=room())))
            say(_HOME_AND_CLEAR + lines[0], *lines[1:], whole=True)
        else:
            now = _figures(bench, found)
            if now != before:
                say(_json(bench, found) if output is Answer.JSON else _line(bench, found, now), whole=True)
                before = now
        flush()
        bench.close()
        time.sleep(every_seconds)


def _on_one_screen(lines: list[str]) -> list[str]:
    """As many as a terminal shows without moving the first ones away; the last says how many are left out."""
    rows = os.get_terminal_size(sys.stdout.fileno()).lines
    if rows < _LEAST_ROWS or len(lines) < rows:
        return lines
    drawn = rows - 2  # one for what is said of the rest, one for the cursor
    return [*lines[:drawn], f"{len(lines) - drawn} more lines: erpsync status"]


def _figures(bench: Workbench, found: Status) -> dict[str, str]:
    """What a change is told by; how long something waits is none."""
    usual = bench.landscape.currency
    stakes = found.stakes or ((usual, 0),)
    figures = {
        "stake": "+".join(
            f"{stake_json(stake, code, usual=usual)['amount']}{'' if (code or usual) == usual else code}"
            for code, stake in stakes
        ),
        "due": str(sum(system.due for system in found.systems)),
        "held": str(found.counts.get("held", 0)),
        "dead": str(found.counts.get("dead", 0)),
        "unknown": str(found.counts.get("unknown", 0)),
    }
    unwell = {
        state: [safe(system.name) for system in found.systems if system.shown_state == state]
        for state in ("down", "stopped", "paused")
    }
    return figures | {state: ",".join(names) for state, names in unwell.items() if names}


def _line(bench: Workbench, found: Status, figures: dict[str, str]) -> str:
    oldest = min((system.oldest_due for system in found.systems if system.oldest_due), default=None)
    waits = f"{waiting_seconds(bench.now(), oldest)}s" if oldest else "-"
    shown: dict[str, str] = {}
    for name, value in figures.items():
        shown[name] = value
        if name == "due":
            shown["oldest"] = waits
    at = bench.now().astimezone(clock(bench).zone)
    return " ".join([f"{at:%H:%M:%S}", *(f"{name}={value}" for name, value in shown.items())])


def _json(bench: Workbench, found: Status) -> str:
    return as_json(envelope(bench, "status", **status_answer(bench, found)))
