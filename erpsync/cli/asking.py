"""Asking before an act: what was shown is frozen, the answer must be typed, leaving costs nothing.

The question stands on stderr and the answer comes from the terminal, also where ids came through stdin.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from erpsync.cli.output import flush, remark
from erpsync.errors import UsageError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.workbench import Workbench


def ask(
    bench: Workbench,
    act: str,
    *,
    what: str,
    answer: str,
    yes: bool,
    stdin_taken: bool = False,
    left: str = "left; nothing was sent",
    hint: str = "--yes if that is right",
) -> None:
    """Go on only when the person means it: ``act`` is the verb, ``what`` its object (``36 messages to erp``).

    ``answer`` is what must be typed; in production it is the landscape's name. ``stdin_taken``: ids came through stdin.
    Raises UsageError without a terminal, ``typer.Exit(0)`` when the person leaves.
    """
    if yes:
        return
    flush()
    with ExitStack() as closing:
        source = sys.stdin
        if stdin_taken:
            try:
                source = closing.enter_context(open("/dev/tty", encoding="utf-8", errors="replace"))  # noqa: PTH123  (a device, not a file)
            except OSError:
                raise _no_terminal(act, what, hint) from None
        elif not sys.stdin.isatty():
            raise _no_terminal(act, what, hint)
        landscape = bench.landscape
        if landscape.production:
            wanted = landscape.name
            question = f"{safe(landscape.name)} is production. Type its name to {act} {what} (enter leaves): "
        else:
            wanted = answer
            question = f"{act[:1].upper()}{act[1:]} {what}? Type {answer} (enter leaves): "
        sys.stderr.write(question)
        sys.stderr.flush()
        typed = source.readline()
    if not typed.endswith("\n"):
        remark("")
    if typed.strip() != wanted:
        remark(left)
        raise typer.Exit(0)


def _no_terminal(act: str, what: str, hint: str) -> UsageError:
    return UsageError(f"{act} of {what} asks first, and there is no terminal", hint=hint)
