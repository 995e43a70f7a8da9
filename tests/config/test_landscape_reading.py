"""The landscape file: what a good one says, and where a bad one is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from erpsync.config.landscape import Landscape, SecretRef
from erpsync.config.reading import all_mistakes, find_landscape, place_of, placed, read_landscape
from erpsync.domain.document import Document
from erpsync.domain.field_types import Number
from erpsync.domain.kinds import Kind, Nature, register, unregister
from erpsync.errors import LandscapeError, UsageError

GOOD = """\
name = "acme-test"
production = true
colour = "red"
company = "main"
timezone = "Europe/Berlin"
rounding = "half-up per line"
currency = "EUR"

[store]
url = "sqlite:///books/${STORE}.db"

[systems.erp]
role = "erp"
adapter = "tryton"
url = "http://127.0.0.1:${PORT}"
secret = "env:ERP_PASSWORD"
options = { database = "acme-${PORT}", user = "sync", deep = [{ a = "${PORT}" }], batch = 5 }
limits = { rate = "90/m", max_answer = "2MiB", timeout = "5s", deadline = "1m30s", settle_after = "45s" }
run_by = "ERP team, +1 555 0100"

[systems.shop]
role = "commerce"
adapter = "http"
spec = "specs/shop.toml"
url = "https://shop.example/api"
secret = "file:secrets/shop"
[systems.shop.retry]
tries = 3

[systems.wms]
adapter = "files"
options.folder = "wms"
[systems.wms.breaker]
probe = "500ms"

[owners]
items = "erp"

[[flows]]
name = "items"
kind = "item"
from = "erp"
to = ["wms", "shop"]
every = "2m"
full_every = "12h"
watch = true
where = "active = true and not name ~ test"
weight = 3

[[flows]]
name = "levels"
kind = "stocks"
from = "wms"
to = ["shop"]
mode = "off"

[retry]
first = "2s"
longest = "10m"
tries = 8
expires = "2d"
unknown_after = "20m"

[breaker]
failures = 3
within = "1m"
probe = "10s"
probe_longest = "10m"
"""
ENVIRON = {"PORT": "8000", "STORE": "acme"}
Write = Callable[[str], Path]
SMALL = """\
name = "small"

[systems.erp]
adapter = "files"

[systems.wms]
adapter = "files"

[systems.shop]
adapter = "files"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a landscape beside an empty spec file, and gives its path."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "shop.toml").write_text("")

    def written(text: str) -> Path:
        file = tmp_path / "erpsync.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return written


@pytest.fixture
def good(write: Write) -> Landscape:
    """The landscape of GOOD."""
    return read_landscape(write(GOOD), environ=ENVIRON)


