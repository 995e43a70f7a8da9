"""Evidence on the screen: tries with what was asked and answered, contents, fields. Every byte of it is foreign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from erpsync.cli.output import room, utc
from erpsync.cli.tables import wrapped
from erpsync.terminal import Clock, head, padded, plural, safe, took, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from erpsync.domain.flat import Scalar
    from erpsync.store.reading.attempts import Attempt
    from erpsync.store.reading.letters import Change

BOUND = 400
_FEWEST = 10
_SECRET = "(secret removed)"  # noqa: S105  (what stands in a secret's place)
_VALUE = 60  # of a field's value, unless all of it is asked for
_NAME = 40
_AMOUNTS = ("total", "freight")
_WORKER_LOST = ("worker_lost", "poison")


def tries(attempts: Sequence[Attempt], system: str, times: Clock, *, full: bool, known: str = "") -> list[str]:
    """``what erp was asked, and what it said``, a try after the other; an error that is ``known`` is not told again."""
    if not attempts:
        return [f"{safe(system)} was not asked yet"]
    lines = [f"what {safe(system)} was asked, and what it said"]
    for attempt in attempts:
        noun = "try" if attempt.what == "write" else attempt.what
        start = f"  {noun} {attempt.try_no}  {times.exact(attempt.at)}  "
        lines += wrapped(_summary(attempt), room=room(), first=start, then="    ", whole_words=False)
        if attempt.error and attempt.error != known:
            error = safe(attempt.error, limit=None if full else 200)
            lines += wrapped(error, room=room(), first="    ! ", then="      ", whole_words=False)
        lines += [f"    > {safe(name)}: {safe(value, limit=None if full else 200)}" for name, value in attempt.headers]
        lines += content(attempt.body, mark="    > ", full=full)
        lines += content(attempt.answer, mark="    < ", full=full, cut_before=bool(attempt.answer_cut))
    return lines


def _summary(attempt: Attempt) -> str:
    said = str(attempt.status) if attempt.status is not None else ""
    outcome = safe(_lost(attempt) if attempt.outcome in _WORKER_LOST else attempt.outcome or "under way")
    answer = " ".join(
        part for part in (said, f"in {took(attempt.seconds)}" if attempt.seconds is not None else "") if part
    )
    request = safe(attempt.request, limit=200)
    return "  ".join(part for part in (request, answer, outcome) if part)


def _lost(attempt: Attempt) -> str:
    """Who died of it, or stood still with it in hand: where to look for why."""
    when = "an answer came" if attempt.request else "anything was sent"
    return f"{attempt.worker or 'the worker'} was lost before {when}"


def content(raw: bytes, *, mark: str, full: bool, cut_before: bool = False) -> list[str]:
    """Bytes as lines, safe, cut at the bound unless ``full``; says how much there was."""
    if not raw:
        return []
    text = raw.decode("utf-8", errors="backslashreplace")
    if full:
        lines = [piece for line in text.splitlines() or [""] for piece in _folded(safe(line), len(mark))]
    else:
        lines = _folded(safe(" ".join(text[: BOUND * 4].split())[:BOUND]), len(mark))
        if len(text) > BOUND:
            lines[-1] += f" ... {plural(len(raw), 'byte')}"
    if cut_before:
        lines[-1] += " ... (more was answered than is kept)"
    return [mark + line for line in lines]


def _folded(text: str, indent: int) -> list[str]:
    columns = room()
    if columns is None:
        return [text]
    columns = max(columns - indent, _FEWEST)
    lines = []
    while width(text) > columns:
        first = head(text, columns)
        lines.append(first)
        text = text[len(first) :]
    return [*lines, text]


def currency_of(flat: Mapping[str, Scalar]) -> str:
    """The currency in whose minor units the amounts of a flat form are (as ``flatten`` counts them)."""
    return str(flat.get("currency") or "USD")


def fields(flat: Mapping[str, Scalar], currency: str, *, full: bool = False) -> list[str]:
    """A flat document, a field a line, in numbers as people write them; long texts are cut unless ``full``."""
    names = {name: safe(name, limit=None if full else _NAME) for name in flat}
    column = min(max(map(width, names.values()), default=0), 32)
    lines = []
    for name, value in _in_order(flat):
        start = f"  {padded(names[name], column)}  "
        text = value_text(name, value, currency, full=full)
        lines += wrapped(text, room=room(), first=start, then=" " * (column + 4), whole_words=False)
    return lines


def _in_order(flat: Mapping[str, Scalar]) -> list[tuple[str, Scalar]]:
    from erpsync.store.reading.letters import field_order  # noqa: PLC0415  (not for help)

    return sorted(flat.items(), key=lambda pair: field_order(pair[0]))


def changes(found: Iterable[Change], currency: str) -> list[str]:
    """What would change, a field a line: ``+`` is new there, ``~`` is different."""
    rows = list(found)
    if not rows:
        return []
    column = min(max(len(safe(row.field)) for row in rows), 32)
    lines = []
    for row in rows:
        after = value_text(row.field, row.after, currency)
        told = after if row.before is None else f"{value_text(row.field, row.before, currency)} -> {after}"
        lines.append(
            f"  {'+' if row.before is None else '~'} {safe(row.field):<{column}}  {told}{'   refused here' if row.refused else ''}"
        )
    return lines


def value_text(path: str, value: Scalar, currency: str, *, full: bool = False) -> str:
    """One value of a flat form as people write it: numbers as decimals, text quoted only where it must be cut."""
    plain = exact(path, value, currency)
    if plain is None:
        return "empty"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    return safe(plain, limit=None if full else _VALUE)


def exact_fields(flat: Mapping[str, Scalar], currency: str) -> dict[str, str | bool | None]:
    """A flat document for JSON: decimals as text."""
    return {name: exact(name, value, currency) for name, value in flat.items()}


def exact(path: str, value: Scalar, currency: str) -> str | bool | None:
    """One value of a flat form for JSON: decimals as text."""
    from erpsync.domain.values import from_millionths, from_minor_units  # noqa: PLC0415  (not for help)

    name = path.rpartition(".")[2]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if name in _AMOUNTS:
            return format(from_minor_units(value, currency), "f")
        return format(from_millionths(value), "f")
    return value


def attempt_item(attempt: Attempt) -> dict[str, object]:
    """A try in JSON; contents that are JSON stay text, exact."""
    return {
        "try": attempt.try_no,
        "what": attempt.what,
        "at": utc(attempt.at),
        "outcome": attempt.outcome or None,
        "request": attempt.request or None,
        "headers": [{"name": name, "value": value} for name, value in attempt.headers],
        "body": text_of(attempt.body),
        "status": attempt.status,
        "seconds": None if attempt.seconds is None else f"{attempt.seconds:.3f}",
        "answer": text_of(attempt.answer),
        "answer_cut": bool(attempt.answer_cut),
        "error": attempt.error or None,
        "worker": attempt.worker or None,
        "far_id": attempt.far_id or None,
        "once_key": attempt.once_key or None,
    }


def text_of(raw: bytes | None) -> str | None:
    """Bytes as text, what is no UTF-8 as escapes; None when there are none."""
    return raw.decode("utf-8", errors="backslashreplace") if raw else None


def flat_of(raw: bytes | None) -> dict[str, Scalar] | None:
    """The flat form that was kept as these bytes; None where there is none."""
    try:
        found = json.loads(raw or b"null")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
