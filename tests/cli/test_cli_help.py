"""Help says what is true: each field it names can be asked by, in the listing it names."""

from __future__ import annotations

import re

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.cli.help_topics import topics
from erpsync.domain.filters import parse


def fields_told(run: Run) -> dict[str, list[str]]:
    """Each listing that ``help filters`` names, with its fields."""
    told = run("help", "filters").out.partition("\nFields\n")[2]
    lines = re.sub(r"\n {4,}", " ", told).splitlines()
    found = {}
    for line in lines:
        listings, _, fields = line.strip().partition("  ")
        for listing in listings.split(", "):
            found[listing] = fields.strip().split(", ")
    return found


def test_every_field_that_help_names_can_be_asked_by(erpsync: Run) -> None:
    told = fields_told(erpsync)
    assert {"dlq list", "messages list", "events list", "exceptions list", "systems list"} <= set(told)
    for listing, fields in told.items():
        if listing == "replay":
            continue  # it takes those of dlq list, and asks before it sends
        ends = ("--no-wait",) if listing == "tail" else ()
        for field in fields:
            answer = erpsync(*listing.split(), "--where", f"{field} = ''", "-o", "ids", *ends)
            assert "does not exist" not in answer.err, (listing, field)
        answer = erpsync(*listing.split(), "--where", "colour = red")
        assert answer.code == 2
        assert set(fields) == set(re.search(r"Fields of [a-z -]+: (.*)", " ".join(answer.err.split()))[1].split(", "))  # type: ignore[index]  # there is one


def test_the_example_of_the_filter_language_is_one(erpsync: Run) -> None:
    example = next(
        line.strip() for line in erpsync("help", "filters").out.splitlines() if line.startswith("  system = ")
    )
    parse(example)
    assert erpsync("messages", "list", "--where", example).code == 0


@pytest.mark.parametrize("topic", topics())
def test_a_topic_fits_a_terminal_of_80_columns(erpsync: Run, topic: str) -> None:
    answer = erpsync("help", topic)
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 80


def test_a_topic_that_is_not_there_is_answered_with_the_nearest(erpsync: Run) -> None:
    answer = erpsync("help", "filter")
    assert answer.code == 2
    assert answer.err.startswith("error: help has no topic filter\nhint: filters? ")


def test_the_front_page_fits_a_terminal_of_80_columns(erpsync: Run) -> None:
    assert max(map(len, erpsync("--help").out.splitlines())) <= 80
