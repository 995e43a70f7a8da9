"""Hostile text in every field, through sync and then through every read command in every format: text, never an act.

It is planted in the far systems and in files, as a clerk with bad intentions would, and read back as an operator does.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import in_process
import pytest
import typer
from in_process import Said
from practice import Practice
from simulation import Simulation

from erpsync.cli.main import app
from erpsync.terminal import width

ESC, BEL, CSI, DEL = "\x1b", "\x07", "\x9b", "\x7f"
HOSTILE = (
    f"a{ESC}[31mred{ESC}[2J",
    f"b{ESC}]0;title{BEL}{ESC}]52;c;c2VjcmV0{BEL}",
    f"c{ESC}]8;;http://evil.example{ESC}\\link{ESC}]8;;{ESC}\\",
    f"d{ESC}P+q544e{ESC}\\{CSI}31m{DEL}\x08\x08\x0c\x0b",
    "e[red]x[/red] [/] [/nope] [@click=app.quit]y[/] [link=file:///etc/passwd]z :bomb:",
    "f\u202eevil\u202c \u2066iso\u2069 \u200bzero\ufeff",
    "g\U000e0041\U000e0042 tags \ue000 private \u2028line\u2029par",
    "h" + "\u0301" * 200,
    "i\nerror: store is gone\nhint: rm -rf /\r\nnext: erpsync demo",
    "j\ttab\rover; DROP TABLE messages; -- ' \" \\ $(reboot) `reboot` %s {0}",
    "k" + "W" * 3_000,
    "l\uff21\u5168\u89d2 \U0001f469\u200d\U0001f469\u200d\U0001f467 \u05e9\u05dc\u05d5\u05dd",
    "=cmd|' /C calc'!A0",
)
LISTINGS = (
    ("messages", "list"),
    ("events", "list"),
    ("exceptions", "list"),
    ("dlq", "list"),
    ("systems", "list"),
    ("xref", "list"),
    ("audit", "list"),
    ("config", "show"),
    ("lanes", "list"),
    ("flows", "list"),
    ("find", "item"),
    ("tail", "--since", "1h", "--no-wait"),
)
FORMATS = ("table", "json", "jsonl", "csv", "ids")
READS = {
    "status",
    "trace",
    "check",
    "doctor",
    "completion",
    "help",
    "messages list",
    "messages show",
    "events list",
    "events show",
    "exceptions list",
    "exceptions show",
    "dlq list",
    "dlq show",
    "lanes list",
    "lanes show",
    "systems list",
    "store info",
    "store verify",
    "xref list",
    "audit list",
    "audit verify",
    "config show",
    "workers list",
    "flows list",
    "find",
    "tail",
}
# Those that act, and what is hostile for them: told to refuse, or looked at with --dry-run, below.
ACTS = {
    "sync",
    "run",
    "replay",
    "demo",
    "init",
    "messages settle",
    "messages hold",
    "messages release",
    "messages skip",
    "events apply",
    "exceptions resolve",
    "dlq discard",
    "dlq restore",
    "systems probe",
    "systems resume",
    "systems pause",
    "flows pause",
    "flows resume",
    "workers stop",
    "store migrate",
    "store backup",
    "store prune",
    "sim up",
    "sim down",
    "sim fault",
}


def say(practice: Practice, *words: str, columns: int | None = 80) -> Said:
    """Run a command in this process, its streams caught as bytes; ``columns`` None is a pipe."""
    return in_process.say(practice.folder, practice.environ, *words, columns=columns)


def acting(said: str) -> list[str]:
    """The characters in an answer that act on a terminal, line feeds aside."""
    found = {c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
    return sorted(ascii(c) for c in found)


def check(practice: Practice, *words: str, columns: int | None = 80, codes: tuple[int, ...] = (0,)) -> Said:
    """Run a command and hold it to the one rule: nothing that acts leaves the process, on either stream."""
    said = say(practice, *words, columns=columns)
    what = " ".join(words)
    assert said.code in codes, (what, said.code, said.err)
    assert not acting(said.out), (what, "stdout", acting(said.out))
    assert not acting(said.err), (what, "stderr", acting(said.err))
    assert "Traceback" not in said.err
    for line in said.out.splitlines():
        assert not line.startswith(("error: store is gone", "hint: rm", "next: erpsync demo")), (what, line)
    return said


def plant(sim: Simulation) -> None:
    """Hostile text in every text field of every kind, in each system that owns some."""

    def put(system: str, kind: str, overlay: dict[str, str], **fields: object) -> None:
        sim.control.post("put", system=system, kind=kind, fields=fields, overlay=overlay)

    for n, text in enumerate(HOSTILE):
        words = dict.fromkeys(("name", "description", "unit", "barcode", "category", "web_text"), text)
        put("erp", "item", words, sku=f"H-{n}", name="x", unit="pc", price="1.00", currency="USD", active=True)
        words = dict.fromkeys(
            ("name", "contact", "email", "phone", "street", "city", "region", "postal_code", "country", "tax_number"),
            text,
        )
        put("erp", "customer", words, number=f"CU-{n}", name="x", currency="USD", active=True)
        words = dict.fromkeys(("customer_po", "note", "ship_to_name", "ship_to_street", "ship_to_city"), text)
        lines = [{"line": "1", "sku": f"H-{n}", "quantity": "1", "unit_price": "1.00"}]
        put(
            "erp",
            "order",
            words,
            number=f"SO-{n}",
            customer=f"CU-{n}",
            currency="USD",
            ordered_on="2026-10-01",
            lines=lines,
        )
        # a number that is hostile itself, in the document and where others point at it
        put(
            "erp",
            "item",
            {"sku": f"N{n}{text}"},
            sku=f"N{n}",
            name=f"number {n}",
            unit="pc",
            price="1.00",
            currency="USD",
            active=True,
        )
        put(
            "wms",
            "stock",
            {"articleNo": f"H-{n}", "warehouse": text, "unitOfMeasure": text},
            sku=f"H-{n}",
            location=f"W{n}",
            on_hand="1",
            unit="pc",
        )
        put(
            "wms",
            "shipment",
            {"carrier": text, "service": text, "trackingNo": text, "warehouse": text, "orderRef": text},
            number=f"SH-{n}",
            order=f"SO-{n}",
            location="WH1",
            shipped_at="2026-10-01T10:00:00Z",
            currency="USD",
            lines=[{"line": "1", "order_line": "1", "sku": f"H-{n}", "quantity": "1"}],
        )
        put(
            "wms",
            "movement",
            {"movementType": "receipt", "reasonText": text, "orderRef": text, "warehouse": text},
            number=f"MV-{n}",
            type="receipt",
            sku=f"H-{n}",
            location="WH1",
            quantity="1",
            happened_at="2026-10-01T10:00:00Z",
            reason="x",
        )
        # values that are none: they are refused on reading, and say so
        put(
            "erp",
            "item",
            {"list_price": text, "currency": text},
            sku=f"V-{n}",
            name="x",
            unit="pc",
            price="1.00",
            currency="USD",
            active=True,
        )


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A landscape in which whatever can be hostile is, after a sync that met refusals, lost answers and conflicts."""
    folder = tmp_path_factory.mktemp("hostile")
    with Simulation(folder / "sim", seed=5) as sim:
        plant(sim)
        refuse = [
            {"kind": "item", "number": f"H-{n}", "field": "name", "code": text[:60], "message": text}
            for n, text in enumerate(HOSTILE)
            if n % 2
        ]
        sim.control.faults("shop", refuse=refuse)
        sim.control.faults(
            "wms",
            refuse=refuse[:3],
            once=[{"fault": "lose_answer", "kind": "customer", "number": f"CU-{n}", "times": 1} for n in range(13)],
        )
        sim.control.faults(
            "erp",
            refuse=[
                {"kind": "movement", "number": f"MV-{n}", "field": "reason", "message": text}
                for n, text in enumerate(HOSTILE)
            ],
        )
        flows = ("items", "customers", "orders", "levels", "shipments", "movements")
        settings = '[retry]\nfirst = "50ms"\nlongest = "200ms"\ntries = 3'
        limits = {"timeout": '"2s"', "deadline": '"4s"', "settle_after": '"1s"'}
        made = Practice(folder / "erpsync", sim, flows=flows, settings=settings, limits=limits)
        for system in ("shop", "wms"):
            said = say(made, "sync", "--timeout", "8s")
            assert said.code in (1, 8), said.err
            assert not acting(said.out), acting(said.out)
            assert not acting(said.err), acting(said.err)
            sim.control.post("edit", system=system, kind="item", number="H-0", changes={"name": HOSTILE[0]})
        yield made


