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
ALLOWED = {"\n"}


def acting(text: str) -> set[str]:
    """The characters in ``text`` that could act on a terminal."""
    return {
        c for c in text if c not in ALLOWED and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }


@pytest.fixture(scope="module", params=range(len(PAYLOADS)), ids=lambda n: f"payload{n}")
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder whose store has one payload in every text that comes from outside."""
    payload = PAYLOADS[request.param]
    text = payload.replace("\x00", "")  # SQLite's text ends at NUL; documents refuse it
    raw = payload.encode("utf-8", errors="replace")
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    with Store.create(folder / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        key = f"order:{text}"
        night.record(
            key, {"number": text, "note": text, "currency": "USD", f"lines.{text}.sku": text, f"field{text}": text}
        )
        event = night.event(
            "shop", key, raw=raw, detail=text, far_id=text, far_revision=text, source_event_id=text, verdict="unreadable", zone=text
        )  # fmt: skip
        for state, reason in (
            ("dead", "refused"),
            ("unknown", text),
            ("held", text),
            ("ready", text),
            ("skipped", text),
            ("done", text),
        ):
            message = night.message(
                key, to="wms", lane=f"{key}/{state}", state=state, reason=reason, stake=100, event_id=event, tries=2,
                error=text, error_code=text, error_field=text,
                waits=[("parent", f"customer:{text}"), ("person", text)] if state == "held" else (),
            )  # fmt: skip
            night.attempt(
                message, ago=50, outcome=text, request=text, headers=json.dumps([[text, text]]), body=raw, answer=raw,
                error=text, error_code=text, far_id=text, once_key=text, content=json.dumps({text: text}),
            )  # fmt: skip
        night.xref("wms", key, text)
        night.xref("erp", key, text)
        night.exception(
            "ownership_refused",
            key,
            text=text,
            stake=100,
            record_id=night.record(key),
            evidence=json.dumps({text: text, "n": [text]}),
        )
        night.exception(text, key, text=text, message_id=1, event_id=1)
        night.exception(
            "ambiguous",
            f"x{key}",
            state="closed",
            closed_at=night.at(1),
            closed_by=text,
            close_reason=text,
            record_id=night.record(key),
        )
        night.act(text, key, ago=3, actor=text, reason=text)
        for name, state in (("shop", "down"), ("erp", "stopped")):
            night.system(
                name, state=state, last_error=text, last_error_code=text, last_error_at=night.at(1), stopped_by=text
            )
        night.finish()
    return folder, text


COMMANDS = [
    ("status",),
    ("dlq", "list"),
    ("dlq", "show", "1"),
    ("dlq", "show", "1", "--full"),
    ("messages", "list"),
    *(("messages", "show", str(n)) for n in range(1, 7)),
    ("messages", "show", "2", "--full"),
    ("events", "list"),
    ("events", "show", "1"),
    ("events", "show", "1", "--full"),
    ("exceptions", "list"),
    ("exceptions", "list", "--where", "state = closed"),
    ("exceptions", "show", "1"),
    ("exceptions", "show", "2"),
    ("exceptions", "show", "3"),
    ("systems", "list"),
    ("replay", "1", "--dry-run"),
    ("dlq", "discard", "1", "--dry-run"),
    ("events", "apply", "1", "--dry-run"),
    ("store", "info"),
    ("store", "verify"),
]


def test_no_command_lets_it_act_on_a_terminal(hostile: tuple[Path, str], run_in: Callable[[Path], Run]) -> None:
    folder, text = hostile
    erpsync = run_in(folder)
    for words in [
        *COMMANDS,
        ("trace", f"order:{text}"),
        ("lanes", "show", "wms", f"order:{text}/dead"),
        ("lanes", "show", "erp", f"order:{text}"),
    ]:
        for columns in (60, 80, 132, None):
            answer = erpsync(*words, columns=columns)
            assert answer.code in (0, 1, 2), (words, answer.err)
            assert acting(answer.out + answer.err) == set(), words


def test_json_is_plain_ascii_and_keeps_the_text_exact(hostile: tuple[Path, str], run_in: Callable[[Path], Run]) -> None:
    folder, text = hostile
    erpsync = run_in(folder)
    for words in COMMANDS:
        if "--full" in words:
            continue
        answer = erpsync(*words, "-o", "json")
        assert answer.out.isascii(), words
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.out), words
        if answer.code == 0:
            json.loads(answer.out)
    item = erpsync("dlq", "list", "-o", "json").json["items"][0]
    assert item["key"] == f"order:{text}"
    assert item["error"] == text
    shown = erpsync("dlq", "show", "1", "-o", "json").json
    assert shown["attempts"][0]["error"] == text


def test_lines_and_ids_are_clean_too(hostile: tuple[Path, str], run_in: Callable[[Path], Run]) -> None:
    folder, _ = hostile
    erpsync = run_in(folder)
    for noun in ("dlq", "messages", "events", "exceptions", "systems"):
        for output in ("jsonl", "ids"):
            answer = erpsync(noun, "list", "-o", output)
            assert acting(answer.out + answer.err) == set()
            assert answer.code == 0


def test_it_can_be_filtered_for(hostile: tuple[Path, str], run_in: Callable[[Path], Run]) -> None:
    folder, text = hostile
    quoted = "".join(f"\\U{ord(c):08x}" for c in text)
    assert len(run_in(folder)("dlq", "list", "-o", "ids", "--where", f'error = "{quoted}"').out.split()) == 1
