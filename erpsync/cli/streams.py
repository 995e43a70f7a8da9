"""The three streams of this process and the signal that ends it: what a command is connected to.

One rule: descriptors 0 to 2 are never free, or a file of ours would take the place of one and be written over.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO


class Terminated(BaseException):
    """SIGTERM: leave cleanly."""


def filled() -> None:
    """Put nothing in the place of a stream that was closed before we started (``>&-``)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  (takes the lowest free descriptor; stays open)


def room(stream: TextIO | None = None) -> int | None:
    """How many columns there are: of the terminal, else COLUMNS, else None: no limit."""
    stream = stream or sys.stdout
    with suppress(OSError, ValueError):
        if stream.isatty() and (columns := os.get_terminal_size(stream.fileno()).columns):
            return columns
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isascii() and said.isdigit() and 0 < int(said) < 10_000 else None


def on_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can move its cursor."""
    with suppress(ValueError):
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    return False


def to_nowhere(*streams: TextIO) -> None:
    """Let the interpreter flush what is left into nothing, without a complaint."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM unwinds what is under way, as Ctrl-C does."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: someone else's to decide
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
