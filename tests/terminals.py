"""A command on a terminal of its own: what it draws there, and what it writes beside it."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CLEARED = b"\x1b[1A\x1b[J"  # a line that was drawn is taken away


@dataclass(frozen=True)
class Seen:
    """How a command ended, what came on stdout, and on the terminal (or pipe) that was its stderr."""

    code: int
    out: bytes
    err: bytes


def on_terminal(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    terminal: bool = True,
    both: bool = False,
    kind: str = "xterm",
) -> Seen:
    """Run a command whose stderr (and, with ``both``, stdout) is a terminal of this kind; else a pipe."""
    reads, writes = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environ, "TERM": kind},
        stdin=subprocess.DEVNULL,
        stdout=writes if both else subprocess.PIPE,
        stderr=writes,
    )
    os.close(writes)
    err = bytearray()

    def read() -> None:
        while True:
            try:
                piece = os.read(reads, 65_536)
            except OSError:  # a terminal whose other side is closed
                return
            if not piece:
                return
            err.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=60)
    reader.join()
    os.close(reads)
    return Seen(process.returncode, out or b"", bytes(err))
