"""Numbers as callers say them: which texts have what somebody typed, and that nothing typed is syntax."""

from __future__ import annotations

import sqlite3

import pytest

from erpsync.domain.sought import MOST_CHARACTERS, plain, sought
from erpsync.errors import UsageError

FOUND = [
    ("INV-20698", "posted as INV-20698"),
    ("inv-206", '{"invoice":"INV-20698"}'),
    ("INV20698", "INV-20698"),
    ("inv 20698", "INV-20698 of May"),
    ("SO-1001", "SO1001"),
    ("1001", "SO-1001"),
    ("so 1001", "order:SO-1001"),
    ("  SO-1001  ", "SO_1001"),
    ("mira.okafor", '"email":"Mira.Okafor@bay.example"'),
    ("mira.okafor@bay.example", '"email":"mira.okafor@bay.example"'),
    ("muller", "M\u00fcller & S\u00f6hne"),
    ("M\u00dcLLER", "Mu\u0308ller"),
    ("555-0100", "+1 206 555 0100"),
    ("2065550100", "+1 (206) 555-0100"),
    ("+1 (206) 555-0100", "1-206-555-0100"),
    ("20698", '{"note":"first line\\nINV-20698"}'),
    ("1Z", "1Z9999W9"),
    ("okafor supply", "Supply of Okafor"),
]
NOT_FOUND = [
    ("SO-1", "SO-1001"),
    ("INV-206", "INV-11206"),
    ("20698", "120698"),
    ("okafor supply", "Okafor alone"),
    ("INV-20698", "INV and, much later in the text, 20698"),
]


def has(typed: str, text: str) -> bool:
    """Whether a text has it, by its patterns; and where it has, the index must name it."""
    asked = sought(typed)
    found = asked.place_in(plain(text)) is not None
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE VIRTUAL TABLE t USING fts5(x, detail = none, tokenize = 'unicode61 remove_diacritics 2')")
        db.execute("INSERT INTO t VALUES (?)", (text.replace("\\n", " "),))
        named = db.execute("SELECT count(*) FROM t WHERE t MATCH ?", (asked.expression,)).fetchone()[0]
    finally:
        db.close()
    assert named or not found, "what is there must be named by an index of words too"
    return found


@pytest.mark.parametrize(("typed", "text"), FOUND)
def test_a_number_is_found_as_callers_say_it(typed: str, text: str) -> None:
    assert has(typed, text)


@pytest.mark.parametrize(("typed", "text"), NOT_FOUND)
def test_another_number_is_not(typed: str, text: str) -> None:
    assert not has(typed, text)


@pytest.mark.parametrize(
    "typed",
    [
        'a" OR "b',
        "x* NEAR y",
        "NOT a",
        "a AND",
        "{a b}: c",
        "col:val",
        "'; DROP TABLE t; --",
        "a\x00b",
        "a\ud800b",
        "a\u202eb",
        "^a",
        "(((a",
    ],
)
def test_what_is_typed_is_never_syntax(typed: str) -> None:
    assert not has(typed, "something else altogether")


@pytest.mark.parametrize("typed", ["", "   ", "-", "\x1b[0;;", "\u202e", "%_*\"'"])
def test_nothing_to_look_for_is_refused(typed: str) -> None:
    if any(c.isalnum() for c in typed):
        return
    with pytest.raises(UsageError, match="needs something to look for"):
        sought(typed)


def test_a_page_of_text_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=f"find takes at most {MOST_CHARACTERS} characters, this has 100,000"):
        sought("x" * 100_000)
