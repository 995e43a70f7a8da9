"""What goes over the wire, byte for byte, and what is known of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pycurl
import pytest
from http_wire import NOON, Asked, Reply, Wire, quick_limits, respond

from erpsync.adapters.http.transport import Answer, Lost, NotSent, Transport

JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))
Calls = Callable[[Transport], Awaitable[Any]]


def calling(
    calls: Calls, reply: Reply | Callable[[Asked], Reply] = b"", *, url: str = "", **limits: Any
) -> tuple[Any, Wire]:
    """What comes of ``calls`` at a system that replies so; an error that is raised is what comes of it too."""

    async def go() -> tuple[Any, Wire]:
        script = reply if callable(reply) and getattr(reply, "__name__", "") == "script" else lambda _: reply
        async with Wire(script) as wire:
            transport = Transport(url or wire.url, quick_limits(**limits), lambda: NOON)
            try:
                return await calls(transport), wire
            except (NotSent, Lost) as error:
                return error, wire
            finally:
                await transport.close()

    return asyncio.run(go())


def get(path: str = "/items") -> Calls:
    return lambda transport: transport.call("GET", path, JSON)


def post(body: bytes = b"{}", headers: tuple[tuple[str, str], ...] = JSON) -> Calls:
    return lambda transport: transport.call("POST", "/items", headers, body)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    answer, wire = calling(get(), respond(200, b"[]"))
    assert (answer.status, len(wire.asked)) == (200, 1)


def test_a_login_in_the_users_netrc_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login clerk password hidden\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    _, wire = calling(get(), respond(200, b"[]"))
    assert "authorization" not in wire.asked[0].headers


def test_only_what_was_given_is_said_and_by_whom() -> None:
    _, wire = calling(post(b'{"a":1}'), respond(201, b"{}"))
    said = dict(wire.asked[0].headers)
    assert said.pop("host").startswith("127.0.0.1:")
    assert said.pop("user-agent").startswith("erpsync/")
    assert said == {"content-type": "application/json", "accept": "application/json", "content-length": "7"}


def test_a_write_without_a_body_says_so_and_calls_itself_no_form() -> None:
    _, wire = calling(post(b"", (("Accept", "*/*"),)), respond(200, b"{}"))
    assert wire.asked[0].headers["content-length"] == "0"
    assert "content-type" not in wire.asked[0].headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_read_or_removal_without_a_body_says_nothing_of_one(method: str) -> None:
    _, wire = calling(lambda transport: transport.call(method, "/items/7", JSON), respond(200, b"{}"))
    assert wire.asked[0].method == method
    assert "content-length" not in wire.asked[0].headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_body_goes_with_every_method_after_a_read_too(method: str) -> None:
    async def both(transport: Transport) -> Answer:
        await transport.call("GET", "/items/7", JSON)
        await transport.call(method, "/items/7", JSON, b'{"a":1}')
        return await transport.call("GET", "/items/7", JSON)

    _, wire = calling(both, respond(200, b"{}"))
    assert [(asked.method, asked.body) for asked in wire.asked] == [("GET", b""), (method, b'{"a":1}'), ("GET", b"")]
    assert wire.connections == 1


def test_a_long_body_goes_out_without_asking_for_leave() -> None:
    body = b'"' + b"x" * 3_000_000 + b'"'
    _, wire = calling(post(body), respond(201, b"{}"))
    assert wire.asked[0].body == body
    assert "expect" not in wire.asked[0].headers


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/a b", "/a%20b"),
        ("/a%20b/%7E", "/a%20b/%7E"),
        ("/items?q=code eq 'A'&n=1", "/items?q=code%20eq%20'A'&n=1"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("/a\r\nX-Role: admin", "/a%0D%0AX-Role:%20admin"),
        ("/items?q=a#b", "/items?q=a%23b"),
    ],
)
def test_what_cannot_stand_in_an_address_is_encoded_and_the_rest_is_sent_as_it_is(path: str, sent: str) -> None:
    _, wire = calling(get(path), respond(200, b"[]"))
    assert [asked.target for asked in wire.asked] == [sent]
    assert "x-role" not in wire.asked[0].headers


def test_a_host_in_other_letters_is_looked_up_as_the_wire_has_it() -> None:
    assert (
        Transport("https://straße.example:8443/api", quick_limits(), lambda: NOON).origin
        == "https://xn--strae-oqa.example:8443"
    )


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX-Id: early\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    answer, _ = calling(post(), interim + respond(201, b'{"id":7}', {"X-Id": "7"}))
    assert (answer.status, answer.body, answer.headers["x-id"]) == (201, b'{"id":7}', "7")
    assert "link" not in answer.headers


@pytest.mark.parametrize("protocol", ["http/1.1", "Http/1.1", "HTTP/1.0"])
def test_each_answer_has_its_own_status_however_it_is_spelt(protocol: str) -> None:
    replies = iter([respond(200, b"{}"), respond(500, b"no").replace(b"HTTP/1.1", protocol.encode())])

    async def twice(transport: Transport) -> Answer:
        await transport.call("POST", "/items", JSON, b"{}")
        return await transport.call("POST", "/items", JSON, b"{}")

    def script(_: Asked) -> Reply:
        return next(replies)

    answer, _ = calling(twice, script)
    assert (answer.status, answer.body) == (500, b"no")


@pytest.mark.parametrize("line", [b"HTTP/x: y", b"HTTP/: 4", b"HTTP/1.1 404 x: y", b": nothing"])
def test_a_header_that_looks_like_a_status_is_a_header(line: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    answer, _ = calling(get(), respond(200, b"[]").replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))
    assert (answer.status, answer.body) == (200, b"[]")
    assert capfd.readouterr() == ("", "")


def test_a_line_break_in_a_header_goes_nowhere() -> None:
    async def injected(transport: Transport) -> None:
        with pytest.raises(ValueError, match="has characters that a header cannot carry"):
            await transport.call("GET", "/items", (("X-Shop", "1\r\nX-Role: admin"),))

    _, wire = calling(injected, respond(200, b"[]"))
    assert wire.asked == []


def test_what_lets_us_in_is_not_in_what_a_transport_says_of_itself() -> None:
    auth = (("Authorization", "Bearer hidden"),)
    assert "hidden" not in repr(Transport("https://erp.example.com", quick_limits(), lambda: NOON, auth))


def test_a_call_whose_time_is_over_before_it_begins_is_not_sent() -> None:
    async def late(transport: Transport) -> Answer:
        await transport.call("GET", "/items", JSON)
        return await transport.call("POST", "/items", JSON, b"{}", until=asyncio.get_running_loop().time() - 1)

    error, wire = calling(late, respond(200, b"[]"))
    assert isinstance(error, NotSent)
    assert [asked.method for asked in wire.asked] == ["GET"]


def test_an_interim_answer_and_then_none_is_no_answer() -> None:
    async def hint(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        writer.close()

    error, _ = calling(post(), hint)
    assert (type(error), error.code, error.answer) == (Lost, "answer_lost", None)


def test_what_comes_after_a_body_is_no_header() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Retry-After\r\n\r\n2\r\n{}\r\n0\r\nRetry-After: 9\r\n\r\n"
    answer, _ = calling(get(), chunked)
    assert answer.body == b"{}"
    assert "retry-after" not in answer.headers


def test_a_header_said_twice_is_kept_twice_and_its_name_has_no_case() -> None:
    answer, _ = calling(get(), respond(200, b"[]").replace(b"\r\n\r\n", b"\r\nLink: <a>\r\nlink: <b>\r\n\r\n"))
    assert answer.headers.getall("LINK") == ["<a>", "<b>"]


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/9 200\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_http_leaves_the_outcome_unknown(raw: bytes) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    error, wire = calling(post(), say)
    assert isinstance(error, Lost)
    assert error.code in ("unreadable_answer", "answer_lost")
    assert len(wire.asked) == 1


@pytest.mark.parametrize("status", [101, 199])
def test_a_status_that_answers_nothing_leaves_the_outcome_unknown(status: int) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    error, wire = calling(post(), say)
    assert isinstance(error, Lost)
    assert len(wire.asked) == 1


def test_connections_are_used_again_and_closed_ones_are_not() -> None:
    async def thrice(transport: Transport) -> None:
        for _ in range(3):
            await transport.call("GET", "/items", JSON)

    _, kept = calling(thrice, respond(200, b"[]"))
    assert kept.connections == 1
    _, closing = calling(thrice, respond(200, b"[]", {"Connection": "close"}))
    assert closing.connections == 3


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("pause", [0.005, 0.3])
def test_a_connection_that_the_server_has_closed_without_a_word_is_not_written_into(method: str, pause: float) -> None:
    async def answer_and_close(writer: asyncio.StreamWriter) -> None:
        writer.write(respond(200, b"[]"))
        await writer.drain()
        writer.close()

    async def twice(transport: Transport) -> Answer:
        await transport.call("GET", "/items", JSON)
        await asyncio.sleep(pause)
        return await transport.call(method, "/items", JSON, b"" if method == "GET" else b"{}")

    answer, wire = calling(twice, answer_and_close)
    assert answer.status == 200
    assert [asked.method for asked in wire.asked] == ["GET", method]
    assert wire.connections == 2


def test_what_comes_on_an_idle_connection_is_no_answer_to_the_next_request() -> None:
    """A load balancer that tires of waiting says 408 before it closes."""

    async def and_more(writer: asyncio.StreamWriter) -> None:
        writer.write(respond(200, b"first"))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(respond(408, b"too late"))
        await writer.drain()

    async def twice(transport: Transport) -> Answer:
        await transport.call("GET", "/items", JSON)
        await asyncio.sleep(0.1)
        return await transport.call("POST", "/items", JSON, b"{}")

    answer, wire = calling(twice, and_more)
    assert (answer.status, answer.body) == (200, b"first")
    assert [asked.method for asked in wire.asked] == ["GET", "POST"]


def test_connections_that_nobody_uses_any_more_are_given_back() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def rest(transport: Transport) -> int:
        await asyncio.gather(*(transport.call("GET", f"/items/{n}", JSON) for n in range(5)))
        before = open_files()
        await asyncio.sleep(3.2)
        fewer = before - open_files()
        assert (await transport.call("GET", "/items", JSON)).status == 200
        return fewer

    fewer, wire = calling(rest, respond(200, b"[]"))
    assert fewer >= 2 * 5  # both ends of each are this process's
    assert wire.connections == 6


def test_calls_that_fail_leave_nothing_behind() -> None:
    def handles() -> int:
        return sum(isinstance(one, pycurl.Curl) for one in gc.get_objects())

    async def failing(transport: Transport) -> int:
        before = handles()
        for _ in range(50):
            with pytest.raises(Lost):
                await transport.call("POST", "/items", JSON, b"{}")
        return handles() - before

    gc.disable()
    try:
        more, _ = calling(failing, None)
    finally:
        gc.enable()
    assert more <= 1


def test_a_connection_that_lay_idle_is_not_trusted_any_more() -> None:
    """A server that closes it just then would leave a write unknown."""

    async def after_a_while(transport: Transport) -> None:
        await transport.call("GET", "/items", JSON)
        await asyncio.sleep(1.4)  # before what nobody uses is given back
        await transport.call("POST", "/items", JSON, b"{}")

    _, wire = calling(after_a_while, respond(200, b"[]"))
    assert wire.connections == 2


@contextmanager
def nobody_answers() -> Iterator[str]:
    """The address of a host that takes no connection: its line is full."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


