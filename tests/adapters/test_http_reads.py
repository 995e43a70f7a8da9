"""Reading a far system page by page: nothing lost, nothing endless, one bad document spoils no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from http_wire import ITEMS, NOON, SECRET, Asked, Reply, Wire, opened, quick_limits, respond

from erpsync.adapters.protocol import Adapter, Page, Told
from erpsync.errors import AccessDenied, CallError, Refused, RetryLater, SystemDown, UsageError

PAGED = """
spec = 1
zone = "Europe/Berlin"
[auth]
kind = "bearer"
[kinds.item]
far_id = "id"
number = "sku"
removed = "deleted"
revision = { value = "version", kind = "number" }
fields = { sku = "sku", name = "name" }
"""


def far_items(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": str(n), "sku": f"SKU-{n}", "name": f"item {n}", "version": 1, **more} for n in numbers]


def read(
    folder: Path, spec: str, script: Callable[[Asked], Reply], *, cursor: str | None = None, most: int = 50
) -> tuple[list[Page], list[str], CallError | None]:
    """The pages of a scan (of changes, where a cursor is given), what was asked for, and how it ended."""

    async def go() -> tuple[list[Page], list[str], CallError | None]:
        async with Wire(script) as wire, opened(folder, wire.url + "/base", spec) as adapter:
            pages: list[Page] = []
            error = None
            try:
                async for page in adapter.scan("item") if cursor is None else adapter.changes("item", cursor):
                    pages.append(page)
                    assert len(pages) <= most
            except CallError as caught:
                error = caught
            return pages, [asked.target for asked in wire.asked], error

    return asyncio.run(go())


def numbers(pages: list[Page]) -> list[str]:
    return [told.number for page in pages for told in page.tolds]


def by_number(asked: Asked) -> int:
    return int(asked.target.partition("page=")[2].partition("&")[0] or "1")


SCAN_BY_PAGE = (
    PAGED
    + """
[kinds.item.scan]
path = "/items"
query = { page = "{page}", per_page = "{limit}" }
limit = 2
items = "items"
paging = { by = "page", total = "total" }
"""
)


def test_page_numbers_are_followed_until_the_total_is_reached(tmp_path: Path) -> None:
    def script(asked: Asked) -> bytes:
        page = by_number(asked)
        return respond(200, {"items": far_items(*range(2 * page - 1, min(2 * page, 5) + 1)), "total": 5})

    pages, asked, error = read(tmp_path, SCAN_BY_PAGE, script)
    assert error is None
    assert numbers(pages) == ["SKU-1", "SKU-2", "SKU-3", "SKU-4", "SKU-5"]
    assert asked == [f"/base/items?page={n}&per_page=2" for n in (1, 2, 3)]
    assert [page.more for page in pages] == [True, True, False]
    assert all(page.whole for page in pages)
    assert pages[0].total == 5


def test_a_scan_in_which_rows_moved_between_pages_proves_no_removal(tmp_path: Path) -> None:
    def script(asked: Asked) -> bytes:
        rows = {1: (1, 2), 2: (2, 3), 3: (4,)}[by_number(asked)]
        return respond(200, {"items": far_items(*rows), "total": 5})

    pages, _, error = read(tmp_path, SCAN_BY_PAGE, script)
    assert error is None
    assert not pages[-1].whole


def test_a_server_that_ignores_the_page_number_is_noticed(tmp_path: Path) -> None:
    pages, asked, error = read(tmp_path, SCAN_BY_PAGE, lambda _: respond(200, {"items": far_items(1, 2), "total": 99}))
    assert isinstance(error, RetryLater)
    assert error.code == "endless_pages"
    assert len(asked) == 2
    assert len(pages) == 1


OFFSETS = (
    PAGED
    + """
[kinds.item.scan]
path = "/items"
query = { offset = "{offset}", limit = "{limit}" }
limit = 50
items = "items"
paging = { by = "offset" }
"""
)


def test_offsets_count_what_came_even_where_the_server_gives_fewer_than_asked(tmp_path: Path) -> None:
    def script(asked: Asked) -> bytes:
        offset = int(asked.target.partition("offset=")[2].partition("&")[0])
        return respond(200, {"items": far_items(*range(offset + 1, min(offset + 2, 5) + 1))})

    pages, asked, error = read(tmp_path, OFFSETS, script)
    assert error is None
    assert len(numbers(pages)) == 5
    assert asked[-1] == "/base/items?offset=5&limit=50"


TOKENS = (
    PAGED
    + """
