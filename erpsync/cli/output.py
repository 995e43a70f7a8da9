"""What leaves the process: stdout, stderr and the exit code are owned by this file alone.

Data and answers go to stdout, remarks and progress to stderr. Every line that may hold foreign text was made safe by
whoever wrote it; errors are made safe here. A closed pipe ends a command quietly with 0.
"""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

import erpsync
from erpsync.cli.exit_codes import DEFECT, GOOD, INTERRUPTED, NO, TERMINATED, USAGE
from erpsync.cli.json_text import as_json, utc
from erpsync.cli.options import Output
from erpsync.cli.streams import Terminated, filled, room, terminable, to_nowhere
from erpsync.cli.tables import Column, shortened, table, wrapped
from erpsync.cli.usage import as_utf8, lowered, usage_words, wants_json
from erpsync.errors import ErpsyncError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

Row = TypeVar("Row")
_LONGEST = 800  # of an error or its hint: nobody reads more of what was typed

__all__ = [
    "as_json",
    "command_line",
    "emit",
    "envelope",
    "flush",
    "listing",
    "remark",
    "room",
    "run",
    "say",
    "utc",
    "warn",
]

# Typer has a click of its own that nothing else may name: its usage errors are known by the bases of BadParameter.
_UsageOfTyper: type[Exception] = typer.BadParameter.__mro__[1]
_ErrorOfTyper: type[Exception] = typer.BadParameter.__mro__[2]


class _ClosedPipe(BaseException):
    """Whoever read our output has gone: there is nobody left to tell anything."""


class _OutputError(ErpsyncError):
    """Our output cannot be written (a full disk behind it)."""

    exit_code = NO


# ---- writing ---------------------------------------------------------------------------------------------------------


def say(*lines: str) -> None:
    """Lines of the answer, on stdout."""
    _write(sys.stdout, lines)


def remark(*lines: str) -> None:
    """Counts, the next command, progress: on stderr."""
    _write(sys.stderr, lines)


def warn(text: str) -> None:
    """A warning, on stderr whatever the output format."""
    remark(f"warning: {safe(text)}")


