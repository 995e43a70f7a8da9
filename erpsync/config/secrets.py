"""Secrets, fetched when they are needed. One rule: what is read here is returned to the caller and kept nowhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from erpsync.config.landscape import SecretRef
from erpsync.errors import UsageError

_LONGEST = 64 * 1024


def reveal(ref: SecretRef, *, environ: Mapping[str, str]) -> str:
    """The secret itself. Raises UsageError when it is not there, empty, of several lines, or readable by others."""
    return _from_environment(ref.name, environ) if ref.scheme == "env" else _from_file(ref.name)


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    secret = environ.get(name)
    if not secret:
        state = "is not set" if secret is None else "is empty"
        raise UsageError(f"environment variable {name}, which holds a secret, {state}", hint=f"export {name}=...")
    return _checked(secret, f"environment variable {name}", hint=f"export {name}=...")


def _from_file(name: str) -> str:
    subject = f"secret file {name}"
    try:
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise UsageError(f"{subject} does not exist", hint="write the secret into it, then: chmod 600 FILE") from None
    except OSError as error:
        raise UsageError(f"{subject} cannot be read: {(error.strerror or 'error').lower()}") from None
    try:
        _refuse_open_to_others(os.fstat(handle).st_mode, subject, name)
        content = os.read(handle, _LONGEST + 1)
    except OSError as error:
        raise UsageError(f"{subject} cannot be read: {(error.strerror or 'error').lower()}") from None
    finally:
        os.close(handle)
    if len(content) > _LONGEST:
        raise UsageError(f"{subject} is too long for a secret", hint="at most 64 KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{subject} is no text (UTF-8)") from None
    return _checked(text.removesuffix("\n").removesuffix("\r"), subject, hint="the secret alone, on one line")


def _refuse_open_to_others(mode: int, subject: str, name: str) -> None:
    if not stat.S_ISREG(mode):
        raise UsageError(f"{subject} is no regular file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{subject} is open to others (mode {stat.S_IMODE(mode):04o})", hint=f"chmod 600 {name}")


def _checked(secret: str, subject: str, *, hint: str) -> str:
    if not secret:
        raise UsageError(f"{subject} is empty", hint=hint)
    if any(char in "\r\n\0" for char in secret):
        raise UsageError(f"{subject} holds more than one line", hint=hint)
    return secret
