"""The ERP: findable. Bearer token, offset pages, changed-since, real statuses, versions, prices kept to the cent.

A create sent twice is kept twice; our reference can be looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from erpsync.simulator.erp_shapes import ERP
from erpsync.simulator.far_system import Answer, BadRequest, Call, FarSystem
from erpsync.simulator.fields import Json, Shape, stamp
from erpsync.simulator.kept import Far
from erpsync.simulator.shapes import Problem

_LIST_QUERY = {"limit", "offset", "modified_since", "order", "include_deleted"}


class Erp(FarSystem):
    """Nothing here is done once by itself: a create sent twice is kept twice, but our reference can be looked up."""

    name = "erp"
    once = "findable"
    prefix = ("api", "v1")
    shapes = ERP
    secret = "erp-secret"  # noqa: S105  (open to everyone: it guards made-up documents on this machine)

    def allows(self, headers: Mapping[str, str]) -> bool:
        """A bearer token."""
        return headers.get("Authorization") == f"Bearer {self.secret}"

    def denial(self) -> Answer:
        """401, as it says everything."""
        return _error(401, Problem("", "unauthorized", "token is missing or not valid"), {"WWW-Authenticate": "Bearer"})

    def broken(self, status: int) -> Answer:
        """An error of the server."""
        return _error(status, Problem("", "server_error", "something went wrong"))

    def throttled(self, retry_after: str) -> Answer:
        """429."""
        return _error(429, Problem("", "too_many_requests", "too many requests"), {"Retry-After": retry_after})

    def answer(self, call: Call) -> Answer:
        """Route a call."""
        try:
            return self._route(call)
        except BadRequest as bad:
            return _error(400, Problem(bad.field, "bad_request", str(bad)))

    def _route(self, call: Call) -> Answer:
        parts = call.parts[2:] if call.parts[:2] == self.prefix else ()
        if parts == ("ping",) and call.method == "GET":
            return Answer(200, {"status": "ok", "time": self.stamp()})
        shape = self.by_collection.get(parts[0]) if parts else None
        if shape is None or len(parts) > 2:
            return _not_found(call.path)
        if len(parts) == 2:
            document = self.living(shape.kind, parts[1])
            return self._one(document, call) if document else _not_found(call.path)
        if call.method == "GET":
            return self._list(shape, call)
        if call.method != "POST":
            return _NOT_ALLOWED
        kept = self.keep_new(shape, call.json, by=f"request {call.no}")
        return self._kept(kept, 201, {"Location": f"{call.path}/{kept.id}"} if isinstance(kept, Far) else {})

    def _one(self, document: Far, call: Call) -> Answer:
        if call.method == "GET":
            return self._kept(document, 200, {})
        if call.headers.get("If-Match", f'"{document.version}"').strip('"') != str(document.version):
            return _error(412, Problem("version", "version_conflict", "was changed meanwhile", document.version))
        if call.method == "PATCH":
            return self._kept(self.keep_change(document, call.json, partial=True, by=f"request {call.no}"), 200, {})
        if call.method == "DELETE":
            return Answer(204, None, document=self.take_away(document, call))
        return _NOT_ALLOWED

    def full(self, document: Far) -> Json:
        """A record."""
        shape = self.by_kind[document.kind]
        record: Json = {"id": document.id, **self.shown(document), "version": document.version}
        if document.deleted:
            record = {name: record[name] for name in ("id", *shape.number, "version") if name in record}
        elif shape.theirs:
            record[shape.theirs] = f"DOC-{100_000 + document.id}"
        record |= {"deleted": document.deleted, "created_at": document.created_at, "modified_at": document.modified_at}
        return self.overlaid(document, record)

    def _list(self, shape: Shape, call: Call) -> Answer:
        query = call.query
        if unknown := set(query) - _LIST_QUERY - set(shape.number):
            raise BadRequest("is no parameter of this list", field=sorted(unknown)[0])
        limit = call.whole_number("limit", 50, least=1, most=200)
        offset = call.whole_number("offset", 0, least=0, most=10**9)
        deleted = query.get("include_deleted") == "true"
        searched = [query[name] for name in shape.number if name in query]
        if searched and len(searched) < len(shape.number):
            rows = [
                d
                for d in self.kept.all(shape.kind)
                if all(d.fields.get(n) == query[n] for n in shape.number if n in query)
            ]
        elif searched:
            rows = self.found(shape.kind, "@".join(searched))
        elif "modified_since" in query:
            rows = self.kept.since(shape.kind, _moment(query["modified_since"]), deleted=deleted)
        else:
            rows = self.kept.all(shape.kind, deleted=deleted)
        offset = 0 if self.stuck else offset
        page = rows[offset : offset + limit]
        if "modified_since" in query:
            page = self.faults.shuffled(page, rows[max(0, offset - 2) : offset], room=limit - len(page))
        records = [self.full(document) for document in page]
        return Answer(200, {"records": records, "total": len(rows), "limit": limit, "offset": offset})

    def _kept(self, kept: Far | list[Problem], status: int, headers: dict[str, str]) -> Answer:
        if isinstance(kept, list):
            duplicate = any(problem.code == "duplicate" for problem in kept)
            return Answer(409 if duplicate else 422, {"errors": [_told(problem) for problem in kept]})
        return Answer(status, self.full(kept), {**headers, "ETag": f'"{kept.version}"'}, document=kept)


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("is not a time (ISO 8601)", field="modified_since") from None
    if moment.tzinfo is None:
        raise BadRequest("needs an offset or Z", field="modified_since")
    return stamp(moment)


def _told(problem: Problem) -> Json:
    value = problem.value if isinstance(problem.value, str | int | float | None) else str(problem.value)
    return {"field": problem.field or None, "code": problem.code, "value": value, "message": problem.message}


def _error(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"errors": [_told(problem)]}, headers or {})


def _not_found(path: str) -> Answer:
    return _error(404, Problem("", "not_found", f"nothing at {path}"))


_NOT_ALLOWED = _error(405, Problem("", "method_not_allowed", "method is not allowed"))
