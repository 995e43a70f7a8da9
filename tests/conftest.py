"""What every test may ask for: a moment at which the clock stands, and a new store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from erpsync.store.store import Store

pytest_plugins = ("plugin_must_run",)

os.environ.pop("COLUMNS", None)  # xdist says 80 to its workers; what we start writes into a pipe, which has no width

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    """The moment at which the clock stands."""
    return NOON


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store, closed after the test."""
    with Store.create(tmp_path / "erpsync.db", now=NOON) as made:
        yield made
