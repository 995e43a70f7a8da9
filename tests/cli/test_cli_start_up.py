"""What a command loads, and how it ends when nobody listens any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SECRETS  # type: ignore[import-not-found]  # the folder's own conftest

HEAVY = (
    "textual",
    "httpx",
    "pycurl",
    "aiohttp",
    "sqlite_utils",
    "rich",
    "asyncio",
    "pydantic",
    "annotated_types",
    "tenacity",
    "jmespath",
    "erpsync.engine",
    "erpsync.adapters",
    "erpsync.config.places",
    "erpsync.config.template",
    "erpsync.domain.document",  # and what is under documents/
    "erpsync.store.writer",
    "getpass",
)

SPY = """
import sys
import time
from erpsync.cli.main import main
code = main(sys.argv[1:])
print("LOADED", *sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(folder: Path, *words: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", SPY, *words],
        cwd=folder,
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("words", [("trace", "order:"), ("dlq", "show", ""), ("dlq", "list", "--where", "'sys")])
def test_tab_loads_nothing_that_moves_documents(
    words: tuple[str, ...], night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_ERPSYNC_COMPLETE", "fish")
    modules = loaded(night, "erpsync", *words)
    assert [name for name in sorted(modules) if name.startswith(HEAVY) and not name.startswith("rich.")] == []


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--help",),
        ("status",),
        ("dlq", "list", "-o", "json"),
        ("dlq", "show", "3"),
        ("messages", "list"),
        ("events", "list"),
        ("exceptions", "list"),
        ("lanes", "list", "--where", "lane = customer:CU-1107"),
        ("lanes", "show", "wms", "customer:CU-1107"),
        ("messages", "skip", "12", "--dry-run"),
        ("systems", "list"),
        ("flows", "list"),
        ("trace", "order:SO-10498"),
        ("replay", "3", "--dry-run"),
    ],
    ids=" ".join,
)
def test_looking_loads_nothing_that_moves_documents(words: tuple[str, ...], night: Path) -> None:
    modules = loaded(night, *words)
    assert [name for name in sorted(modules) if name.startswith(HEAVY) and not name.startswith("rich.")] == []


def test_the_version_is_said_before_anything_is_loaded(night: Path) -> None:
    modules = loaded(night, "--version")
    assert not {"pydantic", "pysqlite3", "sqlite3", "erpsync.config.reading", "erpsync.store.store"} & modules


def test_a_flow_with_a_filter_loads_the_model_of_its_kind_alone_and_makes_no_validator(night: Path) -> None:
    landscape = night / "erpsync.toml"
    text = landscape.read_text(encoding="utf-8")
    landscape.write_text(
        text.replace('kind = "item"\n', 'kind = "item"\nwhere = "active != false"\n'), encoding="utf-8"
    )
    spy = """
import sys
from erpsync.cli.main import main
code = main(sys.argv[1:])
from pydantic import BaseModel
ours = [model for model in BaseModel.__subclasses__() if model.__module__.startswith("erpsync")]
ours = [model for base in ours for model in (base, *base.__subclasses__())]
whole = [model.__name__ for model in ours if model.__pydantic_complete__]
print("OURS", *(model.__name__ for model in ours), "MADE", *whole, file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", spy, "dlq", "list", "-o", "json"],
        cwd=night,
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "OURS Line Document Item MADE\n"


def piped(folder: Path, *words: str, reads: int) -> tuple[int, str]:
    """Run ``erpsync`` into a pipe that is closed after so many bytes; its exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "erpsync", *words],
        cwd=folder,
        env={**os.environ, **SECRETS, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(reads)
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    return process.wait(timeout=30), said


@pytest.mark.parametrize(
    "words", [("messages", "list"), ("messages", "list", "-o", "json"), ("status",), ("--help",)], ids=" ".join
)
def test_a_closed_pipe_ends_a_command_quietly(words: tuple[str, ...], night: Path) -> None:
    code, said = piped(night, *words, reads=1)
    assert code == 0
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_a_full_disk_behind_stdout_is_said(night: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "erpsync", "status"],
            cwd=night,
            env={**os.environ, **SECRETS},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: output cannot be written: No space left")


def test_a_latin_locale_gets_escapes_instead_of_an_error(night: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "erpsync", "trace", "order:東京"],
        cwd=night,
        env={**os.environ, **SECRETS, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"\\u6771\\u4eac" in done.stderr


def test_sigterm_ends_a_running_worker_with_143(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "erpsync", "init"], cwd=tmp_path, check=True, capture_output=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "erpsync", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "a worker runs, 3 flows" in first
    until = time.monotonic() + 30
    while not (tmp_path / "out" / "orders").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "Traceback" not in err
    assert "delivered." in out


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), ("<&-", 0), ("2>/dev/full", 0)])
def test_a_stream_that_was_closed_before_is_no_defect(closed: str, code: int, night: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m erpsync status {closed}"],
        cwd=night,
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
