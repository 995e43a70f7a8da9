"""The files adapter as a target: each document whole and once, nothing half-written, nothing outside the folder."""

from __future__ import annotations

import asyncio
import csv
import errno
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from files_kit import NOON, adapter, an_item, documents, scan, tolds
from hypothesis import given
from hypothesis import strategies as st

from erpsync.adapters.files import FilesAdapter
from erpsync.adapters.files.cells import neutral, plain
from erpsync.adapters.files.naming import file_name
from erpsync.adapters.protocol import Prepared, Receipt
from erpsync.domain.document import flatten
from erpsync.domain.documents.item import Item
from erpsync.domain.documents.order import Order, OrderLine
from erpsync.domain.messages import Once
from erpsync.errors import AccessDenied, Conflict, LandscapeError, OutcomeUnknown, Refused, SystemDown, Unmappable

ROPE = Item(sku="A-1", name="Rope", price=Decimal("12.5"), currency="USD", active=True)
ORDER = Order(
    number="SO-1001",
    customer="ALFKI",
    currency="USD",
    ordered_on=date(2026, 3, 2),
    lines=(
        OrderLine(line="1", sku="A-1", quantity=Decimal(3), unit_price=Decimal("12.5"), discount=Decimal("0.05")),
        OrderLine(line="2", sku="=A-2", quantity=Decimal("-1.25")),
    ),
)
CSV = {
    "folder": "out/orders",
    "format": "csv",
    "columns": {"number": "Order", "customer": "Customer", "ordered_on": "Date"},
    "lines": {"sku": "Item", "quantity": "Pieces"},
}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def target(shelf: Path) -> FilesAdapter:
    shelf.mkdir()
    return a_target(shelf)


def a_target(shelf: Path, **order: Any) -> FilesAdapter:
    kinds = {"item": {"write": {"folder": "out/items"}}, "order": {"write": order or {"folder": "out/orders"}}}
    return adapter({"folder": str(shelf), "kinds": kinds})


def write(target: FilesAdapter, *prepared: Prepared) -> Sequence[Receipt]:
    return asyncio.run(target.write(prepared))


def put(target: FilesAdapter, document: Item | Order, **more: Any) -> Receipt:
    (receipt,) = write(target, target.prepare(an_item(document, **more)))
    return receipt


def files_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  (hidden ones too, as they are called)


def test_a_document_becomes_one_file_and_is_what_the_target_then_holds(target: FilesAdapter, shelf: Path) -> None:
    receipt = put(target, ORDER)
    assert (receipt.outcome, receipt.far_id, receipt.error) == ("created", "SO-1001.json", None)
    assert receipt.holds == flatten(ORDER)
    assert receipt.evidence.sent_at == NOON
    written = json.loads((shelf / "out/orders/SO-1001.json").read_text())
    assert written["lines"][0] == {
        "line": "1", "sku": "A-1", "quantity": "3", "unit_price": "12.5", "discount": "0.05",
    }  # fmt: skip
    assert (shelf / "out/orders/SO-1001.json").stat().st_mode & 0o777 == 0o600


def test_the_same_bytes_again_change_nothing_and_others_are_an_update(target: FilesAdapter, shelf: Path) -> None:
    assert put(target, ROPE).outcome == "created"
    inode = (shelf / "out/items/A-1.json").stat().st_ino
    assert put(target, ROPE).outcome == "unchanged"
    assert (shelf / "out/items/A-1.json").stat().st_ino == inode
    changed = put(target, ROPE.model_copy(update={"price": Decimal(13)}), far_id="A-1.json")
    assert (changed.outcome, changed.holds and changed.holds["price"]) == ("updated", 13_000_000)
    assert files_in(shelf / "out/items") == ["A-1.json"]


def test_what_was_written_is_found_read_and_scanned(target: FilesAdapter) -> None:
    put(target, ROPE)
    (found,) = asyncio.run(target.find("item", "A-1"))
    assert (found.far_id, found.number, found.holds) == ("A-1.json", "A-1", flatten(ROPE))
    assert asyncio.run(target.find("item", "A-2")) == []
    assert asyncio.run(target.read("item", "A-1.json")).document == ROPE
    assert asyncio.run(target.read("item", "A-2.json")).removed
    pages = scan(target, "item")
    assert documents(pages) == {"A-1": ROPE}
    assert target.understand("item", tolds(pages)[0].raw).document == ROPE
    assert scan(target, "order")[-1].whole  # nothing was put there yet


def test_a_removed_document_is_taken_away_and_again_is_no_trouble(target: FilesAdapter, shelf: Path) -> None:
    put(target, ROPE)
    assert put(target, ROPE, removed=True, far_id="A-1.json").outcome == "updated"
    assert put(target, ROPE, removed=True, far_id="A-1.json").outcome == "unchanged"
    assert files_in(shelf / "out/items") == []


def test_removing_before_anything_was_written_is_no_trouble(target: FilesAdapter) -> None:
    assert put(target, ROPE, removed=True).outcome == "unchanged"


