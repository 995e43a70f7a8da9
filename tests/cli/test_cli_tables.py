"""Tables stay tables, whatever a far system calls its documents."""

from __future__ import annotations

import pytest

from erpsync.cli.tables import KEY_ROOM, Column, blocks, table
from erpsync.terminal import safe

COLUMNS = [
    Column[str]("ID", lambda _: "E-1"),
    Column[str]("KEY", safe, most=KEY_ROOM),
    Column[str]("OWNER", lambda _: "master data", rank=1),
    Column[str]("STAKE USD", lambda _: "1,204.00", right=True),
]
UUID = "order:550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize("columns", [80, 120])
def test_one_long_number_does_not_spoil_the_list(columns: int) -> None:
    lines = table(COLUMNS, ["order:SO-1", "item:" + "9" * 900, "item:" + "\x1b" * 900], room=columns)
    assert len(lines) == 4
    assert max(map(len, lines)) <= columns
    assert '"item:99999999999999..." (905)' in lines[2]


def test_a_number_as_systems_make_them_is_whole() -> None:
    assert any(UUID in line for line in table(COLUMNS, [UUID], room=80))


def test_in_a_pipe_every_key_is_whole() -> None:
    key = "item:" + "9" * 900
    assert key in "\n".join(table(COLUMNS, [key], room=None))


def test_a_block_is_no_wider_than_a_narrow_terminal() -> None:
    column = Column[str]("WHAT", safe)
    lines = blocks([column], ["far too long " + "x" * 300], room=60)
    assert max(map(len, lines)) <= 60
    assert "".join(line.strip() for line in lines).count("x") == 300


def test_when_a_table_is_too_wide_long_keys_are_cut_before_it_falls_apart() -> None:
    columns = [*COLUMNS, Column[str]("KIND", lambda _: "contract_violation"), Column[str]("FOR", lambda _: "39d10h")]
    lines = table(columns, ["order:SO-1", UUID], room=80)
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert '"order:550e8400-' in lines[2]
    assert '..." (42)' in lines[2]
    assert UUID in "\n".join(table(columns, [UUID], room=120))


def test_room_that_a_column_gave_up_goes_to_the_text() -> None:
    columns = [
        Column[str]("ID", lambda _: "E-1"),
        Column[str]("WHY", lambda _: "w" * 60, rank=1),
        Column[str]("ERROR", safe, free=True),
    ]
    error = "system erp answered 422: unknown value"
    assert table(columns, [error], room=80)[1] == f"E-1  {error}"