def items(practice: Practice, *words: str) -> list[dict[str, Any]]:
    """The rows of a listing, by its JSON."""
    found: list[dict[str, Any]] = json.loads(say(practice, *words, "-o", "json", "--limit", "0").out)["items"]
    return found


def test_every_command_is_either_read_below_or_known_to_act():
    root: Any = typer.main.get_command(app)
    names = set()
    for name in (*root.commands, *root.deferred):
        command = root.get_command(None, name)
        names |= {f"{name} {sub}" for sub in command.commands} if hasattr(command, "commands") else {name}
    assert names == READS | ACTS


def test_there_is_something_hostile_in_every_listing(practice):
    assert len(items(practice, "messages", "list")) > 60
    assert items(practice, "dlq", "list")
    assert items(practice, "exceptions", "list")
    unknown = items(practice, "messages", "list", "--where", "state=unknown")
    assert unknown, "answers of the blind warehouse were lost"
    events = say(practice, "events", "list", "--limit", "0", "-o", "json").out
    assert "\\u001b" in events, "JSON carries the text as it was told, escaped"


@pytest.mark.parametrize("columns", [80, 20, None])
@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_a_listing_shows_hostile_text_and_does_nothing_with_it(practice, words, output, columns):
    said = check(practice, *words, "--limit", "0", "-o", output, columns=columns)
    match output:
        case "json":
            assert json.loads(said.out)["shown"] >= 1
            assert said.out.isascii()
        case "jsonl":
            assert said.out.isascii()
            assert all(json.loads(line) for line in said.out.splitlines())
    if output == "csv" and words[0] != "tail":
        check(practice, *words, "--limit", "0", "-o", output, "--raw", columns=columns)
        rows = list(csv.reader(io.StringIO(said.out)))
        assert len(rows) == len(said.out.splitlines()) == len(items(practice, *words)) + 1, "a line a row"
        assert not [c for row in rows[1:] for c in row if c.startswith(("=", "+", "@")) or re.match(r"-(?![\d.]+$)", c)]
    if output == "ids" and words[0] not in ("find", "tail"):  # a key once, messages alone
        assert len(said.out.splitlines()) == len(items(practice, *words)), "one id a line"


