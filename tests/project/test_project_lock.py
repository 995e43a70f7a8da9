"""What is installed is what the lock files name, by hash, from whatever index the machine is set up for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements.test.lock")


def _pins(name: str) -> dict[str, tuple[Requirement, int]]:
    """Each package of a lock file: its requirement and how many hashes stand for it."""
    joined = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    pins = [(Requirement(line.split(" --hash=")[0]), line.count(" --hash=sha256:")) for line in lines]
    return {canonicalize_name(requirement.name): (requirement, hashes) for requirement, hashes in pins}


def _project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_to_one_version_and_its_hashes(name):
    pins = _pins(name)
    assert len(pins) > 20
    assert [
        pin for pin, hashes in pins.values() if hashes == 0 or not re.fullmatch(r"==[\w.]+", str(pin.specifier))
    ] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_index_no_address_and_no_path(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"\w+://|file:\S|@ |^-.*$|--(?!hash=sha256:)\w+.*", text, flags=re.MULTILINE) == []
    assert [line for line in text.splitlines()[1:] if "/" in line] == []


def test_what_the_project_asks_for_is_what_the_locks_give():
    project = _project()["project"]
    run, test = _pins("requirements.lock"), _pins("requirements.test.lock")
    for asked, pins in (
        (project["dependencies"], run),
        (project["dependencies"] + project["optional-dependencies"]["test"], test),
        (_project()["build-system"]["requires"], run),
    ):
        for requirement in map(Requirement, asked):
            pin = pins[canonicalize_name(requirement.name)][0]
            assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), requirement
            assert str(pin.marker) == str(requirement.marker), requirement


def test_what_runs_is_what_was_tested():
    run, test = _pins("requirements.lock"), _pins("requirements.test.lock")
    assert {name: test[name][0] for name in run} == {name: pin for name, (pin, _) in run.items()}
