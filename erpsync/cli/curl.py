"""The last write of a message as a curl command for bash.

Rule: what was sent arrives byte for byte, nothing but printable ASCII is printed, and no secret is read, let alone shown:
where the landscape finds it in a variable of the environment, the shell is told to look there.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from erpsync.cli.classes import once_of
from erpsync.errors import UsageError
from erpsync.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.config.landscape import System
    from erpsync.store.reading.attempts import Attempt
    from erpsync.store.reading.messages import MessageRow
    from erpsync.workbench import Workbench

_REMOVED = "(secret removed)"
_REQUEST = re.compile(r"([A-Z]+) (/.*)", re.DOTALL)
_PLAIN = re.compile(rb"[A-Za-z0-9_./:=@%+,-]+")
_WITH_BODY = ("POST", "PUT", "PATCH")
_LONGEST_WORD = 100_000  # bytes; Linux takes 128 KiB in one argument


@dataclass
class CurlCommand:
    """``text``: the command, on several lines; ``warnings``: what to know before it is run."""

    text: str = ""
    warnings: list[str] = field(default_factory=list)


def curl_command(bench: Workbench, row: MessageRow, attempts: Sequence[Attempt]) -> CurlCommand:
    """The last write of a message; raises UsageError where there was none, or none over HTTP."""
    number, show = row.message_id, f"erpsync messages show {row.message_id}"
    tried = next((one for one in reversed(attempts) if one.what == "write" and one.request), None)
    if tried is None:
        raise UsageError(f"message {number} was not sent yet: there is no request to repeat", hint=show)
    system = bench.landscape.systems.get(row.system)
    found = _REQUEST.fullmatch(tried.request)
    if found is None or (system is not None and system.adapter != "http"):
        what = f"takes {system.adapter}" if system is not None else "is no HTTP system"
        raise UsageError(
            f"message {number} went to {row.system}, which {what}: its try is not one HTTP request",
            hint=f"what was asked, byte for byte: {show} --full -o json",
        )
    command = CurlCommand()
    method, target = found.groups()
    access, replaced = _access(system, command, row.system)
    words = [*_where(system, row.system, method, target), *_headers(tried, method, replaced), *access]
    start = ""
    if b"\0" in tried.body or len(tried.body) > _LONGEST_WORD:  # no word of a shell can hold that
        start = f"printf -- {_printf_format(tried.body)} |\n"
        words.append("--data-binary @-")
    elif tried.body or method in _WITH_BODY:
        words.append(f"--data-raw {shell_word(tried.body)}")
    command.text = start + " \\\n  ".join(words)
    _warn_of_twice(bench, row, tried, command)
    return command


def shell_word(text: str | bytes) -> str:
    """One word of bash that is these bytes: as it is, in quotes, or in ``$'...'`` with every other byte as ``\\xNN``."""
    raw = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    if _PLAIN.fullmatch(raw):
        return raw.decode()
    if all(0x20 <= byte < 0x7F for byte in raw) and b"'" not in raw:
        return f"'{raw.decode()}'"
    return "$'" + "".join(_in_dollar_quotes(byte) for byte in raw) + "'"


def _in_dollar_quotes(byte: int) -> str:
    if byte == 0x5C:
        return "\\\\"
    return f"\\x{byte:02x}" if byte in b"'!" or not 0x20 <= byte < 0x7F else chr(byte)


def _printf_format(raw: bytes) -> str:
    """The same for what a word cannot hold, as the format of ``printf``."""
    twice = {0x25: "%%", 0x5C: "\\\\"}
    plain = (0x20 <= byte < 0x7F and byte != 0x27 for byte in raw)
    parts = (
        twice.get(byte, chr(byte)) if is_plain else f"\\{byte:03o}" for byte, is_plain in zip(raw, plain, strict=True)
    )
    return "'" + "".join(parts) + "'"


def _where(system: System | None, name: str, method: str, target: str) -> list[str]:
    from erpsync.adapters.http.address import address_in, origin_of  # noqa: PLC0415  (looking loads no adapter)

    path = address_in("", target)
    if system is None:
        variable = re.sub(r"[^A-Z0-9]", "_", f"{name.upper()}_URL")
        address = f'"${{{variable}:?the address of {name}, without a path}}"{shell_word(path)}'
    else:
        address = shell_word(address_in(origin_of(system.url), target))
    options = ["--globoff"] if set(path) & set("[]{}") else []
    options += ["--path-as-is"] if "/." in path else []
    return [" ".join(["curl", "-X", method, *options, address])]


def _headers(tried: Attempt, method: str, replaced: str) -> list[str]:
    kept = [(name, value) for name, value in tried.headers if name.lower() != replaced.lower()]
    words = [f"-H {shell_word(f'{name}: {value}')}" for name, value in kept]
    names = {name.lower() for name, _ in kept}
    if (tried.body or method in _WITH_BODY) and "content-type" not in names:
        words.append("-H 'Content-Type:'")  # curl would say that it is a form
    if "accept-encoding" in names:
        words.append("--compressed")
    return words


def _access(system: System | None, command: CurlCommand, name: str) -> tuple[list[str], str]:
    """How the system is told who we are, and the header that says it."""
    auth = _auth(system)
    if auth is None:
        command.warnings.append(f"how {name} is told who calls is not known here: that is left out")
        return [], ""
    kind, header = auth
    if kind == "none":
        return [], ""
    secret = system.secret if system is not None else None
    known = secret is not None and secret.scheme == "env"
    word = f'"${{{secret.name}:?}}"' if secret is not None and known else shell_word(_REMOVED)
    if not known:
        command.warnings.append(f"put the secret of {name} in the place of {_REMOVED}")
    match kind:
        case "basic":
            user = str(system.options.get("user", "")) if system is not None else ""
            return [f"-u {shell_word(f'{user}:') if user else ''}{word}"], "Authorization"
        case "bearer":
            return [f"-H 'Authorization: Bearer '{word}"], "Authorization"
    return [f"-H {shell_word(f'{header}: ')}{word}"], header


def _auth(system: System | None) -> tuple[str, str] | None:
    """The kind and header that a system's spec file names, without all else in it; None where that cannot be read."""
    if system is None or system.spec is None:
        return None
    with suppress(OSError, ValueError):
        told: Any = tomllib.loads(system.spec.read_text(encoding="utf-8")).get("auth", {})
        if isinstance(told, dict):
            return str(told.get("kind", "none")), str(told.get("header", "X-Api-Key"))
    return None


def _warn_of_twice(bench: Workbench, row: MessageRow, tried: Attempt, command: CurlCommand) -> None:
    once = once_of(bench, row.system, row.kind)
    if tried.far_id or once == "idempotent":
        return
    is_so = f"{row.system} is {once} for this kind" if once else f"how {row.system} makes a write once is not known"
    key = safe(row.key, limit=80)
    command.warnings.append(f"{is_so}: running this writes {key} a second time if the first arrived; look there first")
