"""Plain words become what Typer would make of them; whatever is wrong with a word is said in Typer's words."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from enum import StrEnum
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from erpsync.cli.words import plainly_read


class Colour(StrEnum):
    RED = "red"
    DARK_RED = "dark-red"


def ask(
    *,
    text: str = "",
    number: Annotated[int | None, typer.Option(min=0, max=1_000)] = None,
    any_number: int = 7,
    share: float = 0.5,
    colour: Colour = Colour.RED,
    any_case: Annotated[Colour, typer.Option(case_sensitive=False)] = Colour.RED,
    doubled: Annotated[str, typer.Option(parser=lambda word: word * 2)] = "",
    many: list[str] | None = None,
    flag: bool = False,
) -> None:
    """A command with a parameter of every sort."""


def parameters() -> list[Any]:
    app = typer.Typer(add_completion=False)
    app.command()(ask)
    command: Any = typer.main.get_command(app)
    return list(command.params)


PARAMETERS = parameters()
CONTEXT: Any = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
WORDS = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers().map(str),
    st.sampled_from(
        [
            "red",
            "RED",
            "dark-red",
            "DARK_RED",
            "007",
            "+5",
            "-0",
            " 5 ",
            "1_000",
            "５",
            "1e3",
            "5.0",
            "0",
            "1000",
            "1001",
        ]
    ),
    st.integers(),
    st.sampled_from(list(Colour)),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=3),
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
)


def outcome(work: Callable[[], Any]) -> tuple[str, str]:
    """What came of it, as type and text; an error with its words."""
    try:
        value = work()
    except typer.BadParameter as error:
        return "refused", error.message
    return type(value).__name__, repr(value)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_a_word_means_what_typer_says_it_means(parameter: Any) -> None:
    @given(word=WORDS)
    def same(word: Any) -> None:
        theirs = copy(parameter)
        (ours,) = plainly_read([copy(parameter)])
        assert outcome(lambda: ours.process_value(CONTEXT, word)) == outcome(
            lambda: theirs.process_value(CONTEXT, word)
        )

    same()


def test_a_parameter_that_met_a_wrong_word_reads_the_next_one() -> None:
    (number,) = plainly_read([copy(next(one for one in PARAMETERS if one.name == "number"))])
    with pytest.raises(typer.BadParameter, match="less than or equal to 1000"):
        number.process_value(CONTEXT, "1001")
    assert number.process_value(CONTEXT, "12") == 12
