"""Pruning that is killed again and again, wherever it is: the store is whole each time, and in the end all has gone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from night_store import LANDSCAPE, Night

from erpsync.store.checking import verify
from erpsync.store.store import Store

pytestmark = pytest.mark.long

OLD = 100 * 24 * 60
MANY = 20_000
KILLS = 40
SECRETS = {f"{system}_TOKEN": "secret" for system in ("ERP", "SHOP", "WMS")}


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "erpsync", "store", "prune", "--yes"],
        cwd=folder,
        env=os.environ | SECRETS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def acts(folder: Path) -> int:
    """How many acts are on record."""
    with Store.open(folder / "erpsync.db", now=datetime.now(UTC), write=False) as store, store.read() as db:
        return int(db.execute("SELECT count(*) FROM audit").fetchone()[0])


def stand(folder: Path) -> tuple[int, int, list[str]]:
    """How many messages and contents there are, and what is wrong."""
    now = datetime.now(UTC)
    with Store.open(folder / "erpsync.db", now=now, write=False) as store, store.read() as db:
        counted = [int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in ("messages", "payloads")]
        return counted[0], counted[1], [problem.text for problem in verify(db)]


def test_it_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    (tmp_path / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    now, rng = datetime.now(UTC), random.Random(2026)
    with Store.create(tmp_path / "erpsync.db", now=now) as store:
        night = Night(store, now=now)
        night.many(MANY, ago=OLD)
        night.attempt(night.message("item:LAST", to="wms", ago=1), ago=1, outcome="created")
        night.finish()
    seen = set()
    for _ in range(KILLS):
        before = acts(tmp_path)
        process = start(tmp_path)
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until and acts(tmp_path) == before:
            time.sleep(0.005)  # until the act is on record
        time.sleep(rng.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        messages, contents, problems = stand(tmp_path)
        assert problems == []
        seen.add((messages, contents))
        if contents < MANY // 100:
            break
    assert len(seen) > 5, "killed in the midst of it"
    for _ in range(2):
        last = start(tmp_path)
        said = last.communicate(timeout=120)[0].decode()
        assert last.returncode == 0, said
    assert "nothing to prune" in said
    messages, contents, problems = stand(tmp_path)
    assert problems == []
    assert messages == 1
    assert contents <= len(seen) + 5, "what the acts noted"
    print(f"{len(seen)} kills in the midst of it, at {sorted(seen)}")
