"""A spec file with a mistake is refused before the first request, with file, line and key; and what one may say."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from http_wire import ITEMS, NOON, SECRET, Wire, far_system, item, opened, respond

from erpsync.adapters.http.expressions import compile_expression
from erpsync.adapters.http.functions import Setting, Words
from erpsync.adapters.http.loading import load_spec
from erpsync.adapters.opening import open_adapter, with_limits_of_spec
from erpsync.adapters.protocol import Adapter, Receipt
from erpsync.config.landscape import Limits
from erpsync.domain.documents.item import Item
from erpsync.domain.documents.order import Order, OrderLine
from erpsync.domain.messages import Once
from erpsync.errors import (
    AccessDenied,
    Conflict,
    LandscapeError,
    OutcomeUnknown,
    ParentMissing,
    Refused,
    RetryLater,
    Unmappable,
)


def adapter(
    folder: Path, spec: str = ITEMS, *, secret: str | None = SECRET, url: str = "http://127.0.0.1:1"
) -> Adapter:
    system = far_system(folder, url, spec)
    return open_adapter(system, secret=secret, currency="USD", now=lambda: NOON, company_zone="UTC")


MISTAKES: dict[str, tuple[Callable[[str], str], str, str]] = {
    "an unknown key": (lambda s: s.replace("number =", "numbr ="), "kinds.item.numbr is no key of a spec", "number"),
    "an unknown key of a request": (
        lambda s: s.replace("query = { page", "qery = { page"),
        "kinds.item.scan.qery",
        "query",
    ),
    "an unknown kind": (lambda s: s.replace("kinds.item", "kinds.itm"), "kinds.itm is no kind of document", ""),
    "an unknown field": (lambda s: s.replace("name =", "nme ="), "kinds.item.fields.nme is no field", "name"),
    "an unknown field in a body": (lambda s: s.replace('"=name"', '"=nme"'), "reads 'nme'", "name"),
    "no JMESPath": (lambda s: s.replace('"text(id)"', '"text(id"'), "kinds.item.far_id is no jmespath expression", ""),
    "an unknown function": (lambda s: s.replace("text(id)", "txt(id)"), "kinds.item.far_id calls txt()", ""),
    "no JMESPath in a body": (
        lambda s: s.replace('"=name"', '"=name["'),
        "kinds.item.body body.name is no JMESPath",
        "",
    ),
    "an unknown place": (lambda s: s.replace("{page}", "{pge}"), "kinds.item.scan.query.page names {pge}", "page"),
    "a stray brace": (lambda s: s.replace("{page}", "{page"), "has a brace that is no place", ""),
    "a path with its query": (lambda s: s.replace('"/items"', '"/items?x=1"', 1), "is no path", ""),
    "no zone": (lambda s: s.replace("spec = 1", 'spec = 1\nzone = "Mars"'), "zone is no time zone", ""),
    "another version": (lambda s: s.replace("spec = 1", "spec = 2"), "spec input should be 1", ""),
    "no version": (lambda s: s.replace("spec = 1", ""), "spec is missing", ""),
    "a status that is none": (lambda s: s + '[[errors]]\nstatus = 999\nmeans = "ok"\n', "is no status", ""),
    "a meaning that is none": (lambda s: s + '[[errors]]\nmeans = "fine"\n', "errors.0.means", ""),
    "a missing parent without a key": (lambda s: s + '[[errors]]\nmeans = "parent_missing"\n', "but says no key", ""),
    "a write that is not said to be once": (
        lambda s: s.replace('[kinds.item.write]\nonce = "idempotent"\n', ""),
        "does not say how it is made once",
        "",
    ),
    "changes without a cursor": (
        lambda s: s + '[kinds.item.changes]\npath = "/x"\n',
        "says neither since nor cursor",
        "",
    ),
    "the secret in a header": (lambda s: s + '[headers]\nauthorization = "x"\n', "headers holds Authorization", ""),
    "a header that would begin another": (
        lambda s: s + '[headers]\nX-Shop = "1\\r\\nX-Role: admin"\n',
        "headers.X-Shop has characters that a header cannot carry",
        "",
    ),
    "a header in letters it cannot have": (
        lambda s: s.replace("Idempotency-Key =", "Laden = 'Grün', Idempotency-Key ="),
        "kinds.item.create.headers.Laden has characters that a header cannot carry",
        "",
    ),
    "a header that is not the spec's to say": (
        lambda s: s + '[headers]\nHost = "shop.example.com"\n',
        "is said by erpsync itself",
        "",
    ),
    "a name no header has": (
        lambda s: s + '[headers]\n"X-Shop: 1" = "a"\n',
        "is no name of a header",
        "",
    ),
    "a code table that is not there": (
        lambda s: s.replace('name = "name"', """name = "from_code('units', name)\""""),
        "names the code table 'units'",
        "",
    ),
    "no TOML": (lambda s: s + "[[[", "spec file is no TOML", ""),
    "a find without a request": (
        lambda s: s.replace("[kinds.item.find.by_natural_key]", "[kinds.item.find]\nparts = '.'\n[kinds.item.one.x]"),
        "kinds.item.one.x is no key",
        "",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_spec_file_is_named_with_its_place(tmp_path: Path, mistake: str) -> None:
    change, said, nearest = MISTAKES[mistake]
    with pytest.raises(LandscapeError) as caught:
        adapter(tmp_path, change(ITEMS))
    assert said in caught.value.message
    assert caught.value.line >= 1
    assert caught.value.file == tmp_path / "ours.toml"
    assert (caught.value.nearest or "") == nearest


def test_the_line_of_a_mistake_is_the_line_it_stands_in(tmp_path: Path) -> None:
    with pytest.raises(LandscapeError) as caught:
        adapter(tmp_path, ITEMS.replace('"=name"', '"=nme"').replace("once =", "onece ="))
    lines = ITEMS.splitlines()
    assert lines[caught.value.line - 1] == 'once = "idempotent"'
    assert caught.value.where == "kinds.item.write.onece"


def test_options_that_a_spec_leans_on_must_be_in_the_landscape(tmp_path: Path) -> None:
    spec = ITEMS.replace('path = "/ping"', 'path = "/{options.database}/ping"')
    with pytest.raises(LandscapeError, match=r"options\.database"):
        adapter(tmp_path, spec)
    file = tmp_path / "ours.toml"
    assert load_spec(file, options=frozenset({"database"})).probe is not None


@pytest.mark.parametrize("name", ["sim_erp", "sim_shop", "sim_wms"])
def test_the_specs_that_come_with_erpsync_are_sound(name: str) -> None:
    import erpsync.adapters  # noqa: PLC0415

    spec = load_spec(Path(erpsync.adapters.__path__[0]) / "specs" / f"{name}.toml", options=frozenset({"user"}))
    assert "item" in spec.kinds


@pytest.mark.parametrize("secret", [None, "", "two\nlines", "schlüssel"])
def test_a_secret_that_is_missing_or_cannot_be_sent_is_refused(tmp_path: Path, secret: str | None) -> None:
    with pytest.raises(LandscapeError) as caught:
        adapter(tmp_path, secret=secret)
    assert not secret or secret not in caught.value.message


def test_basic_auth_wants_a_user(tmp_path: Path) -> None:
    spec = ITEMS.replace('"bearer"', '"basic"')
    with pytest.raises(LandscapeError, match="has no user"):
        adapter(tmp_path, spec)

    async def sent(secret: str, **options: str) -> str:
        async with (
            Wire(lambda _: respond(200, b"{}")) as wire,
            opened(tmp_path, wire.url, spec, secret=secret, **options) as far,
        ):
            await far.probe()
            return wire.asked[0].headers["authorization"]

    assert asyncio.run(sent("joe:pw")) == asyncio.run(sent("pw", user="joe")) == "Basic am9lOnB3"


def test_limits_of_the_spec_fill_what_the_landscape_leaves_open(tmp_path: Path) -> None:
    spec = ITEMS + '[limits]\nrate = "5/s"\nconcurrency = 2\ntimeout = "20s"\n'
    system = far_system(tmp_path, "http://127.0.0.1:1", spec, limits=Limits(concurrency=8))
    limits = with_limits_of_spec(system).limits
    assert (limits.rate, limits.concurrency, limits.timeout.total_seconds()) == (5, 8, 20)
    slow = far_system(tmp_path, "http://127.0.0.1:1", ITEMS + '[limits]\ntimeout = "90s"\n', limits=Limits())
    assert with_limits_of_spec(slow).limits.deadline.total_seconds() == 90


def test_an_adapter_that_there_is_not_is_refused(tmp_path: Path) -> None:
    system = replace(far_system(tmp_path, "http://x", ITEMS), adapter="fax")
    with pytest.raises(LandscapeError, match="'fax'"):
        open_adapter(system, secret=None, currency="USD", now=lambda: NOON, company_zone="UTC")


def test_capabilities_say_what_the_spec_says(tmp_path: Path) -> None:
    can = adapter(tmp_path).capabilities()
    assert (can.reads["item"].scan, can.reads["item"].changes, can.reads["item"].one) == (True, False, True)
    assert can.writes["item"].once is Once.IDEMPOTENT
    assert can.writes["item"].fields == {"sku", "name", "price"}
    assert can.writes["item"].finds
    assert can.writes["item"].removes


def body(folder: Path, spec: str, **given: object) -> str:
    return adapter(folder, spec).prepare(item(**given)).body.decode()


def test_what_is_not_told_is_left_out_and_what_is_empty_is_sent_as_null(tmp_path: Path) -> None:
    assert body(tmp_path, ITEMS, document=Item(sku="S", name=None)) == '{"sku":"S","name":null}'


def test_a_patch_carries_what_changed_and_constants(tmp_path: Path) -> None:
    spec = (
        ITEMS.replace('method = "PUT"', 'method = "PATCH"')
        + 'by = "erpsync"\nmoney = { amount = "=to_minor(price, currency)" }\n'
    )
    sent = body(
        tmp_path,
        spec,
        document=Item(sku="S", name="n", price=Decimal("1.005"), currency="USD"),
        changed=frozenset({"price"}),
        far_id="7",
    )
    assert sent == '{"price":1.005,"by":"erpsync","money":{"amount":101}}'


def test_decimals_are_written_as_texts_where_the_spec_says_so(tmp_path: Path) -> None:
    spec = ITEMS.replace("spec = 1", 'spec = 1\ndecimals = "text"') + 'exact = "=number(price)"\n'
    document = Item(sku="S", price=Decimal("12345678901.123456"))
    assert (
        body(tmp_path, spec, document=document) == '{"sku":"S","price":"12345678901.123456","exact":12345678901.123456}'
    )


def test_text_goes_out_as_it_is_however_hostile(tmp_path: Path) -> None:
    name = 'a"b\\c\x1b[31m\u202e[/x]\n{once_key}'
    sent = adapter(tmp_path).prepare(item(document=Item(sku="S", name=name))).body
    assert json.loads(sent)["name"] == name


@pytest.mark.parametrize("far_id", [".", "..", ""])
def test_a_far_id_cannot_climb_out_of_its_path(tmp_path: Path, far_id: str) -> None:
    if not far_id:
        assert adapter(tmp_path).prepare(item(far_id=far_id)).request == "POST /items"
        return
    with pytest.raises(Unmappable):
        adapter(tmp_path).prepare(item(far_id=far_id))


def test_a_far_id_is_escaped_in_the_path(tmp_path: Path) -> None:
    assert adapter(tmp_path).prepare(item(far_id="../a?b#c/é")).request == "PUT /items/..%2Fa%3Fb%23c%2F%C3%A9"


def test_a_far_revision_cannot_smuggle_a_header(tmp_path: Path) -> None:
    spec = ITEMS.replace('method = "PUT"', """method = "PUT"\nheaders = { If-Match = '"{far_revision}"' }""")
    assert ("If-Match", '"3"') in adapter(tmp_path, spec).prepare(item(far_id="7", far_revision="3")).headers
    assert "If-Match" not in dict(adapter(tmp_path, spec).prepare(item(far_id="7")).headers)
    with pytest.raises(Unmappable):
        adapter(tmp_path, spec).prepare(item(far_id="7", far_revision="3\r\nX-Evil: 1"))


def test_a_value_without_a_code_is_unmappable_and_names_its_field(tmp_path: Path) -> None:
    spec = ITEMS.replace("spec = 1", 'spec = 1\n[codes.units]\neach = "EA"') + """unit = "=to_code('units', unit)"\n"""
    assert '"unit":"EA"' in body(tmp_path, spec, document=Item(sku="S", unit="each"))
    with pytest.raises(Unmappable) as caught:
        body(tmp_path, spec, document=Item(sku="S", unit="barrel"))
    assert caught.value.field == "unit"


def test_a_change_that_the_system_cannot_take_is_unmappable(tmp_path: Path) -> None:
    spec = ITEMS.partition("[kinds.item.remove]")[0] + "[kinds.item.body]\n" + ITEMS.partition("[kinds.item.body]\n")[2]
    with pytest.raises(Unmappable, match="cannot be removed"):
        adapter(tmp_path, spec).prepare(item(far_id="7", removed=True))


ORDERS = """
spec = 1
[kinds.order.fields]
number = "ref"
customer = "c"
currency = "cur"
[kinds.order.fields.lines]
each = "l"
fields = { line = "n", sku = "s", quantity = "q", unit_price = "from_minor(p, _.doc.cur)" }
[kinds.order.scan]
path = "/orders"
[kinds.order.write]
once = "findable"
[kinds.order.create]
path = "/orders"
[kinds.order.body]
ref = "=number"
who = "=far('customer', customer)"
key = "=_.once_key"
[kinds.order.body.l]
"=each" = "lines"
n = "=line"
article = "=far('item', sku)"
p = "=to_minor(unit_price, _.doc.currency)"
"""
ORDER = Order(
    number="SO-1",
    customer="CU-7",
    currency="JPY",
    ordered_on=date(2026, 10, 15),
    lines=(OrderLine(line="1", sku="SKU-1", quantity=Decimal(2), unit_price=Decimal(150)),),
)


def test_an_order_names_its_parents_as_the_target_calls_them(tmp_path: Path) -> None:
    given = item(kind="order", key="order:SO-1", number="SO-1", document=ORDER)
    ids = {"customer:CU-7": "4711", "item:SKU-1": "17"}
    prepared = adapter(tmp_path, ORDERS).prepare(dataclasses.replace(given, ids=ids))
    assert prepared.body == b'{"ref":"SO-1","who":"4711","key":"es-7k3f.1-1-1","l":[{"n":"1","article":"17","p":150}]}'
    with pytest.raises(ParentMissing) as caught:
        adapter(tmp_path, ORDERS).prepare(dataclasses.replace(given, ids={"customer:CU-7": "4711"}))
    assert caught.value.key == "item:SKU-1"


def test_lines_are_read_with_the_documents_currency(tmp_path: Path) -> None:
    raw = b'{"ref":"SO-1","c":"CU-7","cur":"KWD","l":[{"n":"1","s":"S","q":2,"p":1500}]}'
    told = adapter(tmp_path, ORDERS).understand("order", raw)
    assert isinstance(told.document, Order)
    assert told.document.lines is not None
    assert told.document.lines[0].unit_price == Decimal("1.5")
    assert told.far_id == "SO-1"


def test_a_wrong_value_in_a_line_is_named_with_its_line(tmp_path: Path) -> None:
    raw = b'{"ref":"SO-1","c":"CU-7","cur":"USD","l":[{"n":"1","s":"S","q":2},{"n":"2","s":"S","q":2,"p":1.5}]}'
    told = adapter(tmp_path, ORDERS).understand("order", raw)
    assert told.error is not None
    assert told.error.message == "lines 1.unit_price is not a whole number of minor units"
    assert told.number == "SO-1"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("from_minor(a, c)", {"a": 1250, "c": "USD"}, Decimal("12.50")),
        ("from_minor(a)", {"a": 1250}, Decimal("12.50")),
        ("from_minor(a, 'JPY')", {"a": 1250}, Decimal(1250)),
        ("number(a, ',')", {"a": "1.234,50"}, Decimal("1234.50")),
        ("scaled(a, `-2`)", {"a": 15}, Decimal("0.15")),
        ("rounded(a, `2`)", {"a": Decimal("1.005")}, Decimal("1.01")),
        ("whole(a)", {"a": "17"}, 17),
        ("text(a)", {"a": Decimal("1E+2")}, "100"),
        ("or_null(a)", {"a": "  "}, None),
        ("from_local(a)", {"a": "2026-07-01T12:00:00"}, "2026-07-01T10:00:00Z"),
        ("from_local(a, 'UTC')", {"a": "2026-07-01T12:00:00"}, "2026-07-01T12:00:00Z"),
        ("from_local(a)", {"a": "2026-07-01T12:00:00+01:00"}, "2026-07-01T11:00:00Z"),
        ("to_local(a)", {"a": "2026-07-01T10:00:00Z"}, "2026-07-01T12:00:00"),
        ("from_epoch(a)", {"a": 1760000000}, "2025-10-09T08:53:20Z"),
        ("from_epoch_ms(a)", {"a": 1760000000123}, "2025-10-09T08:53:20.123000Z"),
        ("to_epoch(a)", {"a": "2025-10-09T08:53:20Z"}, 1760000000),
        ("to_epoch_ms(a)", {"a": "2025-10-09T08:53:20.5Z"}, 1760000000500),
        ("from_day(a, '%d.%m.%Y')", {"a": "15.10.2026"}, "2026-10-15"),
        ("from_day(a)", {"a": "2026-10-14T22:30:00Z"}, "2026-10-15"),
        ("to_day(a, '%d.%m.%Y')", {"a": "2026-10-15"}, "15.10.2026"),
        ("from_code('u', a)", {"a": "EA"}, "each"),
        ("to_code('u', a)", {"a": "each"}, "EA"),
        ("to_code('open', a)", {"a": "anything"}, "OTHER"),
        ("a && b || c", {"a": "", "c": "x"}, "x"),
        ("l[?q > `1`].s | [0]", {"l": [{"q": 1, "s": "a"}, {"q": Decimal("1.5"), "s": "b"}]}, "b"),
        ("l[*].s", {"l": [{"s": "a"}, {}]}, ["a"]),
        ("{x: a, y: l[1]}", {"a": 1, "l": [2, 3]}, {"x": 1, "y": 3}),
        ("join('@', [a, b])", {"a": "x", "b": "y"}, "x@y"),
        ("a == 'x'", {"a": "x"}, True),
        ("a.b.c", {"a": None}, None),
        ("from_minor(a)", {}, None),
    ],
)
def test_expressions_put_values_into_the_other_form(text: str, value: object, expected: object) -> None:
    codes = {"u": {"each": "EA"}, "open": {"*": "OTHER"}}
    words = Words(Setting(zone="Europe/Berlin", company_zone="Europe/Berlin", codes=codes))
    assert compile_expression(text, words).of(value) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from_local(a)", "2026-10-25T02:30:00"),  # the hour that Berlin has twice
        ("from_local(a)", "2026-03-29T02:30:00"),  # the hour that it skips
        ("from_local(a)", "yesterday"),
        ("from_day(a, '%d.%m.%Y')", "31.04.2026"),
        ("from_epoch(a)", 10**18),
        ("from_minor(a)", Decimal("12.5")),
        ("number(a)", "1,234"),
        ("number(a)", "١٢"),
        ("number(a)", True),
        ("from_code('u', a)", "DOZEN"),
        ("whole(a)", "1.5"),
    ],
)
def test_a_value_that_has_no_other_form_is_refused(text: str, value: object) -> None:
    words = Words(Setting(zone="Europe/Berlin", company_zone="UTC", codes={"u": {"each": "EA"}}))
    with pytest.raises(ValueError, match="is "):
        compile_expression(text, words).of({"a": value})


