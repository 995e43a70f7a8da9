"""Times, sizes and rates as the landscape writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erpsync.config.durations import duration, rate, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1d", 86_400), ("30s", 30), ("500ms", 0.5), ("2h30m", 9_000), ("1w2d", 777_600), ("3d04h", 273_600)],
)
def test_a_time_is_written_with_its_unit(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "0m0s", "-5m", "5 m", "1.5h", "30m2h", "5min", "٥m", "1e3s", "9" * 20 + "d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        duration(text)


def test_sizes_count_in_tens_and_in_twos() -> None:
    assert [size(text) for text in ("1MB", "1MiB", "16MiB", "512KiB", "7B")] == [
        1_000_000,
        1_048_576,
        16_777_216,
        524_288,
        7,
    ]


@pytest.mark.parametrize("text", ["", "16", "16M", "0MB", "-1MB", "1.5MB", "1mb", "16 MiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(text)


def test_rates_are_requests_a_second() -> None:
    assert [rate(text) for text in ("20/s", "90/m", "1800/h", "0.5/s")] == [20, 1.5, 0.5, 0.5]


@pytest.mark.parametrize("text", ["", "20", "20/d", "0/s", "-1/s", "20 / s", "s", "nan/s", "inf/s", "1e9/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        rate(text)