def test_a_host_that_takes_no_connection_is_not_reached_in_time_and_nothing_was_sent() -> None:
    with nobody_answers() as url:
        begun = time.perf_counter()
        error, _ = calling(post(), url=url, timeout=timedelta(seconds=0.3), deadline=timedelta(seconds=0.5))
    assert (type(error), str(error)) == (NotSent, "no connection in time")
    assert time.perf_counter() - begun < 3


def test_a_deadline_that_others_share_ends_a_wait_for_a_connection_with_nothing_sent() -> None:
    async def soon(transport: Transport) -> Answer:
        until = asyncio.get_running_loop().time() + 0.2
        return await transport.call("POST", "/items", JSON, b"{}", until=until)

    with nobody_answers() as url:
        error, _ = calling(soon, url=url)
    assert isinstance(error, NotSent)


def test_what_was_given_up_before_it_was_sent_is_not_sent_afterwards() -> None:
    """Said to be not sent, it will be tried again: it must not go out a moment later."""
    ends: dict[bytes, Exception | Answer] = {}

    async def given_up(transport: Transport) -> None:
        for n in range(-10, 90):  # from before it begins to some milliseconds later
            until = asyncio.get_running_loop().time() + n / 20_000
            body = b"%d" % n
            try:
                ends[body] = await transport.call("POST", "/items", JSON, body, until=until)
            except (NotSent, Lost) as error:
                ends[body] = error
                await transport.close()  # each of them has to connect first
        await asyncio.sleep(0.2)

    _, wire = calling(given_up, respond(200, b"[]"))
    arrived = [asked.body for asked in wire.asked]
    not_sent = [body for body, end in ends.items() if isinstance(end, NotSent)]
    assert not_sent
    assert set(not_sent).isdisjoint(arrived)
    assert {body for body, end in ends.items() if isinstance(end, Answer)} <= set(arrived)
    assert len(arrived) == len(set(arrived))


