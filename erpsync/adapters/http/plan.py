"""What is compiled of one kind before the first request: its requests, its walks, its mapping, its judge and writer."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from erpsync.adapters.http.answers import Judge
from erpsync.adapters.http.expressions import Expression, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.mapping import Facts, Mapping
from erpsync.adapters.http.paging import Walk
from erpsync.adapters.http.spec import KindSpec, Reading, Request
from erpsync.adapters.http.templates import compile_body, compile_headers, compile_target
from erpsync.adapters.http.writing import Writer

ALWAYS = {"Accept": "application/json", "Accept-Encoding": "gzip"}


class Asked:
    """A compiled request that reads."""

    def __init__(self, request: Request, words: Words, headers: Map[str, str], *, base: str) -> None:
        self.method = request.method
        self.target = compile_target(request.path, request.query, base=base)
        json = {"Content-Type": "application/json"} if request.body is not None else {}
        self.headers = compile_headers({**headers, **json, **request.headers})
        self.body = None if request.body is None else compile_body(request.body, words)


@dataclass
class KindPlan:
    """One kind, ready. ``entries``: how the items of a reading say what is true of them, where they wrap documents."""

    spec: KindSpec
    mapping: Mapping
    judge: Judge
    writer: Writer
    walks: Map[str, Walk]
    words: Words
    headers: Map[str, str]
    base: str
    readings: dict[str, Asked] = field(default_factory=dict, init=False)
    entries: dict[str, Facts | None] = field(default_factory=dict, init=False)
    one: Asked | None = field(default=None, init=False)
    one_item: Expression | None = field(default=None, init=False)
    find_parts: re.Pattern[str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        for name, reading in readings_of(self.spec).items():
            self.readings[name] = Asked(reading, self.words, self.headers, base=self.base)
            self.entries[name] = self.mapping.entry_facts(reading, self.words)
        if self.spec.one:
            self.one = Asked(self.spec.one, self.words, self.headers, base=self.base)
            self.one_item = compile_expression(self.spec.one.item, self.words)
        if self.spec.find and self.spec.find.parts:
            self.find_parts = re.compile(self.spec.find.parts)

    @property
    def entry(self) -> Facts | None:
        """How an entry of the kind's change feed speaks; None where changes are plain documents."""
        return self.entries.get("changes")

    def find_places(self, number: str) -> dict[str, str] | None:
        """The places of a find request; None for a number that is not of this kind's form."""
        if self.find_parts is None:
            return {"number": number}
        parts = self.find_parts.fullmatch(number)
        return None if parts is None else {"number": number, **{n: v or "" for n, v in parts.groupdict().items()}}


def readings_of(spec: KindSpec) -> dict[str, Reading]:
    """The requests for many documents that a kind has, by name."""
    given: dict[str, Reading | None] = {"changes": spec.changes, "scan": spec.scan}
    if spec.find:
        given |= {"by_reference": spec.find.by_reference, "by_natural_key": spec.find.by_natural_key}
    return {name: reading for name, reading in given.items() if reading is not None}
