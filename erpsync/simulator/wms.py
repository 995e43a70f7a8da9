"""The warehouse: blind. Basic auth, numbered pages, HTTP 200 for everything, local times, a change log by sequence.

No search, no key, no upsert, no version: what is sent twice is kept twice, and only a person can tell.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from erpsync.simulator.far_system import Answer, BadRequest, Call, FarSystem
from erpsync.simulator.fields import Json, Shape, local
from erpsync.simulator.kept import Change, Far
from erpsync.simulator.shapes import Problem
from erpsync.simulator.wms_shapes import WMS

_TOLD = {shape.kind for shape in WMS if shape.feed}
_KIND_OF_WORD = {shape.word: shape.kind for shape in WMS if shape.feed}


class Wms(FarSystem):
    """Every POST makes one more document; the id in its answer is the only handle there is."""

    name = "wms"
    once = "blind"
    prefix = ("wms",)
    shapes = WMS
    strict = False
    secret = "wms-secret"  # noqa: S105  (open to everyone: it guards made-up documents on this machine)
    user = "erpsync"

    def allows(self, headers: Mapping[str, str]) -> bool:
        """User and password."""
        word = base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return headers.get("Authorization") == f"Basic {word}"

    def denial(self) -> Answer:
        """401, told in the body."""
        return _error(401, "invalid username or password")

    def broken(self, status: int) -> Answer:
        """An error of the server, told in the body."""
        return _error(status, f"server error ({status})")

    def throttled(self, retry_after: str) -> Answer:
        """429, told in the body alone."""
        return _error(429, f"request was throttled, expected available in {retry_after} seconds")

    def answer(self, call: Call) -> Answer:
        """Route a call."""
        try:
            return self._route(call)
        except BadRequest as bad:
            return _error(400, f"{bad.field}: {bad}" if bad.field else str(bad))

    def _route(self, call: Call) -> Answer:
        parts = call.parts[1:] if call.parts[:1] == self.prefix else ()
        if parts == ("info",) and call.method == "GET":
            info = {"name": self.name, "timezone": self.zone.key, "time": self._local(self.stamp())}
            return Answer(200, info)
        if parts == ("changes",) and call.method == "GET":
            return self._changes(call)
        shape = self.by_collection.get(parts[0]) if parts else None
        if shape and len(parts) == 1:
            return self._several(shape, call)
        document = self.living(shape.kind, parts[1]) if shape and len(parts) == 2 else None
        return self._one(document, call) if document else _error(404, "not found")

    def _several(self, shape: Shape, call: Call) -> Answer:
        if call.method == "GET":
            return self._list(shape, call)
        if call.method == "POST":
            return self._kept(self.keep_new(shape, call.json, by=f"request {call.no}"))
        return _error(405, "method is not allowed")

    def _one(self, document: Far, call: Call) -> Answer:
        match call.method:
            case "GET":
                return Answer(200, self.full(document))
            case "PUT":
                return self._kept(self.keep_change(document, call.json, partial=False, by=f"request {call.no}"))
            case "DELETE":
                return Answer(200, {"detail": "deleted", "id": document.id}, document=self.take_away(document, call))
        return _error(405, "method is not allowed")

    def full(self, document: Far) -> Json:
        """A document with its id and local times."""
        times = {"createdAt": self._local(document.created_at), "updatedAt": self._local(document.modified_at)}
        return self.overlaid(document, {"id": document.id, **self.shown(document), **times})

    def _local(self, text: str) -> str:
        return local(text, self.zone)

    def _list(self, shape: Shape, call: Call) -> Answer:
        page = call.whole_number("page", 1, least=1, most=10**6)
        per_page = call.whole_number("per_page", 50, least=1, most=500)
        page = 1 if self.stuck else page
        rows = self.kept.all(shape.kind)
        results = [self.full(document) for document in rows[(page - 1) * per_page : page * per_page]]
        pages = max(1, -(-len(rows) // per_page))
        return Answer(200, {"results": results, "page": page, "totalPages": pages, "count": len(rows)})

    def _changes(self, call: Call) -> Answer:
        since = call.whole_number("since", 0, least=0, most=10**9)
        per_page = call.whole_number("per_page", 100, least=1, most=500)
        entity = call.query.get("entity", "")
        kinds = {_KIND_OF_WORD[entity]} if entity in _KIND_OF_WORD else _TOLD
        changes = self.kept.changes
        wanted = [change for change in changes[since:] if change.document.kind in kinds]
        page, more = wanted[:per_page], len(wanted) > per_page
        last = page[-1].seq if more else max(since, len(changes))
        earlier = [change for change in changes[max(0, since - 6) : since] if change.document.kind in kinds]
        results = [self._change(change) for change in self.faults.shuffled(page, earlier[-3:])]
        return Answer(200, {"results": results, "lastSeq": last, "more": more})

    def _change(self, change: Change) -> Json:
        document = change.document
        return {
            "seq": change.seq,
            "entity": self.by_kind[document.kind].word,
            "id": document.id,
            "ref": document.number,
            "action": change.action,
            "at": self._local(document.modified_at),
            "data": None if document.deleted else self.full(document),
        }

    def _kept(self, kept: Far | list[Problem]) -> Answer:
        if isinstance(kept, Far):
            return Answer(200, self.full(kept), document=kept)
        return _error(400, "; ".join(f"{problem.field}: {problem.message}" for problem in kept))


def _error(code: int, detail: str) -> Answer:
    return Answer(200, {"status_code": code, "detail": detail})
