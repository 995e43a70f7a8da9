"""What was probably meant by a word that is none of those known. One rule: every hint that guesses begins the same way."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that is most like ``word``, whatever the case of its letters; None where none is like it.

    The dashes before an option make it like no other.
    """
    from difflib import get_close_matches  # noqa: PLC0415  (only for a hint)

    spelled: dict[str, str] = {}
    for name in known:
        spelled.setdefault(name.lower().lstrip("-"), name)
    near = get_close_matches(word.lower().lstrip("-")[:100], spelled, n=1)
    return spelled[near[0]] if near else None


def meant(word: str, known: Iterable[str]) -> str:
    """``wms? ``, the beginning of a hint; empty where nothing is like ``word``."""
    near = nearest(word, known)
    return f"{near}? " if near else ""
