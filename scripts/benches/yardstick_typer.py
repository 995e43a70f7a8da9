"""The yardstick for starting: a Typer program of two commands that prints one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rounds import Measured

PROGRAM = '''
import typer

app = typer.Typer()


@app.command()
def one(limit: int = 50) -> None:
    """Print a line."""
    print("one line")


@app.command()
def two(name: str = "") -> None:
    """Print another."""
    print("another line")


if __name__ == "__main__":
    app()
'''


def start_two_commands(folder: Path, *, starts: int) -> Measured:
    """The program started so many times, one after the other."""
    program = folder / "two_commands.py"
    program.write_text(PROGRAM, encoding="utf-8")
    return start([sys.executable, str(program), "one"], starts=starts, expected=0)


def start(command: Sequence[str], *, starts: int, expected: int = 0, folder: Path | None = None) -> Measured:
    """Any command started so many times, one after the other, in ``folder``; its output is read to the end."""
    # Both sides keep their bytecode, as they do where they are installed.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    for _ in range(starts):
        run = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if run.returncode != expected or not run.stdout:
            message = f"{' '.join(command)} ended with {run.returncode}: {run.stderr.decode(errors='replace')[-500:]}"
            raise RuntimeError(message)
    return Measured(count=starts, seconds=time.perf_counter() - begun)
