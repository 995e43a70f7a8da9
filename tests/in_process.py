"""The command line run inside the test's own process, its streams caught byte by byte: quick, and nothing of ours mocked."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shaped import hold_to_shape

from erpsync.cli.main import main
from erpsync.workbench import Workbench


@dataclass(frozen=True)
class Said:
    """What a command wrote, byte by byte, and how it ended."""

    code: int
    raw_out: bytes
    raw_err: bytes

    @property
    def out(self) -> str:
        """Its stdout as text."""
        return self.raw_out.decode("utf-8")

    @property
    def err(self) -> str:
        """Its stderr as text."""
        return self.raw_err.decode("utf-8")


def say(folder: Path, environ: Mapping[str, str], *words: str, columns: int | None = 80) -> Said:
    """Run a command in a folder; ``columns`` None is a pipe. Its stdin is empty and no terminal."""
    streams = {
        name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for name in ("stdout", "stderr")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", streams["stdout"])
        patch.setattr(sys, "stderr", streams["stderr"])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.delenv("COLUMNS", raising=False)
        if columns:
            patch.setenv("COLUMNS", str(columns))
        code = main(words, bench=Workbench(folder=folder, environ=environ, clock=lambda: datetime.now(UTC)))
    caught = [streams[name].buffer for name in ("stdout", "stderr")]
    out, err = (buffer.getvalue() for buffer in caught if isinstance(buffer, io.BytesIO))
    said = Said(code, out, err)
    hold_to_shape(said.out)
    hold_to_shape(said.err)
    return said
