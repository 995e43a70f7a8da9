"""A few thousand generated texts through every format; a hundred thousand in the long tests."""

from __future__ import annotations

from pathlib import Path

from generated import say_all


def test_generated_text_stays_text_in_every_format(tmp_path: Path) -> None:
    say_all(tmp_path, 6_000, seed=3)
