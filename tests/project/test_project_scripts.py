"""The scripts fail in one clear line where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)


@pytest.fixture
def checkout(tmp_path):
    """A checkout as git gives it, without an environment."""
    here = tmp_path / "checkout"
    here.mkdir()
    for name in ("scripts", ".ci"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock", "requirements.test.lock"):
        shutil.copy(ROOT / name, here)
    return here


def _run(*command, cwd, **environment):
    """Run with nothing but a search path; what is set besides is named by the test."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd), **environment}
    return subprocess.run(
        command, cwd=cwd, env=clean, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_a_script_can_be_started_and_says_what_it_does(script):
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[1].startswith("# ")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_an_old_python_is_refused_by_name(checkout):
    old = checkout / "python-of-2019"
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.7.4; else exit 1; fi\n')
    old.chmod(0o755)
    run = _run("scripts/demo", cwd=checkout, PYTHON=str(old))
    assert run.returncode == 2
    assert "is Python 3.7.4, erpsync needs Python 3.11 or newer" in run.stderr
    assert "hint:" in run.stderr
    assert not (checkout / ".venv").exists()


def test_a_machine_without_python_is_told_what_to_install(checkout):
    run = _run("scripts/test", cwd=checkout, PYTHON="no-such-python")
    assert run.returncode == 2
    assert "there is no no-such-python here" in run.stderr


def test_ci_does_not_pass_where_the_real_documents_are_missing(checkout):
    run = _run("bash", ".ci/run", cwd=checkout)
    assert run.returncode == 2
    assert "there is no ../shared/data beside the checkout" in run.stderr


def test_a_folder_of_real_documents_that_is_none_is_refused(checkout):
    run = _run("scripts/test", cwd=checkout, ERPSYNC_REAL_DATA=str(checkout / "nowhere"))
    assert run.returncode == 2
    assert "ERPSYNC_REAL_DATA names no folder" in run.stderr


def test_an_environment_that_is_ready_is_left_alone(checkout):
    made = checkout / ".venv"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(sys.executable)
    wanted = "printf '%s\\n' \"$(pwd -P)\"; cat pyproject.toml requirements.lock requirements.test.lock | cksum"
    (made / ".holds-test").write_text(_run("bash", "-c", wanted, cwd=checkout).stdout)
    for what in ("run", "test"):
        run = _run("scripts/prepare", what, cwd=checkout)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


LEFT_OUT = """
import pytest

@pytest.mark.long
def test_an_hour():
    pytest.skip("no server")

@pytest.mark.real_data
def test_real_documents():
    assert "order".isalpha()
"""


@pytest.mark.parametrize(
    ("environment", "code", "counts"),
    [
        ({}, 0, "2 skipped"),
        ({"ERPSYNC_REAL_DATA": "."}, 0, "1 passed, 1 skipped"),
        ({"ERPSYNC_REAL_DATA": ".", "ERPSYNC_MUST_RUN": "1"}, 1, "1 failed, 1 passed"),
        ({"ERPSYNC_MUST_RUN": "1"}, 1, "1 failed, 1 error"),
    ],
)
def test_a_test_that_must_run_and_is_left_out_has_failed(tmp_path, environment, code, counts):
    (tmp_path / "test_left_out.py").write_text(LEFT_OUT)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  long\n  real_data\n")
    run = _run(
        *(sys.executable, "-m", "pytest", "-p", "plugin_must_run", "-p", "no:cacheprovider"),
        cwd=tmp_path,
        PYTHONPATH=str(ROOT / "tests"),
        **environment,
    )
    assert run.returncode == code, run.stdout
    assert f" {counts} in " in run.stdout.splitlines()[-1]


def test_the_rule_about_tests_that_must_run_is_in_force_here(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("plugin_must_run")


def test_a_file_that_leaves_itself_out_has_failed_too(tmp_path):
    (tmp_path / "test_whole.py").write_text('import pytest\npytest.skip("no library", allow_module_level=True)\n')
    run = _run(
        *(sys.executable, "-m", "pytest", "-p", "plugin_must_run", "-p", "no:cacheprovider"),
        cwd=tmp_path,
        PYTHONPATH=str(ROOT / "tests"),
        ERPSYNC_MUST_RUN="1",
    )
    assert run.returncode != 0
    assert "skips itself whole, and must run here" in run.stdout
