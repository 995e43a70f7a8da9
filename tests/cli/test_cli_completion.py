"""What Tab is told: commands, options, ids, systems, keys and filters; quickly, and without a trace of having asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.cli.completion_line import Word, for_bash, words_of
from erpsync.cli.completion_values import COMPLETERS, word_for
from erpsync.cli.help_topics import topics
from erpsync.cli.main import app
from erpsync.store.connection import open_writer

# Words for what nobody but the person who types can know.
FREE_TEXT = {"ACT=HASH", "AGE", "FAR_ID", "FAULT=SHARE", "N", "SECONDS", "TEXT"}

Tab = Callable[..., list[str]]


@pytest.fixture
def tab(erpsync: Run) -> Tab:
    """What comes after these words; the last is as it was typed so far."""

    def press(*words: str, environ: dict[str, str] | None = None, told: bool = False) -> list[str]:
        answer = erpsync("erpsync", *words, environ={"_ERPSYNC_COMPLETE": "fish", **(environ or {})})
        assert (answer.code, answer.err) == (0, "")
        found = answer.out.splitlines()[1:]
        return found if told else [line.partition("\t")[0] for line in found]

    return press


def parameters(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Every command with each of its parameters."""
    group = group or typer.main.get_command(app)
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            yield from parameters(command, (*path, name))
        for parameter in command.params:
            yield " ".join((*path, name)), command, parameter


def test_every_value_is_completed_or_is_free_text() -> None:
    unknown = set()
    for name, _, parameter in parameters():
        kind = parameter.type_descriptor.annotation
        if getattr(parameter, "is_flag", False) or hasattr(kind, "__members__"):
            continue
        if (word := word_for(parameter)) not in COMPLETERS and word not in FREE_TEXT:
            unknown.add(f"{name}: {word}")
    assert unknown == set()


def test_every_listing_offers_the_fields_that_help_names(tab: Tab) -> None:
    told = "\n".join(topics()["filters"]())
    for name, _, parameter in parameters():
        if parameter.name == "where":
            offered = tab(*name.split(), "--where", "'")
            assert offered, name
            if f" {name} " in told.partition("\nFields\n")[2].replace(",", " "):
                assert all(field in told for field in offered), name
        if parameter.name == "sort":
            assert tab(*name.split(), "--sort", ""), name
            assert tab(*name.split(), "--sort", "-")[0].startswith("-")


def test_a_command_is_offered_with_a_few_words_on_it(tab: Tab) -> None:
    assert "dlq\tdead letters: the list, one letter with its evidence" in tab("", told=True)
    assert tab("dlq", "sh", told=True) == ["show\tOne dead letter"]
    every = set(typer.main.get_command(app).list_commands(None))  # type: ignore[attr-defined]  # it is a group
    assert set(tab("")) == every
    assert {line.partition("\t")[0] for line in tab("", told=True) if "\t" in line} >= every - {"help"}


def test_an_option_is_offered_once_and_its_values_follow(tab: Tab) -> None:
    assert "--where" in tab("dlq", "list", "--w")
    assert "--limit" not in tab("dlq", "list", "--limit", "5", "--")
    assert tab("dlq", "list", "-o", "j") == ["json", "jsonl"]
    assert tab("dlq", "list", "--output=i") == ["--output=ids"]
    assert tab("dlq", "list", "-oi") == ["-oids"]
    assert tab("dlq", "discard", "1", "--line", "") == ["go", "discard", "hold"]
    assert tab("help", "f") == ["filters"]


def test_only_what_a_command_takes_is_offered(tab: Tab, ids: dict[str, int]) -> None:
    dead = {str(ids[name]) for name in ("customer", "SH-88022", "SH-87931", "SH-87953")}
    assert set(tab("dlq", "show", "")) == dead
    assert set(tab("replay", "")) == dead
    assert tab("messages", "settle", "") == [str(ids["lost"])]
    assert dead < set(tab("messages", "show", ""))
    assert f"E-{ids['lost_case']}" in tab("exceptions", "resolve", "E")
    assert str(ids["lost_case"]) in tab("exceptions", "show", str(ids["lost_case"]))
    assert tab("dlq", "restore", "") == []


def test_an_id_says_what_it_is_of(tab: Tab, ids: dict[str, int]) -> None:
    assert f"{ids['customer']}\tcustomer:CU-1107 to wms" in tab("dlq", "show", "", told=True)