def lines(file: Path, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """The mistakes as ``erpsync check`` prints them."""
    return [f"{mistake.place}: {mistake.message}" for mistake in all_mistakes(file, environ=environ)]


def test_a_good_landscape_is_read_whole(good: Landscape, tmp_path: Path) -> None:
    assert (good.name, good.production, good.colour, good.currency, good.timezone) == (
        "acme-test",
        True,
        "red",
        "EUR",
        "Europe/Berlin",
    )
    assert good.store == tmp_path / "books" / "acme.db"
    assert good.file == tmp_path / "erpsync.toml"
    assert list(good.systems) == ["erp", "shop", "wms"]
    assert good.owners == {"item": "erp"}
    assert (good.owner("item"), good.owner("stock"), good.owner("order")) == ("erp", "wms", None)


def test_a_system_is_read_with_its_limits_and_options(good: Landscape, tmp_path: Path) -> None:
    erp = good.systems["erp"]
    assert erp.url == "http://127.0.0.1:8000"
    assert erp.secret == SecretRef(scheme="env", name="ERP_PASSWORD")
    assert erp.options == {"database": "acme-8000", "user": "sync", "deep": [{"a": "8000"}], "batch": 5}
    assert erp.limits.rate == 1.5
    assert (erp.limits.timeout, erp.limits.deadline) == (timedelta(seconds=5), timedelta(seconds=90))
    assert erp.limits.max_answer == 2 * 1024 * 1024
    assert erp.limits.believes_after == timedelta(seconds=45)
    assert good.systems["wms"].limits.believes_after == timedelta(seconds=30)
    shop = good.systems["shop"]
    assert shop.secret == SecretRef(scheme="file", name=str(tmp_path / "secrets" / "shop"))
    assert shop.spec == tmp_path / "specs" / "shop.toml"
    assert shop.folder == tmp_path


def test_a_system_changes_only_what_it_says_of_retry_and_breaker(good: Landscape) -> None:
    assert good.systems["shop"].retry.tries == 3
    assert good.systems["shop"].retry.longest == timedelta(minutes=10)
    assert good.systems["erp"].retry.tries == 8
    assert good.systems["wms"].breaker.probe == timedelta(milliseconds=500)
    assert good.systems["wms"].breaker.failures == 3


def test_a_flow_is_read_under_the_name_of_its_kind(good: Landscape) -> None:
    items, levels = good.flows
    assert (items.kind, items.source, items.targets) == ("item", "erp", ("wms", "shop"))
    assert (items.every, items.full_every) == (timedelta(minutes=2), timedelta(hours=12))
    assert (items.watch, items.weight, items.mode) == (True, 3, "active")
    assert (levels.kind, levels.mode, levels.every) == ("stock", "off", timedelta(minutes=5))


def test_the_digest_changes_with_the_file_and_its_specs_and_with_nothing_else(write: Write, tmp_path: Path) -> None:
    first = read_landscape(write(GOOD), environ=ENVIRON).digest
    assert len(first) == 16
    assert read_landscape(write(GOOD), environ={**ENVIRON, "PORT": "9000"}).digest == first
    (tmp_path / "specs" / "shop.toml").write_text("# changed\n")
    changed = read_landscape(write(GOOD), environ=ENVIRON).digest
    assert changed != first
    assert read_landscape(write(GOOD + "# more\n"), environ=ENVIRON).digest != changed


def test_a_landscape_may_say_little(write: Write, tmp_path: Path) -> None:
    small = read_landscape(write(SMALL), environ={})
    assert small.store == tmp_path / "erpsync.db"
    assert (small.company, small.timezone, small.currency, small.flows) == ("main", "UTC", "USD", ())


def test_a_timeout_alone_moves_the_deadline_and_a_deadline_alone_the_timeout(write: Write) -> None:
    text = SMALL.replace('[systems.wms]\nadapter = "files"', '[systems.wms]\nadapter = "files"\nlimits.timeout = "1m"')
    limits = read_landscape(write(text), environ={}).systems["wms"].limits
    assert limits.deadline == limits.timeout == timedelta(minutes=1)
    limits = (
        read_landscape(write(text.replace("timeout", "deadline").replace("1m", "2s")), environ={}).systems["wms"].limits
    )
    assert limits.deadline == limits.timeout == timedelta(seconds=2)


def test_the_first_mistake_is_raised_and_points_at_the_others(write: Write) -> None:
    text = SMALL + '[[flows]]\nname = "shipments"\nkind = "shipment"\nfrom="wsm"\nto = ["erq"]\n'
    file = write(text)
    with pytest.raises(LandscapeError) as caught:
        read_landscape(file, environ={})
    error = caught.value
    assert f"{error.place}: {error.message}" == 'erpsync.toml:14:6: flows "shipments": from = "wsm": no such system'
    assert error.hint == "wms? All mistakes: erpsync check"
    assert (error.where, error.found, error.nearest, error.text) == (
        "flows.shipments.from",
        "wsm",
        "wms",
        "no such system",
    )
    assert error.valid == ("erp", "shop", "wms")
    assert error.exit_code == 2
    first, second = all_mistakes(file, environ={})
    assert first.hint == "wms? Systems: erp, shop, wms"
    assert (second.line, second.column, second.where) == (15, 7, "flows.shipments.to")


def test_a_single_mistake_keeps_its_whole_hint(write: Write) -> None:
    with pytest.raises(LandscapeError) as caught:
        read_landscape(write(SMALL + '[owners]\nitem = "shp"\n'), environ={})
    assert caught.value.hint == "shop? Systems: erp, shop, wms"


def test_every_mistake_is_told_in_the_order_of_the_file(write: Write) -> None:
    text = (
        GOOD.replace('colour = "red"', 'color = "red"')
        .replace('currency = "EUR"', 'currency = "EUX"')
        .replace("tries = 3", "tries = 0")
        .replace("${PORT}", "${PROT}", 1)
        .replace('kind = "stocks"', 'kind = "stoks"')
        .replace("weight = 3", 'weight = "3"')
    )
    assert lines(write(text)) == [
        "erpsync.toml:3:1: color: no such key",
        'erpsync.toml:7:12: currency = "EUX": is no currency code',
        'erpsync.toml:15:7: systems "erp": url: environment variable PROT is not set',
        'erpsync.toml:28:9: systems "shop": retry.tries = 0: is not from 1 to 1000',
        'erpsync.toml:48:10: flows "items": weight = "3": is not a whole number',
        'erpsync.toml:52:8: flows "levels": kind = "stoks": no such kind',
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [("", timedelta(days=90)), ('keep = "400d"', timedelta(days=400)), ('keep = "1h"', timedelta(hours=1))],
)
def test_what_is_finished_is_kept_for_ninety_days_or_as_long_as_is_said(
    write: Write, written: str, kept: timedelta
) -> None:
    file = write(f"{SMALL.rstrip()}\n[store]\n{written}\n")
    assert read_landscape(file, environ={}).keep == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('keep = "59m"', ':12:8: store: keep = "59m": is less than an hour'),
        ("keep = 90", ":12:8: store: keep = 90: is not a text with its unit"),
        ('kept = "90d"', ":12:1: store: kept: no such key"),
    ],
)
def test_a_time_to_keep_that_cannot_be_is_refused_where_it_stands(write: Write, written: str, said: str) -> None:
    assert lines(write(f"{SMALL.rstrip()}\n[store]\n{written}\n")) == [f"erpsync.toml{said}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[owners]\n"item.price" = "erp"', ":12:1: owners.item.price is not built yet"),
        (
            '[owners]\n"item.price" = { owner = "erp", review = "change > 20%" }',
            ":12:1: owners.item.price is not built yet",
        ),
        ('[owners]\nitem.price = "erp"', ":12:1: owners.item.price is not built yet"),
        ('[owners]\nitem = { owner = "erp", others = "ignore" }', ":12:1: owners.item is not built yet"),
        ('[owners]\norder = "origin"', ':12:9: owners.order = "origin" is not built yet'),
        ('[owners]\n"movement@WH2" = "wms"', ":12:1: owners.movement@WH2 is not built yet"),
        ('[owners]\ninvoice = "erp"', ":12:1: owners.invoice is not built yet"),
        ('[gates.invoice]\nrequire = ["order_released"]', ":11:1: gates.invoice is not built yet"),
        ("[gates]", ":11:1: gates is not built yet"),
        ('[pricing]\nagreed = "captured"', ":12:1: pricing.agreed is not built yet"),
        ('[retention]\nseen = "90d"', ":12:1: retention.seen is not built yet"),
        ("[approvals]", ":11:1: approvals is not built yet"),
        ('[store]\nurl = "postgresql://me:secret@db/erpsync"', ':12:7: store.url = "postgresql://" is not built yet'),
        (
            '[systems.a]\nadapter = "http"\nspec = "specs/shop.toml"\nurl = "https://a"\nsecret = "keyring:a"',
            ':15:10: systems.a.secret = "keyring:" is not built yet',
        ),
        ('[systems.a]\nadapter = "hook"', ':12:11: systems.a.adapter = "hook" is not built yet'),
        ('[systems.a]\nadapter = "files"\nrole = "notify"', ':13:8: systems.a.role = "notify" is not built yet'),
        (
            '[systems.a]\nadapter = "files"\nwhen_stale = { after = "30m" }',
            ":13:1: systems.a.when_stale is not built yet",
        ),
        (
            '[[flows]]\nname = "f"\nkind = "item"\nfrom = "erp"\nto = ["wms"]\nmode = "shadow"',
            ':16:8: flows.f.mode = "shadow" is not built yet',
        ),
        (
            '[[flows]]\nname = "f"\nkind = "item"\nfrom = "erp"\nto = ["wms"]\nconflict = "latest"',
            ":16:1: flows.f.conflict is not built yet",
        ),
        (
            '[[flows]]\nname = "f"\nkind = "payments"\nfrom = "erp"\nto = ["wms"]',
            ':13:8: flows.f.kind = "payments" is not built yet',
        ),
    ],
)
def test_what_a_later_version_builds_is_refused_by_name(write: Write, text: str, line: str) -> None:
    file = write(f"{SMALL.rstrip()}\n{text}\n")
    assert lines(file) == [f"erpsync.toml{line}"]
    assert all_mistakes(file, environ={})[0].hint == "leave it out; nothing in the file is ignored"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('name = "acme-test"', "", ":1:1: name is missing"),
        ('name = "acme-test"', "name = 7", ":1:8: name = 7: is not a text"),
        ('name = "acme-test"', 'name = "a b"', ':1:8: name = "a b": is no plain name'),
        ("production = true", 'production = "yes"', ':2:14: production = "yes": is not true or false'),
        ('colour = "red"', 'colour = "rot"', ':3:10: colour = "rot": no such colour'),
        ("Europe/Berlin", "Europe/Berlyn", ':5:12: timezone = "Europe/Berlyn": no such time zone'),
        ("Europe/Berlin", "../../etc/passwd", ':5:12: timezone = "../../etc/passwd": no such time zone'),
        ("Europe/Berlin", "Europe", ':5:12: timezone = "Europe": no such time zone'),
        ("half-up per line", "bankers", ':6:12: rounding = "bankers": no such rounding'),
        ("sqlite:///books/${STORE}.db", "sqlite://x", ':10:7: store: url = "sqlite://x": is no address of a store'),
        (
            "sqlite:///books/${STORE}.db",
            "sqlite:///:memory:",
            ':10:7: store: url = "sqlite:///:memory:": names no file',
        ),
        ("sqlite:///books/${STORE}.db", "mysql://me:pw@x/y", ":10:7: store: url: is no address of a store"),
        ("[systems.erp]", "[systems.Erp]", ':12:1: systems "Erp": is no name for a system'),
        ("[systems.erp]", "[systems.'']", ':12:1: systems "": is no name for a system'),
        ('role = "erp"', 'role = "epr"', ':13:8: systems "erp": role = "epr": no such role'),
        ('adapter = "tryton"', 'adapter = "triton"', ':14:11: systems "erp": adapter = "triton": no such adapter'),
        ('adapter = "tryton"', "", ':12:1: systems "erp": adapter is missing'),
        (
            "http://127.0.0.1:${PORT}",
            "ftp://127.0.0.1",
            ':15:7: systems "erp": url = "ftp://127.0.0.1": is no http or https address',
        ),
        (
            "http://127.0.0.1:${PORT}",
            "http://x..ü",
            ':15:7: systems "erp": url = "http://x..ü": is no http or https address',
        ),
        ("http://127.0.0.1:${PORT}", "http://[", ':15:7: systems "erp": url: is no address'),
        ("http://127.0.0.1:${PORT}", "http://a:99999", ':15:7: systems "erp": url: is no address'),
        (
            "http://127.0.0.1:${PORT}",
            "http://a/?k=1",
            ':15:7: systems "erp": url = "http://a/?k=1": has a query or fragment',
        ),
        ("http://127.0.0.1:${PORT}", "http://me:pw@a", ':15:1: systems "erp": url holds a user or password'),
        ("env:ERP_PASSWORD", "env:", ':16:10: systems "erp": secret: names no environment variable'),
        ("env:ERP_PASSWORD", "hunter2", ':16:1: systems "erp": secret is written out'),
        ('user = "sync"', 'db_password = "pw"', ':17:40: systems "erp": options.db_password is written out'),
        ('{ a = "${PORT}" }', '{ api_key = "pw" }', ':17:65: systems "erp": options.deep.0.api_key is written out'),
        ('"90/m"', '"90"', ':18:19: systems "erp": limits.rate = "90": is not a rate'),
        ('"2MiB"', '"2M"', ':18:40: systems "erp": limits.max_answer = "2M": is not a size'),
        (
            'timeout = "5s"',
            'timeout = "2m"',
            ':18:75: systems "erp": limits.deadline = "1m30s": is shorter than the timeout',
        ),
        ('timeout = "5s"', 'timeot = "5s"', ':18:48: systems "erp": limits.timeot: no such key'),
        ('timeout = "5s"', 'timeout = "5"', ':18:58: systems "erp": limits.timeout = "5": is not a duration'),
        ('timeout = "5s"', 'timeout = "0s"', ':18:58: systems "erp": limits.timeout = "0s": is no time at all'),
        ('timeout = "5s"', "timeout = 5", ':18:58: systems "erp": limits.timeout = 5: is not a text with its unit'),
        ("specs/shop.toml", "specs/shp.toml", ':24:8: systems "shop": spec = "specs/shp.toml": no such file'),
        ('spec = "specs/shop.toml"', "", ':21:1: systems "shop": spec is missing'),
        ('url = "https://shop.example/api"', "", ':21:1: systems "shop": url is missing'),
        ('options.folder = "wms"', 'url = "http://a"', ':32:1: systems "wms": the files adapter takes no url'),
        ('options.folder = "wms"', "retry = 7", ':32:9: systems "wms": retry = 7: is not a table'),
        ('items = "erp"', 'items = "epr"', ':37:9: owners: items = "epr": no such system'),
        ('items = "erp"', 'itms = "erp"', ':37:8: owners: itms = "itms": no such kind'),
        ('name = "levels"', 'name = "items"', ':51:8: flows "items": name = "items": another flow has this name'),
        ('name = "levels"', "", ':50:1: flows "2": name is missing'),
        ('to = ["wms", "shop"]', 'to = "wms"', ':43:6: flows "items": to = "wms": is not a list'),
        ('to = ["wms", "shop"]', "to = []", ':43:6: flows "items": to: is empty'),
        ('to = ["wms", "shop"]', "", ':39:1: flows "items": to is missing'),
        ('to = ["wms", "shop"]', 'to = ["wms", 7]', ':43:14: flows "items": to = 7: is not a text'),
        (
            'to = ["wms", "shop"]',
            'to = ["wms", "erp"]',
            ':43:14: flows "items": to = "erp": is the system the flow comes from',
        ),
        ('to = ["wms", "shop"]', 'to = ["wms", "wms"]', ':43:14: flows "items": to = "wms": is there twice'),
        (
            '"active = true and not name ~ test"',
            '"actve = true"',
            ':47:9: flows "items": where = "actve = true": filter field actve, at column 1, does not exist',
        ),
        (
            '"active = true and not name ~ test"',
            "'price >'",
            ':47:9: flows "items": where = "price >": filter ends at column 8 where a value should stand',
        ),
        ("weight = 3", "wieght = 3", ':48:1: flows "items": wieght: no such key'),
        ('mode = "off"', 'mode = "of"', ':55:8: flows "levels": mode = "of": no such mode'),
        ('longest = "10m"', 'longest = "1s"', ':59:11: retry: longest = "1s": is shorter than first'),
        ("failures = 3", "failures = 0", ":65:12: breaker: failures = 0: is not from 1 to 1000"),
        ("[breaker]", "[braker]", ":64:1: braker: no such key"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(write: Write, old: str, new: str, line: str) -> None:
    assert old in GOOD
    found = lines(write(GOOD.replace(old, new, 1)))
    assert f"erpsync.toml{line}" in found
    assert len(found) <= 3  # what has no name is missing where it is named, and that is all


def test_no_secret_that_was_written_out_is_said_again(write: Write) -> None:
    text = (
        GOOD.replace("env:ERP_PASSWORD", "canary-1")
        .replace('user = "sync"', 'token = "canary-2"')
        .replace("https://shop.example/api", "https://me:canary-3@shop.example")
        .replace("sqlite:///books/${STORE}.db", "mysql://me:canary-4@db")
    )
    mistakes = all_mistakes(write(text), environ=ENVIRON)
    assert len(mistakes) == 4
    assert not any("canary" in f"{m.message} {m.hint} {m.found} {m.text}" for m in mistakes)
    assert mistakes[1].hint == 'secret = "env:ERP_TOKEN"; change that token, it stood in a file'


def test_an_option_may_say_where_its_secret_is(write: Write) -> None:
    text = GOOD.replace('user = "sync"', 'token = "env:OTHER", api_key = "file:key"')
    assert read_landscape(write(text), environ=ENVIRON).systems["erp"].options["token"] == "env:OTHER"


@pytest.mark.parametrize("value", ["", None])
def test_a_variable_that_is_not_set_or_empty_is_a_mistake(write: Write, value: str | None) -> None:
    environ = {"STORE": "acme"} if value is None else {"STORE": "acme", "PORT": value}
    found = all_mistakes(write(GOOD), environ=environ)
    state = "not set" if value is None else "empty"
    assert {mistake.text for mistake in found} == {f"environment variable PORT is {state}"}
    assert [mistake.where for mistake in found] == [
        "systems.erp.url",
        "systems.erp.options.database",
        "systems.erp.options.deep.a",
    ]


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${PORT"])
def test_a_dollar_brace_that_names_nothing_is_a_mistake(write: Write, text: str) -> None:
    found = all_mistakes(write(GOOD.replace("acme-${PORT}", text)), environ=ENVIRON)
    assert [mistake.text for mistake in found] == ["has a ${ that names no variable"]


FLOW = '[[flows]]\nname = "{name}"\nkind = "{kind}"\nfrom = "{source}"\nto = ["{target}"]\n'


def flow(name: str, kind: str, source: str, target: str) -> str:
    return FLOW.format(name=name, kind=kind, source=source, target=target)


def test_two_sources_of_one_kind_need_an_owner_and_then_only_it_may_tell(write: Write) -> None:
    flows = flow("a", "item", "erp", "shop") + flow("b", "item", "wms", "shop")
    assert lines(write(SMALL + flows)) == [
        'erpsync.toml:19:8: flows "b": from = "wms": item comes from erp too, and has no owner'
    ]
    assert lines(write(SMALL + flows + '[owners]\nitem = "wms"\n')) == [
        'erpsync.toml:14:8: flows "a": from = "erp": item is owned by wms'
    ]


def test_one_way_has_one_flow(write: Write) -> None:
    flows = flow("a", "item", "erp", "shop") + flow("b", "items", "erp", "shop")
    assert lines(write(SMALL + flows)) == [
        'erpsync.toml:20:7: flows "b": to = "shop": flow "a" carries item from erp to shop already'
    ]


def test_a_target_of_orders_must_also_get_the_items_and_customers_they_name(write: Write) -> None:
    orders = flow("orders", "order", "shop", "wms")
    assert lines(write(SMALL + orders)) == [
        'erpsync.toml:15:7: flows "orders": to = "wms": no flow brings wms the customers that orders name',
        'erpsync.toml:15:7: flows "orders": to = "wms": no flow brings wms the items that orders name',
    ]
    customers = flow("customers", "customer", "erp", "wms")
    assert lines(write(SMALL + orders + customers + '[owners]\nitem = "wms"\n')) == []
    assert lines(write(SMALL + orders + customers + flow("items", "item", "wms", "shop"))) == []
    off = customers + 'mode = "off"\n' + '[owners]\nitem = "wms"\n'
    assert [line.rpartition(": ")[2] for line in lines(write(SMALL + orders + off))] == [
        "no flow brings wms the customers that orders name"
    ]


def test_what_another_flow_spoils_is_not_blamed_on_the_orders(write: Write) -> None:
    items = flow("items", "item", "erp", "wms").replace('"wms"', '"wsm"')
    found = lines(write(SMALL + flow("orders", "order", "shop", "wms") + items))
    assert found == ['erpsync.toml:20:7: flows "items": to = "wsm": no such system']


class _Pallet(Document):
    number: Number
    parcels: int | None = None


@pytest.fixture
def pallet() -> Iterator[Kind]:
    """A made-up kind, known while the test runs."""
    number = lambda fields: str(fields["number"])  # noqa: E731  (as the kinds are written)
    yield register(
        Kind(
            name="pallet",
            plural="pallets",
            document=_Pallet,
            nature=Nature.KEPT,
            number=number,
            parent_kinds=("order",),
        )
    )
    unregister("pallet")


def test_a_new_kind_is_known_to_the_landscape_without_another_word(write: Write, pallet: Kind) -> None:
    assert issubclass(pallet.model, BaseModel)
    pallets = (
        flow("pallets", "pallets", "wms", "erp") + 'where = "parcels > 3"\n[owners]\norder = "erp"\npallet = "wms"\n'
    )
    assert read_landscape(write(SMALL + pallets), environ={}).flows[0].kind == "pallet"


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "erpsync.toml"
    assert [m.message for m in all_mistakes(file, environ={})] == [f"landscape file {file} does not exist"]
    assert [m.message for m in all_mistakes(tmp_path, environ={})] == [f"landscape file {tmp_path} is a folder"]
    file.write_bytes(b'name = "x"\ncompany = "caf\xe9"\n')
    (mistake,) = all_mistakes(file, environ={})
    assert f"{mistake.place}: {mistake.message}" == "erpsync.toml:2:15: a character is not UTF-8"


def test_a_landscape_from_windows_is_read(tmp_path: Path) -> None:
    file = tmp_path / "erpsync.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode() + b'[owners]\r\nitem = "shp"\r\n')
    assert lines(file) == ['erpsync.toml:12:8: owners: item = "shp": no such system']


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('name = "x"\ncolour = red\n', "erpsync.toml:2:10"),
        ('name = "x"\n[store\n', "erpsync.toml:2:7"),
        ('name = "x"\nname = "y"\n', "erpsync.toml:2:11"),
        ("[store]\n[store]\n", "erpsync.toml:2:7"),
        ('name = """x', "erpsync.toml:1:12"),
        ("name = ", "erpsync.toml:1:8"),
        ("x = " + "[" * 5_000, "erpsync.toml"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(write: Write, text: str, place: str) -> None:
    (mistake,) = all_mistakes(write(text), environ={})
    assert mistake.place == place
    assert mistake.message.startswith("not TOML: ")


def test_the_landscape_is_found_by_option_then_variable_then_here_then_above(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "erpsync.toml").write_text(SMALL)
    assert find_landscape(None, environ={}, folder=deep) == tmp_path / "erpsync.toml"
    assert find_landscape(None, environ={"ERPSYNC_LANDSCAPE": ""}, folder=deep) == tmp_path / "erpsync.toml"
    assert find_landscape(None, environ={"ERPSYNC_LANDSCAPE": "x.toml"}, folder=deep) == deep / "x.toml"
    assert find_landscape("/y.toml", environ={"ERPSYNC_LANDSCAPE": "x.toml"}, folder=deep) == Path("/y.toml")


def test_without_a_landscape_init_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        find_landscape(None, environ={}, folder=Path("/dev/fd/nowhere"))
    assert caught.value.hint.startswith("erpsync init")


def test_a_value_deep_in_the_options_has_a_place(write: Write) -> None:
    file = write(GOOD)
    assert place_of(file, ("systems", "erp", "options", "deep", 0, "a")) == (17, 69)
    assert place_of(file, ("systems", "erp", "options", "nothing")) == (17, 11)
    error = placed(LandscapeError("folder must be below", where="systems.wms.options.folder.x"), file)
    assert error.place == "erpsync.toml:32:18"


_LINE = st.sampled_from([line for line in GOOD.splitlines() if line])
_ODD = st.sampled_from(
    [
        "1",
        "true",
        '""',
        '"x"',
        "[]",
        "{}",
        "[1]",
        '["x"]',
        "[{}]",
        "2026-10-15",
        "1.5",
        "nan",
        '"${"',
        '"${X}"',
        '{ a = "b" }',
        "-1",
        "99999999999999999999",
        '"\\u0000"',
        '"\\u001b[31m"',
        '"://@"',
        '"sqlite:///"',
        '"file:\\u0000"',
        '"env:A=B"',
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_LINE, st.one_of(st.none(), _ODD, _LINE)), min_size=1, max_size=4))
def test_whatever_is_wrong_is_told_as_mistakes_that_lie_in_the_file(
    write: Write, changes: list[tuple[str, str | None]]
) -> None:
    text = GOOD
    for line, other in changes:
        if other is None or other in GOOD.splitlines():
            text = text.replace(line, other or "", 1)
        elif "=" in line:
            text = text.replace(line, line.partition("=")[0] + "= " + other, 1)
    file = write(text)
    mistakes = all_mistakes(file, environ=ENVIRON)
    length = text.count("\n") + 1
    assert all(0 < mistake.line <= length and mistake.column > 0 for mistake in mistakes)
    if not mistakes:
        assert read_landscape(file, environ=ENVIRON).digest


def test_what_the_books_keep_of_a_landscape_says_nothing_of_secrets(write: Write) -> None:
    kept = json.loads(read_landscape(write(GOOD), environ=ENVIRON).as_json())
    assert kept["name"] == "acme-test"
    assert kept["systems"]["erp"]["limits"]["deadline"] == "PT1M30S"
    assert "ERP_PASSWORD" in GOOD
    assert "ERP_PASSWORD" not in json.dumps(kept)


def test_reading_the_landscape_loads_no_network_library(write: Write) -> None:
    code = (
        "import sys; from pathlib import Path; from erpsync.config.reading import read_landscape; "
        f"read_landscape(Path({str(write(GOOD))!r}), environ={ENVIRON!r}); "
        "print(sorted({'httpx', 'pycurl', 'aiohttp', 'sqlite_utils', 'textual', 'typer'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
