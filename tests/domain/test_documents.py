"""Documents as they cross a border: what a field takes, and that what says the same has one form."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from erpsync.domain.document import flatten, read_document, unflatten
from erpsync.domain.documents.order import Order
from erpsync.domain.flat import json_bytes
from erpsync.errors import BadDocument

ORDER = {"number": "SO-1", "customer": "CU-1", "currency": "USD"}


def order(**told: object) -> Order:
    document = read_document(Order, {**ORDER, **told})
    assert isinstance(document, Order)
    return document


def test_lines_in_any_order_and_fields_in_any_order_are_the_same_bytes() -> None:
    lines = [{"line": str(n), "sku": f"SKU-{n}", "quantity": n, "unit_price": "1.50"} for n in range(1, 13)]
    once = json_bytes(flatten(order(lines=lines, note="by hand")))
    for seed in range(10):
        mixed = [dict(Random(seed).sample(list(line.items()), 4)) for line in Random(seed).sample(lines, 12)]
        told = dict(Random(seed).sample(list({**ORDER, "lines": mixed, "note": "by hand"}.items()), 5))
        assert json_bytes(flatten(read_document(Order, told))) == once


def test_a_document_comes_back_from_its_flat_form() -> None:
    told = order(
        lines=[{"line": "2", "sku": "SKU-2", "quantity": "1.5"}, {"line": "1", "sku": "SKU-1", "quantity": 2}],
        ordered_on="2026-03-02",
        freight="12.50",
        note=None,
    )
    again = unflatten(Order, flatten(told))
    assert flatten(again) == flatten(told)
    assert [line.line for line in again.lines or ()] == ["1", "2"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("ordered_on", "20260302", "is not a day (yyyy-mm-dd)"),
        ("ordered_on", "2026-W10-1", "is not a day (yyyy-mm-dd)"),
        ("ordered_on", "2026-03-2x", "is not a day (yyyy-mm-dd)"),
        ("ordered_on", "２０２６-03-02", "is not a day (yyyy-mm-dd)"),
        ("ordered_on", "2026-13-02", "month must be in 1..12"),
        ("ordered_on", "0001-01-01", "is not a year of business"),
        ("ordered_on", 20260302, "is not a day (yyyy-mm-dd)"),
        ("number", "   ", "is empty"),
        ("number", "", "is empty"),
        ("number", "x" * 201, "is longer than 200 characters"),
        ("number", "SO-\x1b[31m", "holds control characters"),
        ("number", True, "is not a text"),
        ("note", "a\x00b", "holds a nul character"),
        ("note", ["a"], "is not a text"),
        ("freight", True, "is not a number"),
        ("freight", "1_000", "is not a plain number"),
        ("freight", Decimal("NaN"), "is not a number"),
        ("freight", Decimal("1e999999"), "is out of range"),
    ],
)
def test_a_field_says_what_is_wrong_with_it(field: str, value: object, says: str) -> None:
    with pytest.raises(BadDocument) as refused:
        order(**{field: value})
    assert refused.value.message == f"{field} {says}"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("  SO-1  ", "SO-1"),
        ("SO 1", "SO 1"),
        (7, "7"),
        ("Stra\u00dfe", "Stra\u00dfe"),
        ("e\u0301", "\u00e9"),
        ("\u00a0SO-1", "SO-1"),
    ],
)
def test_a_number_is_kept_without_the_space_around_it(told: object, kept: str) -> None:
    assert order(number=told).number == kept


def test_a_price_may_be_nothing_and_not_less() -> None:
    line = {"line": "1", "sku": "SKU-1", "quantity": -3}
    assert order(lines=[{**line, "unit_price": "-0.00"}]).lines is not None
    with pytest.raises(BadDocument, match=r"lines\.0\.unit_price is negative"):
        order(lines=[{**line, "unit_price": "-0.01"}])
