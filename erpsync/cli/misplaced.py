"""Words that are right in the wrong place: ``list dlq``, ``show 42790``, ``dlq 42790``, ``messages show E-303``.

One rule: what is suggested is a command that can be pasted, with what was typed in it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from erpsync.domain.nearest import nearest

_ID = re.compile(r"(?:([A-Za-z])-?)?([0-9]{1,18})")
_OF_LETTER = {"": "messages show {0}", "E": "exceptions show E-{0}", "A": "audit list --where 'id = {0}'"}
_WHAT = {"": "a message", "E": "an exception", "A": "an act"}


def meant_by(group: Any, args: Sequence[str], *, group_words: Sequence[str] = ()) -> str:
    """The beginning of a hint (``dlq list? ``) for words that are no command of a group; empty where nothing is clear."""
    word, following = args[0], args[1] if len(args) > 1 else ""
    if group_words:
        if _ID.fullmatch(word) and group.get_command(None, "show") is not None:
            return f"{' '.join(group_words)} show {word}? "
        found = command_for(following)
        return f"{found}? " if found else ""
    if following and (noun := group.get_command(None, following)) is not None and _has(noun, word):
        return f"{following} {word}? "
    if word == "show" and (found := command_for(following)):
        return f"{found}? "
    if found := command_for(word):
        return f"{found}? "
    nouns = {name: noun for name in group.list_commands(None) if _has(noun := group.get_command(None, name), "")}
    verb = nearest(word, dict.fromkeys(verb for noun in nouns.values() for verb in noun.list_commands(None)))
    having = [f"{name} {verb}" for name, noun in nouns.items() if verb and _has(noun, verb)]
    return f"{', '.join(having)}? " if having else ""


def _has(group: Any, word: str) -> bool:
    """Whether it is a group, and has a command of that name, if one is named."""
    return hasattr(group, "commands") and (not word or group.get_command(None, word) is not None)


def command_for(word: str) -> str:
    """The command that shows what a pasted id or key is of, without ``erpsync``; empty for any other word."""
    if found := _ID.fullmatch(word):
        letter = (found[1] or "").upper()
        return _OF_LETTER[letter].format(found[2]) if letter in _OF_LETTER else ""
    kind, colon, number = word.partition(":")
    if colon and number and kind:
        from erpsync.domain.kinds import kind_words  # noqa: PLC0415  (only for an error)

        if kind.rpartition("/")[2] in kind_words():
            return f"trace {shlex.quote(word)}"
    return ""


def what_is(word: str) -> str:
    """``E-303`` is an exception: what a pasted word is the name of, with the command that shows it; empty for any other."""
    command = command_for(word)
    if not command:
        return ""
    found = _ID.fullmatch(word)
    return f"that is {_WHAT[(found[1] or '').upper()] if found else 'a key'}: erpsync {command}"