[kinds.item.scan]
path = "/items"
query = { after = "{next}" }
items = "data.items"
paging = { by = "next", next = "data.next" }
"""
)


@pytest.mark.parametrize(
    ("tokens", "reads"),
    [
        (["b", "c", ""], 3),  # ends
        (["b", "b"], 2),  # the same again
        (["b", "c", "b"], 3),  # A, B, A
    ],
)
def test_tokens_are_followed_and_never_in_a_circle(tmp_path: Path, tokens: list[str], reads: int) -> None:
    left = iter(tokens)
    count = iter(range(1, 99))

    def script(_: Asked) -> bytes:
        return respond(200, {"data": {"items": far_items(next(count)), "next": next(left, "z")}})

    pages, asked, error = read(tmp_path, TOKENS, script)
    assert len(asked) == reads
    assert len(pages) == reads
    if tokens[-1]:
        assert isinstance(error, RetryLater)
        assert "circle" in error.message
    else:
        assert error is None


def test_empty_pages_that_each_name_another_come_to_an_end(tmp_path: Path) -> None:
    count = iter(range(1, 999))
    _, asked, error = read(tmp_path, TOKENS, lambda _: respond(200, {"data": {"items": [], "next": str(next(count))}}))
    assert isinstance(error, RetryLater)
    assert len(asked) <= 21


def test_more_pages_than_the_spec_allows_are_taken_for_a_loop(tmp_path: Path) -> None:
    count = iter(range(1, 999))
    spec = TOKENS.replace('next = "data.next" }', 'next = "data.next", longest = 5 }')

    def script(_: Asked) -> bytes:
        n = next(count)
        return respond(200, {"data": {"items": far_items(n), "next": str(n)}})

    _, asked, error = read(tmp_path, spec, script)
    assert isinstance(error, RetryLater)
    assert len(asked) == 5


LINKS = (
    PAGED
    + """
[kinds.item.scan]
path = "/items"
items = "items"
paging = { by = "link", next = "links.next" }
"""
)


def test_links_are_followed_on_the_systems_own_host(tmp_path: Path) -> None:
    replies = iter(
        [
            {"items": far_items(1), "links": {"next": "/base/items?at=2"}},
            {"items": far_items(2), "links": {"next": "items?at=3"}},
            {"items": far_items(3), "links": {}},
        ]
    )
    pages, asked, error = read(tmp_path, LINKS, lambda _: respond(200, next(replies)))
    assert error is None
    assert asked[:2] == ["/base/items", "/base/items?at=2"]
    assert len(pages) == 3


def test_the_link_header_is_understood(tmp_path: Path) -> None:
    spec = LINKS.replace(', next = "links.next"', "")
    replies = iter([{"Link": '</base/items?at=1>; rel="prev", </base/items?at=2>; rel="next"'}, {}])
    pages, asked, _ = read(tmp_path, spec, lambda _: respond(200, {"items": far_items(1)}, next(replies)))
    assert asked == ["/base/items", "/base/items?at=2"]
    assert not pages[-1].more


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest",
        "http://localhost:{port}/items",
        "http://127.0.0.1/items",
        "https://127.0.0.1:{port}/items",
        "http://2130706433:{port}/items",
        "http://[::ffff:127.0.0.1]:{port}/items",
        "http://user:pw@127.0.0.1:{port}/items",
        "http://127.0.0.1:{port}@evil.example/items",
        "http://127.0.0.1:{port}\\@evil.example/items",
        "//evil.example/items",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/items",
        "/items\r\nX-Evil: 1",
        "http://127.0.0.1:{port}.evil.example/items",
    ],
)
def test_a_next_page_elsewhere_is_refused(tmp_path: Path, link: str) -> None:
    async def go() -> tuple[int, CallError | None]:
        async with Wire(lambda _: respond(200, reply)) as wire, opened(tmp_path, wire.url, LINKS) as adapter:
            reply = {"items": far_items(1), "links": {"next": link.format(port=wire.port)}}
            try:
                async for _ in adapter.scan("item"):
                    pass
            except CallError as error:
                return len(wire.asked), error
            return len(wire.asked), None

    asked, error = asyncio.run(go())
    assert asked == 1
    assert isinstance(error, RetryLater)
    assert error.code == "next_elsewhere"


SINCE = (
    PAGED
    + """
