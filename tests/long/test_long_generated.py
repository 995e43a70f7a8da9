"""A hundred thousand generated texts through every format of a listing."""

from __future__ import annotations

from pathlib import Path

import pytest
from generated import say_all

pytestmark = pytest.mark.long


def test_a_hundred_thousand_generated_texts_stay_text_in_every_format(tmp_path: Path) -> None:
    say_all(tmp_path, 100_002, seed=11)