RULES = (
    ITEMS
    + """
[[errors]]
when = "error.code == `7`"
means = "refused"
text = "error.text"
code = "error.name"
field = "error.about"
[[errors]]
status = [200, "5xx"]
when = "error.busy"
means = "retry_later"
after = "error.wait"
throttled = false
[[errors]]
when = "error.parent"
means = "parent_missing"
key = "join(':', ['customer', error.parent])"
[[errors]]
status = 409
when = "item"
means = "ok"
[[errors]]
content_type = "text/html"
means = "unknown"
[[errors]]
when = "error.stale"
means = "conflict"
"""
)


@pytest.mark.parametrize(
    ("status", "content", "meaning"),
    [
        (200, {"error": {"code": 7, "text": "no such unit", "name": "BAD_UNIT", "about": "unit"}}, Refused),
        (500, {"error": {"busy": True, "wait": 30}}, RetryLater),
        (200, {"error": {"parent": "CU-7"}}, ParentMissing),
        (200, {"error": {"stale": True}}, Conflict),
        (200, {"error": {"other": True}}, OutcomeUnknown),
    ],
)
def test_rules_judge_the_body_whatever_the_status(
    tmp_path: Path, status: int, content: dict[str, object], meaning: type
) -> None:
    receipt = asyncio.run(written(tmp_path, respond(status, content)))
    assert type(receipt.error) is meaning
    if isinstance(receipt.error, Refused):
        assert (receipt.error.code, receipt.error.field) == ("BAD_UNIT", "unit")
        assert receipt.error.message == "system far answered 200: no such unit"
    if isinstance(receipt.error, RetryLater):
        assert receipt.error.after is not None
        assert receipt.error.after.total_seconds() == 30
        assert not receipt.error.throttled
    if isinstance(receipt.error, ParentMissing):
        assert receipt.error.key == "customer:CU-7"


