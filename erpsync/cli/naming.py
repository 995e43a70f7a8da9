"""A key as somebody types it: whole, or a number alone where only one document bears it, ours or a system's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.misplaced import what_is
from erpsync.domain.keys import Key, parse_key
from erpsync.domain.kinds import kind_words, kinds
from erpsync.errors import UsageError
from erpsync.terminal import quoted

if TYPE_CHECKING:
    from erpsync.workbench import Workbench


def key_typed(bench: Workbench, text: str) -> Key:
    """The key that is meant; raises UsageError where there is none, or more than one document is called so."""
    company, number = bench.landscape.company, text.strip()
    if ":" in number or not number:
        return parse_key(text, kinds=kind_words(), company=company)
    from erpsync.store.reading.trace import keys_called  # noqa: PLC0415  (not for help)

    with bench.store.read() as db:
        found = keys_called(db, company, number, kinds=kinds())
    if len(found) > 1:
        raise UsageError(f"{quoted(number, limit=60)} is more than one document", hint=f"one of {', '.join(found)}")
    if not found and (hint := what_is(number)):
        raise UsageError(f"{quoted(number, limit=60)} is no key", hint=hint)
    return parse_key(found[0] if found else text, kinds=kind_words(), company=company)