def test_what_is_under_way_when_a_transport_closes_ends_there() -> None:
    async def closed_under(transport: Transport) -> Answer:
        call = asyncio.create_task(transport.call("GET", "/items", JSON))
        await asyncio.sleep(0.1)
        await transport.close()
        return await call

    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    error, wire = calling(closed_under, never)
    assert isinstance(error, Lost)
    assert len(wire.asked) == 1


def test_nothing_is_left_open() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def some(transport: Transport) -> None:
        await asyncio.gather(*(transport.call("GET", f"/items/{n}", JSON) for n in range(20)))

    calling(some, respond(200, b"[]"))
    before = open_files()
    for _ in range(5):
        calling(some, respond(200, b"[]"))
    assert open_files() == before


def test_a_call_that_is_cancelled_leaves_the_connections_of_others_alone() -> None:
    async def one_of_two(transport: Transport) -> Answer:
        slow = asyncio.create_task(transport.call("GET", "/slow", JSON))
        await asyncio.sleep(0.1)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        return await transport.call("GET", "/quick", JSON)

    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    def script(asked: Asked) -> Reply:
        return never if asked.target == "/slow" else respond(200, b"[]")

    answer, wire = calling(one_of_two, script)
    assert answer.status == 200
    assert [asked.target for asked in wire.asked] == ["/slow", "/quick"]


def test_many_at_once_each_get_their_own_answer() -> None:
    async def many(transport: Transport) -> list[Answer]:
        return await asyncio.gather(*(transport.call("GET", f"/items/{n}", JSON) for n in range(200)))

    def script(asked: Asked) -> Reply:
        return respond(200, asked.target.encode())

    answers, wire = calling(many, script)
    assert [answer.body for answer in answers] == [b"/items/%d" % n for n in range(200)]
    assert len(wire.asked) == 200