@pytest.mark.parametrize("noun", ["messages", "dlq"])
def test_hostile_values_do_not_push_a_table_out_of_its_columns(practice, noun):
    said = check(practice, noun, "list", "--limit", "0", "--where", 'key ~ "item:H-" or key ~ "customer:"')
    lines = said.out.splitlines()
    assert len(lines) > 3
    assert [line for line in lines if width(line) > 80] == []
    assert lines[0].startswith("ID"), "a row a line, below a heading"


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(
    ("noun", "listing", "wheres"),
    [
        (
            "messages",
            "messages",
            (
                "state=dead",
                "state=unknown",
                "state=held",
                "state=done and kind=item",
                "kind=order",
                "kind=movement",
                "kind=shipment",
                "kind=stock",
            ),
        ),
        (
            "events",
            "events",
            (
                "verdict!=accepted",
                "kind=item",
                "kind=customer",
                "kind=order",
                "kind=stock",
                "kind=shipment",
                "kind=movement",
            ),
        ),
        ("exceptions", "exceptions", ("",)),
        ("dlq", "dlq", ("",)),
    ],
)
def test_one_of_them_in_full_is_text_too(practice, noun, listing, wheres, output):
    shown = 0
    for where in wheres:
        found = json.loads(say(practice, listing, "list", "--where", where, "-o", "json", "--limit", "7").out)["items"]
        for item in found:
            for more in ((), ("--full",)):
                if more and output == "json":
                    continue
                said = say(practice, noun, "show", str(item["id"]), *more, "-o", output)
                if more and said.code == 2:  # it has no --full
                    continue
                assert said.code == 0, said.err
                assert not acting(said.out), (noun, item["id"], acting(said.out))
                assert not acting(said.err), (noun, item["id"], acting(said.err))
                shown += 1
    assert shown


