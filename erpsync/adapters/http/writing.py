"""One write: the request from an item, ready to go; and a receipt from what came back.

Preparing does no input or output and gives the same bytes for the same item. A write counts as done when the answer
says so in a way that can be read, and says what the system calls the document. What was to be deleted and is not there counts
as done: that is what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from erpsync.adapters.http.answers import Judged
from erpsync.adapters.http.expressions import Expression, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.mapping import Mapping
from erpsync.adapters.http.spec import KindSpec, Write
from erpsync.adapters.http.templates import (
    Body,
    compile_body,
    compile_headers,
    compile_target,
    content,
    named_places,
)
from erpsync.adapters.http.transport import Answer
from erpsync.adapters.protocol import Evidence, Item, Prepared, Receipt, Writes
from erpsync.domain.flat import LINES, field_group
from erpsync.errors import OutcomeUnknown, Refused, Unmappable

Act = Literal["create", "update", "remove"]


class _Compiled:
    """One of the three requests of a kind."""

    def __init__(self, spec: Write, body: Any, words: Words, headers: Map[str, str], *, base: str) -> None:
        self.spec = spec
        self.target = compile_target(spec.path, spec.query, base=base)
        wanted = {**headers, **({"Content-Type": "application/json"} if body is not None else {}), **spec.headers}
        self.headers = compile_headers(wanted)
        self.body: Body | None = None if body is None else compile_body(body, words, whole=spec.whole)
        self.only_changes = (spec.send or ("changed" if spec.method == "PATCH" else "all")) == "changed"
        self.item = compile_expression(spec.answer.item, words)
        self.far_id = _maybe(spec.answer.far_id, words)
        self.revision = _maybe(spec.answer.revision, words)
        self.outcome = _maybe(spec.answer.outcome, words)

    @property
    def fields(self) -> frozenset[str] | None:
        """The canonical fields it carries, None for all."""
        texts = [self.spec.path, *map(str, self.spec.query.values()), *self.spec.headers.values()]
        named = {place[4:] for text in texts for place in named_places(text) if place.startswith("doc.")}
        if self.body is None:
            return frozenset(named)
        return None if self.body.fields is None else self.body.fields | named


class _Places(dict[str, str]):
    """The places of a write; ``doc.x`` is a field of the document."""

    def __init__(self, fixed: Map[str, str], document: Map[str, Any]) -> None:
        super().__init__(fixed)
        self._document = document

    def __missing__(self, name: str) -> str:
        value = self._document.get(name.removeprefix("doc."))
        return "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)


@dataclass
class Writer:
    """Writes one kind."""

    system: str
    spec: KindSpec
    mapping: Mapping
    words: Words
    headers: Map[str, str]
    options: Map[str, str]
    base: str
    decimals_as_text: bool

    def __post_init__(self) -> None:
        given = {"create": self.spec.create, "update": self.spec.update, "remove": self.spec.remove}
        self._acts = {
            name: _Compiled(write, self._body(write, name), self.words, self.headers, base=self.base)
            for name, write in given.items()
            if write
        }
        self._upsert = bool(self.spec.write and self.spec.write.upsert)

    def capability(self) -> Writes | None:
        """How this kind can be written; None when it cannot."""
        writing = self.spec.write
        if writing is None:
            return None
        carried: frozenset[str] | None = frozenset()
        for name in ("create", "update"):
            if (act := self._acts.get(name)) is not None:
                carried = None if carried is None or act.fields is None else carried | act.fields
        return Writes(
            once=writing.once,
            fields=carried,
            finds=self.spec.find is not None,
            key_life=writing.key_life,
            upsert=writing.upsert,
            removes=self.spec.remove is not None,
        )

    def prepare(self, item: Item) -> Prepared:
        """The request for an item; raises Unmappable or ParentMissing."""
        act = self._act_for(item)
        document = content(item.document, decimals_as_text=self.decimals_as_text)
        fixed = {
            **self.options,
            "number": item.number,
            "key": item.key,
            "once_key": item.once_key,
            "far_id": item.far_id,
            "far_revision": item.far_revision,
        }
        places = _Places(fixed, document)
        changed = {field_group(path) for path in item.changed} if act.only_changes and item.far_id else None
        body = b""
        try:
            target, headers = act.target(places), act.headers(places)
            if act.body is not None:
                beside = {**fixed, "ids": item.ids, "doc": document}
                body = act.body.text(document, beside, changed).encode()
        except ValueError as error:
            text = f"{item.key} cannot be put into the words of system {self.system}: {error}"
            raise Unmappable(
                text, field=self._culprit(act, document, item), hint="mend the value, or the spec file"
            ) from None
        request = f"{act.spec.method} {target}"
        return Prepared(item.kind, item.number, request, headers, body, item.far_id, item.once_key, item.far_revision)

    def act_of(self, prepared: Prepared) -> Act:
        """Which of the three requests was prepared."""
        method, _, _ = prepared.request.partition(" ")
        if not prepared.far_id and "create" in self._acts:
            return "create"
        update, remove = self._acts.get("update"), self._acts.get("remove")
        if remove is not None and remove.spec.method == method and not prepared.body:
            return "remove"
        if remove is not None and remove.spec.method == method and (update is None or update.spec.method != method):
            return "remove"
        if update is not None and (update.spec.method == method or not self._upsert):
            return "update"
        return "create"

    def receipt(self, prepared: Prepared, answer: Answer, judged: Judged, evidence: Evidence) -> tuple[Receipt, bool]:
        """The receipt, and whether what the document now holds must still be read."""
        name = self.act_of(prepared)
        act = self._acts[name]
        if name == "remove" and judged.gone and (judged.error is None or act.spec.method == "DELETE"):
            return Receipt("unchanged", prepared.far_id, number=prepared.number, evidence=evidence), False
        if judged.error is not None:
            return Receipt(number=prepared.number, far_id=prepared.far_id, evidence=evidence, error=judged.error), False
        if name == "remove":
            return Receipt("updated", prepared.far_id, number=prepared.number, evidence=evidence), False
        if judged.gone:
            error = Refused(f"{prepared.kind}:{prepared.number} is gone from system {self.system}", code="gone")
            return Receipt(number=prepared.number, far_id=prepared.far_id, evidence=evidence, error=error), False
        item = _find(act.item, judged.value)
        far_id = self._far_id(act, answer, judged.value, item) or prepared.far_id
        if not far_id and self.spec.far_id is None:
            far_id = prepared.number
        if wrong := self._doubt(act, prepared, far_id, item):
            text = f"system {self.system} answered {answer.status} {wrong}"
            error_ = OutcomeUnknown(text, code="unreadable_answer", hint="it is settled by asking, or by a person")
            return Receipt(number=prepared.number, far_id=prepared.far_id, evidence=evidence, error=error_), False
        holds, number = self.mapping.holds(item) if act.spec.answer.full else (None, "")
        revision = self.mapping.revision_of(_find(act.revision, judged.value)) if act.revision else None
        receipt = Receipt(
            *(self._outcome(act, name, answer, judged.value), far_id, revision or self.mapping.revision(item), holds),
            *(number or prepared.number, evidence),
        )
        return receipt, holds is None

    def _body(self, write: Write, name: str) -> Any:
        return self.spec.body if write.body is None and name != "remove" else write.body

    def _act_for(self, item: Item) -> _Compiled:
        name: Act = "remove" if item.removed else "update" if item.far_id else "create"
        if name == "update" and name not in self._acts and self._upsert:
            name = "create"
        if (act := self._acts.get(name)) is None:
            what = {"create": "created", "update": "changed", "remove": "removed"}[name]
            text = f"{item.key} cannot be {what} in system {self.system}: its spec has no [kinds.{item.kind}.{name}]"
            raise Unmappable(text, code=f"no_{name}")
        return act

    def _culprit(self, act: _Compiled, document: Map[str, Any], item: Item) -> str:
        """The field that cannot be written, found by trying each by itself."""
        if act.body is None:
            return ""
        beside = {
            "ids": item.ids,
            "doc": document,
            "number": item.number,
            "once_key": "",
            "far_id": "",
            "far_revision": "",
        }
        for name in document:
            try:
                act.body.text(document, beside, {name})
            except ValueError:
                return name if name != LINES else LINES
        return ""

    def _far_id(self, act: _Compiled, answer: Answer, value: Any, item: Any) -> str:
        if act.far_id is not None:
            return _word(_find(act.far_id, value))
        if found := self.mapping.far_id(item):
            return found
        if act.spec.answer.location and (
            found_at := re.search(r"([^/?#]+)/?(?:[?#].*)?$", answer.headers.get("location", ""))
        ):
            return found_at[1]
        return ""

    def _doubt(self, act: _Compiled, prepared: Prepared, far_id: str, item: Any) -> str:
        if not far_id:
            return "without saying what it calls the document"
        if prepared.far_id and far_id != prepared.far_id:
            return "with another document than the one that was written"
        return "without the document" if act.spec.answer.full and not isinstance(item, dict) else ""

    def _outcome(self, act: _Compiled, name: Act, answer: Answer, value: Any) -> str:
        said = _find(act.outcome, value) if act.outcome else None
        if said in ("created", "updated", "unchanged"):
            return str(said)
        if name == "create" and not (self._upsert and answer.status == 200):
            return "created"
        return "updated"


def _maybe(text: str | None, words: Words) -> Expression | None:
    return compile_expression(text, words) if text is not None else None


def _find(expression: Expression, value: Any) -> Any:
    try:
        return expression.of(value)
    except ValueError:
        return None


def _word(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else ""
    )
