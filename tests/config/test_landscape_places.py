"""Where things stand in a TOML text: every key and element, however it is written."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from erpsync.config.places import Path, nearest_place, places

TEXT = '''\
# a comment = "with an equals sign" and [brackets]
plain = "a" # [not.a.table]
"quoted key" = 'a # literal " string'
'it "is"'.dotted . "de.ep" = 1
multi = """
[not.a.table] \\""" x = 1
" "" quotes""\\"""""
raw = \'\'\'
y = 2 # [[no]]\'\'\'
list = [ # comment ]
  1, "two ]", [3,
  4], { a = { b = [true] } , "c" = 2026-10-15T00:00:00Z },
]
empty = []
nothing = {}
[ table . "sub table" ]
key=1.5
[[many]]
name = "first"
[many.inner]
deep = "x"
[[many.inside]]
z = 1
[[many.inside]]
z = 2
[[many]]
name = "second"
[[many.inside]]
z = 3
[a.b.c]
[a]
d = """one"""
e.f = 1
e.g = 2
'''


def everything_in(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Every path of a parsed document, and what is there."""
    found = {path: value} if path else {}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found |= everything_in(part, (*path, key))
    return found


def test_every_key_and_element_has_a_place() -> None:
    text = TEXT
    found = places(text)
    assert set(found) == set(everything_in(tomllib.loads(text)))


def test_places_point_at_the_key_and_at_the_value() -> None:
    text = 'a = 1\n[t]\n  b  =  [ 1,\n 2, { c = "x" } ]\n[[l]]\nd.e = 3\n[[l]]\n"f" = {g=1}\n'
    found = places(text)
    assert (found[("a",)].key, found[("a",)].value) == ((1, 1), (1, 5))
    assert (found[("t",)].key, found[("t",)].value) == ((2, 1), (2, 1))
    assert (found[("t", "b")].key, found[("t", "b")].value) == ((3, 3), (3, 9))
    assert found[("t", "b", 0)].value == (3, 11)
    assert found[("t", "b", 1)].value == (4, 2)
    assert (found[("t", "b", 2, "c")].key, found[("t", "b", 2, "c")].value) == ((4, 7), (4, 11))
    assert found[("l", 0)].key == (5, 1)
    assert (found[("l", 0, "d", "e")].key, found[("l", 0, "d", "e")].value) == ((6, 1), (6, 7))
    assert found[("l", 1)].key == (7, 1)
    assert (found[("l", 1, "f", "g")].key, found[("l", 1, "f", "g")].value) == ((8, 8), (8, 10))


def test_columns_count_characters_and_windows_lines_count_once() -> None:
    found = places('a = "東京" # ü\r\n"é" = { b = "x" }\r\n')
    assert found[("é", "b")].value == (2, 13)


def test_what_is_not_written_has_the_place_around_it() -> None:
    found = places("[a]\n[a.b]\nc = 1\n")
    assert nearest_place(found, ("a", "b", "x", "y")).key == (2, 1)
    assert nearest_place(found, ("z",)).key == (1, 1)


_KEYS = st.one_of(st.sampled_from(["a", "b-1", "_"]), st.text(st.characters(codec="utf-8"), max_size=4))
_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-1000, 1000),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(['"""', "'''", "#", "]", "}", "=", '\\"']),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text: str) -> str:
    """A TOML basic string."""
    plain = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(plain.get(c) or (f"\\u{ord(c):04x}" if c < " " or c == "\x7f" else c) for c in text) + '"'


def inline(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {inline(part)}" for key, part in value.items()) + "}"
    return str(value)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4), st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=3))
def test_any_document_is_followed_and_each_place_shows_its_value(
    top: dict[str, Any], many: list[dict[str, Any]]
) -> None:
    top.pop("many", None)
    text = "".join(f"{quoted(key)} = {inline(value)}\n" for key, value in top.items())
    for table in many:
        text += "[[many]] # one\n" + "".join(f" {quoted(key)}={inline(value)}\n" for key, value in table.items())
    document = tomllib.loads(text)
    assert document == (top | {"many": many} if many else top)
    found, rows = places(text), text.split("\n")
    assert set(found) == set(everything_in(document))
    for path, value in everything_in(document).items():
        if path[0] == "many" and len(path) < 3:
            continue
        line, column = found[path].value
        assert rows[line - 1][column - 1 :].startswith(inline(value))
