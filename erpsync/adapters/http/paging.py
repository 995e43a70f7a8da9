"""Going through a system's pages: page numbers, offsets, tokens, links; and never in a circle.

A next address is taken only when it stays on the system's own host, and only its path and query are used. A page that
was there before, a token that comes again, pages without an end: RetryLater, with what was seen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from erpsync.adapters.http.answers import Judged
from erpsync.adapters.http.cursors import Cursor, later, next_walk, with_stamp
from erpsync.adapters.http.expressions import Expression, compile_expression
from erpsync.adapters.http.functions import Words
from erpsync.adapters.http.spec import Changes, Reading
from erpsync.adapters.http.throttle import told_time
from erpsync.adapters.http.transport import Answer
from erpsync.adapters.protocol import Page, Told
from erpsync.errors import RetryLater

_EMPTY_IN_A_ROW = 20
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
Ask = Callable[[dict[str, str], str], Awaitable[tuple[Answer, Judged]]]  # (places, address of a link) -> answer
Tell = Callable[[Any, bool, int], Told]  # (item, sound, which of the page) -> what it tells


@dataclass
class Walk:
    """The pages of one reading. ``ask`` makes a request, ``tell`` reads an item."""

    system: str
    reading: Reading
    words: Words
    origin: str
    now: Callable[[], datetime]
    scan: bool
    _exprs: dict[str, Expression] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        paging, since = self.reading.paging, getattr(self.reading, "since", None)
        texts = {
            "items": self.reading.items,
            "order": self.reading.order,
            "next": paging.next,
            "more": paging.more,
            "total": paging.total,
            "pages": paging.pages,
            "stamp": since.stamp if since else None,
            "token": getattr(self.reading, "cursor", None),
        }
        self._exprs = {name: compile_expression(text, self.words) for name, text in texts.items() if text is not None}
        self._since = since

    async def pages(self, cursor: Cursor, ask: Ask, tell: Tell) -> AsyncIterator[Page]:
        """Page after page from ``cursor``; raises CallError."""
        guard = _Guard(self.system, self.reading.paging.longest)
        whole = True
        while True:
            guard.comes_to(cursor)
            read_at = self.now()
            answer, judged = await ask(self._places(cursor), cursor.after if self.reading.paging.by == "link" else "")
            items = self._items(judged)
            asked_since = cursor.since
            tolds = [tell(item, judged.sound, n) for n, item in enumerate(items)]
            cursor, more = self._next(cursor, items, answer, judged.value)
            guard.had(tolds, more=more, since=asked_since, numbered=self.reading.paging.by in ("page", "offset"))
            total = self._count("total", judged.value)
            if self.scan:
                whole = whole and all(told.error is None or told.number or told.far_id for told in tolds)
                whole = whole and not guard.shifted and (more or total is None or guard.distinct(tolds) == total)
            yield Page(
                tolds=tolds,
                cursor="" if self.scan else cursor.text(),
                more=more,
                read_at=read_at,
                whole=whole,
                total=total,
            )
            if not more:
                return

    def _places(self, cursor: Cursor) -> dict[str, str]:
        return {
            "limit": str(self.reading.limit),
            "page": str(self.reading.paging.first + cursor.page),
            "offset": str(cursor.seen),
            "next": cursor.after,
            "cursor": cursor.token,
            "since": self._written(cursor.since),
        }

    def _written(self, since: str) -> str:
        if not since or self._since is None or self._since.kind == "number" or self._since.send == "iso":
            return since
        call = self.words.call_function
        match self._since.send:
            case "local":
                return str(call("to_local", [since]))
            case "epoch":
                return str(call("to_epoch", [since]))
            case "epoch_ms":
                return str(call("to_epoch_ms", [since]))
        return datetime.fromisoformat(since).strftime(self._since.send)

    def _items(self, judged: Judged) -> list[Any]:
        items = self._find("items", judged.value)
        if not isinstance(items, list):
            text = f"system {self.system} sent no list of documents (looked for at {self.reading.items})"
            raise RetryLater(text, code="unreadable_answer", throttled=False)
        order = self._exprs.get("order")
        if order is None:
            return items
        keys = [(self._find("order", item), n) for n, item in enumerate(items)]
        if all(isinstance(key, int) for key, _ in keys) or all(isinstance(key, str) for key, _ in keys):
            return [items[n] for _, n in sorted(keys)]
        return items

    def _next(self, cursor: Cursor, items: Sequence[Any], answer: Answer, value: Any) -> tuple[Cursor, bool]:
        if self._since is not None:
            for item in items:
                cursor = with_stamp(cursor, self._find("stamp", item), self._since)
        if isinstance(self.reading, Changes) and self.reading.cursor is not None:
            token = self._find("token", value)
            token = str(token) if isinstance(token, str | int) and token != "" else cursor.token
            more = self._told_more(value)
            return Cursor(token=token), token != cursor.token and (bool(items) if more is None else more)
        onward, more = self._onward(cursor, items, answer, value)
        if self._since is None:
            return (onward if more else Cursor()), bool(more)
        settled = next_walk(cursor, self._since, told_time=told_time(answer.headers))
        if not more:
            return settled, False
        if self._since.sorted and items:
            middle = with_stamp(Cursor(), self._find("stamp", items[len(items) // 2]), self._since)
            if later(settled.since, middle.latest, self._since):
                return settled, True  # asks anew from the last stamp: rows that move meanwhile shift no page
        return onward, True

    def _onward(self, cursor: Cursor, items: Sequence[Any], answer: Answer, value: Any) -> tuple[Cursor, bool]:
        seen = cursor.seen + len(items)
        told_more = self._told_more(value)
        match self.reading.paging.by:
            case "none":
                return cursor, False
            case "page" | "offset":
                if told_more is None and (pages := self._count("pages", value)) is not None:
                    told_more = cursor.page + 1 < pages
                if told_more is None and (total := self._count("total", value)) is not None:
                    told_more = seen < total
                more = bool(items) and told_more is not False
                return replace(cursor, page=cursor.page + 1, seen=seen), more
            case "next":
                after = self._find("next", value)
                after = str(after) if isinstance(after, str | int) else ""
            case "link":
                link = self._find("next", value) if "next" in self._exprs else _link(answer)
                after = on_host(str(link), origin=self.origin, system=self.system) if link else ""
        more = bool(after) and told_more is not False
        return replace(cursor, page=cursor.page + 1, seen=seen, after=after), more

    def _told_more(self, value: Any) -> bool | None:
        return bool(self._find("more", value)) if "more" in self._exprs else None

    def _count(self, name: str, value: Any) -> int | None:
        count = self._find(name, value)
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def _find(self, name: str, value: Any) -> Any:
        expression = self._exprs.get(name)
        if expression is None:
            return None
        try:
            return expression.of(value)
        except ValueError:
            return None


def on_host(link: str, *, origin: str, system: str) -> str:
    """Path and query of a next address that stays on the system's host; raises RetryLater for any other."""
    ours = urlsplit(origin)
    try:
        if not link.isprintable() or not link.isascii() or "\\" in link or " " in link:
            raise ValueError
        theirs = urlsplit(urljoin(origin + "/", link))
        same = (
            theirs.scheme == ours.scheme
            and theirs.hostname == ours.hostname
            and (theirs.port or _PORTS.get(theirs.scheme)) == (ours.port or _PORTS.get(ours.scheme))
            and "@" not in theirs.netloc
            and theirs.path.startswith("/")
        )
    except ValueError:
        same = False
    if not same:
        text = f"system {system} named a next page outside its own address, which is not followed"
        raise RetryLater(text, code="next_elsewhere", throttled=False)
    return theirs.path + (f"?{theirs.query}" if theirs.query else "")