def emit(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    say(as_json(value, indent=2))


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    try:
        for line in lines:
            stream.write(line + "\n")
    except OSError as error:
        _judge(error, stream)


def flush() -> None:
    """Make sure that what was said has left."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _judge(error, stream)


def _judge(error: OSError, stream: TextIO) -> None:
    """What it means that a stream takes nothing: on stdout the answer is lost; on stderr there is nobody to tell."""
    if stream is sys.stderr:
        to_nowhere(stream)
        return
    if isinstance(error, BrokenPipeError):
        raise _ClosedPipe from None
    raise _OutputError(f"output cannot be written: {error.strerror}") from None


# ---- answers ---------------------------------------------------------------------------------------------------------


def envelope(bench: Workbench, schema: str, **answer: object) -> dict[str, object]:
    """The JSON object every answer is in."""
    return {"schema": f"erpsync/{schema}/1", "landscape": bench.landscape.name, "at": utc(bench.now()), **answer}


def listing(
    bench: Workbench,
    schema: str,
    rows: Sequence[Row],
    *,
    total: int | None,
    columns: Sequence[Column[Row]],
    item: Callable[[Row], Mapping[str, object]],
    identity: Callable[[Row], str],
    output: Output,
    remarks: Iterable[str] = (),
    more: Mapping[str, object] | None = None,
) -> None:
    """A listing in the format asked for: the table and, on stderr, its remarks; or JSON, JSON lines, ids.

    ``total`` None: how many there are is not known; then whoever asks says so where only rows are printed.
    """
    match output:
        case Output.JSON:
            emit(
                envelope(bench, schema, total=total, shown=len(rows), **(more or {}), items=[item(row) for row in rows])
            )
        case Output.JSONL:
            say(*(as_json(item(row)) for row in rows))
            if total is not None and len(rows) < total:
                warn(f"{len(rows):,} of {total:,} lines; leave --limit out to have them all")
        case Output.IDS:
            say(*(safe(identity(row)) for row in rows))
            if total is not None and len(rows) < total:
                warn(f"{len(rows):,} of {total:,} ids; leave --limit out to pass them all")
        case _:
            say(*table(columns, rows, room=room()))
            flush()
            remark(*remarks)


def command_line(*words: str) -> str:
    """A command to paste: each word quoted for a shell where it must be, and safe."""
    return safe(" ".join(shlex.quote(word) for word in words))


# ---- running ---------------------------------------------------------------------------------------------------------


def run(app: typer.Typer, argv: Sequence[str], *, bench: Workbench) -> int:
    """Run one command; returns its exit code. Nothing escapes: what went wrong is told in one line."""
    filled()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    argv = [as_utf8(word) for word in argv]
    bench.command = command_line("erpsync", *argv)
    try:
        with terminable(), bench.closing():
            code = _outcome(app, argv, bench)
            flush()
            return code
    except _ClosedPipe:
        to_nowhere(sys.stdout, sys.stderr)
        return GOOD
    except (KeyboardInterrupt, Terminated) as stop:
        return INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED
    except ErpsyncError as error:  # closing failed, or the output cannot be written
        with suppress(_ClosedPipe, ErpsyncError):
            _tell(error.message, error.hint, error.exit_code, argv)
        to_nowhere(sys.stdout)
        return error.exit_code


def _outcome(app: typer.Typer, argv: Sequence[str], bench: Workbench) -> int:  # noqa: PLR0911  (a line a way to end)
    try:
        result = app(list(argv), standalone_mode=False, prog_name="erpsync", obj=bench)
    except ErpsyncError as error:
        _trace(bench)
        if error.exit_code == DEFECT:
            return _defect(error, argv)
        place = getattr(error, "place", "") if getattr(error, "file", None) and getattr(error, "line", 0) else ""
        flush()
        _tell(f"{place}: {error.message}" if place else error.message, error.hint, error.exit_code, argv)
        return error.exit_code
    except _UsageOfTyper as error:
        _trace(bench)
        message, hint = usage_words(error)
        _tell(message, hint, USAGE, argv)
        return USAGE
    except _ErrorOfTyper as error:
        _tell(lowered(str(error)), "erpsync --help", USAGE, argv)
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else GOOD
    except KeyboardInterrupt:
        return INTERRUPTED
    except RecursionError as error:
        _trace(bench)
        return _defect(error, argv)
    except Exception as error:  # noqa: BLE001  (the outermost place: what nobody foresaw is a defect of ours)
        _trace(bench)
        return _defect(error, argv)
    return result if isinstance(result, int) else GOOD


def _tell(message: str, hint: str, code: int, argv: Sequence[str]) -> None:
    message, hint = shortened(safe(message), _LONGEST), shortened(safe(hint), _LONGEST)
    if wants_json(argv):
        remark(as_json({"schema": "erpsync/error/1", "error": message, "hint": hint or None, "code": code}))
        return
    width = room(sys.stderr)
    remark(*wrapped(message, room=width, first="error: ", then="      "))
    if hint:
        remark(*wrapped(hint, room=width, first="hint: ", then="      "))


def _defect(error: BaseException, argv: Sequence[str]) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    home = Path(erpsync.__file__).parent
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(home)]
    place = f" in {Path(ours[-1].filename).relative_to(home).as_posix()}:{ours[-1].lineno}" if ours else ""
    words = [word for word in argv if word != "--debug"]
    again = shortened(command_line("erpsync", "--debug", *words), _LONGEST // 2)
    flush()
    _tell(
        f"a defect in erpsync {erpsync.__version__}: {type(error).__name__}{place}",
        f"{again} shows the trace; the store is unharmed",
        DEFECT,
        argv,
    )
    return DEFECT


def _trace(bench: Workbench) -> None:
    if bench.debug:
        remark(*(safe(line) for line in traceback.format_exc().splitlines()))
