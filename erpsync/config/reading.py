"""Reads the landscape file: found, read, checked, and every mistake with its line.

One rule: what comes out has been checked whole; what does not pass is a LandscapeError that says where it stands.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erpsync.config.checking import build
from erpsync.config.landscape import Landscape
from erpsync.config.tables import NOT_BUILT, Mistake
from erpsync.errors import LandscapeError, UsageError

if TYPE_CHECKING:
    from erpsync.config.places import Path as Where
    from erpsync.config.places import Place

FILE = "erpsync.toml"
VARIABLE = "ERPSYNC_LANDSCAPE"
_LARGEST = 4 * 1024 * 1024
_DEEP_KEY = re.compile(
    r"(?:\.[ \t]*[\w\"'-]+[ \t]*){64}", re.ASCII
)  # tomllib's time grows with the square of a key's parts
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def find_landscape(given: str | None, *, environ: Mapping[str, str], folder: Path) -> Path:
    """The landscape file: as given, else ERPSYNC_LANDSCAPE, else erpsync.toml in ``folder`` or one above it.

    Raises UsageError when none is named and none is found; whether a named one can be read, ``read_landscape`` says.
    """
    named = given or environ.get(VARIABLE)
    if named:
        return folder / named
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
    raise UsageError(
        f"there is no {FILE} here or in a folder above", hint="erpsync init; or name one: --landscape FILE"
    )


def read_landscape(file: Path, *, environ: Mapping[str, str]) -> Landscape:
    """The landscape, checked. Raises its first mistake as LandscapeError, in the file's order."""
    landscape, mistakes = _read(file, environ)
    if not mistakes:
        return landscape
    first = mistakes[0]
    if len(mistakes) > 1:
        hint = f"{first.nearest}? " if first.nearest else f"{first.hint}. " if first.hint else ""
        first.hint = f"{hint}All mistakes: erpsync check"
    raise first


def all_mistakes(file: Path, *, environ: Mapping[str, str]) -> list[LandscapeError]:
    """Every mistake, in the file's order; none when the file is good."""
    try:
        return _read(file, environ)[1]
    except LandscapeError as error:
        return [error]


def place_of(file: Path, path: Where) -> tuple[int, int]:
    """Line and column where the value at ``path`` stands: ``("systems", "erp", "options", "folder")``.

    What is not written has the place of the innermost table around it. Raises LandscapeError where there is no file.
    """
    from erpsync.config.places import nearest_place  # noqa: PLC0415  (a good file needs no line numbers)

    return nearest_place(places_of(file), path).value


def places_of(file: Path) -> dict[Where, Place]:
    """Where everything that is written stands in the file. Raises LandscapeError where there is none that can be read."""
    from erpsync.config.places import places  # noqa: PLC0415  (as above)

    return places(_text(file, _content(file)))


def placed(error: LandscapeError, file: Path) -> LandscapeError:
    """A mistake that an adapter found in its options (``error.where``), with the line and column where it stands."""
    if error.file is None and error.where:
        from erpsync.config.places import nearest_place  # noqa: PLC0415  (as above)

        found = places_of(file)
        names = {".".join(str(part) for part in path): path for path in found}
        words = error.where.split(".")
        known = (names[name] for end in range(len(words), 0, -1) if (name := ".".join(words[:end])) in names)
        error.file = file
        error.line, error.column = nearest_place(found, next(known, ())).value
    return error


def _read(file: Path, environ: Mapping[str, str]) -> tuple[Landscape, list[LandscapeError]]:
    file = file.absolute()
    content = _content(file)
    text = _text(file, content)
    document = _parsed(file, text)
    landscape, mistakes = build(document, file=file, environ=environ)
    if mistakes:
        from erpsync.config.places import nearest_place, places  # noqa: PLC0415  (a good file needs no line numbers)

        found = places(text)
        errors = [_error(mistake, file, document, nearest_place(found, mistake.path)) for mistake in mistakes]
        return landscape, sorted(errors, key=lambda error: (error.line, error.column))
    return replace(landscape, digest=_digest(content, landscape)), []