def test_a_try_as_a_command_for_a_shell_is_text(practice):
    tried = [item["id"] for item in items(practice, "messages", "list", "--where", "tries > 0 and kind != stock")]
    assert len(tried) > 20
    for number in tried[::3]:
        for output in ("table", "json"):
            said = check(practice, "messages", "show", str(number), "--curl", "-o", output, codes=(0, 2))
            assert said.out.isascii()
            assert practice.sim.secret("wms") not in said.out + said.err


def test_traces_and_lanes_of_hostile_keys_are_text(practice):
    seen = 0
    for item in items(practice, "messages", "list"):
        if item["key"].startswith("item:H") and int(item["id"]) % 9:
            continue
        for output in ("table", "json"):
            check(practice, "trace", item["key"], "-o", output)
            check(practice, "lanes", "show", item["system"], item["key"], "-o", output, codes=(0, 2))
        seen += 1
    assert seen > 9


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("systems", "list"),
        ("workers", "list"),
        ("store", "info"),
        ("store", "verify"),
        ("audit", "verify"),
        ("check",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["table", "json"])
def test_the_whole_at_a_glance_is_text(practice, words, output):
    for columns in (80, None):
        check(practice, *words, "-o", output, columns=columns)


def test_previews_of_acts_are_text(practice):
    dead = [str(item["id"]) for item in items(practice, "dlq", "list")]
    check(practice, "replay", *dead, "--dry-run", codes=(0, 2))
    for act in (("replay", *dead), ("dlq", "discard", dead[0]), ("dlq", "discard", *dead)):
        said = check(practice, *act, codes=(2,))
        assert "there is no terminal" in " ".join(said.err.split())
    waiting = [str(item["id"]) for item in items(practice, "messages", "list", "--where", "state=ready or state=held")]
    for act in ("hold", "skip"):
        check(practice, "messages", act, *waiting, "--dry-run", codes=(0, 2))
        check(practice, "messages", act, *waiting, "--reason", HOSTILE[0], codes=(2,))
        check(practice, "messages", act, *dead[:2], "--dry-run", codes=(2,))
    for item in items(practice, "messages", "list", "--where", "state=unknown")[:4]:
        check(practice, "messages", "settle", str(item["id"]), "--delivered", HOSTILE[0], codes=(2,))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[1:9])
@pytest.mark.parametrize("output", FORMATS)
def test_hostile_words_that_are_looked_for_are_text(practice, text, output):
    check(practice, "find", text, "-o", output, codes=(0, 2))
    check(practice, "find", f"item:{text}", "-o", output, codes=(0, 2))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[1:9])
def test_hostile_words_given_by_the_user_come_back_as_text(practice, text):
    for words in (
        (text,),
        ("messages", text),
        ("messages", "show", text),
        ("dlq", "show", text),
        ("events", "show", text),
        ("exceptions", "show", text),
        ("trace", text),
        ("trace", f"item:{text}"),
        ("trace", f"{text}:1"),
        ("lanes", "show", text, "item:H-1"),
        ("lanes", "show", "wms", f"item:{text}"),
        ("messages", "list", "--where", text),
        ("messages", "list", "--where", f"{text}=1"),
        ("messages", "list", "--sort", text),
        ("messages", "list", "--limit", text),
        ("messages", "list", "-o", text),
        ("messages", "list", f"--{text}"),
        ("messages", "hold", text),
        ("messages", "release", text),
        ("messages", "skip", text),
        ("lanes", "list", "--where", f"lane={text}="),
        ("systems", "probe", text),
        ("systems", "resume", text),
        ("systems", "pause", text),
        ("flows", "pause", text),
        ("flows", "resume", text),
        ("flows", "list", "--sort", text),
        ("workers", "stop", text),
        ("store", "prune", "--keep", text),
        ("store", "backup", f"no-such-folder/{text}"),
        ("tail", "--no-wait", "--where", text),
        ("tail", "--no-wait", "--since", text),
        ("audit", "verify", "--noted", text),
        ("audit", "list", "--since", text),
        ("config", "show", f"--{text}"),
        ("workers", "list", "--sort", text),
        ("sync", text),
        ("sync", "item", "--to", text),
        ("sync", "item", "--timeout", text),
        ("--landscape", text, "status"),
        ("help", text),
    ):
        for more in ((), ("-o", "json")):
            if more and (words[0] in ("--landscape", "help", text) or "-o" in words or len(words) != 4):
                continue
            said = check(practice, *words, *more, codes=(2,))
            assert said.out == ""
            assert said.err


