"""What a landscape may say of a files system, and what it is told when it says something else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from files_kit import ITEM, ORDER, adapter

from erpsync.adapters import files
from erpsync.errors import LandscapeError


def mistake(options: dict[str, Any]) -> LandscapeError:
    with pytest.raises(LandscapeError) as raised:
        adapter({"folder": "in"} | options)
    return raised.value


def in_item(**changed: Any) -> LandscapeError:
    return mistake({"kinds": {"item": ITEM | changed}})


def in_lines(**changed: Any) -> LandscapeError:
    return mistake({"kinds": {"order": ORDER | {"lines": ORDER["lines"] | changed}}})


@pytest.mark.parametrize(
    ("options", "where", "nearest"),
    [
        ({"kinds": {}, "foldr": "x"}, "foldr", "folder"),
        ({"kinds": {"itm": ITEM}}, "kinds.itm", "item"),
        ({"kinds": {"item": ITEM | {"colums": {}}}}, "kinds.item.colums", "columns"),
        ({"kinds": {"item": ITEM | {"columns": {"sku": "SKU", "prise": "P"}}}}, "kinds.item.columns.prise", "price"),
        ({"kinds": {"item": ITEM | {"constants": {"curency": "USD"}}}}, "kinds.item.constants.curency", "currency"),
        (
            {"kinds": {"item": ITEM | {"columns": {"sku": {"column": "SKU", "mapp": {}}}}}},
            "kinds.item.columns.sku.mapp",
            "map",
        ),
        (
            {"kinds": {"order": ORDER | {"lines": ORDER["lines"] | {"columns": {"sku": "S", "qantity": "Q"}}}}},
            "kinds.order.lines.columns.qantity",
            "quantity",
        ),
        ({"kinds": {"order": ORDER | {"lines": ORDER["lines"] | {"joins": "x"}}}}, "kinds.order.lines.joins", "join"),
        (
            {"kinds": {"order": ORDER | {"lines": ORDER["lines"] | {"line": {"colum": "x"}}}}},
            "kinds.order.lines.line.colum",
            "column",
        ),
        ({"kinds": {"item": {"write": {"folder": "out", "formt": "csv"}}}}, "kinds.item.write.formt", "format"),
        (
            {"kinds": {"item": {"write": {"folder": "out", "format": "csv", "columns": {"skuu": "S"}}}}},
            "kinds.item.write.columns.skuu",
            "sku",
        ),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest_that_is(
    options: dict[str, Any], where: str, nearest: str
) -> None:
    error = mistake(options)
    assert error.where == f"systems.office.options.{where}"
    assert error.nearest == nearest
    assert nearest in error.valid


@pytest.mark.parametrize("file", ["/etc/passwd", "../items.csv", "a/../../b", "", "a\\b", "a\0b", "*/items.csv"])
def test_a_path_outside_the_folder_is_refused(file: str) -> None:
    assert in_item(file=file).where.startswith("systems.office.options.kinds.item")
    assert mistake({"kinds": {"item": {"write": {"folder": file}}}}).where.startswith(
        "systems.office.options.kinds.item"
    )


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"delimiter": ";;"}, "delimiter"),
        ({"encoding": "utf-16"}, "encoding"),
        ({"format": "xlsx"}, "format"),
        ({"dates": "dd.mm.yyyy"}, "dates"),
        ({"dates": "%m/%Y"}, "dates"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"decimal": ";"}, "decimal"),
        ({"trim": "yes"}, "trim"),
        ({"constants": {"currency": "XXX"}}, "constants.currency"),
        ({"constants": {"price": "much"}}, "constants.price"),
        ({"columns": {"name": "Name"}}, "columns"),
        ({"lines": {"file": "l.csv", "join": "x", "line": "item", "columns": {}}}, "lines"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_place(changed: dict[str, Any], where: str) -> None:
    assert in_item(**changed).where == f"systems.office.options.kinds.item.{where}"


def test_the_line_id_is_never_a_position() -> None:
    lines = "systems.office.options.kinds.order.lines"
    assert in_lines(line="position").where == f"{lines}.line"
    assert '"item"' in str(in_lines(line="position"))
    assert in_lines(columns={"quantity": "Q"}).where == f"{lines}.line"
    assert in_lines(columns={"sku": "S", "quantity": "Q", "line": "L"}).found == "line"
    without = {name: value for name, value in ORDER["lines"].items() if name != "line"}
    assert mistake({"kinds": {"order": ORDER | {"lines": without}}}).where == f"{lines}.line"


def test_lines_come_from_one_place_that_names_its_order() -> None:
    lines = "systems.office.options.kinds.order.lines"
    assert in_lines(join="").where == f"{lines}.join"
    assert in_lines(file="").where == f"{lines}.file"
    assert in_lines(list="rows").where == lines
    assert in_lines(file="orders.csv").where == f"{lines}.file"


def test_a_kind_that_is_neither_read_nor_written_is_refused() -> None:
    assert "names neither a file" in str(mistake({"kinds": {"item": {}}}))


def test_a_csv_target_without_the_number_is_refused() -> None:
    write = {"folder": "out", "format": "csv", "columns": {"name": "Name"}}
    assert "has no sku" in str(mistake({"kinds": {"item": {"write": write}}}))


def test_every_option_is_explained_where_people_look() -> None:
    text = files.__doc__ or ""
    from erpsync.adapters.files import options  # noqa: PLC0415  (only this test)

    models = (
        options.FilesOptions,
        options.KindOptions,
        options.LinesOptions,
        options.ColumnOptions,
        options.WriteOptions,
    )
    for model in models:
        for name in model.model_fields:
            assert name in text, f"{model.__name__}.{name}"


def test_the_northwind_landscape_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    from erpsync.config.reading import read_landscape  # noqa: PLC0415  (only this test)

    file = Path(__file__).parents[2] / "fixtures" / "northwind" / "erpsync.toml"
    environ = {
        "ERPSYNC_REAL_DATA": "/data",
        "ERPSYNC_ERP_URL": "http://127.0.0.1:1",
        "ERPSYNC_SHOP_URL": "http://127.0.0.1:2",
    }
    landscape = read_landscape(file, environ=environ)
    assert [flow.kind for flow in landscape.flows] == ["item", "customer", "order"]
    office = landscape.systems["office"]
    assert office.options["folder"] == "/data/northwind"
    assert set(adapter(office.options).capabilities().reads) == {"item", "customer", "order"}
    assert tomllib.loads(file.read_text())["name"] == landscape.name