def test_an_id_that_stands_there_is_not_offered_again(tab: Tab, ids: dict[str, int]) -> None:
    assert str(ids["customer"]) not in tab("replay", str(ids["customer"]), "")
    assert str(ids["customer"]) not in tab("replay", f"{ids['customer']},")
    assert f"{ids['customer']},{ids['SH-88022']}" in tab("replay", f"{ids['customer']},")


def test_systems_kinds_and_keys_come_from_the_landscape_and_the_store(tab: Tab) -> None:
    assert tab("systems", "probe", "") == ["erp", "shop", "wms"]
    assert tab("sync", "--to", "w") == ["wms"]
    assert tab("sync", "cu") == ["customer"]
    assert tab("lanes", "show", "wms", "customer:CU-11") == ["customer:CU-1107"]
    assert tab("trace", "shipment:SH-88") == ["shipment:SH-88022"]
    assert tab("trace", "shipments:SH-88") == ["shipments:SH-88022"]
    assert tab("trace", "cust")[:2] == ["customer:", "customer:CU-1107"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("'sys", ["system", "system =", "system !=", "system ~", "system !~"]),
        ("sys", ["system", "system=", "system!=", "system~", "system!~"]),
        ("'system ", ["system =", "system !=", "system ~", "system !~"]),
        ("'system = w", ["system = wms"]),
        ("system=w", ["system=wms"]),
        ("'system = \"w", ['system = "wms"']),
        ("'state = de", ["state = dead"]),
        ("'state = dead and sys", ["state = dead and system", "state = dead and system ="]),
        ("'state = dead a", ["state = dead and", "state = dead and not"]),
        ("'(state = dead or not he", ["(state = dead or not head"]),
        ("'head ", ["head and", "head and not", "head or", "head or not"]),
        ("'age ", ["age =", "age !=", "age <", "age <=", "age >", "age >="]),
        ("'kind = cust", ["kind = customer"]),
        ("'key = customer:CU-11", ["key = customer:CU-1107"]),
        ("'flow = ship", ["flow = shipments"]),
        ("'colour = ", []),
        ("'error ~ \"it''s", []),
    ],
)
def test_a_filter_goes_on_where_it_stands(tab: Tab, typed: str, offered: list[str]) -> None:
    found = tab("messages", "list", "--where", typed)
    assert found[: len(offered)] == offered
    assert bool(found) is bool(offered)


def test_fields_that_no_store_keeps_are_offered_too(tab: Tab) -> None:
    assert tab("systems", "list", "--where", "'state = s") == ["state = stopped"]
    assert tab("workers", "list", "--where", "'state = s") == ["state = stopping", "state = silent"]
    assert tab("config", "show", "--where", "'from = ") == []


