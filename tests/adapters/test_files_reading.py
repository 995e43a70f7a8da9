"""The files adapter as a source: what good tables say."""

from __future__ import annotations

import asyncio
import json
import os
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from files_kit import ITEM, ITEMS, LINES, LONG_AGO, NOON, ORDER, ORDERS, Office, bad, changes, documents, scan, tolds

from erpsync.domain.document import flatten
from erpsync.domain.kinds import kinds
from erpsync.errors import CallError, RetryLater, SystemDown


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.put("items.csv", ITEMS)
    office.put("orders.csv", ORDERS)
    office.put("order_lines.csv", LINES)
    return office


def test_a_table_of_items_is_read_row_by_row(office: Office) -> None:
    pages = scan(office.adapter(), "item")
    assert flatten(documents(pages)["A-2"]) == {
        "sku": "A-2", "name": "Bolt, steel", "price": 70_000, "active": True, "currency": "USD", "unit": "each",
    }  # fmt: skip
    assert documents(pages)["A-3"].active is False
    assert [(page.more, page.whole, page.read_at) for page in pages] == [(False, True, NOON)]
    assert {told.far_id for told in tolds(pages)} == {"A-1", "A-2", "A-3"}


def test_an_order_has_its_lines_from_the_second_file_and_the_landscapes_currency(office: Office) -> None:
    order = documents(scan(office.adapter(), "order"))["1001"]
    assert order.ordered_on == date(1996, 7, 4)
    assert order.currency == "USD"
    assert [(line.line, line.sku, line.quantity, line.discount) for line in order.lines] == [
        ("A-1", "A-1", 3, 0),
        ("A-2", "A-2", 100, Decimal("0.15")),
    ]


def test_lines_in_another_order_say_the_same(office: Office) -> None:
    before = flatten(documents(scan(office.adapter(), "order"))["1003"])
    header, *rows = LINES.splitlines()
    office.put("order_lines.csv", "\n".join([header, *reversed(rows)]) + "\n")
    assert flatten(documents(scan(office.adapter(), "order"))["1003"]) == before


def test_an_order_without_lines_is_told_as_having_none(office: Office) -> None:
    office.put("orders.csv", ORDERS + "1004,ALFKI,1/9/1998,\n")
    assert documents(scan(office.adapter(), "order"))["1004"].lines == ()


def test_a_line_id_may_come_from_a_column_so_that_an_order_has_an_item_twice(office: Office) -> None:
    office.put("order_lines.csv", "Order,No,SKU,Pieces,Price,Less\n1001,10,A-1,3,1,0\n1001,20,A-1,4,1,0\n")
    order = ORDER | {"lines": ORDER["lines"] | {"line": {"column": "No"}}}
    read = documents(scan(office.adapter(order=order), "order"))["1001"]
    assert [(line.line, line.quantity) for line in read.lines] == [("10", 3), ("20", 4)]


def test_an_empty_cell_says_that_there_is_nothing(office: Office) -> None:
    assert documents(scan(office.adapter(), "order"))["1003"].ship_city is None
    nulls = ORDER | {"nulls": ["", "NULL"]}
    office.edit("orders.csv", "Reims", "NULL")
    assert documents(scan(office.adapter(order=nulls), "order"))["1001"].ship_city is None


def test_numbers_may_have_a_comma_and_points_between_thousands(office: Office) -> None:
    office.put("items.csv", "SKU;Name;Price;Gone\nA-1;Rope;1.234.567,50;0\nA-2;Bolt;12,5;0\nA-3;Nut;1.2;0\n")
    pages = scan(office.adapter(item=ITEM | {"delimiter": ";", "decimal": ",", "thousands": "."}), "item")
    assert documents(pages)["A-1"].price == Decimal("1234567.50")
    assert documents(pages)["A-2"].price == Decimal("12.5")
    assert [told.number for told in bad(pages)] == ["A-3"]