def test_a_rule_may_call_an_error_status_good(tmp_path: Path) -> None:
    receipt = asyncio.run(written(tmp_path, respond(409, {"id": 7, "sku": "SKU-1", "item": True})))
    assert (receipt.error, receipt.far_id) == (None, "7")


def test_a_page_of_html_is_no_answer(tmp_path: Path) -> None:
    receipt = asyncio.run(written(tmp_path, respond(400, b"<html>", {"Content-Type": "Text/HTML; charset=x"})))
    assert isinstance(receipt.error, OutcomeUnknown)


async def written(folder: Path, reply: bytes) -> Receipt:
    async with Wire(lambda _: reply) as wire, opened(folder, wire.url, RULES) as far:
        return (await far.write([far.prepare(item())]))[0]


def test_what_the_answer_does_not_tell_is_read_back(tmp_path: Path) -> None:
    spec = ITEMS.replace("answer = { full = true }", 'answer = { far_id = "text(id)" }')
    full = {"id": 7, "sku": "SKU-1", "name": "Chai (cut)", "price": 18.5, "version": 4}

    async def go() -> Receipt:
        script = lambda asked: respond(200, full if asked.method == "GET" else {"id": 7})  # noqa: E731  (short)
        async with Wire(script) as wire, opened(tmp_path, wire.url, spec) as far:
            return (await far.write([far.prepare(item())]))[0]

    receipt = asyncio.run(go())
    assert receipt.holds is not None
    assert receipt.holds["name"] == "Chai (cut)"
    assert receipt.far_revision is not None
    assert receipt.far_revision.order == 4
    assert receipt.evidence.calls == 2


