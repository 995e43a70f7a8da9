"""Hostile text in every field, through every command and format: nothing of it acts on a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import LANDSCAPE, NIGHT, Night

from erpsync.store.store import Store

PAYLOADS = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://evil\x1b\\link",
    "\x1bPq#0\x1b\\",
    "\x9b31m\x9d0;x\x9c",
    "\x7f\x08\x08\x0b\x0c\r",
    "[bold red]x[/bold red][/]",
    "[/x]",
    "abc\u202edef\u2066\u2069",
    "zero\u200bwidth\ufeff\u00ad",
    "tag\U000e0041\U000e007f",
    "line\nnext\u2028para\u2029end\x85",
    "z" + "\u0301" * 40,
    "東京商事" * 40,
    '=HYPERLINK("http://x")',
    "'; DROP TABLE messages; --",
    "%s %d {0} {key} $HOME `id`",
    "\x00nul",
    "\ufdd0\uffff",
]
STATES = ("dead", "unknown", "held", "ready", "skipped", "done")
ALLOWED = {"\n"}


def acting(text: str) -> set[str]:
    """The characters in ``text`` that could act on a terminal."""
    return {
        c for c in text if c not in ALLOWED and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store has every payload in every text that comes from outside."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    with Store.create(folder / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        for payload in PAYLOADS:
            plant(night, payload)
        for name, state in (("shop", "down"), ("erp", "stopped")):
            words = "".join(PAYLOADS).replace("\x00", "")
            night.system(
                name, state=state, last_error=words, last_error_code=words, last_error_at=night.at(1), stopped_by=words
            )
        night.finish()
    return folder


def plant(night: Night, payload: str) -> None:
    """One payload in every text of the rows of one order."""
    text = payload.replace("\x00", "")  # SQLite's text ends at NUL; documents refuse it
    raw = payload.encode("utf-8", errors="replace")
    key = f"order:{text}"
    fields = {"number": text, "note": text, "currency": "USD", f"lines.{text}.sku": text, f"field{text}": text}
    record_id = night.record(key, fields)
    event = night.event(
        "shop", key, raw=raw, detail=text, far_id=text, far_revision=text, source_event_id=text, verdict="unreadable", zone=text
    )  # fmt: skip
    for state in STATES:
        message = night.message(
            key, to="wms", queue=f"{key}/{state}", state=state, reason=text, stake=100, event_id=event, tries=2,
            error=text, error_code=text, error_field=text,
            waits=[("parent", f"customer:{text}"), ("person", text)] if state == "held" else (),
        )  # fmt: skip
        night.attempt(
            message, ago=50, outcome=text, request=text, headers=json.dumps([[text, text]]), body=raw, answer=raw,
            error=text, error_code=text, far_id=text, once_key=text, content=json.dumps({text: text}),
        )  # fmt: skip
    night.xref("wms", key, text)
    night.xref("erp", key, text)
    evidence = json.dumps({text: text, "n": [text]})
    night.exception("ownership_refused", key, text=text, stake=100, record_id=record_id, evidence=evidence)
    night.exception(text, key, text=text, message_id=1, event_id=1)
    night.exception(
        "ambiguous", f"x{key}", text=text, state="closed", closed_at=night.at(1), closed_by=text, close_reason=text, record_id=record_id
    )  # fmt: skip
    night.act(text, key, ago=3, actor=text, reason=text)


COMMANDS = [
    ("status",),
    ("dlq", "list"),
    ("messages", "list", "--limit", "0"),
    ("events", "list"),
    ("exceptions", "list"),
    ("exceptions", "list", "--where", "state = closed"),
    ("systems", "list"),
    ("store", "info"),
    ("store", "verify"),
    ("replay", "--where", "id > 0", "--dry-run"),
    ("events", "apply", "--where", "id > 0", "--dry-run"),
]
FIRST = range(1, 1 + len(PAYLOADS) * len(STATES), len(STATES))
EACH = [
    *(("dlq", "show", str(n)) for n in FIRST),
    *(("dlq", "discard", str(n), "--dry-run") for n in FIRST),
    *(("messages", "show", str(n)) for first in FIRST for n in range(first, first + len(STATES))),
    *(("events", "show", str(n)) for n in range(1, 1 + len(PAYLOADS))),
    *(("exceptions", "show", str(n)) for n in range(1, 1 + 3 * len(PAYLOADS))),
    *(("trace", f"order:{payload}".replace("\x00", "")) for payload in PAYLOADS),
    *(("lanes", "show", "wms", f"order:{payload}/dead".replace("\x00", "")) for payload in PAYLOADS),
    *(("lanes", "show", "erp", f"order:{payload}".replace("\x00", "")) for payload in PAYLOADS),
]


@pytest.mark.parametrize("columns", [60, 80, 132, None])
def test_no_listing_lets_it_act_on_a_terminal(
    columns: int | None, hostile: Path, run_in: Callable[[Path], Run]
) -> None:
    for words in COMMANDS:
        answer = run_in(hostile)(*words, columns=columns)
        assert answer.code in (0, 1), (words, answer.err)
        assert acting(answer.out + answer.err) == set(), words


def test_nothing_shown_whole_lets_it_act_on_a_terminal(hostile: Path, run_in: Callable[[Path], Run]) -> None:
    for n, words in enumerate(EACH):
        full = ("--full",) if words[0] in ("dlq", "messages", "events") and words[1] == "show" and n % 2 else ()
        answer = run_in(hostile)(*words, *full, columns=(80, None)[n % 2])
        assert answer.code in (0, 2), (words, answer.err)
        assert acting(answer.out + answer.err) == set(), words


def test_json_is_plain_ascii_and_keeps_the_text_exact(hostile: Path, run_in: Callable[[Path], Run]) -> None:
    erpsync = run_in(hostile)
    for words in (*COMMANDS, *EACH[:: len(STATES)]):
        answer = erpsync(*words, "-o", "json")
        assert answer.out.isascii(), words
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.out), words
        if answer.code in (0, 1):
            json.loads(answer.out)
    texts = {payload.replace("\x00", "") for payload in PAYLOADS}
    items = erpsync("dlq", "list", "-o", "json").json["items"]
    assert {item["error"] for item in items} == texts
    assert {item["key"] for item in items} == {f"order:{text}" for text in texts}
    shown = erpsync("dlq", "show", str(items[0]["id"]), "-o", "json").json
    assert shown["attempts"][0]["error"] == items[0]["error"]


def test_lines_and_ids_are_clean_too(hostile: Path, run_in: Callable[[Path], Run]) -> None:
    for noun in ("dlq", "messages", "events", "exceptions", "systems"):
        for output in ("jsonl", "ids"):
            answer = run_in(hostile)(noun, "list", "-o", output)
            assert acting(answer.out + answer.err) == set()
            assert answer.code == 0


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_it_can_be_filtered_for(payload: str, hostile: Path, run_in: Callable[[Path], Run]) -> None:
    quoted = "".join(f"\\U{ord(c):08x}" for c in payload.replace("\x00", ""))
    assert len(run_in(hostile)("dlq", "list", "-o", "ids", "--where", f'error = "{quoted}"').out.split()) == 1
