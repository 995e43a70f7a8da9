"""The command line as it was typed, and what Typer says of what is wrong with it, in our words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from erpsync.domain.nearest import meant

TypedAt = Callable[[], Sequence[str]]
_EXTRA = re.compile(r"got unexpected extra arguments?\(?s?\)? \((.*)\)", re.DOTALL)


def usage_words(error: Exception, typed: TypedAt) -> tuple[str, str]:
    """What a usage error of Typer says, in our words: the message and the hint. ``typed``: the command it came from."""
    context: Any = getattr(error, "ctx", None)
    path = str(context.command_path) if context else " ".join(("erpsync", *typed()))
    name = path.removeprefix("erpsync").strip() or "erpsync"
    every = f"{path} --help"
    text = lowered(str(getattr(error, "message", "") or error))
    if (option := getattr(error, "option_name", None)) and context:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        return f"{name} has no option {option}", f"{meant(str(option), known)}All: {every}"
    if option:
        return f"{name}: {option} needs a value", every
    parameter = getattr(error, "param", None)
    label = getattr(error, "param_hint", None) or (_label(parameter) if parameter is not None else "")
    if type(error).__name__ == "MissingParameter":
        return f"{name} needs {label}", every
    if extra := _EXTRA.fullmatch(text):
        return f"{name} does not take {extra[1]}", every
    if parameter is not None and (wrong := _wrong_value(error)):
        return _value_words(f"{name}: {label}", parameter, wrong, every=every)
    if label:
        return f"{name}: {label}: {text}", every
    return f"{name}: {text}", every


def _wrong_value(error: Exception) -> Mapping[str, Any]:
    """What pydantic, which Typer asks, says of the value: its ``type``, the ``input`` and what it should be."""
    asked = getattr(error.__cause__, "errors", None)
    found: Mapping[str, Any] = next(iter(asked(include_url=False)), {}) if callable(asked) else {}
    return found


def _value_words(what: str, parameter: Any, wrong: Mapping[str, Any], *, every: str) -> tuple[str, str]:
    value, bound = str(wrong.get("input", "")), wrong.get("ctx", {})
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        words = [str(member.value) for member in kind]
        return f"{what} {value} is none of {', '.join(words)}", f"{meant(value, words)}All: {every}"
    match str(wrong.get("type", "")):
        case "int_parsing" | "int_parsing_size" | "int_from_float":
            return f"{what} {value} is no whole number", every
        case "float_parsing":
            return f"{what} {value} is no number", every
        case "greater_than_equal":
            return f"{what} {value} is less than {bound.get('ge')}", every
        case "less_than_equal":
            return f"{what} {value} is more than {bound.get('le'):,}", every
    return f"{what} {value}: {lowered(str(wrong.get('msg', '')))}", every


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