def test_a_read_back_that_fails_leaves_the_write_delivered(tmp_path: Path) -> None:
    spec = ITEMS.replace("answer = { full = true }", 'answer = { far_id = "text(id)" }')

    async def go() -> Receipt:
        script = lambda asked: respond(500) if asked.method == "GET" else respond(200, {"id": 7})  # noqa: E731  (short)
        async with Wire(script) as wire, opened(tmp_path, wire.url, spec) as far:
            return (await far.write([far.prepare(item())]))[0]

    receipt = asyncio.run(go())
    assert (receipt.error, receipt.outcome, receipt.far_id, receipt.holds) == (None, "created", "7", None)


GRAPHQL = """
spec = 1
[kinds.item]
far_id = "id"
fields = { sku = "code", name = "title" }
[kinds.item.scan]
method = "POST"
path = "/api"
items = "data.items.nodes"
paging = { by = "next", next = "data.items.next" }
limit = 2
[kinds.item.scan.body]
query = "query($n: Int, $after: String) { items(first: $n, after: $after) { nodes { id code title } next } }"
variables = { n = "=whole(_.limit)", after = "=or_null(_.next)" }
[kinds.item.write]
once = "blind"
[kinds.item.create]
path = "/api"
answer = { item = "data.made.item", far_id = "data.made.item.id", full = true }
[kinds.item.create.body]
query = "mutation($i: ItemInput) { made: createItem(input: $i) { item { id code title } problems { code text } } }"
variables = { i = { code = "=sku", title = "=name" } }
[[errors]]
when = "errors[0].extensions.code == 'FORBIDDEN'"
means = "access_denied"
[[errors]]
when = "errors"
means = "unknown"
text = "errors[0].message"
[[errors]]
when = "data.made.problems"
means = "refused"
code = "data.made.problems[0].code"
"""


