"""Text made fit for a terminal."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from night_store import NIGHT

from erpsync.terminal import (
    Clock,
    amounts,
    count,
    duration,
    head,
    money,
    plural,
    quantity,
    quoted,
    safe,
    size,
    took,
    width,
)

ACTING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(alphabet=st.characters(), max_size=300), st.one_of(st.none(), st.integers(min_value=16, max_value=120)))
def test_no_text_from_outside_can_act_on_a_terminal(text: str, limit: int | None) -> None:
    for shown in (safe(text, limit=limit), quoted(text, limit=limit)):
        assert not [c for c in shown if unicodedata.category(c) in ACTING]
        assert "\n" not in shown
        if limit is not None:
            assert width(shown) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Evil\x1b[31m Co\x07", "Evil\\x1b[31m Co\\x07"),
        ("abc\u202edef", "abc\\u202edef"),
        ("[bold]Markup[/bold] Ltd", "[bold]Markup[/bold] Ltd"),
        ("two\nlines\tand a tab\r", "two\\nlines\\tand a tab\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("東京商事株式会社", "東京商事株式会社"),
    ],
)
def test_what_would_act_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    text = '=HYPERLINK("http://x"' + "y" * 193
    assert len(text) == 214
    assert quoted(text, limit=32) == '"=HYPERLINK(\\"http://x\\"..." (214)' or quoted(text, limit=32).endswith(
        '..." (214)'
    )
    assert safe("short", limit=10) == "short"
    assert safe("x" * 20_000, limit=20) == '"xxxxxx..." (20,000)'


def test_marks_piled_on_one_letter_stop_after_four() -> None:
    assert safe("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + "\\u0301" * 2


def test_a_cut_never_halves_an_escape_or_a_wide_letter() -> None:
    assert head("abc\\x1bdef", 5) == "abc"
    assert head("東京", 3) == "東"
    assert width("東京") == 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8, "8s"),
        (277, "4m37s"),
        (599, "9m59s"),
        (600, "10m"),
        (2040, "34m"),
        (8400, "2h20m"),
        (39120, "10h52m"),
        (273600, "3d04h"),
        (None, "-"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_money_has_all_decimals_of_its_currency() -> None:
    assert money(1248000, "USD") == "12,480.00"
    assert money(1248000, "JPY") == "1,248,000"
    assert money(1248000, "KWD") == "1,248.000"
    assert money(0, "USD") == "0"
    assert money(None, "USD") == "-"
    assert amounts([("USD", 987000), ("EUR", 12000)]) == "9,870.00 USD and 120.00 EUR"
    assert amounts([]) == "0"


def test_counts_and_quantities_have_separators() -> None:
    assert count(48760) == "48,760"
    assert count(None) == "-"
    assert quantity(Decimal("1204.5")) == "1,204.5"
    assert plural(1, "try", "tries") == "1 try"
    assert plural(1204, "message") == "1,204 messages"
    assert took(0.19) == "0.19 s"
    assert took(30) == "30.0 s"


def test_a_clock_shows_the_local_time_and_after_a_day_the_date() -> None:
    clock = Clock(NIGHT, "America/Chicago")
    assert clock.zone_name == "CDT"
    assert clock.since(NIGHT - timedelta(minutes=67)) == "02:05"
    assert clock.lasting(NIGHT - timedelta(minutes=67)) == "1h07m"
    assert clock.since(NIGHT - timedelta(days=3)) == "10-12"
    assert clock.since(NIGHT - timedelta(days=400)) == "2025-09-10"
    assert clock.whole(NIGHT) == "Thu 2026-10-15 03:12:40 CDT"
    assert Clock(NIGHT, "Nowhere/Atall").since(NIGHT) == "08:12"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        *((None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (10_000, "9.8 KiB"), (66_000, "64 KiB")),
        *((1023 * 1024, "1.0 MiB"), (64 * 2**20, "64 MiB"), (1_867_075_584, "1.7 GiB"), (3 * 2**40, "3,072 GiB")),
    ],
)
def test_bytes_are_said_as_people_say_them(number: int | None, said: str) -> None:
    assert size(number) == said