[kinds.item.changes]
path = "/items"
query = { since = "{since}", page = "{page}" }
items = "items"
limit = 2
paging = { by = "page", more = "more" }
since = { stamp = "from_local(at)", overlap = "2m", send = "local" }
"""
)


def test_changes_go_on_from_the_latest_stamp_less_the_overlap(tmp_path: Path) -> None:
    rows = far_items(1, at="2026-10-15T12:00:00") + far_items(2, at="2026-10-15T11:00:00")
    pages, asked, _ = read(tmp_path, SINCE, lambda _: respond(200, {"items": rows, "more": False}), cursor="")
    assert asked == ["/base/items?page=1"]
    _, asked, _ = read(tmp_path, SINCE, lambda _: respond(200, {"items": [], "more": False}), cursor=pages[-1].cursor)
    assert asked == ["/base/items?since=2026-10-15T11:58:00&page=1"]


def test_a_cursor_in_the_middle_of_a_walk_goes_on_with_the_next_page(tmp_path: Path) -> None:
    def script(asked: Asked) -> bytes:
        page = by_number(asked)
        return respond(200, {"items": far_items(page, at=f"2026-10-15T1{page}:00:00"), "more": page < 3})

    pages, _, _ = read(tmp_path, SINCE, script, cursor="")
    assert [page.more for page in pages] == [True, True, False]
    rest, asked, _ = read(tmp_path, SINCE, script, cursor=pages[0].cursor)
    assert asked == ["/base/items?page=2", "/base/items?page=3"]
    assert rest[-1].cursor == pages[-1].cursor


def test_where_nothing_changed_the_cursor_stays(tmp_path: Path) -> None:
    first, _, _ = read(
        tmp_path,
        SINCE,
        lambda _: respond(200, {"items": far_items(1, at="2026-10-15T12:00:00"), "more": False}),
        cursor="",
    )
    then, _, _ = read(tmp_path, SINCE, lambda _: respond(200, {"items": [], "more": False}), cursor=first[-1].cursor)
    assert then[-1].cursor == first[-1].cursor


def test_a_stamp_from_the_future_does_not_carry_the_cursor_past_the_systems_clock(tmp_path: Path) -> None:
    headers = {"Date": "Thu, 15 Oct 2026 10:00:00 GMT"}
    rows = far_items(1, at="2036-01-01T00:00:00")
    pages, _, _ = read(tmp_path, SINCE, lambda _: respond(200, {"items": rows, "more": False}, headers), cursor="")
    assert json.loads(pages[-1].cursor) == {"since": "2026-10-15T09:58:01Z"}


def test_a_cursor_of_another_adapter_is_refused_plainly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cursor is none of this adapter"):
        read(tmp_path, SINCE, lambda _: respond(200, {}), cursor="page 7")


FEED = (
    PAGED
    + """