def test_the_landscape_on_the_line_is_the_one_asked(night: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for words, environ in (
        (("erpsync", "--landscape", str(night / "erpsync.toml"), "systems", "probe", "w"), {}),
        (("erpsync", f"--landscape={night / 'erpsync.toml'}", "systems", "probe", "w"), {}),
        ((f"ERPSYNC_LANDSCAPE={night / 'erpsync.toml'}", "erpsync", "systems", "probe", "w"), {}),
        (("erpsync", "systems", "probe", "w"), {"ERPSYNC_LANDSCAPE": str(night / "erpsync.toml")}),
    ):
        assert asked(elsewhere, *words, environ=environ) == (b"whole\nwms\twms\n", b"")


def asked(folder: Path, *words: str, environ: dict[str, str] | None = None) -> tuple[bytes, bytes]:
    """What a shell is told by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "erpsync", *words],
        cwd=folder,
        env={**os.environ, "_ERPSYNC_COMPLETE": "fish", **(environ or {})},
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "words", [("trace", "order:"), ("dlq", "show", ""), ("systems", "probe", ""), ("nonsense", ""), ("",), ("--", "")]
)
def test_where_nothing_is_there_nothing_is_said_and_nothing_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    out, err = asked(tmp_path, "erpsync", *words)
    assert err == b""
    assert (out == b"") is (words not in (("",), ("--", "")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no store at all" * 500])
def test_a_damaged_store_is_not_complained_of_and_not_mended(night: Path, content: bytes) -> None:
    store = night / "erpsync.db"
    store.write_bytes(content)
    for left in night.glob("erpsync.db-*"):
        left.unlink()
    assert asked(night, "erpsync", "dlq", "show", "") == (b"", b"")
    assert store.read_bytes() == content


def test_a_store_of_a_newer_erpsync_is_left_alone(night: Path) -> None:
    db = open_writer(night / "erpsync.db")
    db.execute("PRAGMA user_version = 9999")
    db.close()
    assert asked(night, "erpsync", "dlq", "show", "") == (b"", b"")


def test_a_store_that_is_held_does_not_hold_the_prompt(night: Path) -> None:
    db = open_writer(night / "erpsync.db")
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    try:
        began = time.monotonic()
        out, err = asked(night, "erpsync", "dlq", "show", "")
        assert time.monotonic() - began < 5
        assert err == b""
        assert out.count(b"\n") in (0, 5)  # in WAL a reader passes by
    finally:
        db.close()


def test_a_file_that_never_ends_does_not_hold_the_prompt(night: Path) -> None:
    os.mkfifo(night / "pipe.toml")
    began = time.monotonic()
    assert asked(night, "erpsync", "--landscape", "pipe.toml", "systems", "probe", "") == (b"", b"")
    assert time.monotonic() - began < 5


def test_what_acts_on_a_terminal_is_left_out(night: Path, tab: Tab) -> None:
    put(night, "H one", "H\x1b[31mred", "H\nnext", "H\u202ebidi", "H\x9b31m", "H" + "x" * 400)
    assert tab("trace", "item:H") == ["item:H one"]


def put(night: Path, *numbers: str) -> None:
    """Items with these numbers in the store."""
    db = open_writer(night / "erpsync.db")
    db.executemany(
        "INSERT INTO records (company_id, kind, number, origins, changed_at) VALUES (1, 'item', ?, '{}', 1)",
        [(number,) for number in numbers],
    )
    db.close()


def test_of_very_many_keys_the_beginnings_are_offered(night: Path, tab: Tab) -> None:
    put(night, *(f"W-{n:05}" for n in range(3_000)), "W-9")
    assert tab("trace", "item:W-") == ["item:W-0", "item:W-9"]
    assert tab("trace", "item:W-0") == ["item:W-00", "item:W-01", "item:W-02"]
    assert tab("trace", "item:W-0299") == [f"item:W-0299{n}" for n in range(10)]


def test_bash_gets_only_what_stands_behind_its_last_break(erpsync: Run) -> None:
    def said(line: str, replaced: str) -> list[str]:
        return erpsync(line, replaced, environ={"_ERPSYNC_COMPLETE": "bash"}).out.splitlines()

    assert said("erpsync trace shipment:SH-88", "SH-88") == ["whole", "SH-88022"]
    assert said("erpsync trace 'shipment:SH-88", "shipment:SH-88") == ["whole", "shipment:SH-88022"]
    assert said("erpsync dlq list --output=i", "i") == ["whole", "ids"]
    assert said("erpsync dlq list --output=", "") == ["whole", "table", "json", "jsonl", "csv", "ids"]
    assert said("erpsync dlq list --where 'system = w", "system = w") == ["whole", "system = wms"]
    assert said("erpsync check --landscape ", "") == []
    assert said("erpsync --landscape ", "") == ["files"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("erpsync", ["erpsync"]),
        ("erpsync ", ["erpsync", ""]),
        ('erpsync  a\\ b \'c d\' "e \\" f" g', ["erpsync", "a b", "c d", 'e " f', "g"]),
        ("erpsync 'it'\\''s' $(x)", ["erpsync", "it's", "$(x)"]),
        ("", [""]),
    ],
)
def test_a_line_is_read_into_words(line: str, words: list[str]) -> None:
    assert [word.text for word in words_of(line)] == words


def test_a_quote_that_is_open_is_known() -> None:
    assert words_of("erpsync --where 'system = ")[-1] == Word("system = ", "'")
    assert words_of('erpsync "a')[-1] == Word("a", '"')


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_is_written_for_bash_is_read_by_it_as_it_was(quote: str) -> None:
    hostile = "a $(echo x) `echo y` $HOME ~ * ? [z] {1,2} ; & | < > ( ) # \\ 'q' \"r\" é東 =%"
    written = for_bash(hostile, quote)
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quote}{written}{quote}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == hostile


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quote_that_is_open_is_not_taken_for_closed_by_what_is_completed(quote: str) -> None:
    assert for_bash(f"six {quote}", quote) is None
    assert for_bash(f"six {quote} tall", quote) is not None


def test_history_is_not_expanded_by_what_is_written_for_bash() -> None:
    assert for_bash("!ls", "") == "\\!ls"
    assert for_bash("!ls", '"') is None