def _content(file: Path) -> bytes:
    try:
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "is no regular file" if file.exists() else "does not exist"
            raise LandscapeError(
                f"landscape file {file} {what}", hint="erpsync init writes one; --landscape names one", file=file
            )
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise LandscapeError(f"landscape file {file} cannot be read: {why}", file=file) from None
    if len(content) > _LARGEST:
        raise LandscapeError(f"landscape file {file} is larger than {_LARGEST // 2**20} MiB", file=file)
    return content


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        text = "a character is not UTF-8"
        line = before.count(b"\n") + 1
        raise LandscapeError(
            text, hint="save the file as UTF-8", file=file, line=line, column=column, text=text
        ) from None


def _parsed(file: Path, text: str) -> dict[str, Any]:
    if deep := _DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise LandscapeError("a key has more than 64 parts", file=file, line=line, text="a key has more than 64 parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _AT.search(message)
        said = _AT.sub("", message)
        said = f"not TOML: {said[:1].lower()}{said[1:]}"
        lines = text.count("\n") + 1
        line, column = (int(match[1]), int(match[2])) if match and match[1] else (lines, len(text) - text.rfind("\n"))
        raise LandscapeError(said, file=file, line=line, column=column, text=said) from None
    except RecursionError:
        raise LandscapeError("not TOML: nested too deep", file=file, text="nested too deep") from None


def _digest(content: bytes, landscape: Landscape) -> str:
    digest = hashlib.sha256(content)
    for _, system in sorted(landscape.systems.items()):
        if system.spec is not None:
            try:
                content = system.spec.read_bytes()
            except OSError as error:
                why = (error.strerror or "error").lower()
                raise LandscapeError(f"spec file {system.spec} cannot be read: {why}", file=landscape.file) from None
            digest.update(b"\0" + system.name.encode() + b"\0" + content)
    return digest.hexdigest()[:16]


def _error(mistake: Mistake, file: Path, document: Mapping[str, Any], place: Place) -> LandscapeError:
    line, column = place.key if mistake.on_key else place.value
    subject, where, rest = _names(mistake.path, document)
    if mistake.text == NOT_BUILT:
        value = "" if mistake.found is None else f" = {_shown(mistake.found)}"
        message = f"{where}{value} {NOT_BUILT}"
    else:
        value = "" if mistake.found is None or not rest else f" = {_shown(mistake.found)}"
        said = mistake.text if mistake.on_key or not rest else f"{rest}{value}: {mistake.text}"
        if mistake.on_key and mistake.text == "no such key":
            said = f"{rest}: {mistake.text}"
        message = f"{subject}: {said}" if subject else said
    return LandscapeError(
        message,
        hint=mistake.hint,
        file=file,
        line=line,
        column=column,
        where=where,
        found=None if mistake.found is None else str(mistake.found),
        nearest=mistake.nearest,
        valid=mistake.valid,
        text=mistake.text,
    )


def _names(path: Where, document: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a mistake is about: ``flows "shipments"``, ``flows.shipments.from`` and ``from``."""
    names = [str(part) for part in path]
    if len(path) > 1 and path[0] == "flows":
        flow = document["flows"][path[1]]
        name = flow.get("name") if isinstance(flow, dict) else None
        names[1] = name if isinstance(name, str) and name else str(int(path[1]) + 1)
    words = [name for name, part in zip(names[2:], path[2:], strict=True) if isinstance(part, str)]
    where = ".".join([*names[:2], *words])
    if len(path) > 1 and path[0] in ("flows", "systems"):
        return f'{names[0]} "{names[1]}"', where, ".".join(words)
    if len(path) > 1:
        return names[0], where, ".".join([names[1], *words])
    return "", where, where


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    cut = text if len(text) <= 60 else f"{text[:57]}..."
    return f'"{cut}"' if isinstance(value, str) else cut
