"""What may import what, and what a quick command may not load."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SLOW = {"textual", "httpx", "pycurl", "aiohttp", "sqlite_utils"}


def test_imports_point_down_only():
    run = subprocess.run([BIN / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", run.stdout)


def test_the_version_is_told_without_waking_what_is_slow(tmp_path):
    told = subprocess.run(
        [sys.executable, "-X", "importtime", BIN / "erpsync", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert version("erpsync") in told.stdout
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in told.stderr.splitlines() if "|" in line}
    assert "erpsync" in loaded
    assert loaded & SLOW == set()
