"""The benches measure what they say: both sides by turns, ratios the right way round, nothing dropped on the way."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "scripts" / "benches"


@pytest.fixture
def bench(monkeypatch):
    """A module of the benches by name, as ``scripts/bench`` finds it."""
    monkeypatch.syspath_prepend(BENCHES)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHES)):
            del sys.modules[name]


def test_ours_is_measured_between_two_of_the_yardstick_and_the_first_round_only_warms_up(bench):
    rounds = bench("rounds")
    turns = []
    drifting = iter([9.0, 9.0, 1.0, 3.0, 1.0, 3.0])  # the machine slows down under each round

    def side(name, seconds):
        def run(folder):
            assert not list(folder.iterdir())
            turns.append(name)
            return rounds.Measured(count=10, seconds=seconds or next(drifting))

        return run

    @contextmanager
    def opens(room):
        assert room.is_dir()
        yield rounds.Sides(ours=side("ours", 1.0), yardstick=side("yardstick", None))

    asked = rounds.Comparison(name="a", ours="", yardstick="", unit="", opens=opens, at_least=2, rounds=2)
    result = rounds.compare(asked)
    assert turns == ["yardstick", "ours", "yardstick"] * 3
    assert (result.ratio, result.ours_rate, result.yardstick_rate, result.reached) == (2.0, 10.0, 5.0, True)


@pytest.mark.parametrize(
    ("bound", "ours", "ratio", "reached"),
    [
        ({"at_least": 4}, 41, 4.1, True),
        ({"at_least": 4}, 39, 3.9, False),
        ({"at_most": 1.25}, 8, 1.25, True),
        ({"at_most": 1.25}, 5, 2.0, False),
    ],
)
def test_more_is_better_at_least_and_less_time_is_better_at_most(bench, bound, ours, ratio, reached):
    rounds = bench("rounds")

    @contextmanager
    def opens(_room):
        yield rounds.Sides(
            ours=lambda _folder: rounds.Measured(count=ours, seconds=1.0),
            yardstick=lambda _folder: rounds.Measured(count=10, seconds=1.0),
        )

    asked = rounds.Comparison(name="a", ours="", yardstick="", unit="", opens=opens, rounds=1, **bound)
    result = rounds.compare(asked)
    assert (round(result.ratio, 6), result.reached) == (ratio, reached)


def test_the_bare_loop_posts_every_body_once_to_a_server_of_its_own(bench):
    posted = bench("bodies").bodies(300)
    assert len(set(posted)) == 300
    with bench("sink").running() as sink:
        measured = bench("yardstick_aiohttp").post_all(sink, posted, in_flight=64)
        assert (measured.count, sink.taken()) == (300, 300)


def test_huey_executes_every_task_it_was_given(bench, tmp_path):
    assert bench("yardstick_huey").enqueue_and_execute(tmp_path, tasks=50).count == 50


def test_a_program_that_fails_is_not_measured(bench):
    with pytest.raises(RuntimeError, match="ended with 3"):
        bench("yardstick_typer").start([sys.executable, "-c", "raise SystemExit(3)"], starts=1)
