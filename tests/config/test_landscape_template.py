"""What ``erpsync init`` writes is a good landscape, and takes nobody's file away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erpsync.config.reading import all_mistakes, read_landscape
from erpsync.config.template import write_template
from erpsync.errors import UsageError


def test_the_template_is_a_landscape_without_a_mistake(tmp_path: Path) -> None:
    folder = tmp_path / "Acme Night!"
    written = write_template(folder)
    assert folder / "erpsync.toml" in written
    assert all(path.is_file() for path in written)
    assert [mistake.message for mistake in all_mistakes(folder / "erpsync.toml", environ={})] == []
    landscape = read_landscape(folder / "erpsync.toml", environ={})
    assert landscape.name == "acme-night"
    assert [flow.kind for flow in landscape.flows] == ["item", "customer", "order"]
    assert (folder / landscape.systems["warehouse"].options["folder"]).is_dir()


def test_what_the_template_leaves_as_comments_is_good_too(tmp_path: Path) -> None:
    write_template(tmp_path)
    file = tmp_path / "erpsync.toml"
    text = re.sub(r"^# (?=\[|\w+ = )", "", file.read_text(), flags=re.MULTILINE)
    assert "\n[breaker]" in text
    assert "\nwhere = " in text
    file.write_text(text)
    assert [mistake.message for mistake in all_mistakes(file, environ={})] == []


def test_the_tables_have_the_columns_that_the_landscape_names(tmp_path: Path) -> None:
    write_template(tmp_path)
    office = read_landscape(tmp_path / "erpsync.toml", environ={}).systems["office"]
    for kind in office.options["kinds"].values():
        for table in (kind, kind.get("lines")):
            if table is not None:
                head = (tmp_path / "in" / table["file"]).read_text().splitlines()[0].split(",")
                assert set(table["columns"].values()) <= set(head)


@pytest.mark.parametrize("name", ["erpsync.toml", "in/orders.csv"])
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    with pytest.raises(UsageError) as caught:
        write_template(tmp_path)
    assert caught.value.message == f"{there} is there already"
    assert there.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [there]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_template(tmp_path / "file")