def test_a_file_that_a_clerk_changed_is_a_conflict_and_stays(target: FilesAdapter, shelf: Path) -> None:
    receipt = put(target, ROPE)
    assert receipt.far_revision is not None
    file = shelf / "out/items/A-1.json"
    file.write_text('{"sku": "A-1", "name": "Clerk\'s rope"}')
    changed = ROPE.model_copy(update={"price": Decimal(13)})
    error = put(target, changed, far_id="A-1.json", far_revision=receipt.far_revision.text).error
    assert isinstance(error, Conflict)
    assert "Clerk" in file.read_text()
    told = asyncio.run(target.read("item", "A-1.json"))
    assert told.revision is not None
    assert put(target, changed, far_id="A-1.json", far_revision=told.revision.text).outcome == "updated"


def test_a_repeated_try_is_no_conflict_with_itself(target: FilesAdapter) -> None:
    receipt = put(target, ROPE)
    assert receipt.far_revision is not None
    prepared = target.prepare(
        an_item(ROPE.model_copy(update={"name": "New"}), far_id="A-1.json", far_revision=receipt.far_revision.text)
    )
    assert [receipt.outcome for receipt in write(target, prepared, prepared)] == ["updated", "unchanged"]


def test_a_file_of_another_number_is_not_written_over(target: FilesAdapter) -> None:
    put(target, ROPE)
    error = put(target, ROPE.model_copy(update={"sku": "A-2"}), far_id="A-1.json").error
    assert isinstance(error, Refused)
    assert "holds item A-1" in error.message


@pytest.mark.parametrize(
    "number", ["../../x", "/etc/passwd", "C:\\x", ".hidden", "a/b", "x" * 190, "é" * 150, "con", "~", "a b%"]
)
def test_no_number_leads_outside_the_folder(target: FilesAdapter, shelf: Path, number: str) -> None:
    receipt = put(target, ROPE.model_copy(update={"sku": number}))
    assert receipt.error is None
    (name,) = files_in(shelf / "out/items")
    assert not set(name) & set("/\\:~ ")
    assert not name.startswith(".")
    assert len(name) <= 200
    assert set(documents(scan(target, "item"))) == {number}
    assert len(asyncio.run(target.find("item", number))) == 1


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_numbers_never_share_a_file(one: str, other: str) -> None:
    if one != other and not any("\ud800" <= char <= "\udfff" for char in one + other):
        assert file_name(one, ".json") != file_name(other, ".json")


@pytest.mark.parametrize("far_id", ["../x.json", "a/b.json", ".x.json", "x\0.json", "/etc/passwd"])
def test_no_far_id_leads_outside_the_folder(target: FilesAdapter, far_id: str) -> None:
    assert isinstance(put(target, ROPE, far_id=far_id).error, Refused)
    with pytest.raises(Refused):
        asyncio.run(target.read("item", far_id))


