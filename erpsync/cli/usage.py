"""The command line as it was typed, and what Typer says of what is wrong with it, in our words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any


def usage_words(error: Exception) -> tuple[str, str]:
    """What a usage error of Typer says, in our words: the message and the hint."""
    context: Any = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", "erpsync"))
    name = path.removeprefix("erpsync").strip() or "erpsync"
    every = f"{path} --help"
    text = lowered(str(getattr(error, "message", "") or error))
    option = getattr(error, "option_name", None)
    if option and "no such option" in text:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("-")]
        near = get_close_matches(str(option), known, n=1)
        return f"{name} has no option {option}", f"{near[0] + '? ' if near else ''}All: {every}"
    parameter = getattr(error, "param", None)
    label = getattr(error, "param_hint", None) or (_label(parameter) if parameter is not None else "")
    if type(error).__name__ == "MissingParameter":
        return f"{name} needs {label}", every
    if label:
        return f"{name}: {label}: {text}", every
    return f"{name}: {text}", every


def _label(parameter: Any) -> str:
    longest = max(parameter.opts, key=len)
    return str(longest) if longest.startswith("-") else str(parameter.metavar or longest).strip("[].|-").upper()


def lowered(text: str) -> str:
    """``text`` as our errors are written: its first letter small, no full stop."""
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:]


def wants_json(argv: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also when it could not be read to its end."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("-ojson", "--output=json", "-ojsonl", "--output=jsonl"):
            return True
        if word in ("-o", "--output") and following in ("json", "jsonl"):
            return True
    return False


def as_utf8(word: str) -> str:
    """An argument as UTF-8, whatever the locale took it for; what is none stays as visible escapes."""
    return os.fsencode(word).decode("utf-8", errors="backslashreplace") if not word.isascii() else word
