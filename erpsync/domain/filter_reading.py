"""Reads the filter language: ``system = wms and (age > 2h or not due)``.

One rule: any text gives a tree or a FilterError that names the column, counted in characters from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from erpsync.domain.filter_nodes import BARE, FIELD, OPERATORS, WORDS, And, Compare, Everything, Flag, Node, Not, Or
from erpsync.domain.nearest import meant
from erpsync.errors import FilterError

LONGEST = 10_000
DEEPEST = 64

_TOKEN = re.compile(
    rf"""\s*(?:(?P<bare>{BARE})|(?P<op>[=!~<>]+)|(?P<mark>[()])|(?P<quote>["'])|(?P<end>\Z)|(?P<odd>.))""", re.DOTALL
)
_HALF = re.compile("[\ud800-\udfff]")  # how Python keeps a byte that is no UTF-8
_ESCAPE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


def parse(text: str) -> Node:
    """The tree of a filter; empty text is Everything. Raises FilterError, which names the column."""
    if len(text) > LONGEST:
        raise FilterError(f"filter is {len(text):,} characters long", hint=f"at most {LONGEST:,}")
    if odd := _HALF.search(text):
        raise FilterError(f"filter is not UTF-8 at column {odd.start() + 1}", hint="type it on a UTF-8 terminal")
    tokens = _tokens(text)
    if len(tokens) == 1:
        return Everything()
    reader = _Reader(tokens)
    node = reader.alternatives(0)
    reader.finish()
    return node


@dataclass(frozen=True, slots=True)
class _Token:
    sort: str  # bare, op, mark, quoted or end
    text: str
    column: int

    @property
    def word(self) -> str:
        """``and``, ``or`` or ``not``, else nothing."""
        lower = self.text.lower()
        return lower if self.sort == "bare" and lower in WORDS else ""


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:  # cannot be: one of the groups takes any character
            raise FilterError(f"filter cannot be read at column {position + 1}")
        sort, start, position = match.lastgroup, match.start(match.lastgroup), match.end()
        if sort == "odd":
            raise FilterError(
                f"filter has a control character at column {start + 1}", hint="write it in quotes, as \\x1b"
            )
        if sort == "quote":
            value, position = _quoted(text, start)
            found.append(_Token("quoted", value, start + 1))
            continue
        found.append(_Token(sort, match.group(sort), start + 1))
        if sort == "end":
            return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    quote, position = text[start], start + 1
    parts: list[str] = []
    while position < len(text):
        char = text[position]
        if char == quote:
            return "".join(parts), position + 1
        if char == "\\":
            match = _ESCAPE.match(text, position + 1)
            if match is None:
                break
            code = match[1] or match[2] or match[3]
            short = _SHORT.get(match[4] or "")
            if (code is None and short is None) or (code is not None and not _is_character(int(code, 16))):
                raise FilterError(
                    f"filter has an unknown escape at column {position + 1}",
                    hint="\\\\ \\\" \\' \\n \\t \\r \\xNN \\uNNNN; a backslash itself is written twice",
                )
            parts.append(chr(int(code, 16)) if code else short or "")
            position = match.end()
        else:
            parts.append(char)
            position += 1
    raise FilterError(f"filter ends inside the quotes that open at column {start + 1}", hint=f"close them with {quote}")


def _is_character(code: int) -> bool:
    return code < 0xD800 or 0xE000 <= code <= 0x10FFFF


class _Reader:
    """Goes through the tokens once. ``or`` binds loosest, then ``and``, then ``not``."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def alternatives(self, depth: int) -> Node:
        return self._chain("or", Or, depth)

    def finish(self) -> None:
        token = self._peek()
        if token.sort == "end":
            return
        if token.text == ")":
            raise FilterError(f"filter closes a parenthesis at column {token.column} that was never opened")
        raise _unexpected(token, "and, or, or the end")

    def _chain(self, word: str, build: type[And] | type[Or], depth: int) -> Node:
        parts = [self._part(word, depth)]
        while self._peek().word == word:
            self._take()
            parts.append(self._part(word, depth))
        return parts[0] if len(parts) == 1 else build(tuple(parts))

    def _part(self, word: str, depth: int) -> Node:
        return self._chain("and", And, depth) if word == "or" else self._term(depth)

    def _term(self, depth: int) -> Node:
        token = self._take()
        if depth > DEEPEST:
            raise FilterError(f"filter is nested too deep at column {token.column}", hint=f"at most {DEEPEST} levels")
        if token.word == "not":
            return Not(self._term(depth + 1))
        if token.text == "(" and token.sort == "mark":
            inner = self.alternatives(depth + 1)
            closing = self._take()
            if closing.sort == "end":
                raise FilterError(f"filter opens a parenthesis at column {token.column} that is never closed")
            if closing.sort != "mark" or closing.text != ")":
                raise _unexpected(closing, "and, or, or )")
            return inner
        if token.sort != "bare" or token.word:
            raise _unexpected(token, "a field")
        if not FIELD.fullmatch(token.text):
            raise FilterError(
                f'filter field "{token.text}", at column {token.column}, is no name',
                hint="a comparison is FIELD = VALUE; fields are words like system or order.total",
            )
        return self._comparison(token)

    def _comparison(self, name: _Token) -> Node:
        operator = self._peek()
        if operator.sort != "op":
            return Flag(name.text, name.column)
        self._take()
        if operator.text not in OPERATORS:
            known = " ".join(OPERATORS)
            raise FilterError(
                f"filter operator {operator.text}, at column {operator.column}, does not exist",
                hint=f"{meant(operator.text, OPERATORS)}Operators: {known}",
            )
        value = self._take()
        if value.sort not in ("bare", "quoted") or value.word:
            raise _unexpected(value, "a value")
        glob = value.sort == "bare" and operator.text in ("=", "!=") and ("*" in value.text or "?" in value.text)
        return Compare(name.text, operator.text, value.text, name.column, glob, value.column)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.sort != "end":
            self._next += 1
        return token


def _unexpected(token: _Token, expected: str) -> FilterError:
    if token.sort == "end":
        return FilterError(f"filter ends at column {token.column} where {expected} should stand")
    hint = ""
    if expected == "a value" and token.word:
        hint = f'in quotes it is a value: "{token.text}"'
    elif expected.startswith("and"):
        hint = "a value with spaces stands in quotes"
        if token.text in ("&&", "||", "&", "|", ","):
            hint = "or" if "|" in token.text else "and"
    return FilterError(f'filter has "{token.text}" at column {token.column} where {expected} should stand', hint=hint)
