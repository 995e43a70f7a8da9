"""Rows that somebody wrote by hand, or another version left: every command that looks says what it can, and none breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from test_cli_terminals import FOR_PROGRAMS, READING, words  # type: ignore[import-not-found]  # a test beside this one

from erpsync.store.connection import open_writer

pytestmark = pytest.mark.long

BROKEN = {
    "contents that are no JSON": "UPDATE payloads SET content = X'ff007b22'",
    "contents that are JSON of another kind": 'UPDATE payloads SET content = CAST(\'[1, {"a": null}, "x"]\' AS BLOB)',
    "fields of another kind": 'UPDATE payloads SET content = CAST(\'{"lines": {"1": [1]}, "total": "x", "currency": 7}\' AS BLOB)',
    "empty contents": "UPDATE payloads SET content = X''",
    "origins that are none": "UPDATE records SET origins = '{\"\": [1'",
    "evidence that is none": "UPDATE exceptions SET evidence = 'not JSON'",
    "evidence of another kind": "UPDATE exceptions SET evidence = '[1]'",
    "headers that are none": "UPDATE attempts SET headers = '{', answer = X'ff', outcome = 'no such outcome'",
    "reasons and verdicts that nobody knows": "UPDATE messages SET reason = 'no_such_reason', error_code = '???'",
    "verdicts that nobody knows": "UPDATE events SET verdict = 'no_such_verdict'",
    "a kind that nobody knows": "UPDATE records SET kind = 'no_such_kind'",
    "a currency that nobody knows": "UPDATE messages SET currency = 'X' || char(27) || '[2J', stake = 9000000000000000",
    "times beyond all calendars": "UPDATE messages SET accepted_at = 9000000000000000000, state_at = -9000000000000000000",
    "a far id with everything in it": "UPDATE xrefs SET far_id = char(0) || char(27) || ']0;x' || char(7) || far_id",
}


@pytest.mark.parametrize("name", sorted(set(READING) - FOR_PROGRAMS))
@pytest.mark.parametrize("broken", BROKEN)
def test_a_row_that_cannot_be_is_no_defect(
    name: str, broken: str, erpsync: Run, night: Path, ids: dict[str, int]
) -> None:
    db = open_writer(night / "erpsync.db")
    db.execute(BROKEN[broken])
    db.close()
    asked = words(name, ids)
    for output in ("table", "json"):
        if name == "help":
            return
        answer = erpsync(*asked, "-o", output)
        assert answer.code in (0, 1, 2, 4), (answer.code, answer.err)
        assert "defect" not in answer.err
        assert "\x1b" not in answer.out + answer.err
