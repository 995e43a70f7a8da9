"""What happens, as lines that are written while it happens. Rule: none is left out without a line that says how many were."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from erpsync.cli.options import Output
from erpsync.cli.output import as_json, emit, envelope, flush, room, say
from erpsync.cli.selecting import clock
from erpsync.cli.streams import on_terminal
from erpsync.cli.tables import KEY_ROOM, shortened
from erpsync.terminal import duration, padded, safe, width

if TYPE_CHECKING:
    from erpsync.store.reading.happening import Happening
    from erpsync.workbench import Workbench

A_SECOND = 20  # lines on a terminal: nobody reads more
_ALIGNED = 200  # of what comes together
_DEAD = ("refused", "unmappable", "exhausted", "expired", "poison")
_HEADINGS = ("AT", "ID", "KEY", "SYSTEM", "WHAT", "TOOK")
_RIGHT = ("ID", "TOOK")
_MOST = {"WHAT": 11}  # a longer one moves its own line alone
_LEAST_TEXT = 8
_LEAST = {"AT": 8, "ID": 6, "KEY": 18, "SYSTEM": 6, "WHAT": 9, "TOOK": 6}


def what_of(one: Happening) -> str:
    """What happened, in a word or two: ``created``, ``retry``, ``dead``, ``accepted``, ``superseded``."""
    if one.kind == "attempt" and (one.outcome in _DEAD or (one.outcome == "conflict" and one.state == "dead")):
        return "dead"
    return one.outcome.replace("_", " ")


def text_of(one: Happening) -> str:
    """The rest of the line, exact."""
    if one.kind == "act":
        return ", ".join(part for part in (one.actor, one.said) if part)
    if one.kind != "attempt":
        return one.said
    parts = ["asked"] if one.asks else []
    if what_of(one) == "dead":
        parts.append(one.outcome)
    if one.outcome == "created" and one.far_id:
        parts.append(f"far id {one.far_id}")
    if one.said:
        parts.append(
            f"{one.status}: {one.said}" if one.status is not None and str(one.status) not in one.said else one.said
        )
    if one.state == "ready" and one.due_at is not None and one.due_at > one.at:
        parts.append(f"again in {duration((one.due_at - one.at).total_seconds())}")
    return ", ".join(parts)


class Lines:
    """Writes what happens in the format asked for; ``limit`` 0 is all. On a terminal a second has so many lines."""

    def __init__(
        self,
        bench: Workbench,
        output: Output,
        *,
        raw: bool,
        limit: int,
        item: Callable[[Happening], Mapping[str, object]],
    ) -> None:
        self._bench, self._output, self._raw, self._limit, self._item = bench, output, raw, limit, item
        self._bounded = output is Output.TABLE and on_terminal(sys.stdout)
        self._widths = dict(_LEAST)
        self._told = 0
        self._gathered: list[Mapping[str, object]] = []
        self._second: datetime | None = None
        self._in_second = 0
        self._unsaid = 0

    def tell(self, happened: Sequence[Happening]) -> bool:
        """Write these; true when there are as many as were asked for."""
        if self._output is Output.TABLE:
            for one in happened[:_ALIGNED]:
                self._widen(self._cells(one))
        for one in happened:
            self._tell(one)
            if self._limit and self._told >= self._limit:
                return True
        if self._unsaid and self._second is not None and self._bench.now() - self._second >= timedelta(seconds=2):
            self._say_unsaid()
        flush()
        return False

    def end(self) -> None:
        """Write what is still to be said."""
        self._say_unsaid()
        if self._output is Output.CSV and not self._told:
            self._say_csv(None)
        if self._output is Output.JSON:
            rows = self._gathered
            emit(envelope(self._bench, "tail", total=None, shown=len(rows), items=rows))
        flush()

    def _tell(self, one: Happening) -> None:
        match self._output:
            case Output.JSON:
                self._gathered.append(self._item(one))
            case Output.JSONL:
                say(as_json(self._item(one)), whole=True)
            case Output.CSV:
                self._say_csv(one)
            case Output.IDS:
                if one.message is None:
                    return
                say(str(one.message))
            case _:
                if not self._fits(one):
                    return
                self._say_row(one)
        self._told += 1

    def _say_csv(self, one: Happening | None) -> None:
        from erpsync.cli.csv_text import csv_heading, csv_row  # noqa: PLC0415  (only for it)
        from erpsync.cli.shapes import items_of  # noqa: PLC0415  (as above)

        keys = items_of("tail")
        if not self._told:
            say(csv_heading(keys), whole=True)
        if one is not None:
            say(csv_row(keys, self._item(one), raw=self._raw), whole=True)

    def _fits(self, one: Happening) -> bool:
        """Whether its second has room for another line; else it is counted."""
        second = one.at.replace(microsecond=0)
        if second != self._second:
            self._say_unsaid()
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._bounded and self._in_second > A_SECOND:
            self._unsaid += 1
            return False
        return True

    def _say_unsaid(self) -> None:
        if self._unsaid and self._second is not None:
            at = self._second.astimezone(clock(self._bench).zone)
            say(f"{at:%H:%M:%S}  {self._unsaid:,} more in this second")
            self._unsaid = 0

    def _say_row(self, one: Happening) -> None:
        columns, cells = room(), self._cells(one)
        if not self._told:
            say(self._row({name: name for name in _HEADINGS}).rstrip())
        self._widen(cells)
        start = self._row(cells) + "  "
        text = safe(_beside(one))
        if columns is not None:
            left = columns - width(start)
            text = shortened(text, left) if left >= _LEAST_TEXT else ""
        say((start + text).rstrip())

    def _cells(self, one: Happening) -> dict[str, str]:
        what = what_of(one)
        return {
            "AT": clock(self._bench).exact(one.at),
            "ID": _id(one),
            "KEY": safe(one.key or "-", limit=None if room() is None else KEY_ROOM),
            "SYSTEM": safe(one.system or "-"),
            "WHAT": safe(f"retry {one.tries}" if what == "retry" else what),
            "TOOK": f"{one.seconds:.2f}s" if one.seconds else "",
        }

    def _widen(self, cells: Mapping[str, str]) -> None:
        for name, text in cells.items():
            self._widths[name] = max(self._widths[name], min(width(text), _MOST.get(name, width(text))))

    def _row(self, cells: Mapping[str, str]) -> str:
        return "  ".join(padded(cells[name], self._widths[name], right=name in _RIGHT) for name in _HEADINGS)


def _beside(one: Happening) -> str:
    """The rest of a line whose ID is the act's: the message it was done to is named as well."""
    if one.kind != "act" or one.message is None:
        return text_of(one)
    return ", ".join(part for part in (one.actor, f"message {one.message}", one.said) if part)


def _id(one: Happening) -> str:
    if one.kind in ("attempt", "message"):
        return str(one.message)
    return f"event {one.event}" if one.kind == "event" else one.act or one.exception or ""