def test_a_system_that_speaks_graphql_is_a_matter_of_its_spec_file(tmp_path: Path) -> None:
    replies = iter(
        [
            {"data": {"items": {"nodes": [{"id": "a", "code": "S-1", "title": "x"}], "next": "p2"}}},
            {"data": {"items": {"nodes": [{"id": "b", "code": "S-2", "title": None}], "next": None}}},
            {"data": {"made": {"item": {"id": "c", "code": "SKU-1", "title": "Chai"}, "problems": []}}},
            {"data": {"made": {"item": None, "problems": [{"code": "TAKEN", "text": "is taken"}]}}},
            {"errors": [{"message": "oh", "extensions": {"code": "FORBIDDEN"}}]},
            {"errors": [{"message": "oh"}], "data": None},
        ]
    )

    async def go() -> tuple[list[str], list[Receipt], list[bytes]]:
        async with Wire(lambda _: respond(200, next(replies))) as wire, opened(tmp_path, wire.url, GRAPHQL) as far:
            numbers = [told.number async for page in far.scan("item") for told in page.tolds]
            prepared = far.prepare(item())
            receipts = [(await far.write([prepared]))[0] for _ in range(4)]
            return numbers, receipts, [asked.body for asked in wire.asked]

    numbers, receipts, bodies = asyncio.run(go())
    assert numbers == ["S-1", "S-2"]
    assert json.loads(bodies[0])["variables"] == {"n": 2}
    assert json.loads(bodies[1])["variables"] == {"n": 2, "after": "p2"}
    assert json.loads(bodies[2])["variables"] == {"i": {"code": "SKU-1", "title": "Chai"}}
    assert receipts[0].far_id == "c"
    assert [type(receipt.error) for receipt in receipts[1:]] == [Refused, AccessDenied, OutcomeUnknown]


def test_the_far_id_may_be_the_end_of_the_location(tmp_path: Path) -> None:
    spec = ITEMS.replace("answer = { full = true }", "answer = { location = true }", 1)

    async def go() -> Receipt:
        reply = respond(201, b"", {"Location": "http://127.0.0.1/items/4711?x=1"})
        async with Wire(lambda _: reply) as wire, opened(tmp_path, wire.url, spec) as far:
            return (await far.write([far.prepare(item())]))[0]

    assert asyncio.run(go()).far_id == "4711"
