"""The demo: it ends well, leaves what is stuck to be looked at, and every command it names works in its folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erpsync.cli.practice import Control, start, stop, systems_folder
from erpsync.errors import UsageError


def erpsync(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``erpsync`` in a folder, as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "erpsync", *words],
        cwd=folder,
        env={**os.environ, "ERPSYNC_LANDSCAPE": ""},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The demo's folder, and what it printed."""
    root = tmp_path_factory.mktemp("demo")
    done = erpsync(root, "demo")
    assert done.returncode == 0, done.stderr
    yield root / "demo", done.stdout
    try:
        Control(systems_folder(root / "demo")).post("stop", {})
    except UsageError:
        return


def test_the_demo_ends_with_what_is_stuck_and_why(told: tuple[Path, str]) -> None:
    _, out = told
    for step in ("1 start", "2 sync", "3 traffic", "4 settle"):
        assert f"  {step} " in out
    assert "NOT WELL: " in out
    assert re.search(r"dead letters? (\d+ )?to erp", out)
    assert "answer lost: order:" in out
    assert "kept twice: 0." in out
    assert out.rstrip().endswith("cd demo && erpsync sim up")


def test_every_command_the_demo_names_works_in_its_folder(told: tuple[Path, str]) -> None:
    folder, out = told
    named = {match.group(1) for match in re.finditer(r"(?:run:|next:|^ ) erpsync (.+)$", out, flags=re.MULTILINE)}
    assert len(named) >= 7
    for command in sorted(named):
        done = erpsync(folder, *shlex.split(command))
        assert done.returncode == 0, (command, done.stderr)


def test_nothing_of_its_secrets_is_readable_by_others_or_shown(told: tuple[Path, str]) -> None:
    folder, out = told
    for file in (folder / "secrets").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        secret = file.read_text(encoding="utf-8").strip()
        assert secret not in out
        assert secret not in (folder / "erpsync.toml").read_text(encoding="utf-8")
        assert secret.encode() not in (folder / "erpsync.db").read_bytes()
    assert (folder / "erpsync.db").stat().st_mode & 0o777 == 0o600


def test_sim_up_brings_the_same_systems_back(told: tuple[Path, str]) -> None:
    folder, _ = told
    assert erpsync(folder, "check", "--online").returncode == 3
    process = start(systems_folder(folder))
    try:
        assert erpsync(folder, "check", "--online").returncode == 0
        state = Control(systems_folder(folder)).get("state")["systems"]
        assert state["shop"]["documents"]["order"] == 100
        assert erpsync(folder, "sim", "fault", "wms", "--mode", "down").returncode == 0
        assert erpsync(folder, "systems", "probe", "wms").returncode == 3
        assert erpsync(folder, "sim", "fault", "all", "--reset").returncode == 0
        assert erpsync(folder, "systems", "probe", "wms").returncode == 0
        replayed = erpsync(folder, "replay", "--where", "system = erp", "--yes")
        assert replayed.returncode == 0, replayed.stderr
        assert erpsync(folder, "sim", "fault", "nowhere").returncode == 2
    finally:
        stop(process)


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "demo"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear friend", encoding="utf-8")
    done = erpsync(tmp_path, "demo")
    assert done.returncode == 2
    assert (mine / "letter.txt").read_text(encoding="utf-8") == "dear friend"
