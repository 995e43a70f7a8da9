"""The shop: idempotent. API key, opaque cursors, a feed of events, business errors inside HTTP 200.

A write under an ``Idempotency-Key`` is done once; the same bytes under it get the same answer, a refusal too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from erpsync.simulator.far_system import Answer, BadRequest, Call, FarSystem
from erpsync.simulator.fields import Json, Shape, stamp
from erpsync.simulator.kept import Change, Far
from erpsync.simulator.shapes import Problem, at
from erpsync.simulator.shop_shapes import SHOP

_PREFIX = {"item": "prd_", "customer": "cus_", "order": "ord_", "stock": "inv_"}
_KIND_OF_WORD = {shape.word: shape.kind for shape in SHOP}


class Shop(FarSystem):
    """Same key, same bytes: the same answer. Levels are upserted by SKU and location besides."""

    name = "shop"
    once = "idempotent"
    prefix = ("v1",)
    shapes = SHOP
    secret = "shop-secret"  # noqa: S105  (open to everyone: it guards made-up documents on this machine)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._under_way: set[str] = set()

    def allows(self, headers: Mapping[str, str]) -> bool:
        """An API key."""
        return headers.get("X-Api-Key") == self.secret

    def denial(self) -> Answer:
        """401."""
        return _error(401, "UNAUTHENTICATED", "the API key is missing or not valid")

    def broken(self, status: int) -> Answer:
        """An error of the server."""
        return _error(status, "INTERNAL", "internal error")

    def throttled(self, retry_after: str) -> Answer:
        """429."""
        return _error(429, "RATE_LIMITED", "too many requests", headers={"Retry-After": retry_after})

    def rate_headers(self, remaining: int) -> dict[str, str]:
        """Limit, what is left of it, and when it is full again (seconds)."""
        if remaining < 0:
            return {}
        limit = {"X-RateLimit-Limit": f"{self.faults.rules['rate']:g}", "X-RateLimit-Remaining": str(remaining)}
        return {**limit, "X-RateLimit-Reset": "1"}

    def shown_id(self, kind: str, far_id: int) -> Any:
        """A prefixed text: ``prd_000017``."""
        return f"{_PREFIX[kind]}{far_id:06d}"

    def id_in(self, kind: str, shown: Any) -> int:
        """The number behind the kind's prefix."""
        text = str(shown).removeprefix(_PREFIX[kind])
        return int(text) if text != str(shown) and text.isascii() and text.isdigit() and len(text) < 10 else 0

    def begin(self, call: Call) -> Answer | None:
        """The answer kept under the key, or why there is none to be had; None goes on."""
        key = call.headers.get("Idempotency-Key", "")
        if not key:
            return None
        if key in self._under_way:
            return _error(409, "IDEMPOTENCY_IN_PROGRESS", "a request with this key is under way")
        known = self.kept.answers.get(key)
        life = timedelta(seconds=self.faults.rules["key_life"])
        if known and datetime.fromisoformat(known["at"]) + life > self.now():
            if known["fingerprint"] != _fingerprint(call):
                return _error(422, "IDEMPOTENCY_KEY_REUSED", "the key was used for another request")
            return Answer(known["status"], known["body"], {"Idempotent-Replayed": "true"}, replayed=True)
        self._under_way.add(key)
        return None

    def end(self, call: Call, answer: Answer | None) -> None:
        """Keep the answer under the key, whatever it says; none when the request never took effect."""
        key = call.headers.get("Idempotency-Key", "")
        self._under_way.discard(key)
        if key and answer:
            kept = {"at": self.stamp(), "fingerprint": _fingerprint(call), "status": answer.status, "body": answer.body}
            self.kept.remember(key, kept)

    def answer(self, call: Call) -> Answer:
        """Route a call."""
        try:
            return self._route(call)
        except BadRequest as bad:
            return _error(400, "BAD_REQUEST", str(bad), field=bad.field)

    def _route(self, call: Call) -> Answer:
        parts = call.parts[1:] if call.parts[:1] == self.prefix else ()
        if parts == ("shop",) and call.method == "GET":
            return _good({"name": self.name, "currency": "USD", "time": self.stamp()})
        if parts == ("events",) and call.method == "GET":
            return self._events(call)
        shape = self.by_collection.get(parts[0]) if parts else None
        if shape is None:
            return _error(404, "NOT_FOUND", f"nothing at {call.path}")
        match (call.method, len(parts)):
            case ("GET", 1):
                answer = self._list(shape, call)
            case ("POST", 1):
                answer = self._create(shape, call.json, call)
            case ("PUT", 3) if shape.kind == "stock":
                answer = self._create(shape, {**_object(call.json), "sku": parts[1], "location": parts[2]}, call)
            case ("GET" | "PATCH" | "DELETE", 2):
                answer = self._one(shape, call, parts[1])
            case _:
                answer = _error(405, "METHOD_NOT_ALLOWED", "method is not allowed")
        return answer

    def _create(self, shape: Shape, body: Any, call: Call) -> Answer:
        """A new document; a level that is there already is set instead."""
        same = self.kept.by_number(shape.kind, self.subject(call)[1]) if shape.kind == "stock" else []
        if same:
            return self._kept(self.keep_change(same[0], body, partial=True, by=f"request {call.no}"))
        return self._kept(self.keep_new(shape, body, by=f"request {call.no}"))

    def _one(self, shape: Shape, call: Call, far_id: str) -> Answer:
        document = self.living(shape.kind, far_id)
        if document is None:
            return _error(200, "NOT_FOUND", f"no {shape.word} has this id", field="id")
        if call.method == "GET":
            return _good(self.full(document))
        if call.method == "DELETE":
            gone = self.take_away(document, call)
            return Answer(200, {"data": {"id": far_id, "deleted": True}, "userErrors": []}, document=gone)
        expected = _object(call.json).get("expectedVersion", document.version)
        if expected != document.version:
            return _error(200, "STALE", f"is at version {document.version}", field="expectedVersion")
        return self._kept(self.keep_change(document, call.json, partial=True, by=f"request {call.no}"))

    def full(self, document: Far) -> Json:
        """A document between its id and its version."""
        shape = self.by_kind[document.kind]
        body: Json = {"id": self.shown_id(document.kind, document.id), **self.shown(document)}
        if shape.theirs:
            body[shape.theirs] = 1_000 + document.id
        body |= {"version": document.version, "createdAt": document.created_at, "updatedAt": document.modified_at}
        return self.overlaid(document, body)

    def _list(self, shape: Shape, call: Call) -> Answer:
        query = call.query
        first = call.whole_number("first", 50, least=1, most=250)
        since = query.get("updatedSince")
        after = _unpacked(query["after"]) if "after" in query and not self.stuck else ("", 0)
        if all(name in query for name in shape.number):
            rows = self.found(shape.kind, "@".join(query[name] for name in shape.number))
        elif any(name in query for name in shape.number):
            wanted = {name: query[name] for name in shape.number if name in query}
            rows = [
                d
                for d in self.kept.all(shape.kind)
                if all(at(self.shown(d), name) == value for name, value in wanted.items())
            ]
        else:
            rows = self.kept.since(shape.kind, _moment(since)) if since else self.kept.all(shape.kind)
        places = [((document.modified_at if since else ""), document.id) for document in rows]
        left = [document for document, place in zip(rows, places, strict=True) if place > after]
        page = left[:first]
        last = (page[-1].modified_at if since else "", page[-1].id) if len(left) > first else None
        return Answer(
            200, {"data": [self.full(d) for d in page], "next": _packed(*last) if last else None, "userErrors": []}
        )

    def _events(self, call: Call) -> Answer:
        limit = call.whole_number("limit", 100, least=1, most=250)
        topic = call.query.get("topic", "")
        if topic and topic not in _KIND_OF_WORD:
            raise BadRequest(f"must be one of {', '.join(_KIND_OF_WORD)}", field="topic")
        after = _unpacked(call.query["after"])[1] if "after" in call.query else 0
        kind = _KIND_OF_WORD.get(topic)
        wanted = [change for change in self.kept.changes[after:] if kind in (None, change.document.kind)]
        page = wanted[:limit]
        more = len(wanted) > limit
        last = page[-1].seq if more else max(after, len(self.kept.changes))
        earlier = [
            change for change in self.kept.changes[max(0, after - 6) : after] if kind in (None, change.document.kind)
        ]
        events = [self._event(change) for change in self.faults.shuffled(page, earlier[-3:])]
        return Answer(200, {"data": events, "next": _packed("", last), "hasMore": more, "userErrors": []})

    def _event(self, change: Change) -> Json:
        document = change.document
        word = self.by_kind[document.kind].word
        far_id = self.shown_id(document.kind, document.id)
        return {
            "id": f"evt_{change.seq:08d}",
            "type": f"{word}.{change.action}",
            "occurredAt": document.modified_at,
            "object": {"type": word, "id": far_id, "number": document.number, "version": document.version},
            "data": None if document.deleted else self.full(document),
        }

    def _kept(self, kept: Far | list[Problem]) -> Answer:
        if isinstance(kept, Far):
            return Answer(200, {"data": self.full(kept), "userErrors": []}, document=kept)
        errors = [
            {"field": problem.field, "message": problem.message, "code": problem.code.upper()} for problem in kept
        ]
        return Answer(200, {"data": None, "userErrors": errors})


def _good(data: Any) -> Answer:
    return Answer(200, {"data": data, "userErrors": []})


def _error(status: int, code: str, message: str, *, field: str = "", headers: dict[str, str] | None = None) -> Answer:
    error = {"field": field or None, "message": message, "code": code}
    return Answer(status, {"data": None, "userErrors": [error]}, headers or {})


def _fingerprint(call: Call) -> str:
    return hashlib.sha256(b"\n".join([call.method.encode(), call.path.encode(), call.body])).hexdigest()


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise BadRequest("the body must be an object")
    return value


def _packed(text: str, number: int) -> str:
    return base64.urlsafe_b64encode(f"{text}|{number}".encode()).decode().rstrip("=")


def _unpacked(token: str) -> tuple[str, int]:
    try:
        text, _, number = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition("|")
        return text, int(number)
    except ValueError:
        raise BadRequest("is no cursor of ours", field="after") from None


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("is not a time (ISO 8601)", field="updatedSince") from None
    if moment.tzinfo is None:
        raise BadRequest("needs an offset or Z", field="updatedSince")
    return stamp(moment)
