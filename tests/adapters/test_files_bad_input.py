"""The files adapter meets bad files: one clear line each, only what is bad is refused, nothing is taken for removed."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from files_kit import ITEM, ITEMS, LINES, NOON, ORDER, ORDERS, Office, adapter, bad, documents, scan, tolds

from erpsync.adapters.files import rows
from erpsync.adapters.files.folder import Folder
from erpsync.adapters.protocol import Page, Told
from erpsync.errors import AccessDenied, Refused, RetryLater, SystemDown


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.put("items.csv", ITEMS)
    office.put("orders.csv", ORDERS)
    office.put("order_lines.csv", LINES)
    return office


def items(office: Office) -> list[Page]:
    return scan(office.adapter(), "item")


def orders(office: Office) -> list[Page]:
    return scan(office.adapter(), "order")


def the_bad_one(pages: list[Page]) -> Told:
    (told,) = bad(pages)
    return told


def place(told: Told) -> str:
    assert told.error is not None
    return told.error.place


@pytest.mark.parametrize(
    "value",
    ["1_000", "１２", "٣", " 7 ", "1e3", "NaN", "Infinity", "0x10", "--1", "1,5", "9" * 20, "0.1234567", "-1", "=1", "١٢", "+1"],
)  # fmt: skip
def test_a_price_that_is_no_plain_number_refuses_that_row_alone(office: Office, value: str) -> None:
    office.edit("items.csv", "12.50", f'"{value}"')
    pages = items(office)
    told = the_bad_one(pages)
    assert (told.number, place(told)) == ("A-1", "items.csv:2:Price")
    assert set(documents(pages)) == {"A-2", "A-3"}
    assert pages[-1].whole


@pytest.mark.parametrize(
    "value", ["2/29/1997", "4/31/1996", "7/4/0000", "7/4/9999", "7/4/10000", "1996-07-04", "７/4/1996", " 7/4/1996", "soon", "13/1/1996"]
)  # fmt: skip
def test_a_day_that_is_not_written_as_stated_refuses_that_order_alone(office: Office, value: str) -> None:
    office.edit("orders.csv", "7/4/1996", value)
    pages = orders(office)
    told = the_bad_one(pages)
    assert (told.number, place(told)) == ("1001", "orders.csv:2:Date")
    assert set(documents(pages)) == {"1002", "1003"}
    assert pages[-1].whole


def test_a_code_that_is_not_in_its_table_refuses_that_row_alone(office: Office) -> None:
    office.edit("items.csv", "19,1", "19,2")
    assert place(the_bad_one(items(office))) == "items.csv:4:Gone"


def test_a_number_that_cannot_be_read_makes_the_scan_say_that_it_is_not_whole(office: Office) -> None:
    office.edit("items.csv", "A-2,", ",")
    pages = items(office)
    assert (the_bad_one(pages).number, place(the_bad_one(pages))) == ("", "items.csv:3:SKU")
    assert set(documents(pages)) == {"A-1", "A-3"}
    assert not pages[-1].whole


def test_a_bad_line_refuses_its_order_and_the_others_go_on(office: Office) -> None:
    office.edit("order_lines.csv", "1001,A-2,100", "1001,A-2,many")
    pages = orders(office)
    told = the_bad_one(pages)
    assert (told.number, place(told)) == ("1001", "order_lines.csv:3:Pieces")
    assert set(documents(pages)) == {"1002", "1003"}
    assert pages[-1].whole
    assert len(json.loads(told.raw)["lines"]) == 2


def test_a_line_with_cells_too_few_refuses_its_order_and_the_others_go_on(office: Office) -> None:
    office.edit("order_lines.csv", "1002,A-3,1,19,0", "1002,A-3,1")
    pages = orders(office)
    assert (the_bad_one(pages).number, place(the_bad_one(pages))) == ("1002", "order_lines.csv:4")
    assert set(documents(pages)) == {"1001", "1003"}


def test_a_line_that_does_not_say_whose_it_is_refuses_the_orders_beside_it(office: Office) -> None:
    office.edit("order_lines.csv", "1002,A-3,1,19,0", ",A-3,1,19,0")
    pages = orders(office)
    assert [(told.number, place(told)) for told in bad(pages)] == [
        ("", "order_lines.csv:4:Order"),
        ("1001", "order_lines.csv:4:Order"),
        ("1003", "order_lines.csv:4:Order"),
    ]
    assert set(documents(pages)) == {"1002"}
    assert pages[-1].whole


def test_an_order_that_has_an_item_twice_names_both_lines(office: Office) -> None:
    office.put("order_lines.csv", LINES + "1001,A-1,1,12.50,0\n")
    told = the_bad_one(orders(office))
    assert told.error is not None
    assert told.number == "1001"
    assert "order_lines.csv:2 and order_lines.csv:7 both have the item A-1" in told.error.message
    assert "line id must come from a column" in told.error.hint


def test_lines_of_an_order_that_is_not_there_are_reported_and_its_number_is_kept(office: Office) -> None:
    office.put("order_lines.csv", LINES + "1009,A-1,1,12.50,0\n1009,A-2,1,12.50,0\n")
    told = the_bad_one(orders(office))
    assert told.error is not None
    assert (told.number, place(told)) == ("1009", "order_lines.csv:7:Order")
    assert "the row names order 1009, which orders.csv does not have" in told.error.message


def test_the_lines_of_a_broken_order_keep_its_number(office: Office) -> None:
    office.edit("orders.csv", '1002,BERGS,12/31/1997,"Rua', '"1002,BERGS,12/31/1997,"Rua')
    pages = orders(office)
    assert {told.number for told in bad(pages)} == {"", "1002"}
    assert set(documents(pages)) == {"1001", "1003"}
    assert not pages[-1].whole


def test_a_number_that_stands_twice_is_refused_the_second_time_naming_both_lines(office: Office) -> None:
    office.put("items.csv", ITEMS + "A-1 ,Other rope,1,0\n")
    pages = items(office)
    told = the_bad_one(pages)
    assert told.error is not None
    assert "items.csv:2 and items.csv:5 both have the number A-1" in told.error.message
    assert documents(pages)["A-1"].name == "Rope"
    assert told.number == "A-1"


def test_numbers_are_one_when_only_their_accents_are_composed_otherwise_and_two_when_their_case_differs(
    office: Office,
) -> None:
    office.put(
        "items.csv", "SKU,Name,Price,Gone\nCAF\u00c9,1,1,0\nCAFE\u0301,2,1,0\ncaf\u00e9,3,1,0\n007,4,1,0\n7,5,1,0\n"
    )
    pages = items(office)
    assert set(documents(pages)) == {"CAF\u00c9", "caf\u00e9", "007", "7"}
    assert the_bad_one(pages).number == "CAF\u00c9"


@pytest.mark.parametrize(("row", "number"), [("A-2,Bolt,0.07", "A-2"), ("A-2,Bolt,steel,0.07,0", "A-2"), ("A-2", "")])
def test_a_row_with_cells_too_few_or_too_many_refuses_that_row_alone(office: Office, row: str, number: str) -> None:
    office.edit("items.csv", 'A-2,"Bolt, steel",0.07,0', row)
    pages = items(office)
    told = the_bad_one(pages)
    assert told.error is not None
    assert (told.number, place(told)) == (number, "items.csv:3")
    assert "where the header has 4" in told.error.message
    assert set(documents(pages)) == {"A-1", "A-3"}
    assert pages[-1].whole is bool(number)


def test_a_row_of_ten_thousand_cells_refuses_that_row_alone(office: Office) -> None:
    office.edit("items.csv", "A-1,Rope", "A-1" + ",x" * 10_000)
    assert set(documents(items(office))) == {"A-2", "A-3"}


@pytest.mark.parametrize("name", ['"Rope', '"12" pipe"', '"Rope"s'])
def test_a_stray_quote_refuses_that_row_alone_and_its_number_is_known(office: Office, name: str) -> None:
    office.edit("items.csv", "Rope", name)
    pages = items(office)
    told = the_bad_one(pages)
    assert (told.number, place(told)) == ("A-1", "items.csv:2:Name")
    assert set(documents(pages)) == {"A-2", "A-3"}
    assert pages[-1].whole


def test_a_quote_that_is_never_closed_costs_its_own_row_in_a_long_file_too(office: Office) -> None:
    many = "".join(f"S{i},Name,1,0\n" for i in range(5_000))
    office.put("items.csv", 'SKU,Name,Price,Gone\nA-1,"Rope,1,0\n' + many)
    pages = items(office)
    assert (the_bad_one(pages).number, len(documents(pages))) == ("A-1", 5_000)


def test_a_quote_before_the_number_leaves_the_number_in_doubt(office: Office) -> None:
    office.edit("items.csv", "A-1,Rope", '"A-1,Rope')
    pages = items(office)
    assert [told.number for told in bad(pages)] == [""]
    assert set(documents(pages)) == {"A-2", "A-3"}
    assert not pages[-1].whole


def test_a_quote_sign_inside_a_bare_cell_is_text(office: Office) -> None:
    office.edit("items.csv", "Rope", 'Pipe 12" long')
    assert documents(items(office))["A-1"].name == 'Pipe 12" long'


def test_a_line_without_end_is_skipped_in_bounded_memory(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.edit("items.csv", "Rope", "x" * (rows.LONGEST_LINE + 5_000_000))
    pages = items(office)
    told = the_bad_one(pages)
    assert told.error is not None
    assert "the row is longer than 1,048,576 characters" in told.error.message
    assert len(told.raw) < 1_000
    assert set(documents(pages)) == {"A-2", "A-3"}
    assert not pages[-1].whole


def test_a_line_without_end_inside_an_open_quote_costs_those_two_rows(office: Office) -> None:
    long = "x" * (rows.LONGEST_LINE + 10)
    office.put("items.csv", f'SKU,Name,Price,Gone\nA-1,"Rope,1,0\nA-2,{long},1,0\nA-3,Hammer,19,1\n')
    pages = items(office)
    assert [(told.number, place(told)) for told in bad(pages)] == [("A-1", "items.csv:2:Name"), ("", "items.csv:3:SKU")]
    assert set(documents(pages)) == {"A-3"}


def test_a_long_text_in_one_cell_refuses_that_row_alone(office: Office) -> None:
    office.edit("items.csv", "Rope", "x" * 30_000)
    assert the_bad_one(items(office)).number == "A-1"
    office.put("items.csv", ITEMS.replace("Rope", "x" * 200_000))
    told = the_bad_one(items(office))
    assert told.error is not None
    assert (told.number, "is not closed" in told.error.message) == ("A-1", False)


def test_a_wrong_delimiter_refuses_the_kind_naming_what_is_missing_and_what_is_there(office: Office) -> None:
    office.put("items.csv", ITEMS.replace(",", ";"))
    with pytest.raises(
        Refused, match=r"items\.csv has no column Gone, Name, Price, SKU; it has SKU;Name;Price;Gone"
    ) as raised:
        items(office)
    assert raised.value.hint == "is the delimiter ';'?"


def test_a_column_that_is_gone_refuses_the_kind_and_removes_nothing(office: Office) -> None:
    office.edit("order_lines.csv", "Pieces", "Qty")
    with pytest.raises(Refused, match=r"order_lines\.csv has no column Pieces; it has Order, SKU, Qty, Price, Less"):
        orders(office)


def test_a_column_that_stands_twice_is_refused_where_it_is_asked_for(office: Office) -> None:
    office.put("items.csv", "SKU,Name,Price,Gone,Price\nA-1,Rope,1,0,2\n")
    with pytest.raises(Refused, match="has the column Price twice"):
        items(office)


def test_new_columns_are_no_trouble(office: Office) -> None:
    office.put("items.csv", "Colour,SKU,Name,Price,Gone,Colour\nred,A-1,Rope,1,0,red\n")
    assert set(documents(items(office))) == {"A-1"}


def test_another_encoding_is_reported_with_file_line_and_column(office: Office) -> None:
    office.put("items.csv", ITEMS.replace("Rope", "Käse").encode("latin-1"))
    pages = items(office)
    told = the_bad_one(pages)
    assert (told.number, place(told)) == ("A-1", "items.csv:2:Name")
    assert set(documents(pages)) == {"A-2", "A-3"}
    assert office.adapter().understand("item", told.raw).error is not None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_a_file_in_utf16_refuses_the_kind(office: Office, encoding: str) -> None:
    office.put("items.csv", ITEMS.encode(encoding))
    with pytest.raises(Refused, match=r"items\.csv:1 is not utf-8"):
        items(office)


def test_a_nul_refuses_that_row_alone(office: Office) -> None:
    office.edit("items.csv", "Rope", "Ro\0pe")
    assert place(the_bad_one(items(office))) == "items.csv:2:Name"


def test_hostile_text_is_kept_as_it_is(office: Office) -> None:
    hostile = "\x1b]0;gone\x07 [red]x[/] \u202egnp.exe =1+1 🎉"
    office.edit("items.csv", "Rope", hostile)
    assert documents(items(office))["A-1"].name == hostile


def test_an_empty_file_is_taken_for_one_that_is_being_written(office: Office) -> None:
    office.put("items.csv", "")
    with pytest.raises(RetryLater, match="without a header"):
        items(office)


@pytest.mark.parametrize(
    "cut", ["SKU,Name,Pri", "SKU,Name,Price,Gone", ITEMS[:-6], ITEMS[:-6] + '"', ITEMS + 'A-4,"Nail']
)
def test_a_file_that_ends_in_the_middle_of_a_row_is_left_alone(office: Office, cut: str) -> None:
    office.put("items.csv", cut)
    with pytest.raises(RetryLater, match=r"items\.csv is being written to"):
        items(office)


def test_lines_that_are_half_written_leave_the_orders_alone(office: Office) -> None:
    office.put("order_lines.csv", LINES[:-6])
    with pytest.raises(RetryLater, match=r"order_lines\.csv is being written to"):
        orders(office)


def test_json_lines_that_end_in_the_middle_are_left_alone(office: Office) -> None:
    office.put("items.jsonl", '{"sku": "A-1"}\n{"sku": "A-')
    with pytest.raises(RetryLater):
        scan(office.adapter(item={"file": "items.jsonl", "format": "jsonl"}), "item")


def test_a_file_that_changes_while_it_is_copied_is_left_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Folder.open

    def open_and_grow(folder: Folder, name: str) -> int:
        fd = opened(folder, name)
        with (office.folder / "orders.csv").open("a") as file:
            file.write("x")
        return fd

    monkeypatch.setattr(Folder, "open", open_and_grow)
    with pytest.raises(RetryLater, match="is being written to"):
        orders(office)


@pytest.mark.parametrize(
    ("line", "number", "why"),
    [
        ('{"sku": "A-2", "price": NaN}', "A-2", "is not JSON"),
        ('{"sku": "A-2", "price": 1, "price": 2}', "A-2", "has a key twice"),
        ('{"sku": "A-2", "sku": "A-3"}', "", "has a key twice"),
        ("[" * 100_000, "", "is nested too deep"),
        ('["A-2"]', "", "is no JSON object"),
        ('{"sku": "A-2"', "", "is not JSON"),
        ('{"sku": "A-2", "price": 1e1000000}', "A-2", "1E+1000000 is out of range"),
        ('{"sku": "A-2", "price": ' + "9" * 5_000 + "}", "A-2", "is not JSON"),
        ('{"sku": "A-2", "price": true}', "A-2", "true is not a number"),
        ('{"sku": "A-2", "price": 0.30000000000000004}', "A-2", "0.30000000000000004 has more than six decimals"),
        ('{"sku": "A-2", "name": "\\ud800"}', "A-2", "is not JSON"),
        ('{"sku": "A-2", "active": "yes"}', "A-2", '"yes" is neither true nor false'),
        ('{"sku": {"a": 1}}', "", '{"a": 1} is not a text'),
    ],
)
def test_a_json_line_that_is_wrong_refuses_that_line_alone(office: Office, line: str, number: str, why: str) -> None:
    office.put("items.jsonl", '{"sku": "A-1"}\n' + line + '\n{"sku": "A-9"}\n')
    pages = scan(office.adapter(item={"file": "items.jsonl", "format": "jsonl"}), "item")
    told = the_bad_one(pages)
    assert told.error is not None
    assert why in told.error.message
    assert told.number == number
    assert place(told).startswith("items.jsonl:2")
    assert set(documents(pages)) == {"A-1", "A-9"}
    assert pages[-1].whole is bool(number)


def test_a_latin1_byte_in_a_json_line_refuses_that_line_alone(office: Office) -> None:
    office.put("items.jsonl", b'{"sku": "A-1", "name": "K\xe4se"}\n{"sku": "A-9"}\n')
    pages = scan(office.adapter(item={"file": "items.jsonl", "format": "jsonl"}), "item")
    assert len(bad(pages)) == 1
    assert set(documents(pages)) == {"A-9"}


def test_one_bad_row_of_ten_thousand_is_the_only_one_refused(office: Office) -> None:
    rows_ = "".join(f"S{i},Name,{'x' if i == 7_777 else '1'},0\n" for i in range(10_000))
    office.put("items.csv", "SKU,Name,Price,Gone\n" + rows_)
    pages = items(office)
    assert (the_bad_one(pages).number, len(documents(pages))) == ("S7777", 9_999)
    assert place(the_bad_one(pages)) == "items.csv:7779:Price"


def test_a_link_a_pipe_or_a_folder_in_place_of_the_file_is_refused(
    office: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "items.csv"
    outside.write_text(ITEMS)
    path = office.folder / "items.csv"
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(Refused, match="is no regular file"):
        items(office)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Refused, match="is no regular file"):
        items(office)
    path.unlink()
    path.mkdir()
    with pytest.raises(Refused, match="is no regular file"):
        items(office)


def test_a_link_on_the_way_to_the_file_is_refused(office: Office, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "items.csv").write_text(ITEMS)
    (office.folder / "in").symlink_to(outside, target_is_directory=True)
    for file in ("in/items.csv", "in/*.csv"):
        with pytest.raises(Refused, match="is no regular file"):
            scan(office.adapter(item=ITEM | {"file": file}), "item")


def test_links_in_a_drop_folder_are_refused_by_name(office: Office) -> None:
    office.put("in/a.csv", ITEMS)
    (office.folder / "in" / "b.csv").symlink_to("a.csv")
    with pytest.raises(Refused, match=r"in/b\.csv is no regular file"):
        scan(office.adapter(item=ITEM | {"file": "in/*.csv"}), "item")


def test_a_file_name_that_is_no_text_is_told_with_escapes(office: Office) -> None:
    (office.folder / "in").mkdir()
    with open(os.fsencode(office.folder) + b"/in/\xff\x1b.csv", "wb") as file:  # noqa: PTH123  (a name that is no text)
        file.write(b"SKU,Name,Price,Gone\nA-1,Rope,x,0\n")
    long_ago = (NOON.timestamp() - 3600,) * 2
    os.utime(os.fsencode(office.folder) + b"/in/\xff\x1b.csv", long_ago)
    told = the_bad_one(scan(office.adapter(item=ITEM | {"file": "in/*.csv"}), "item"))
    assert place(told) == "in/\\udcff\x1b.csv:2:Price"


def test_a_file_larger_than_the_limit_is_refused(office: Office) -> None:
    with (office.folder / "items.csv").open("ab") as file:
        file.truncate(2 * 1024 * 1024)
    os.utime(office.folder / "items.csv", (0, 0))
    small = {"folder": str(office.folder), "max_megabytes": 1, "kinds": {"item": ITEM}}
    with pytest.raises(Refused, match="is larger than 1,048,576 bytes"):
        scan(adapter(small), "item")


def test_more_lines_than_memory_is_meant_for_are_refused(office: Office) -> None:
    order = ORDER | {"lines": ORDER["lines"] | {"max_rows": 4}}
    with pytest.raises(Refused, match=r"order_lines\.csv has more than 4 rows"):
        scan(office.adapter(order=order), "order")


def test_a_file_that_may_not_be_read_stops_the_system(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def locked(path: str, flags: int, *args: int, **more: int) -> int:
        if path == "items.csv":  # root may read everything, so the system's answer is played
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", locked)
    with pytest.raises(AccessDenied, match=r"items\.csv is not ours to open: permission denied"):
        items(office)


def test_a_folder_that_is_not_mounted_is_a_system_that_is_down(office: Office, tmp_path: Path) -> None:
    away = adapter({"folder": str(tmp_path / "away"), "kinds": {"item": ITEM}})
    with pytest.raises(SystemDown, match="is not there"):
        scan(away, "item")


def test_scans_of_one_folder_at_the_same_time_do_not_disturb_each_other(office: Office) -> None:
    adapter_ = office.adapter()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(tolds(scan(adapter_, "order"))))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3, 3, 3, 3]
