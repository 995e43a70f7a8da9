"""What talks to slow systems says on a terminal how far it is, and leaves nothing of it behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from practice import Practice
from simulation import Simulation
from terminals import CLEARED, Seen, on_terminal

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """An ERP, and a shop that takes a second and a half for whatever it is asked."""
    folder = tmp_path_factory.mktemp("slow")
    with Simulation(folder / "sim", seed=5, systems=("erp", "shop")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=3)
        sim.control.faults("shop", settings={"slow_seconds": 1.6}, reads={"slow": 1.0}, writes={"slow": 1.0})
        yield Practice(folder / "erpsync", sim, flows=("items",))


def seen(practice: Practice, *words: str) -> Seen:
    """A command on a terminal."""
    return on_terminal([sys.executable, "-m", "erpsync", *words], practice.folder, practice.environ)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("sync", "item", "--dry-run"), b"sync --dry-run  1s"),
        (("check", "--online"), b"asking erp, shop  1s"),
        (("systems", "probe", "shop"), b"asking shop  1s"),
        (("doctor", "--online"), b"doctor  8 of 10  [################....]  systems  1s"),
        (("run", "--until-idle"), b"run --until-idle  3 read, "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_slow_system_is_no_silence(practice: Practice, words: tuple[str, ...], line: bytes) -> None:
    told = seen(practice, *words)
    assert told.code in (0, 1), told
    assert line in told.err, told.err
    assert CLEARED in told.err
    assert b"  1s" not in told.err.rpartition(CLEARED)[2], "nothing of it is left"
    assert line not in told.out
    assert b"\x1b" not in told.out


def test_a_sync_says_it_line_by_line_and_takes_all_of_them_away(practice: Practice) -> None:
    practice.sim.control.post("edit", system="erp", kind="item", number="SKU-0001", changes={"name": "New"})
    told = seen(practice, "sync", "item", "--full")
    assert told.code == 0, told
    assert b"item      from erp" in told.err
    assert told.err.endswith(b"\x1b[2A\x1b[J")
    assert b"\x1b" not in told.out