def test_a_link_in_the_way_is_not_followed(target: FilesAdapter, shelf: Path, tmp_path: Path) -> None:
    (shelf / "out").mkdir()
    (shelf / "out/items").symlink_to(tmp_path, target_is_directory=True)
    assert isinstance(put(target, ROPE).error, Refused)
    assert files_in(tmp_path) == ["shelf"]


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, SystemDown), (errno.EDQUOT, SystemDown), (errno.EROFS, AccessDenied), (errno.EIO, SystemDown)]
)  # fmt: skip
def test_a_full_disk_leaves_nothing_half_written(
    target: FilesAdapter, shelf: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    put(target, ROPE)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    assert isinstance(put(target, ROPE.model_copy(update={"name": "New"})).error, error)
    assert files_in(shelf / "out/items") == ["A-1.json"]
    assert documents(scan(target, "item")) == {"A-1": ROPE}


def test_a_failure_after_the_file_is_in_place_leaves_the_outcome_unknown(
    target: FilesAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(target, ROPE)
    synced = os.fsync
    calls: list[int] = []

    def fails_the_second_time(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        synced(fd)

    monkeypatch.setattr(os, "fsync", fails_the_second_time)
    assert isinstance(put(target, ROPE.model_copy(update={"name": "New"})).error, OutcomeUnknown)


def test_a_folder_that_is_not_mounted_gets_nothing(target: FilesAdapter, shelf: Path) -> None:
    shelf.rmdir()
    assert isinstance(put(target, ROPE).error, SystemDown)
    assert not shelf.exists()
    with pytest.raises(SystemDown):
        asyncio.run(target.probe())
    with pytest.raises(SystemDown):
        asyncio.run(target.find("item", "A-1"))
    with pytest.raises(SystemDown):
        scan(target, "item")


def test_one_that_fails_does_not_stop_the_others_of_its_batch(target: FilesAdapter) -> None:
    wrong = target.prepare(an_item(ROPE, far_id="../x"))
    right = target.prepare(an_item(ROPE))
    assert [receipt.outcome for receipt in write(target, wrong, right)] == ["", "created"]


def test_a_file_that_is_no_document_is_told_as_bad_and_the_scan_is_not_whole(target: FilesAdapter, shelf: Path) -> None:
    put(target, ROPE)
    (shelf / "out/items/A-2.json").write_text("{")
    (shelf / "out/items/A-3.json").write_text('{"sku": "A-3", "price": "much"}')
    pages = scan(target, "item")
    errors = {told.far_id: (told.number, told.error.place) for told in tolds(pages) if told.error is not None}
    assert errors == {"A-2.json": ("", "out/items/A-2.json"), "A-3.json": ("A-3", "out/items/A-3.json:price")}
    assert not pages[-1].whole


def test_a_delivery_as_csv_is_a_file_named_by_its_once_key(shelf: Path) -> None:
    shelf.mkdir()
    target = a_target(shelf, **CSV)
    receipt = put(target, ORDER, once_key="es-1.1-7-1")
    assert (receipt.outcome, receipt.far_id) == ("created", "es-1.1-7-1.csv")
    with (shelf / "out/orders/es-1.1-7-1.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["Order", "Customer", "Date", "Item", "Pieces"],
            ["SO-1001", "ALFKI", "2026-03-02", "A-1", "3"],
            ["SO-1001", "ALFKI", "2026-03-02", "'=A-2", "-1.25"],
        ]
    assert put(target, ORDER, once_key="es-1.1-7-1").outcome == "created"
    assert isinstance(put(target, ORDER.model_copy(update={"customer": "X"}), once_key="es-1.1-7-1").error, Refused)
    assert put(target, ORDER, once_key="es-1.1-8-1").outcome == "created"
    assert files_in(shelf / "out/orders") == ["es-1.1-7-1.csv", "es-1.1-8-1.csv"]


def test_a_delivery_as_json_lines_is_one_line(shelf: Path) -> None:
    shelf.mkdir()
    target = a_target(shelf, folder="out/orders", format="jsonl", mode="0640")
    put(target, ORDER, once_key="k1")
    file = shelf / "out/orders/k1.jsonl"
    assert file.read_text().count("\n") == 1
    assert file.stat().st_mode & 0o777 == 0o640
    order = {"file": "out/orders/*.jsonl", "format": "jsonl"}
    reader = adapter({"folder": str(shelf), "quiet_seconds": 0, "kinds": {"order": order}})
    assert documents(scan(reader, "order")) == {"SO-1001": ORDER}


def test_an_order_without_lines_is_one_row(shelf: Path) -> None:
    shelf.mkdir()
    put(a_target(shelf, **CSV), ORDER.model_copy(update={"lines": None}), once_key="k1")
    assert (shelf / "out/orders/k1.csv").read_text().splitlines()[1] == "SO-1001,ALFKI,2026-03-02,,"


def test_a_drop_folder_cannot_say_that_something_was_removed(shelf: Path) -> None:
    with pytest.raises(Unmappable):
        a_target(shelf, **CSV).prepare(an_item(ORDER, removed=True))


def test_a_target_says_how_each_write_is_made_once(shelf: Path) -> None:
    can = a_target(shelf, **CSV).capabilities()
    kept, dropped = can.writes["item"], can.writes["order"]
    assert (kept.once, kept.upsert, kept.finds, kept.removes, kept.fields) == (Once.IDEMPOTENT, True, True, True, None)
    assert (dropped.once, dropped.upsert, dropped.finds, dropped.removes) == (Once.IDEMPOTENT, False, False, False)
    assert dropped.fields == {"number", "customer", "ordered_on", "lines"}
    assert set(can.reads) == {"item"}
    assert can.reads["item"].one


def test_what_a_system_does_not_do_is_refused(target: FilesAdapter, shelf: Path) -> None:
    for call in (target.read("stock", "x"), target.find("stock", "x")):
        with pytest.raises(Refused):
            asyncio.run(call)
    with pytest.raises(Refused):
        target.prepare(an_item(ROPE).__class__("stock", "stock:x", "x", ROPE, frozenset(), "k"))
    with pytest.raises(LandscapeError):
        a_target(shelf, folder="out", columns={"number": "Order"})


def test_preparing_touches_no_file_and_gives_the_same_bytes(target: FilesAdapter, shelf: Path) -> None:
    one, other = target.prepare(an_item(ORDER)), target.prepare(an_item(ORDER))
    assert one == other
    assert one.request == "put out/orders/SO-1001.json"
    assert files_in(shelf) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''+1", "＝1"])
def test_a_cell_that_looks_like_a_formula_is_neutralised_and_read_back(text: str) -> None:
    assert neutral(text) == "'" + text
    assert plain(neutral(text)) == text


@given(st.text())
def test_neutralising_is_undone_for_every_text(text: str) -> None:
    assert plain(neutral(text)) == text
    assert neutral(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


def test_the_time_of_writing_is_the_adapters_clock(target: FilesAdapter) -> None:
    assert put(target, ROPE).evidence.sent_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
