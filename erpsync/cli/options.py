"""The options that commands share, so that each means the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from erpsync.errors import UsageError
from erpsync.terminal import quoted

WHAT, HOW, OUTPUT = "What", "How", "Output"


class Output(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    IDS = "ids"


FOR_PROGRAMS = (Output.JSONL, Output.CSV, Output.IDS)  # the rows alone, all of them


class Answer(StrEnum):
    """How the answer of a command that is no listing is written."""

    TABLE = "table"
    JSON = "json"


Where = Annotated[
    str,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="only these: field op value, and, or, not",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=0,
        max=1_000_000_000,
        help="at most so many; 0 for all (50; all for ids, jsonl, csv)",
        rich_help_panel=WHAT,
    ),
]
Sort = Annotated[
    str,
    typer.Option(
        "--sort", metavar="FIELD", help="by this field; -FIELD turns it round", rich_help_panel=WHAT, show_default=False
    ),
]
Format = Annotated[
    Output,
    typer.Option(
        "-o",
        "--output",
        metavar="FORMAT",
        help="table, json, jsonl, csv or ids",
        rich_help_panel=OUTPUT,
        show_default=False,
    ),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="csv as it is: no ' before what may be a formula", rich_help_panel=OUTPUT, show_default=False
    ),
]
AnswerFormat = Annotated[
    Answer,
    typer.Option("-o", "--output", metavar="FORMAT", help="table or json", rich_help_panel=OUTPUT, show_default=False),
]
Full = Annotated[
    bool, typer.Option("--full", help="all of it, nothing cut", rich_help_panel=OUTPUT, show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask", rich_help_panel=HOW, show_default=False)]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="why, for the audit log", rich_help_panel=HOW, show_default=False),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="show what it would do; leaves nothing", rich_help_panel=HOW, show_default=False),
]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="these; - reads ids from stdin", show_default=False)]
MaybeIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...|-]", help="these; - reads ids from stdin", show_default=False)
]

DEFAULT_LIMIT = 50
_MOST_STDIN = 100_000


def duration(text: str, *, option: str) -> timedelta:
    """How long ``30s``, ``2m``, ``1h30m`` or ``3d`` is; raises UsageError naming the option."""
    from erpsync.domain.filter_values import read_duration  # noqa: PLC0415  (not for help)

    try:
        return read_duration(text.strip())
    except ValueError as error:
        raise UsageError(f"{option} {quoted(text, limit=60)} {error}", hint="like 30s, 2m, 1h30m or 3d") from None


def one_id(text: str, *, letter: str = "") -> int:
    """The number in a pasted id, with or without its letter (``E-303``, ``303``); raises UsageError."""
    bare = text.strip()
    if letter and bare.upper().startswith(letter):
        bare = bare[len(letter) :].removeprefix("-")
    if not (bare.isascii() and bare.isdigit() and len(bare) <= 18):
        from erpsync.cli.misplaced import what_is  # noqa: PLC0415  (only for an error)

        example = f"{letter}-303 or 303" if letter else "42790"
        raise UsageError(
            f"{quoted(text, limit=60)} is no id", hint=what_is(text.strip()) or f"an id is a number, like {example}"
        )
    return int(bare)


def many_ids(words: Sequence[str], *, letter: str = "") -> list[int]:
    """The ids in ``words``, each once, in order; ``-`` stands for those on stdin, one a line or spaced."""
    found: dict[int, None] = {}
    for word in words:
        if word.strip() == "-":
            for piece in sys.stdin.read().split():
                found.setdefault(one_id(piece, letter=letter))
                if len(found) > _MOST_STDIN:
                    raise UsageError(f"stdin has more than {_MOST_STDIN:,} ids", hint="fewer at a time, with --where")
        else:
            for piece in word.split(","):
                found.setdefault(one_id(piece, letter=letter))
    return list(found)


def from_stdin(words: Sequence[str] | None) -> bool:
    """Whether ids are read from stdin, so that a question must be asked elsewhere."""
    return any(word.strip() == "-" for word in words or ())
