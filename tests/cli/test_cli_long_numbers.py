"""A document with a number of 200 characters: it spoils no listing, and is whole wherever it is passed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import LANDSCAPE, NIGHT, Night, tell_the_night

from erpsync.store.store import Store

LONG = "9" * 199 + "A"
UUID = "550e8400-e29b-41d4-a716-446655440000"
LISTINGS = {
    "exceptions": ("exceptions", "list"),
    "messages": ("messages", "list"),
    "events": ("events", "list"),
    "dlq": ("dlq", "list"),
    "lane": ("lanes", "show", "erp", f"customer:{LONG}"),
}
WHOLE = {**LISTINGS, "trace": ("trace", f"order:{LONG}")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night, in which two orders and a customer have longer numbers than anybody reads."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    with Store.create(folder / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        tell_the_night(night)
        for number in (LONG, UUID):
            key, customer = f"order:{number}", f"customer:{number}"
            event = night.event("shop", key, ago=20, verdict="unreadable", detail="lines.1.quantity is negative")
            error = f"system wms answered 422: order {number} unknown"
            night.message(key, to="wms", state="dead", reason="refused", error=error, stake=5000, event_id=event)
            waiting = night.message(key, to="erp", state="held", reason="retry", waits=[("parent", customer)])
            night.attempt(waiting, ago=12, outcome="refused", request=f"POST /orders/{number}", error=f"no {customer}")
            night.message(customer, to="erp", state="dead", reason="refused", error="no")
            night.exception("contract_violation", key, text=f"{number} is no number", record_id=night.record(key))
        night.finish()
    return folder


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("listing", LISTINGS)
def test_one_long_number_leaves_the_table_a_table(
    listing: str, columns: int, folder: Path, run_in: Callable[[Path], Run]
) -> None:
    lines = run_in(folder)(*LISTINGS[listing], columns=columns).out.splitlines()
    heading = next(n for n, line in enumerate(lines) if line.split()[:1] == ["ID"])
    table = lines[heading:-2] if listing == "lane" else lines
    assert table[0].split()[0] == "ID"
    assert max(map(len, table)) <= columns
    assert any('..." (20' in line for line in table)


@pytest.mark.parametrize("listing", WHOLE)
def test_in_a_pipe_and_in_json_it_is_whole(listing: str, folder: Path, run_in: Callable[[Path], Run]) -> None:
    assert LONG in run_in(folder)(*WHOLE[listing]).out
    answer = run_in(folder)(*WHOLE[listing], "-o", "json").out
    assert LONG in answer
    assert '..." (' not in answer.replace("\\", "")


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "act", [("replay", "--where", "id > 17"), ("events", "apply", "4", "5"), ("dlq", "discard", "18", "20", "21")]
)
def test_what_an_act_would_do_fits_the_terminal(
    act: tuple[str, ...], columns: int, folder: Path, run_in: Callable[[Path], Run]
) -> None:
    answer = run_in(folder)(*act, "--dry-run", columns=columns)
    assert answer.code == 0, answer.err
    assert '..." (20' in answer.out
    assert max(map(len, answer.out.splitlines())) <= columns


@pytest.mark.parametrize("columns", [80, 120])
def test_a_trace_breaks_what_was_told_at_the_edge(columns: int, folder: Path, run_in: Callable[[Path], Run]) -> None:
    lines = run_in(folder)("trace", f"order:{LONG}", columns=columns).out.splitlines()
    assert max(map(len, lines[1:])) <= columns
