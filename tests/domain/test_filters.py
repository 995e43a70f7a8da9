"""The filter language: what it takes, what it answers, and that no text breaks it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erpsync.domain.filter_documents import check_document_filter, document_values
from erpsync.domain.filter_reading import DEEPEST, LONGEST
from erpsync.domain.filters import (
    OPERATORS,
    And,
    Compare,
    Everything,
    Flag,
    Node,
    Not,
    Or,
    as_moment,
    as_number,
    as_seconds,
    as_span,
    check_fields,
    fields_of,
    matches,
    parse,
    text_of,
)
from erpsync.domain.kinds import kind_named
from erpsync.errors import FilterError

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
LETTER = {
    "id": 42790,
    "key": "shipment:SH-88006",
    "system": "wms",
    "error": '422 carrier_service: unknown value "UPSG"',
    "age": timedelta(hours=3, minutes=5),
    "at": NOON - timedelta(hours=3),
    "ordered_on": date(2026, 10, 14),
    "stake": Decimal("4905.35"),
    "due": True,
    "blocked": False,
    "tracking": None,
    "empty": "",
    "star": "SKU-*",
}
DEAD_LETTER_FIELDS = frozenset(
    ("age", "cause", "customer", "died", "error", "event", "from", "group", "id", "key", "kind", "line", "order")
) | {"stake", "system", "tries", "waiting"}


def holds(text: str) -> bool:
    return matches(parse(text), LETTER, now=NOON)


def mistake(text: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        matches(parse(text), LETTER, now=NOON)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "system = wms",
        "system=wms",
        "system != erp",
        "not system = erp",
        "not (system = erp or blocked)",
        "system = wms and age > 3h",
        "system = erp or due",
        "system = erp and blocked or due",
        "SYSTEM = x or due AND NOT blocked",
        "error ~ upsg",
        "error ~ 'value \"UPSG\"'",
        "error !~ timeout",
        "key = shipment:SH-*",
        "key = shipment:SH-8800?",
        "key != order:*",
        "star = 'SKU-*'",
        "key >= shipment:SH-88000",
        "id = 42790",
        "id = 427*",
        "id > 9999",
        "id >= 42790 and id <= 42790",
        "stake = 4905.350",
        "stake > 4905.3 and stake < 4905.4",
        "age > 3h and age < 3h06m",
        "age >= 3h05m",
        "age < 1d",
        "age > 0",
        "at = 2026-10-15",
        "at = 2026-10-15T09:00Z",
        "at = '2026-10-15 11:00+02:00'",
        "at > 2026-10-14",
        "at <= 2026-10-15 and not at > 2026-10-15",
        "at > 4h and at < 2h",
        "at >= 3h",
        "ordered_on = 2026-10-14",
        "ordered_on < 2026-10-15",
        "ordered_on >= 2d",
        "due = yes and due = TRUE and blocked = no and blocked != yes",
        'tracking = ""',
        "empty = ''",
        "tracking != x",
        "not tracking and not missing",
        "not tracking = x and not tracking > 5",
        'stake != ""',
    ],
)
def test_a_filter_finds_the_letter_it_describes(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "system = WMS",
        "system = wm",
        "system = erp and due or blocked",
        "blocked",
        "not due",
        "error ~ timeout",
        "error = UPSG",
        "key = shipment:sh-*",
        "key = 'shipment:SH-*'",
        "error ~ 'UP*'",
        "id < 9999",
        "id = 42790.5",
        "age < 3h",
        "at > 2026-10-15",
        "at < 2026-10-15",
        "at = 2026-10-14",
        "at = 2026-10-15T09:01Z",
        "ordered_on > 2026-10-14",
        "tracking = x",
        "tracking > 5",
        "tracking ~ x",
        'system = ""',
        "missing = 5",
    ],
)
def test_a_filter_leaves_out_what_it_does_not_describe(text: str) -> None:
    assert not holds(text)


def test_numbers_compare_as_numbers_and_texts_as_texts() -> None:
    assert matches(parse("n > 9"), {"n": 10}, now=NOON)
    assert not matches(parse("n > x9"), {"n": "x10"}, now=NOON)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system =", "filter ends at column 9 where a value should stand"),
        ("system = wms and", "filter ends at column 17 where a field should stand"),
        ("not", "filter ends at column 4 where a field should stand"),
        ("(due", "filter opens a parenthesis at column 1 that is never closed"),
        ("due and (blocked or (due)", "filter opens a parenthesis at column 9 that is never closed"),
        ("due)", "filter closes a parenthesis at column 4 that was never opened"),
        ("()", 'filter has ")" at column 2 where a field should stand'),
        ("system == wms", "filter operator ==, at column 8, does not exist"),
        ("system => wms", "filter operator =>, at column 8, does not exist"),
        ("= wms", 'filter has "=" at column 1 where a field should stand'),
        ("system = (", 'filter has "(" at column 10 where a value should stand'),
        ("system = or", 'filter has "or" at column 10 where a value should stand'),
        ("system = a b", 'filter has "b" at column 12 where and, or, or the end should stand'),
        ("(due blocked)", 'filter has "blocked" at column 6 where and, or, or ) should stand'),
        ("due && blocked", 'filter has "&&" at column 5 where and, or, or the end should stand'),
        ("error ~ 'timeout", "filter ends inside the quotes that open at column 9"),
        ("error ~ 'time\\", "filter ends inside the quotes that open at column 9"),
        ("error ~ 'a\\q'", "filter has an unknown escape at column 11"),
        ("error ~ '\\U00110000'", "filter has an unknown escape at column 10"),
        ("error ~ a\x1b[31m", "filter has a control character at column 10"),
        ("7up = 1", 'filter field "7up", at column 1, is no name'),
        ("'due'", 'filter has "due" at column 1 where a field should stand'),
        ("due and age > soon", 'filter value "soon", at column 15, is not a duration'),
        ("age > 5", 'filter value "5", at column 7, is not a duration'),
        ("stake > lots", 'filter value "lots", at column 9, is not a plain number'),
        ("id = abc", 'filter value "abc", at column 6, is not a plain number'),
        ("at > yesterday", 'filter value "yesterday", at column 6, is not a time'),
        ("at = 2026-13-01", 'filter value "2026-13-01", at column 6, is not a time'),
        ("due = maybe", 'filter value "maybe", at column 7, is neither yes nor no'),
        ("due > no", "filter field due, at column 1, is yes or no: > needs a number or a time"),
        ("system < 5", "filter field system, at column 1, is text: < needs a number or a time"),
        ("system", "filter field system, at column 1, is no yes/no field"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_its_column(text: str, message: str) -> None:
    assert mistake(text).message == message


def test_a_wrong_operator_names_the_right_one() -> None:
    assert mistake("system == wms").hint == "=? Operators: = != ~ !~ < <= > >="


def test_a_wrong_field_names_the_right_ones() -> None:
    with pytest.raises(FilterError) as caught:
        check_fields(parse("sytem=erp"), DEAD_LETTER_FIELDS, subject="dead letters")
    assert caught.value.message == "filter field sytem, at column 1, does not exist"
    assert caught.value.hint == (
        "system? Fields of dead letters: age, cause, customer, died, error, event, from, group, id, key, kind, line, "
        "order, stake, system, tries, waiting"
    )
    assert caught.value.exit_code == 2


def test_a_field_that_resembles_none_gets_no_guess() -> None:
    with pytest.raises(FilterError) as caught:
        check_fields(parse("due and qqq"), {"due"}, subject="orders")
    assert caught.value.message == "filter field qqq, at column 9, does not exist"
    assert caught.value.hint == "Fields of orders: due"


def test_right_fields_pass_and_are_told_once_each() -> None:
    node = parse("system = erp and (not group = G-7f3a or system = wms)")
    check_fields(node, DEAD_LETTER_FIELDS, subject="dead letters")
    assert fields_of(node) == {"system", "group"}
    assert fields_of(Everything()) == frozenset()


def test_fields_may_have_dots_and_dashes() -> None:
    assert parse("plans.P-58.state = done") == Compare("plans.P-58.state", "=", "done")
    assert parse("order.lines.1.sku=x") == Compare("order.lines.1.sku", "=", "x")


def test_or_binds_looser_than_and_and_not_binds_tightest() -> None:
    assert parse("a or b and not c") == Or((Flag("a"), And((Flag("b"), Not(Flag("c"))))))
    assert parse("(a or b) and c") == And((Or((Flag("a"), Flag("b"))), Flag("c")))


def test_quotes_hold_spaces_escapes_and_words_of_the_language() -> None:
    assert parse(r"""a = "x \"y\" \\ \x1b\u202e" and b = 'and' """) == And(
        (Compare("a", "=", 'x "y" \\ \x1b\u202e'), Compare("b", "=", "and"))
    )


def test_a_star_in_quotes_is_a_star() -> None:
    assert parse("key = item:*") == Compare("key", "=", "item:*", glob=True)
    assert parse("key = 'item:*'") == Compare("key", "=", "item:*", glob=False)
    assert parse("error ~ a*b") == Compare("error", "~", "a*b", glob=False)


def test_a_glob_is_no_regular_expression() -> None:
    assert not matches(parse("key = a.*"), {"key": "abc"}, now=NOON)
    assert matches(parse("key = [a]*"), {"key": "[a]bc"}, now=NOON)
    assert matches(parse("key = a*"), {"key": "a\nb"}, now=NOON)


def test_a_filter_ten_thousand_deep_is_refused() -> None:
    for text in ("(" * 9_000, "not " * 2_400 + "a", "(" * 80 + "a" + ")" * 80):
        assert "nested too deep" in mistake(text).message
    assert matches(parse("(" * DEEPEST + "due" + ")" * DEEPEST), LETTER, now=NOON)


def test_a_filter_that_is_too_long_is_refused_and_a_long_one_is_not() -> None:
    assert "characters long" in mistake("a" * (LONGEST + 1)).message
    long = " or ".join(["blocked"] * 800 + ["due"])
    assert matches(parse(long), LETTER, now=NOON)


def test_ages_are_seconds_and_times_are_spans() -> None:
    assert as_seconds("3d04h") == 273_600
    assert as_seconds("2m49s") == 169
    assert as_seconds("500ms") == 0.5
    assert as_number("-1250.50") == Decimal("-1250.50")
    assert as_moment("2h", now=NOON) == NOON - timedelta(hours=2)
    assert as_moment("2026-10-15T03:12:40-05:00", now=NOON) == datetime(2026, 10, 15, 8, 12, 40, tzinfo=UTC)
    start, end = as_span("2026-10-25", now=NOON, zone=ZoneInfo("Europe/Berlin"))
    assert end - start == timedelta(hours=25)
    assert start == datetime(2026, 10, 24, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["", "2", "h", "2h3d", "-2h", "2 h", "٣h", "9" * 30 + "d", "999999w9999999d", "1e3", "1h1h"]
)
def test_what_is_no_age_is_refused(value: str) -> None:
    with pytest.raises(FilterError):
        as_seconds(value)


@pytest.mark.parametrize(
    "value",
    ["", "0001-01-01", "9999-12-31", "2026-02-30", "20261015", "999999d", "2026-10-15T25:00", "2026-10-15T03:12+99:00"],
)
def test_a_time_at_the_edge_of_the_calendar_is_an_answer_or_a_refusal(value: str) -> None:
    for zone in (UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Chicago")):
        try:
            start, end = as_span(value, now=NOON, zone=zone)
        except FilterError:
            continue
        assert start < end


@pytest.mark.parametrize(
    "value", ["", "1,000", "1e9", "NaN", "Infinity", "0x10", "1_000", " 1", "٣", "9" * 400, "1." + "1" * 20]
)
def test_what_is_no_plain_number_is_refused(value: str) -> None:
    with pytest.raises(FilterError):
        as_number(value)


def test_a_flow_asks_documents_in_their_own_values() -> None:
    item = kind_named("item")
    values = document_values(item, {"sku": "SKU-7", "price": 12_500_000, "active": True})
    assert matches(parse("price = 12.5 and active and name = ''"), values, now=NOON)
    order = document_values(
        kind_named("order"),
        {"number": "SO-1", "customer": "CU-1", "currency": "USD", "total": 1999, "ordered_on": "2026-10-14"},
    )
    assert matches(parse("total = 19.99 and ordered_on < 2026-10-15 and not cancelled"), order, now=NOON)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("item", "actve", "filter field actve, at column 1, does not exist"),
        ("order", "lines = 1", "filter field lines, at column 1, does not exist"),
        ("order", "total > lots", 'filter value "lots", at column 9, is not a plain number'),
        ("order", "ordered_on > soon", 'filter value "soon", at column 14, is not a time'),
        ("movement", "happened_at > x", 'filter value "x", at column 15, is not a time'),
        ("item", "name", "filter field name, at column 1, is no yes/no field"),
        ("item", "active = 7", 'filter value "7", at column 10, is neither yes nor no'),
    ],
)
def test_a_flow_that_asks_what_its_documents_cannot_answer_is_refused_beforehand(
    kind: str, text: str, message: str
) -> None:
    with pytest.raises(FilterError) as caught:
        check_document_filter(kind_named(kind), parse(text))
    assert caught.value.message == message


_FIELDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda s: s.lower() not in ("and", "or", "not")
)
_GLOBS = st.from_regex(r"[A-Za-z0-9:-]{0,5}[*?][A-Za-z0-9:*]{0,5}", fullmatch=True)
_LEAVES = st.one_of(
    st.builds(Flag, _FIELDS),
    st.builds(Compare, _FIELDS, st.sampled_from(OPERATORS), st.text(max_size=12)),
    st.builds(lambda f, op, v: Compare(f, op, v, glob=True), _FIELDS, st.sampled_from(("=", "!=")), _GLOBS),
)


def _branches(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=4).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, nodes))


@given(st.one_of(st.just(Everything()), st.recursive(_LEAVES, _branches, max_leaves=12)))
def test_a_filter_written_out_and_read_again_says_the_same(node: Node) -> None:
    assert parse(text_of(node)) == node


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "due",
                    "id",
                    "age",
                    "at",
                    "key",
                    "=",
                    "!=",
                    "~",
                    "<",
                    ">=",
                    "(",
                    ")",
                    "and",
                    "or",
                    "not",
                    "'",
                    '"',
                    "\\",
                ]
            ),
            max_size=14,
        ).map(" ".join),
    )
)
def test_any_text_is_a_filter_or_a_refusal(text: str) -> None:
    try:
        answer = matches(parse(text), LETTER, now=NOON)
    except FilterError:
        return
    assert answer in (True, False)


@given(st.sampled_from(sorted(LETTER)), st.sampled_from(OPERATORS), st.text(max_size=20))
def test_any_comparison_has_an_answer_or_a_refusal(field: str, op: str, value: str) -> None:
    node = Compare(field, op, value)
    try:
        answer = matches(node, LETTER, now=NOON)
    except FilterError:
        return
    assert matches(Not(node), LETTER, now=NOON) is not answer
