"""The line as a shell has it typed, read into words; and a word written so that bash takes it for itself.

One rule: nothing here is run or expanded. ``$(...)``, ``$HOME`` and ``*`` are characters like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"[\w@%+=:,./~-]")  # what bash takes as it stands, inside a word
_ACTS_IN_DOUBLE = frozenset('$`"\\')


@dataclass(frozen=True)
class Word:
    """A word without its quotes. ``quote``: the one that is still open at its end, or nothing."""

    text: str
    quote: str = ""


def words_of(line: str) -> list[Word]:
    """The words of a line that ends at the cursor; the last is the one being typed, empty after a space."""
    words: list[Word] = []
    position = 0
    while True:
        while position < len(line) and line[position].isspace():
            position += 1
        word, position = _word(line, position, ends_at_space=True)
        words.append(word)
        if position >= len(line):
            return words


def word_of(raw: str) -> Word:
    """One word as it was typed, which may be in the middle of a quote."""
    return _word(raw, 0, ends_at_space=False)[0]


def _word(line: str, position: int, *, ends_at_space: bool) -> tuple[Word, int]:
    parts: list[str] = []
    quote = ""
    while position < len(line):
        char, following = line[position], line[position + 1 : position + 2]
        if quote:
            if char == quote:
                quote = ""
            elif char == "\\" and quote == '"' and following and following in _ACTS_IN_DOUBLE:
                parts.append(following)
                position += 1
            else:
                parts.append(char)
        elif char in "'\"":
            quote = char
        elif char == "\\":
            parts.append(following)
            position += 1
        elif ends_at_space and char.isspace():
            return Word("".join(parts)), position
        else:
            parts.append(char)
        position += 1
    return Word("".join(parts), quote), position


def for_bash(text: str, quote: str) -> str | None:
    """``text`` as it stands in a line of bash, after an open quote or none; None where it cannot be written there."""
    if quote and text.endswith(quote):  # bash would take its last character for the end of the quotes
        return None
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote == '"':
        if "!" in text:  # history takes it even in these quotes, and a backslash before it stays
            return None
        return "".join(f"\\{char}" if char in _ACTS_IN_DOUBLE else char for char in text)
    written = "".join(char if _PLAIN.match(char) else f"\\{char}" for char in text)
    return f"\\{written}" if written.startswith("~") else written
