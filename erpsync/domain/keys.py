"""Business keys: ``order:SO-1001``, ``stock:SKU-7@WH1``, and ``acme/order:SO-1001`` where companies matter."""

from __future__ import annotations

from dataclasses import dataclass

from erpsync.domain.nearest import meant
from erpsync.errors import UsageError

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Key:
    """What a document is called by people: its kind and number, in one company."""

    kind: str
    number: str
    company: str = MAIN

    def __str__(self) -> str:
        short = f"{self.kind}:{self.number}"
        return short if self.company == MAIN else f"{self.company}/{short}"


def parse_key(text: str, *, kinds: dict[str, str], company: str = MAIN) -> Key:
    """The key in ``text``; ``kinds`` maps every accepted word (singular and plural) to the kind's name.

    Raises UsageError when there is no kind in front, or none of ours.
    """
    head, colon, number = text.strip().partition(":")
    if not colon or not number:
        raise UsageError(f"{text!r} is no key", hint="a key is KIND:NUMBER, like order:SO-1001")
    if "/" in head:
        company, _, head = head.partition("/")
    kind = kinds.get(head)
    if kind is None:
        known = ", ".join(sorted(set(kinds.values())))
        raise UsageError(f"{head!r} is no kind of document", hint=f"{meant(head, kinds)}Kinds: {known}")
    return Key(kind, number, company)