def test_a_column_may_have_a_form_of_its_own(office: Office) -> None:
    columns = ORDER["columns"] | {"requested_on": {"column": "Wanted", "format": "%d.%m.%Y"}}
    office.put("orders.csv", "Order,Customer,Date,Place,Wanted\n1001,ALFKI,7/4/1996,Reims,31.7.1996\n")
    order = documents(scan(office.adapter(order=ORDER | {"columns": columns}), "order"))["1001"]
    assert (order.ordered_on, order.requested_on) == (date(1996, 7, 4), date(1996, 7, 31))


def test_a_local_time_is_read_in_its_zone_and_an_hour_that_came_twice_or_never_is_refused(office: Office) -> None:
    header = "No,Type,SKU,At,Pieces,When\n"
    rows = ["2026-03-02 13:00", "2025-10-26 02:30", "2026-03-29 02:30"]
    office.put("moves.csv", header + "".join(f"M{i},ship,A-1,WH1,-1,{when}\n" for i, when in enumerate(rows)))
    columns = {
        "number": "No",
        "type": "Type",
        "sku": "SKU",
        "location": "At",
        "quantity": "Pieces",
        "happened_at": "When",
    }
    movement = {"file": "moves.csv", "moments": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin", "columns": columns}
    pages = scan(office.adapter(movement=movement), "movement")
    assert documents(pages)["M0"].happened_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert [told.number for told in bad(pages)] == ["M1", "M2"]


def test_a_moment_without_a_zone_is_refused_where_the_landscape_names_none(office: Office) -> None:
    office.put("moves.csv", "No,When\nM0,2026-03-02T13:00\nM1,2026-03-02T13:00:00+01:00\n")
    movement = {
        "file": "moves.csv",
        "columns": {"number": "No", "happened_at": "When"},
        "constants": {"type": "ship", "sku": "A-1", "location": "WH1", "quantity": 1},
    }
    pages = scan(office.adapter(movement=movement), "movement")
    assert documents(pages)["M1"].happened_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert [told.number for told in bad(pages)] == ["M0"]


def test_a_stock_level_is_known_by_item_and_location(office: Office) -> None:
    office.put("stock.csv", "Item,Place,Pieces\nA-1,WH1,5\nA-1,WH2,many\n")
    stock = {"file": "stock.csv", "columns": {"sku": "Item", "location": "Place", "on_hand": "Pieces"}}
    pages = scan(office.adapter(stock=stock), "stock")
    assert documents(pages)["A-1@WH1"].on_hand == 5
    assert [told.number for told in bad(pages)] == ["A-1@WH2"]


def test_json_lines_are_read_by_key_and_path_with_exact_numbers(office: Office) -> None:
    rows = [
        '{"id": 7, "who": {"no": "ALFKI"}, "rows": [{"no": 1, "sku": "A-1", "n": 0.1}, {"no": 2, "sku": "A-1", "n": 12345678.123456}]}',
        "",
        '{"id": "0007", "who": {"no": "ALFKI"}, "rows": []}',
    ]
    office.put("orders.jsonl", "\n".join(rows) + "\n")
    lines = {"list": "rows", "line": {"column": "no"}, "columns": {"sku": "sku", "quantity": "n"}}
    order = {
        "file": "orders.jsonl",
        "format": "jsonl",
        "columns": {"number": "id", "customer": "who.no"},
        "lines": lines,
    }
    found = documents(scan(office.adapter(order=order), "order"))
    assert [str(line.quantity) for line in found["7"].lines] == ["0.1", "12345678.123456"]
    assert found["0007"].lines == ()  # ids are texts: leading zeros count


def test_json_lines_without_columns_are_documents_in_our_own_words(office: Office) -> None:
    office.put("items.jsonl", '{"sku": "A-1", "name": "Rope", "price": "12.5"}\n{"sku": "A-2", "nam": "Bolt"}\n')
    pages = scan(office.adapter(item={"file": "items.jsonl", "format": "jsonl"}), "item")
    assert documents(pages)["A-1"].price == Decimal("12.5")
    assert [(told.number, told.error.place) for told in bad(pages)] == [("A-2", "items.jsonl:2:nam")]


def test_what_was_kept_raw_is_read_again_with_the_mapping_of_now(office: Office) -> None:
    office.edit("orders.csv", "7/4/1996", "1996-07-04")
    told = bad(scan(office.adapter(), "order"))[0]
    assert told.number == "1001"
    assert json.loads(told.raw)["lines"][0]["SKU"] == "A-1"
    assert office.adapter().understand("order", told.raw).error is not None
    mended = office.adapter(order=ORDER | {"dates": "%Y-%m-%d"}).understand("order", told.raw)
    assert mended.document is not None
    assert mended.document.ordered_on == date(1996, 7, 4)  # type: ignore[attr-defined]  # it is an Order
    assert len(mended.document.lines) == 2  # type: ignore[attr-defined]  # it is an Order


def test_a_row_that_moved_to_another_line_is_kept_raw_as_the_same_bytes(office: Office) -> None:
    before = {told.number: told.raw for told in tolds(scan(office.adapter(), "item"))}
    office.edit("items.csv", "A-1,", "A-0,Nail,1,0\nA-1,")
    after = {told.number: told.raw for told in tolds(scan(office.adapter(), "item"))}
    assert after["A-3"] == before["A-3"]


def test_files_that_are_as_they_were_are_not_read_again(office: Office) -> None:
    adapter = office.adapter()
    cursor = scan(adapter, "order")[-1].cursor
    again = changes(adapter, "order", cursor)
    assert [(page.tolds, page.more, page.whole, page.cursor) for page in again] == [((), False, False, cursor)]


def test_files_that_were_only_touched_are_known_by_their_content(office: Office) -> None:
    adapter = office.adapter()
    cursor = scan(adapter, "item")[-1].cursor
    os.utime(office.folder / "items.csv", (LONG_AGO + 60, LONG_AGO + 60))
    (page,) = changes(adapter, "item", cursor)
    assert (page.tolds, page.whole) == ((), False)
    assert page.cursor != cursor


def test_a_changed_file_is_told_whole_and_back_and_forth_is_three_changes(office: Office) -> None:
    adapter = office.adapter()
    cursor, prices = "", []
    for price in ("12.50", "13.75", "12.50"):
        office.put("items.csv", ITEMS.replace("12.50", price))
        pages = changes(adapter, "item", cursor)
        assert pages[-1].whole
        prices.append(documents(pages)["A-1"].price)
        cursor = pages[-1].cursor
    assert prices == [Decimal("12.50"), Decimal("13.75"), Decimal("12.50")]


def test_a_changed_mapping_has_everything_read_again(office: Office) -> None:
    cursor = scan(office.adapter(), "item")[-1].cursor
    other = office.adapter(item=ITEM | {"constants": {"currency": "EUR"}})
    assert len(tolds(changes(other, "item", cursor))) == 3


def test_a_cursor_that_is_none_of_ours_has_everything_read_again(office: Office) -> None:
    for cursor in ("", "nonsense", "[]", '{"looks": 3, "content": "", "mapping": ""}'):
        assert len(tolds(changes(office.adapter(), "item", cursor))) == 3


def test_a_drop_folder_is_all_its_files_and_the_newest_name_wins(office: Office) -> None:
    office.put("in/items-1.csv", "SKU,Name,Price,Gone\nA-1,Rope,1,0\nA-2,Bolt,2,0\n")
    office.put("in/items-2.csv", "SKU,Name,Price,Gone\nA-1,Rope,9,0\n")
    office.put("in/items-3.csv.part", "SKU,Name,Price,Gone\nA-1,Rope,10,0\n")
    office.put("in/.items-4.csv", "SKU,Name,Price,Gone\nA-1,Rope,11,0\n")
    pages = scan(office.adapter(item=ITEM | {"file": "in/items-*.csv"}), "item")
    assert {number: item.price for number, item in documents(pages).items()} == {"A-1": 9, "A-2": 2}
    assert not bad(pages)


def test_what_is_not_in_a_drop_folder_is_not_gone_unless_the_landscape_says_so(office: Office) -> None:
    office.put("in/items-1.csv", ITEMS)
    drop = ITEM | {"file": "in/items-*.csv"}
    assert not scan(office.adapter(item=drop), "item")[-1].whole
    assert scan(office.adapter(item=drop | {"complete": True}), "item")[-1].whole


def test_an_empty_drop_folder_is_no_news_and_one_that_must_tell_all_is_down(office: Office) -> None:
    (office.folder / "in").mkdir()
    drop = ITEM | {"file": "in/items-*.csv"}
    assert tolds(scan(office.adapter(item=drop), "item")) == []
    with pytest.raises(SystemDown, match="no file is there"):
        scan(office.adapter(item=drop | {"complete": True}), "item")


def test_the_same_content_under_another_name_is_read_once(office: Office) -> None:
    office.put("in/moves-1.csv", "No,Type,SKU,At,Pieces\nM1,ship,A-1,WH1,-1\n")
    office.put("in/moves-2.csv", "No,Type,SKU,At,Pieces\nM1,ship,A-1,WH1,-1\n")
    columns = {"number": "No", "type": "Type", "sku": "SKU", "location": "At", "quantity": "Pieces"}
    pages = scan(office.adapter(movement={"file": "in/moves-*.csv", "columns": columns}), "movement")
    assert len(tolds(pages)) == 1


def test_a_table_of_no_rows_says_that_there_is_nothing(office: Office) -> None:
    office.put("items.csv", "SKU,Name,Price,Gone\n")
    (page,) = scan(office.adapter(), "item")
    assert (page.tolds, page.whole, page.more) == ((), True, False)


def test_a_file_without_a_last_line_end_or_with_windows_line_ends_is_read_whole(office: Office) -> None:
    for text in (ITEMS.rstrip("\n"), ITEMS.replace("\n", "\r\n"), ITEMS + "\n\n,,,\n", "\ufeff" + ITEMS):
        office.put("items.csv", text)
        pages = scan(office.adapter(), "item")
        assert (len(documents(pages)), bad(pages)) == (3, [])


def test_a_cell_may_hold_line_ends_and_quotes(office: Office) -> None:
    office.edit("items.csv", "Rope", '"Rope,\n10 m ""long"""')
    pages = scan(office.adapter(), "item")
    assert documents(pages)["A-1"].name == 'Rope,\n10 m "long"'
    office.edit("items.csv", ",19,", ",x,")
    assert bad(scan(office.adapter(), "item"))[0].error.place == "items.csv:5:Price"


def test_other_encodings_are_read_when_the_landscape_names_them(office: Office) -> None:
    office.put("items.csv", ITEMS.replace("Rope", "Käse €").encode("cp1252"))
    assert documents(scan(office.adapter(item=ITEM | {"encoding": "cp1252"}), "item"))["A-1"].name == "Käse €"


def test_neutralised_cells_are_read_as_they_were_meant(office: Office) -> None:
    office.edit("items.csv", "Rope", "'=1+1")
    assert documents(scan(office.adapter(), "item"))["A-1"].name == "'=1+1"
    assert documents(scan(office.adapter(item=ITEM | {"neutralised": True}), "item"))["A-1"].name == "=1+1"


def test_many_rows_come_in_pages_and_only_the_last_has_a_cursor(office: Office) -> None:
    rows = "".join(f"S{i},Name {i},1,0\n" for i in range(1_234))
    office.put("items.csv", "SKU,Name,Price,Gone\n" + rows)
    pages = scan(office.adapter(), "item")
    assert [len(page.tolds) for page in pages] == [500, 500, 234]
    assert [bool(page.cursor) for page in pages] == [False, False, True]
    assert [page.more for page in pages] == [True, True, False]


def test_a_long_table_is_read_in_bounded_memory(office: Office) -> None:
    rows = "".join(f"S{i},{'x' * 400},1,0\n" for i in range(20_000))  # 8 MB, 40 pages
    office.put("items.csv", "SKU,Name,Price,Gone\n" + rows)
    del rows

    async def largest() -> int:
        tracemalloc.start()
        count = 0
        async for page in office.adapter().scan("item"):
            count += len(page.tolds)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 20_000
        return peak

    assert (
        asyncio.run(largest()) < 14_000_000
    )  # the numbers seen, one page, and the first 4 MB before the copy is on disk


def test_a_reader_that_leaves_early_leaves_nothing_open(office: Office) -> None:
    office.put("items.csv", "SKU,Name,Price,Gone\n" + "".join(f"S{i},N,1,0\n" for i in range(2_000)))

    async def first() -> int:
        pages = office.adapter().scan("item")
        page = await anext(pages)
        await pages.aclose()  # type: ignore[attr-defined]  # it is an async generator
        return len(page.tolds)

    assert asyncio.run(first()) == 500


def test_a_missing_file_is_a_system_that_is_down_and_nothing_is_taken_for_removed(office: Office) -> None:
    (office.folder / "items.csv").unlink()
    with pytest.raises(SystemDown, match=r"items\.csv is not there"):
        scan(office.adapter(), "item")
    with pytest.raises(SystemDown):
        asyncio.run(Office(office.folder / "elsewhere").adapter().probe())
    with pytest.raises(CallError):
        changes(office.adapter(), "item", '{"looks": [], "content": "", "mapping": ""}')


def test_a_probe_says_that_the_folder_is_there(office: Office) -> None:
    assert asyncio.run(office.adapter().probe()).text == "3 entries"


def test_a_folder_offers_scans_that_are_skipped_when_nothing_changed_and_no_revisions(office: Office) -> None:
    reads = office.adapter().capabilities().reads["order"]
    assert (reads.changes, reads.scan, reads.one, reads.ordered, reads.all_or_nothing) == (
        False,
        True,
        False,
        False,
        True,
    )


@pytest.mark.real_data
def test_northwind_is_read_whole_and_its_orders_add_up_to_the_cent(northwind: dict[str, object]) -> None:
    from files_kit import adapter  # noqa: PLC0415  (only this test)

    source = adapter(dict(northwind), now=lambda: datetime.now(UTC))
    counts = {kind: len(documents(scan(source, kind))) for kind in ("item", "customer", "order")}
    orders = documents(scan(source, "order"))
    stake = kinds()["order"].stake
    assert counts == {"item": 77, "customer": 91, "order": 560}
    assert sum(len(order.lines) for order in orders.values()) == 1_464
    assert sum((stake(flatten(order)) or (0, ""))[0] for order in orders.values()) == 82_516_934
    assert not any(bad(scan(source, kind)) for kind in counts)


@pytest.fixture
def northwind() -> dict[str, object]:
    import tomllib  # noqa: PLC0415  (only this fixture)

    data = os.environ.get("ERPSYNC_REAL_DATA")
    if not data:
        pytest.skip("ERPSYNC_REAL_DATA is not set")
    landscape = Path(__file__).parents[2] / "fixtures" / "northwind" / "erpsync.toml"
    options: dict[str, object] = tomllib.loads(landscape.read_text())["systems"]["office"]["options"]
    return options | {"folder": f"{data}/northwind"}


def test_a_file_written_just_now_is_looked_at_twice_and_read_when_it_rests(office: Office) -> None:
    (office.folder / "items.csv").write_text(ITEMS)
    options = {"folder": str(office.folder), "quiet_seconds": 0.05, "kinds": {"item": ITEM}}
    from files_kit import adapter  # noqa: PLC0415  (only this test)

    assert len(tolds(scan(adapter(options, now=lambda: datetime.now(UTC)), "item"))) == 3


def test_a_file_that_grows_between_two_looks_is_left_alone(office: Office) -> None:
    from files_kit import adapter  # noqa: PLC0415  (only this test)

    options = {"folder": str(office.folder), "quiet_seconds": 0.2, "kinds": {"item": ITEM}}
    growing = (office.folder / "items.csv").open("a")

    async def read() -> None:
        async def write() -> None:
            for row in range(50):
                growing.write(f"G-{row},Growing,1,0\n")
                growing.flush()
                await asyncio.sleep(0.01)

        writer = asyncio.create_task(write())
        try:
            async for _ in adapter(options, now=lambda: datetime.now(UTC)).scan("item"):
                pass
        finally:
            writer.cancel()

    with growing:
        growing.write("G,Growing,1,0\n")
        growing.flush()
        with pytest.raises(RetryLater, match="is being written to") as raised:
            asyncio.run(read())
    assert raised.value.after is not None
    assert not raised.value.throttled
