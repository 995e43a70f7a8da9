"""What somebody typed to find something by, as words, and how a text is looked through for them.

Numbers are taken as callers say them: in any case, with or without what stands between their parts, from their beginning
(``inv-206`` is in ``INV-20698``), by their own digits (``1001`` is in ``SO-1001``). Nothing that was typed is ever syntax.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erpsync.errors import UsageError

MOST_CHARACTERS = 200
_PIECE = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"[0-9]{2,}")
_FINER = re.compile(r"\d+|[^\W\d_]+")
_PHONE = re.compile(r"[+(]?[\d\s()./+-]{7,}")
_PHONE_DIGITS = range(7, 16)
_GROUPED = {7: (3, 4), 10: (3, 3, 4), 11: (1, 3, 3, 4)}
_BETWEEN, _BEGINS, _ENDS = r"[\W_]{0,3}", r"(?<![^\W_])", r"(?![^\W_])"
_SHORTEST_BEGINNING = 2  # of a word that more may follow: all that begins with one character is too much


@dataclass(frozen=True)
class Sought:
    """What is looked for. ``text`` as typed; ``expression`` for an FTS5 index of words; all ``patterns`` must be there.

    ``digits``: where they are not, it is not; empty where nothing is so certain.
    """

    text: str
    expression: str
    patterns: tuple[re.Pattern[str], ...]
    digits: str = ""

    def place_in(self, plain: str) -> tuple[int, int] | None:
        """Where the first word stands in a text that went through ``plain``; None when a word is not there at all."""
        found = None
        for pattern in self.patterns:
            match = pattern.search(plain)
            if match is None:
                return None
            found = found or match.span()
        return found


def sought(text: str) -> Sought:
    """What ``text`` looks for; raises UsageError where there is nothing in it to look for, or too much."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(
            f"find takes at most {MOST_CHARACTERS} characters, this has {len(text):,}",
            hint="a number or a name is enough",
        )
    composed = unicodedata.normalize("NFC", text.encode(errors="replace").decode()).strip()  # no half characters
    phone = _PHONE.fullmatch(composed) and sum(c.isdigit() for c in composed) in _PHONE_DIGITS
    words = [pieces for word in ([composed] if phone else composed.split()) if (pieces := _PIECE.findall(word.lower()))]
    if not words:
        raise UsageError("find needs something to look for", hint="any number or name: erpsync find SO-1001")
    return Sought(
        composed,
        " AND ".join(f"({' OR '.join(map(_all_of, _ways(pieces)))})" for pieces in words),
        tuple(_pattern(pieces) for pieces in words),
        max(
            (part for pieces in words if not _is_phone(pieces) for part in _finer(pieces) if _NUMBER.fullmatch(part)),
            key=len,
            default="",
        ),
    )


def plain(text: str) -> str:
    """``text`` in small letters without accents, line breaks of JSON as spaces: of the same length where it is ASCII."""
    small = text.lower().replace("\\n", "  ").replace("\\r", "  ").replace("\\t", "  ")
    if small.isascii():
        return small
    return "".join(c for c in unicodedata.normalize("NFD", small) if not unicodedata.combining(c))


def _finer(pieces: Iterable[str]) -> list[str]:
    """Split where letters and digits meet."""
    return [part for piece in pieces for part in _FINER.findall(piece)]


def _ways(pieces: Sequence[str]) -> list[tuple[str, ...]]:
    """The ways in which a word may stand in a text, as its pieces there."""
    whole = "".join(pieces)
    ways = [tuple(pieces), tuple(_finer(pieces)), (whole,)]
    if whole.isdecimal() and len(whole) in _GROUPED:
        ends = [sum(_GROUPED[len(whole)][: n + 1]) for n in range(len(_GROUPED[len(whole)]))]
        ways.append(tuple(whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)))
    return list(dict.fromkeys(ways))


def _all_of(way: Sequence[str]) -> str:
    *first, last = way
    quoted = [f'"{piece}"' for piece in first] + [f'"{last}"' + ("*" if len(last) >= _SHORTEST_BEGINNING else "")]
    return f"({' AND '.join(quoted)})"


def _is_phone(pieces: Sequence[str]) -> bool:
    """Whether it may be a telephone number, whose digits may be apart anywhere."""
    whole = "".join(pieces)
    return whole.isdecimal() and len(whole) in _PHONE_DIGITS


def _pattern(pieces: Sequence[str]) -> re.Pattern[str]:
    parts = list("".join(pieces)) if _is_phone(pieces) else _finer(pieces)
    ends = "" if _is_phone(pieces) or len(pieces[-1]) >= _SHORTEST_BEGINNING else _ENDS
    return re.compile(_BEGINS + _BETWEEN.join(re.escape(plain(part)) for part in parts) + ends)
