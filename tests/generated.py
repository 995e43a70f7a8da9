"""Text that nobody would write, by the thousand, through every format a listing has: it must stay text."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from night_store import make_night

from erpsync.cli.listings import listing
from erpsync.cli.options import Output
from erpsync.cli.tables import Column
from erpsync.terminal import safe, width
from erpsync.workbench import Workbench

_ALPHABETS = (
    "".join(map(chr, range(32))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),  # controls, both kinds
    "\u202a\u202b\u202d\u202e\u202c\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u061c\ufeff\u2028\u2029\u00ad",
    "=+-@\uff1d\uff0b\uff0d\uff20'\"`,;|\\/%$&<>!#^~",
    "[](){}/:.*?_ ",
    "abcXYZ0123456789",
    "\u0301\u0308\u20dd\ufe0f\u200d\U0001f469\U0001f1e9\U0001f1ea",
    "\u5168\u89d2\uff21\uac00\u05d0\u0627\u0e01",
    "\ud800\udfff\ue000\U000e0041\U000f0000\uffff\U0010ffff",
)
_PHRASES = (
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\x9b31m",
    "[bold]",
    "[/x]",
    "=HYPERLINK(",
    "\r\n",
    "$(reboot)",
    "%s%n{0}",
    "\x1bP",
)


@dataclass(frozen=True)
class Row:
    """What a cross-reference is, with three hostile texts."""

    far_id: str
    key: str
    system: str


def texts(count: int, *, seed: int) -> Iterator[str]:
    """Generated texts, short and long, drawn from a seed."""
    rng = random.Random(seed)
    for _ in range(count):
        pieces = []
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
            if rng.random() < 0.2:
                pieces.append(rng.choice(_PHRASES))
            else:
                alphabet = rng.choice(_ALPHABETS)
                pieces.append("".join(rng.choice(alphabet) for _ in range(rng.choice((1, 2, 4, 9)))))
        text = "".join(pieces) * (40 if rng.random() < 0.01 else 1)
        yield text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # two halves are one character


def acting(said: str) -> set[str]:
    """The characters that act on a terminal, or are none; line feeds aside."""
    bad = {c for c in set(said) if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
    return {ascii(c) for c in bad}


def say_all(folder: Path, count: int, *, seed: int) -> None:
    """Put ``count`` generated texts through each format, wide, narrow and in a pipe, and look at what left the process."""
    drawn = texts(count, seed=seed)
    rows = [Row(*three) for three in zip(drawn, drawn, drawn, strict=False)]
    store, _ = make_night(folder)
    store.close()
    bench = Workbench(folder=folder, environ={}, clock=lambda: datetime(2026, 10, 15, tzinfo=UTC))
    for output, columns, raw in (
        (Output.TABLE, 80, False),
        (Output.TABLE, 40, False),
        (Output.TABLE, None, False),
        (Output.JSON, None, False),
        (Output.JSONL, 80, False),
        (Output.CSV, 80, False),
        (Output.CSV, None, True),
        (Output.IDS, None, False),
    ):
        said = _said(bench, rows, output, columns, raw=raw)
        assert acting(said) == set(), output
        _hold(said, rows, output, columns, raw=raw)


def _said(bench: Workbench, rows: list[Row], output: Output, columns: int | None, *, raw: bool) -> str:
    caught = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    shown = [
        Column[Row]("SYSTEM", lambda row: safe(row.system, limit=20)),
        Column[Row]("KEY", lambda row: safe(row.key), most=30),
        Column[Row]("CALLED", lambda row: safe(row.far_id), free=True),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", caught)
        patch.delenv("COLUMNS", raising=False)
        if columns:
            patch.setenv("COLUMNS", str(columns))
        listing(
            bench,
            "xref.list",
            rows,
            total=len(rows),
            columns=shown,
            item=_item,
            identity=lambda row: row.far_id,
            output=output,
            raw=raw,
        )
    buffer = caught.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")


def _item(row: Row) -> dict[str, Any]:
    return {"system": row.system, "key": row.key, "kind": "x", "far_id": row.far_id, "bound": None, "age_seconds": -1}


def _hold(said: str, rows: list[Row], output: Output, columns: int | None, *, raw: bool) -> None:
    lines = said.split("\n")[:-1]
    match output:
        case Output.JSON:
            assert json.loads(said)["items"] == [_item(row) for row in rows], "JSON is exact"
        case Output.JSONL:
            assert [json.loads(line) for line in lines] == [_item(row) for row in rows]
        case Output.CSV:
            cells = list(csv.DictReader(io.StringIO(said)))
            assert len(lines) == len(rows) + 1 == len(cells) + 1, "a line a row"
            for cell, row in zip(cells, rows, strict=True):
                guarded = safe(row.far_id)[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20") and not raw
                assert cell["far_id"] == ("'" if guarded else "") + safe(row.far_id)
                assert cell["age_seconds"] == "-1"
        case Output.IDS:
            assert len(lines) == len(rows), "an id a line"
        case _ if columns:
            assert [line for line in lines if width(line) > columns] == []
        case _:
            assert len(lines) == len(rows) + 1, "a line a row"