def test_a_hostile_value_that_is_looked_for_is_found_by_its_text(practice):
    found = json.loads(say(practice, "messages", "list", "--where", 'error ~ "[/nope]"', "-o", "json").out)
    assert found["total"] >= 1


def test_a_landscape_with_hostile_values_is_told_as_text(practice, tmp_path):
    whole = practice.landscape.read_text(encoding="utf-8")
    for text in HOSTILE[:10:2]:
        quoted = json.dumps(text)  # TOML reads the same escapes, save those above the first plane
        if any(ord(c) > 0xFFFF for c in text):
            continue
        for old, new in (
            ('name = "practice"', f"name = {quoted}"),
            ('role = "wms"', f"role = {quoted}"),
            ('spec = "sim_wms"', f"spec = {quoted}"),
            ('kind = "item"', f"kind = {quoted}"),
            ('from = "erp"', f"from = {quoted}"),
            ('adapter = "http"', f"adapter = {quoted}"),
            ('user = "erpsync"', f"{quoted} = 1"),
            ("[systems.wms]", f"[systems.{quoted}]"),
            ('secret = "env:WMS_SECRET"', f"secret = {quoted}"),
        ):
            file = tmp_path / "hostile.toml"
            assert old in whole
            file.write_text(whole.replace(old, new, 1), encoding="utf-8")
            for words in (("check",), ("check", "-o", "json"), ("status",)):
                check(practice, "--landscape", str(file), *words, codes=(2, 4))


def test_hostile_rows_of_files_are_carried_or_refused_as_text(tmp_path: Path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    rows = ["sku,name,unit,price"]
    lines = []
    for n, text in enumerate(HOSTILE):
        cell = text.replace('"', '""').replace("\r", "").replace("\n", " ")
        rows.append(f'F-{n},"{cell}",pc,1.00')
        rows.append(f'G-{n},"{cell}",pc,"{cell}"')
        rows.append(f'"K{n}{cell}",x,pc,2.00')
        lines.append(json.dumps({"number": f"CU-{n}", "name": text, "street": text, "currency": "USD"}))
        lines.append(json.dumps({"number": f"CX-{n}", "name": "x", "currency": text}))
    (inbox / "items.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (inbox / "customers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    landscape = """\
name = "files"
[systems.in]
role = "erp"
adapter = "files"
options.folder = "in"
[systems.in.options.kinds.item]
file = "items.csv"
columns = { sku = "sku", name = "name", unit = "unit", price = "price" }
constants = { currency = "USD" }
[systems.in.options.kinds.customer]
file = "customers.jsonl"
format = "jsonl"
columns = { number = "number", name = "name", street = "street", currency = "currency" }
[systems.out]
role = "wms"
adapter = "files"
options.folder = "."
[systems.out.options.kinds.item.write]
folder = "out/items"
[systems.out.options.kinds.customer.write]
folder = "out/customers"
[[flows]]
name = "items"
kind = "item"
from = "in"
to = ["out"]
[[flows]]
name = "customers"
kind = "customer"
from = "in"
to = ["out"]
"""
    made = Practice.__new__(Practice)
    made.folder, made.environ, made.landscape = tmp_path, {}, tmp_path / "erpsync.toml"
    made.landscape.write_text(landscape, encoding="utf-8")
    said = check(made, "sync", codes=(1,))
    assert said.out
    for words in (("messages", "list"), ("events", "list"), ("exceptions", "list"), ("dlq", "list")):
        for output in FORMATS:
            check(made, *words, "--limit", "0", "-o", output)
    for item in items(made, "events", "list", "--where", "verdict!=accepted"):
        check(made, "events", "show", str(item["id"]))
    written = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert len(written) > 20
    assert all(len(path.parts) == 2 and path.name.isascii() for path in written), "a number is no path"
