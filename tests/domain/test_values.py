"""Numbers as documents write them, and what a line of an order comes to: exact, whatever was read before."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erpsync.domain.values import exponent, line_amount, millionths, minor_units, to_number

MOST = 10**12


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (3, "3"),
        ("-0.5", "-0.5"),
        (Decimal("19.95"), "19.95"),
        (Decimal("19.950000"), "19.950000"),
        (Decimal("19.9500000"), "19.950000"),  # no more than six decimals, whatever was read just before
        (Decimal("1E+2"), "100"),
        (Decimal("7." + "0" * 100_000), "7.000000"),  # longer than anybody should remember
    ],
)
def test_a_number_keeps_its_own_form(value: object, read: str) -> None:
    assert format(to_number(Decimal("19.95")), "f") == "19.95"
    assert format(to_number(value), "f") == read


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "is not a number"),
        (1.5, "is not a number"),
        (" 7 ", "is not a plain number"),
        (MOST + 1, "is out of range"),
        (Decimal("1E+1000000"), "is out of range"),
        (Decimal("NaN"), "is not a number"),
        (Decimal("sNaN"), "is not a number"),
        (Decimal("-Infinity"), "is not a number"),
        (Decimal("0.0000001"), "has more than six decimals"),
    ],
)
def test_what_is_no_number_is_told_and_not_remembered_as_one(value: object, why: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=why):
            to_number(value)


@given(
    quantity=st.integers(-MOST, MOST),
    price=st.integers(0, MOST),
    discount=st.sampled_from([0, 1, 125_000, 333_333, 1_000_000]),
    currency=st.sampled_from(["USD", "JPY", "KWD", "UYW"]),
)
def test_a_line_comes_to_its_exact_amount_rounded_half_up(
    quantity: int, price: int, discount: int, currency: str
) -> None:
    with localcontext(prec=60):
        exact = Decimal(quantity) * price * (1_000_000 - discount) / Decimal(10) ** (18 - exponent(currency))
        wanted = int(exact.to_integral_value(ROUND_HALF_UP))
    assert line_amount(quantity=quantity, unit_price=price, discount=discount, currency=currency) == wanted


def test_equal_numbers_are_equal_in_the_books() -> None:
    assert {millionths(Decimal(text)) for text in ("2.5", "2.50", "2.500000")} == {2_500_000}
    assert [minor_units(Decimal("2.345"), currency) for currency in ("USD", "JPY", "KWD")] == [235, 2, 2345]