def _link(answer: Answer) -> str:
    found = _LINK.search(str(answer.headers.get("link", "")))
    return found[1] if found else ""


class _Guard:
    """Remembers where a walk was; raises RetryLater when it comes there again."""

    def __init__(self, system: str, longest: int) -> None:
        self.system, self.longest = system, longest
        self.shifted = False
        self._places: set[Cursor] = set()
        self._pages: set[bytes] = set()
        self._ids: set[int] = set()
        self._empty = 0

    def comes_to(self, cursor: Cursor) -> None:
        place = replace(cursor, page=0, seen=0, latest="") if cursor.after else cursor
        if place in self._places:
            raise self._endless("its pages lead in a circle")
        self._places.add(place)
        if len(self._places) > self.longest:
            raise self._endless(f"it has more than {self.longest:,} pages")

    def had(self, tolds: Sequence[Told], *, more: bool, since: str, numbered: bool) -> None:
        self._empty = 0 if tolds else self._empty + 1
        if more and self._empty >= _EMPTY_IN_A_ROW:
            raise self._endless(f"{self._empty} empty pages in a row each name another")
        if not numbered:
            return
        if tolds:
            parts = [since.encode(), *(told.raw for told in tolds)]
            digest = hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()
            if digest in self._pages:
                raise self._endless("the same page comes again, whatever its number")
            self._pages.add(digest)
        before = len(self._ids)
        self._ids.update(hash(told.far_id) for told in tolds)
        self.shifted = self.shifted or len(self._ids) - before != len(tolds)

    def distinct(self, tolds: Sequence[Told]) -> int:
        return len(self._ids) if self._ids else len(tolds)

    def _endless(self, why: str) -> RetryLater:
        return RetryLater(
            f"system {self.system} cannot be read to its end: {why}", code="endless_pages", throttled=False
        )
