"""A dry run shows what a sync would write, field by field, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest


def practice(folder: Path, run_in: Callable[[Path], Run]) -> Run:
    """A landscape of two folders, before its first sync."""
    run = run_in(folder)
    assert run("init", ".").code == 0
    return run


def test_a_first_sync_is_shown_before_there_is_a_store(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    run = practice(tmp_path, run_in)
    answer = run("sync", "item", "--dry-run")
    assert answer.code == 0
    assert answer.out.startswith(
        "3 documents read from office: 3 writes would be made, 3 in warehouse.\n\nitem:SKU-1\n"
    )
    assert '             name      "Hand truck"\n' in answer.out
    assert answer.out.endswith("next: erpsync sync item\n")
    assert answer.err.endswith("nothing was written\n")
    assert not (tmp_path / "out" / "items").exists()
    assert not (tmp_path / "erpsync.db").exists()


def test_a_changed_price_is_one_field_of_one_document(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    run = practice(tmp_path, run_in)
    assert run("sync").code == 0
    table = tmp_path / "in" / "items.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("12.50", "13.75"), encoding="utf-8")
    answer = run("--read-only", "sync", "item", "--dry-run", "-o", "json")
    assert answer.code == 0
    (document,) = answer.json["items"]
    assert (document["key"], document["to"], document["would"]) == ("item:SKU-2", "warehouse", "update")
    assert [(each["field"], each["to"]) for each in document["fields"]] == [("price", "13.75")]
    assert "13.75" not in (tmp_path / "out" / "items" / "SKU-2.json").read_text(encoding="utf-8")


def test_many_documents_are_counted_and_the_first_are_shown(tmp_path: Path, run_in: Callable[[Path], Run]) -> None:
    run = practice(tmp_path, run_in)
    rows = "".join(f"SKU-X{number},Thing {number},each,1.00\n" for number in range(40))
    with (tmp_path / "in" / "items.csv").open("a", encoding="utf-8") as table:
        table.write(rows)
    answer = run("sync", "items", "--dry-run", "--to", "warehouse")
    assert "KIND  TO         READ  CREATE  UPDATE  NOTHING" in answer.out
    assert answer.out.count("\nitem:") == 20
    assert "\n20 of 43 (43 documents); all: -o json\n" in answer.out
    assert answer.out.endswith("next: erpsync sync items --to warehouse\n")
