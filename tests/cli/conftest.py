"""The command line as tests drive it: in this process, on a night that stands still, with its output caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from night_store import NIGHT, make_night
from shaped import hold_to_shape

from erpsync.cli.main import main
from erpsync.workbench import Workbench

SECRETS = {"ERP_TOKEN": "erp-secret", "SHOP_TOKEN": "shop-secret", "WMS_TOKEN": "wms-secret"}


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "ERPSYNC_LANDSCAPE", "ERPSYNC_READ_ONLY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "mira")


@pytest.fixture
def run_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Run]:
    """A way to run ``erpsync`` in a folder; ``columns`` is the terminal's width, None a pipe."""

    def at(folder: Path) -> Run:
        def run(*words: str, columns: int | None = None, environ: dict[str, str] | None = None) -> Answer:
            if columns is None:
                monkeypatch.delenv("COLUMNS", raising=False)
            else:
                monkeypatch.setenv("COLUMNS", str(columns))
            capsys.readouterr()
            bench = Workbench(folder=folder, environ={**SECRETS, **(environ or {})}, clock=lambda: NIGHT)
            code = main(words, bench=bench)
            caught = capsys.readouterr()
            hold_to_shape(caught.out)
            hold_to_shape(caught.err)
            return Answer(code, caught.out, caught.err)

        return run

    return at


@pytest.fixture
def ids() -> dict[str, int]:
    """The ids of the night's messages and exceptions, by name; filled by ``night``."""
    return {}


@pytest.fixture
def night(tmp_path: Path, ids: dict[str, int]) -> Path:
    """A folder with the landscape and the store of the night."""
    store, made = make_night(tmp_path)
    ids.update(made)
    store.close()
    return tmp_path


@pytest.fixture
def erpsync(night: Path, run_in: Callable[[Path], Run]) -> Run:
    """``erpsync`` run on the night."""
    return run_in(night)