[kinds.item.changes]
path = "/events"
query = { after = "{cursor}" }
items = "events"
cursor = "last"
paging = { more = "more" }
order = "seq"
document = "data"
far_id = "about.id"
number = "about.number"
event_id = "text(seq)"
removed = "what == 'gone'"
at = "from_local(at)"
"""
)


def test_a_feed_tells_documents_and_removals_in_order_with_their_event_ids(tmp_path: Path) -> None:
    events = [
        {"seq": 2, "what": "gone", "about": {"id": "9", "number": "SKU-9"}, "data": None, "at": "2026-10-15T14:00:00"},
        {"seq": 1, "what": "new", "about": {"id": "1"}, "data": far_items(1)[0], "at": "2026-10-15T13:00:00"},
    ]
    pages, asked, _ = read(
        tmp_path, FEED, lambda _: respond(200, {"events": events, "last": 2, "more": False}), cursor=""
    )
    first, second = pages[0].tolds
    assert (first.event_id, first.number, first.far_id, first.removed) == ("1", "SKU-1", "1", False)
    assert (second.event_id, second.number, second.far_id, second.removed) == ("2", "SKU-9", "9", True)
    assert second.at is not None
    assert second.at.isoformat() == "2026-10-15T12:00:00+00:00"
    assert asked == ["/base/events"]
    _, asked, _ = read(
        tmp_path, FEED, lambda _: respond(200, {"events": [], "last": 2, "more": False}), cursor=pages[0].cursor
    )
    assert asked == ["/base/events?after=2"]


def test_a_feed_that_says_more_without_moving_on_is_not_asked_for_ever(tmp_path: Path) -> None:
    reply = {"events": [], "last": 2, "more": True}
    _, asked, error = read(tmp_path, FEED, lambda _: respond(200, reply), cursor="")
    assert error is None
    assert len(asked) == 2


BROKEN = {
    b'{"id":"2","sku":"SKU-2","name":"a","name":"b"}': "names 'name' twice",
    b'{"id":"2","sku":"SKU-2","name":NaN}': "number that is none",
    b'{"id":"2","sku":"SKU-2","name":"\\ud800"}': "half a character",
    b'{"id":"2","sku":"SKU-2","name":"\xe9"}': "no UTF-8",
    b'{"id":"2","sku":"SKU-2","name":' + b"9" * 5000 + b"}": "number that is none",
    b'{"id":"2","sku":"SKU-2","name":' + b"[" * 80 + b"]" * 80 + b"}": "nested deeper",
    b'{"id":"2","sku":"SKU-2","name":7}': "is not a text",
    b'{"id":"2","name":"x"}': "sku is missing",
    b'"SKU-2"': "is no object",
    b"null": "is no object",
    b'{"id":"2","sku":"SKU-2\\u0000"}': "nul character",
    b'{"id":"2","sku":true}': "is not a text",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_document_that_cannot_be_read_is_told_as_such_and_the_others_go_on(tmp_path: Path, broken: bytes) -> None:
    good = [json.dumps(one).encode() for one in far_items(1, 3)]
    body = b'{"items":[' + b",".join((good[0], broken, good[1])) + b'],"total":3}'

    async def go() -> tuple[list[Told], Told]:
        async with Wire(lambda _: respond(200, body)) as wire, opened(tmp_path, wire.url, SCAN_BY_PAGE) as adapter:
            tolds = [told async for page in adapter.scan("item") for told in page.tolds]
            return tolds, adapter.understand("item", tolds[1].raw)

    tolds, again = asyncio.run(go())
    assert [told.error is None for told in tolds] == [True, False, True]
    error = tolds[1].error
    assert error is not None
    assert BROKEN[broken] in error.message
    assert error.place == "far item scan item 2"
    assert tolds[1].raw
    assert again.error is not None
    assert (again.error.message, again.number, again.far_id) == (error.message, tolds[1].number, tolds[1].far_id)


def test_exact_numbers_stay_exact(tmp_path: Path) -> None:
    body = b'{"items":[{"id":1,"sku":"S","price":1234567.123456}]}'
    spec = ITEMS.replace('paging = { by = "page" }', "")

    async def go() -> Told:
        async with Wire(lambda _: respond(200, body)) as wire, opened(tmp_path, wire.url, spec) as adapter:
            tolds = [told async for page in adapter.scan("item") for told in page.tolds]
            return tolds[0]

    told = asyncio.run(go())
    assert told.document is not None
    assert str(told.document.price) == "1234567.123456"  # type: ignore[attr-defined]
    assert b"1234567.123456" in told.raw


@pytest.mark.parametrize("number", [b"1e1000000", b"1e-1000000", b"123456789012345678901234567890"])
def test_a_number_beyond_business_spoils_its_document_alone(tmp_path: Path, number: bytes) -> None:
    body = b'{"items":[{"id":1,"sku":"S","price":' + number + b"}]}"
    spec = ITEMS.replace('paging = { by = "page" }', "")

    async def go() -> Told:
        async with Wire(lambda _: respond(200, body)) as wire, opened(tmp_path, wire.url, spec) as adapter:
            tolds = [told async for page in adapter.scan("item") for told in page.tolds]
            return tolds[0]

    told = asyncio.run(go())
    assert told.error is not None
    assert told.error.field == "price"
    assert told.number == "S"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Refused),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, Refused),
        (408, RetryLater),
        (409, RetryLater),
        (422, RetryLater),
        (429, RetryLater),
        (500, RetryLater),
        (503, RetryLater),
        (302, RetryLater),
    ],
)
def test_a_status_means_what_the_design_says_of_a_read(tmp_path: Path, status: int, meaning: type) -> None:
    _, _, error = read(tmp_path, SCAN_BY_PAGE, lambda _: respond(status, {"message": f"no {SECRET}"}))
    assert type(error) is meaning
    assert SECRET not in error.message


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"items":', b'{"rows":[]}', b"[" * 100_000, b'{"items":{}}'])
def test_an_answer_without_a_list_is_asked_for_again_later(tmp_path: Path, body: bytes) -> None:
    _, _, error = read(tmp_path, SCAN_BY_PAGE, lambda _: respond(200, body))
    assert isinstance(error, RetryLater)
    assert error.code == "unreadable_answer"
    assert not error.throttled


def one(folder: Path, reply: Reply, spec: str = ITEMS) -> Told:
    async def go() -> Told:
        async with Wire(lambda _: reply) as wire, opened(folder, wire.url, spec, limits=quick_limits()) as adapter:
            return await adapter.read("item", "a/b?c")

    return asyncio.run(go())


def test_one_document_is_read_by_its_far_id_whatever_is_in_it(tmp_path: Path) -> None:
    async def go() -> str:
        async with Wire(lambda _: respond(200, {"id": 1, "sku": "S"})) as wire, opened(tmp_path, wire.url) as adapter:
            await adapter.read("item", "a/b?c#d")
            return wire.asked[0].target

    assert asyncio.run(go()) == "/items/a%2Fb%3Fc%23d"


@pytest.mark.parametrize("status", [404, 410])
def test_a_document_that_is_gone_is_told_as_removed(tmp_path: Path, status: int) -> None:
    assert one(tmp_path, respond(status)).removed


def test_nothing_where_the_document_should_be_proves_no_removal(tmp_path: Path) -> None:
    spec = ITEMS.replace(
        'path = "/items/{far_id}"\n[kinds.item.find', 'path = "/items/{far_id}"\nitem = "data"\n[kinds.item.find'
    )
    with pytest.raises(RetryLater):
        one(tmp_path, respond(200, {"data": None}), spec)


def find(folder: Path, rows: list[dict[str, Any]], number: str = "SKU-1") -> list[str]:
    async def go() -> list[str]:
        async with Wire(lambda _: respond(200, {"items": rows})) as wire, opened(folder, wire.url) as adapter:
            return [receipt.far_id for receipt in await adapter.find("item", number)]

    return asyncio.run(go())


def test_find_believes_only_documents_that_say_they_have_the_number(tmp_path: Path) -> None:
    """Many servers ignore a filter that they do not know, and give everything."""
    assert find(tmp_path, far_items(1, 2, 3)) == ["1"]
    assert find(tmp_path, far_items(2, 3)) == []


def test_find_tells_of_two_far_documents_with_one_number(tmp_path: Path) -> None:
    assert find(tmp_path, [*far_items(1), {"id": "77", "sku": "SKU-1"}]) == ["1", "77"]


def test_a_removed_document_is_not_found(tmp_path: Path) -> None:
    assert find(tmp_path, far_items(1, deleted=True)) == []


def test_a_probe_says_how_far_the_clocks_are_apart(tmp_path: Path) -> None:
    async def go(adapter: Adapter) -> timedelta | None:
        return (await adapter.probe()).clock_offset

    async def run() -> timedelta | None:
        headers = {"Date": "Thu, 15 Oct 2026 13:00:00 GMT"}
        async with (
            Wire(lambda _: respond(200, {"status": "ok"}, headers)) as wire,
            opened(tmp_path, wire.url) as adapter,
        ):
            return await go(adapter)

    offset = asyncio.run(run())
    assert offset is not None
    assert abs(offset - timedelta(hours=1)) < timedelta(seconds=2)


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (respond(401), AccessDenied),
        (respond(500), RetryLater),
        (None, RetryLater),
        (respond(200, b"<html>"), RetryLater),
    ],
)
def test_a_probe_that_fails_says_why(tmp_path: Path, reply: Reply, meaning: type) -> None:
    async def run() -> None:
        async with Wire(lambda _: reply) as wire, opened(tmp_path, wire.url) as adapter:
            with pytest.raises(meaning):
                await adapter.probe()

    asyncio.run(run())


def test_a_system_that_is_down_is_down_for_reads_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with Wire(lambda _: None) as wire:
            url = wire.url
        async with opened(tmp_path, url) as adapter:
            with pytest.raises(SystemDown):
                await adapter.read("item", "7")

    asyncio.run(run())


def test_a_page_says_when_it_was_asked_for(tmp_path: Path) -> None:
    pages, _, _ = read(tmp_path, SCAN_BY_PAGE, lambda _: respond(200, {"items": far_items(1), "total": 1}))
    assert pages[0].read_at == NOON
