"""What a write comes to when the far system, or the network, misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from http_wire import ITEMS, NOON, SECRET, Reply, Wire, item, opened, quick_limits, respond

from erpsync.adapters.protocol import Receipt
from erpsync.errors import AccessDenied, Conflict, OutcomeUnknown, Refused, RetryLater, SystemDown

# Made for these tests alone: a key that opens nothing.
OWN_CERTIFICATE = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJ8KfWl3/hIf2j+Rf
GsBGHukdxWR87w/07P2FuQqUsOKhRANCAAS3u5dmZ4VLfGpu7jCmodpGf6yEYYNr
JDXdVIIHaScH3vukp8g+2oxneOnwMez2N4+ELGNGSm+rDoLFbTrZnaUH
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUIiv5BOr0TqVkCGxOj+L99yja8lYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE1MDgxOFoYDzIxMjYxMDMw
MTUwODE4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS3u5dmZ4VLfGpu7jCmodpGf6yEYYNrJDXdVIIHaScH3vukp8g+2oxn
eOnwMez2N4+ELGNGSm+rDoLFbTrZnaUHo2QwYjAdBgNVHQ4EFgQUt5R+9sd9Q71J
qdWqmrsc5O0UcCowHwYDVR0jBBgwFoAUt5R+9sd9Q71JqdWqmrsc5O0UcCowDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQC9t0S7v0xjIU7VNsN4/NP8Ncqs0elHGlYDN5ZUJqttbgIgekBeNhvs4JKDZNCu
fkzi66lJw3094CfPCKhMcjQ98rc=
-----END CERTIFICATE-----
"""
GOOD = {"id": 7, "sku": "SKU-1", "name": "Chai", "price": 18.5, "version": 3}


def write(
    folder: Path, reply: Reply | Callable[[int], Reply], *, spec: str = ITEMS, **limits: object
) -> tuple[Receipt, Wire]:
    """The receipt of one create at a system that replies so."""

    async def go() -> tuple[Receipt, Wire]:
        async with (
            Wire(lambda _: reply) as wire,
            opened(folder, wire.url, spec, limits=quick_limits(**limits)) as adapter,
        ):
            receipts = await adapter.write([adapter.prepare(item())])
            return receipts[0], wire

    return asyncio.run(go())


def test_a_good_answer_is_a_receipt_with_what_the_far_document_now_holds(tmp_path: Path) -> None:
    receipt, wire = write(tmp_path, respond(201, GOOD))
    assert (receipt.outcome, receipt.far_id, receipt.error) == ("created", "7", None)
    assert receipt.far_revision is not None
    assert receipt.far_revision.order == 3
    assert receipt.holds == {"sku": "SKU-1", "name": "Chai", "price": 18_500_000, "currency": "USD"}
    assert (receipt.evidence.status, receipt.evidence.calls) == (201, 1)
    assert receipt.evidence.sent_at == NOON
    assert wire.asked[0].headers["idempotency-key"] == "es-7k3f.1-1-1"
    assert wire.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert wire.asked[0].body == b'{"sku":"SKU-1","name":"Chai","price":18.50}'


@pytest.mark.parametrize(
    ("status", "meaning", "code"),
    [
        (400, Refused, "http_400"),
        (404, Refused, "http_404"),
        (422, Refused, "http_422"),
        (401, AccessDenied, "http_401"),
        (403, AccessDenied, "http_403"),
        (409, Conflict, "http_409"),
        (412, Conflict, "http_412"),
        (429, RetryLater, "http_429"),
        (408, OutcomeUnknown, "http_408"),
        (500, OutcomeUnknown, "http_500"),
        (502, OutcomeUnknown, "http_502"),
        (503, OutcomeUnknown, "http_503"),
        (504, OutcomeUnknown, "http_504"),
        (418, OutcomeUnknown, "http_418"),
        (301, OutcomeUnknown, "http_301"),
    ],
)
def test_a_status_means_what_the_design_says_of_a_write(tmp_path: Path, status: int, meaning: type, code: str) -> None:
    receipt, wire = write(tmp_path, respond(status, {"message": "no such thing"}))
    assert type(receipt.error) is meaning
    assert receipt.error.code == code
    assert receipt.outcome == ""
    assert receipt.evidence.status == status
    assert b"no such thing" in receipt.evidence.answer
    assert len(wire.asked) == 1


def test_503_with_retry_after_is_a_wish_to_be_left_alone(tmp_path: Path) -> None:
    receipt, _ = write(tmp_path, respond(503, b"", {"Retry-After": "7"}))
    assert isinstance(receipt.error, RetryLater)
    assert receipt.error.after == timedelta(seconds=7)
    assert receipt.error.throttled


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-30"}, 0),
        ({"Retry-After": "99999999"}, 3600),
        ({"Retry-After": "Thu, 15 Oct 2026 12:00:20 GMT", "Date": "Thu, 15 Oct 2026 12:00:00 GMT"}, 20),
        # Its clock is an hour ahead of ours, and says so: the wait is by its own clock.
        ({"Retry-After": "Thu, 15 Oct 2026 13:00:20 GMT", "Date": "Thu, 15 Oct 2026 13:00:00 GMT"}, 20),
        ({"Retry-After": "Thu, 15 Oct 2026 12:00:45 GMT"}, 45),
        ({"Retry-After": "Thu, 15 Oct 1996 12:00:45 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_all_its_forms_and_absurd_ones_are_cut(
    tmp_path: Path, headers: dict[str, str], seconds: float
) -> None:
    receipt, _ = write(tmp_path, respond(429, b"", headers))
    assert isinstance(receipt.error, RetryLater)
    assert receipt.error.after == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["soon", "", "1e400", "٣", "Thu, 99 Oct 2026"])
def test_a_retry_after_that_says_nothing_leaves_the_wait_to_us(tmp_path: Path, value: str) -> None:
    receipt, _ = write(
        tmp_path, respond(429, b"").replace(b"\r\n\r\n", b"\r\nRetry-After: " + value.encode() + b"\r\n\r\n")
    )
    assert isinstance(receipt.error, RetryLater)
    assert receipt.error.after is None


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"{",
        b'{"id": 7, "id": 8}',
        b'{"id": NaN}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'"\\ud800"',
        b'{"id": 7} and more',
        b"{}",
        b"null",
        b"[]",
        b"",
    ],
)
def test_success_with_an_answer_that_cannot_be_believed_is_unknown(tmp_path: Path, body: bytes) -> None:
    receipt, _ = write(tmp_path, respond(200, body))
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "unreadable_answer"
    assert receipt.evidence.status == 200


def test_a_body_in_latin_1_is_not_believed_whatever_the_header_says(tmp_path: Path) -> None:
    body = '{"id": 7, "sku": "SKU-1", "name": "Thé"}'.encode("latin-1")
    receipt, _ = write(tmp_path, respond(200, body, {"Content-Type": "application/json; charset=iso-8859-1"}))
    assert isinstance(receipt.error, OutcomeUnknown)


def test_a_lying_content_type_does_not_spoil_a_good_answer(tmp_path: Path) -> None:
    receipt, _ = write(tmp_path, respond(200, GOOD, {"Content-Type": "text/html; charset=utf-16"}))
    assert receipt.far_id == "7"


def test_the_answer_to_a_change_of_another_document_is_unknown(tmp_path: Path) -> None:
    async def go() -> Receipt:
        async with Wire(lambda _: respond(200, {**GOOD, "id": 8})) as wire, opened(tmp_path, wire.url) as adapter:
            return (await adapter.write([adapter.prepare(item(far_id="7"))]))[0]

    receipt = asyncio.run(go())
    assert isinstance(receipt.error, OutcomeUnknown)


def test_a_connection_that_is_refused_means_nothing_was_sent(tmp_path: Path) -> None:
    async def go() -> Receipt:
        async with Wire(lambda _: None) as wire:
            url = wire.url
        async with opened(tmp_path, url) as adapter:
            return (await adapter.write([adapter.prepare(item())]))[0]

    receipt = asyncio.run(go())
    assert isinstance(receipt.error, SystemDown)
    assert receipt.evidence.sent_at is None


def test_a_name_that_is_not_known_means_nothing_was_sent(tmp_path: Path) -> None:
    async def go() -> Receipt:
        async with opened(tmp_path, "http://no-such-host.invalid") as adapter:
            return (await adapter.write([adapter.prepare(item())]))[0]

    assert isinstance(asyncio.run(go()).error, SystemDown)


def test_a_certificate_that_is_not_accepted_means_nothing_was_sent(tmp_path: Path) -> None:
    async def go() -> Receipt:
        async with Wire(lambda _: None) as wire, opened(tmp_path, wire.url.replace("http:", "https:")) as adapter:
            return (await adapter.write([adapter.prepare(item())]))[0]

    assert isinstance(asyncio.run(go()).error, SystemDown)


def test_a_certificate_that_nobody_vouches_for_means_nothing_was_sent(tmp_path: Path) -> None:
    """It names the right host and is not expired; only its issuer is unknown."""

    async def go() -> tuple[Receipt, list[bytes]]:
        got: list[bytes] = []
        (tmp_path / "own.pem").write_text(OWN_CERTIFICATE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "own.pem")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.append(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, opened(tmp_path, url) as adapter:
            return (await adapter.write([adapter.prepare(item())]))[0], got

    receipt, got = asyncio.run(go())
    assert isinstance(receipt.error, SystemDown)
    assert "certificate" in receipt.error.message
    assert b"".join(got) == b""


def test_an_answer_that_never_comes_is_unknown(tmp_path: Path) -> None:
    receipt, _ = write(tmp_path, None)
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "answer_lost"
    assert receipt.evidence.sent_at == NOON


def test_an_answer_that_is_cut_off_is_unknown(tmp_path: Path) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"id": 7')
        await writer.drain()
        writer.close()

    receipt, _ = write(tmp_path, cut)
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.evidence.status == 200
    assert receipt.evidence.answer == b'{"id": 7'


def test_an_answer_that_drips_ends_at_the_deadline(tmp_path: Path) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    receipt, _ = write(tmp_path, drip, timeout=timedelta(seconds=0.3), deadline=timedelta(seconds=0.6))
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "deadline"
    assert receipt.evidence.seconds < 2


def test_a_system_that_takes_the_request_and_is_silent_is_unknown_after_the_timeout(tmp_path: Path) -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    receipt, _ = write(tmp_path, silent, timeout=timedelta(seconds=0.2))
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "timeout"


def test_a_small_packed_answer_that_unpacks_to_210_mb_stays_small(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(b'{"id":"')
    bomb += b"".join(packer.compress(b"0" * 1_000_000) for _ in range(210)) + packer.flush()
    assert len(bomb) < 300_000
    headers = {"Content-Encoding": "gzip"}

    async def go() -> tuple[Receipt, int]:
        limits = quick_limits(max_answer=1024 * 1024)
        async with (
            Wire(lambda _: respond(200, bomb, headers)) as wire,
            opened(tmp_path, wire.url, limits=limits) as adapter,
        ):
            prepared = adapter.prepare(item())
            tracemalloc.start()
            receipt = (await adapter.write([prepared]))[0]
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return receipt, peak

    receipt, peak = asyncio.run(go())
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "answer_too_long"
    assert peak < 16 * 1024 * 1024


def test_an_endless_answer_is_cut_at_the_limit(tmp_path: Path) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()

    receipt, _ = write(tmp_path, endless, max_answer=256 * 1024)
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.error.code == "answer_too_long"
    assert len(receipt.evidence.answer) == 64 * 1024
    assert receipt.evidence.answer_cut


def test_a_flood_of_headers_is_not_taken_in(tmp_path: Path) -> None:
    flood = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(20_000))

    receipt, _ = write(tmp_path, b"HTTP/1.1 200 OK\r\n" + flood + b"\r\n")
    assert isinstance(receipt.error, OutcomeUnknown)


def test_a_good_answer_packed_with_gzip_is_read(tmp_path: Path) -> None:
    body = gzip.compress(respond(200, GOOD).partition(b"\r\n\r\n")[2])
    receipt, _ = write(tmp_path, respond(200, body, {"Content-Encoding": "gzip"}))
    assert receipt.far_id == "7"


def test_a_packed_answer_that_ends_too_early_is_unknown(tmp_path: Path) -> None:
    body = gzip.compress(respond(200, GOOD).partition(b"\r\n\r\n")[2])[:-12]
    receipt, _ = write(tmp_path, respond(200, body, {"Content-Encoding": "gzip"}))
    assert isinstance(receipt.error, OutcomeUnknown)


def test_a_system_that_says_gzip_and_sends_plain_text_is_understood(tmp_path: Path) -> None:
    receipt, _ = write(tmp_path, respond(200, GOOD, {"Content-Encoding": "gzip"}))
    assert receipt.far_id == "7"


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(tmp_path: Path) -> None:
    async def go() -> tuple[Receipt, Wire]:
        spec = ITEMS.replace('kind = "bearer"', 'kind = "key"')
        async with Wire(lambda _: respond(200, GOOD)) as other:
            elsewhere = respond(307, b"", {"Location": f"{other.url}/items"})
            async with Wire(lambda _: elsewhere) as wire, opened(tmp_path, wire.url, spec) as adapter:
                receipt = (await adapter.write([adapter.prepare(item())]))[0]
                assert wire.asked[0].headers["x-api-key"] == SECRET
                return receipt, other

    receipt, other = asyncio.run(go())
    assert other.connections == 0
    assert isinstance(receipt.error, OutcomeUnknown)
    assert "redirect" in receipt.error.message


@pytest.mark.parametrize("act", ["create", "update", "remove"])
def test_a_write_over_a_connection_that_is_closed_in_place_of_an_answer_is_sent_once_and_unknown(
    tmp_path: Path, act: str
) -> None:
    """libcurl would send it a second time by itself."""

    async def go() -> tuple[Receipt, Wire]:
        replies = iter([respond(201, GOOD)])
        async with Wire(lambda _: next(replies, None)) as wire, opened(tmp_path, wire.url) as adapter:
            first = (await adapter.write([adapter.prepare(item())]))[0]
            assert first.error is None
            again = adapter.prepare(item(far_id="" if act == "create" else "7", removed=act == "remove"))
            return (await adapter.write([again]))[0], wire

    receipt, wire = asyncio.run(go())
    method = {"create": "POST", "update": "PUT", "remove": "DELETE"}[act]
    assert [asked.method for asked in wire.asked] == ["POST", method]
    assert isinstance(receipt.error, OutcomeUnknown)


def removing(folder: Path, reply: Reply, *, spec: str = ITEMS, removed: bool = True) -> Receipt:
    """The receipt of one removal (or else an update) at a system that replies so."""

    async def go() -> Receipt:
        async with Wire(lambda _: reply) as wire, opened(folder, wire.url, spec) as adapter:
            return (await adapter.write([adapter.prepare(item(far_id="7", removed=removed))]))[0]

    return asyncio.run(go())


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("body", [b"", b"<html>nothing here</html>", {"message": "no such item"}])
def test_what_was_to_be_deleted_and_is_gone_already_is_done(
    tmp_path: Path, status: int, body: bytes | dict[str, str]
) -> None:
    receipt = removing(tmp_path, respond(status, body))
    assert (receipt.error, receipt.outcome, receipt.far_id) == (None, "unchanged", "7")
    assert receipt.evidence.status == status


def test_an_item_that_is_gone_cannot_be_changed(tmp_path: Path) -> None:
    assert isinstance(removing(tmp_path, respond(404, {"message": "no such item"}), removed=False).error, Refused)
    assert isinstance(removing(tmp_path, respond(410), removed=False).error, OutcomeUnknown)


@pytest.mark.parametrize("status", [400, 422])
def test_a_system_that_will_not_delete_has_refused(tmp_path: Path, status: int) -> None:
    assert isinstance(removing(tmp_path, respond(status, {"message": "in use"})).error, Refused)


def test_a_spec_that_says_what_its_404_means_is_believed_about_deletes_too(tmp_path: Path) -> None:
    own = ITEMS.replace("[probe]", '[[errors]]\nstatus = [404]\nmeans = "refused"\n[probe]', 1)
    assert isinstance(removing(tmp_path, respond(404, {"message": "no such tenant"}), spec=own).error, Refused)


def test_what_is_put_out_of_use_by_a_change_must_be_there(tmp_path: Path) -> None:
    own = ITEMS.replace(
        'method = "DELETE"\npath = "/items/{far_id}"', 'method = "POST"\npath = "/items/{far_id}/retire"'
    )
    assert isinstance(removing(tmp_path, respond(404, {"message": "no such item"}), spec=own).error, Refused)


def test_the_same_prepared_write_goes_out_byte_for_byte_the_same_again(tmp_path: Path) -> None:
    async def go() -> Wire:
        async with Wire(lambda _: respond(201, GOOD)) as wire, opened(tmp_path, wire.url) as adapter:
            prepared = adapter.prepare(item())
            assert adapter.prepare(item()) == prepared
            await adapter.write([prepared])
            await adapter.write([prepared])
            return wire

    wire = asyncio.run(go())
    assert wire.asked[0] == wire.asked[1]


def test_the_secret_is_nowhere_to_be_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refused = {"message": f"the key {SECRET} is not known", "auth": f"Bearer {SECRET}"}

    async def go() -> str:
        async with Wire(lambda _: respond(403, refused)) as wire, opened(tmp_path, wire.url) as adapter:
            prepared = adapter.prepare(item())
            receipt = (await adapter.write([prepared]))[0]
            with pytest.raises(AccessDenied) as denied:
                await adapter.read("item", "7")
            return "".join(map(repr, (prepared, receipt, receipt.error, denied.value.message, adapter.access)))  # type: ignore[attr-defined]

    shown = asyncio.run(go())
    assert SECRET not in shown
    assert "(secret removed)" in shown
    assert SECRET not in caplog.text


def test_a_batch_gives_a_receipt_for_each_in_their_order(tmp_path: Path) -> None:
    def reply(asked: object) -> bytes:
        body = getattr(asked, "body", b"")
        sku = body.split(b'"')[3].decode()
        return (
            respond(422, {"message": sku}) if sku == "SKU-3" else respond(201, {**GOOD, "id": int(sku[4:]), "sku": sku})
        )

    async def go() -> list[Receipt]:
        async with Wire(reply) as wire, opened(tmp_path, wire.url) as adapter:
            one = item().document
            batch = [item(number=f"SKU-{n}", document=one.model_copy(update={"sku": f"SKU-{n}"})) for n in range(1, 9)]
            return list(await adapter.write([adapter.prepare(each) for each in batch]))

    receipts = asyncio.run(go())
    assert [receipt.far_id for receipt in receipts] == ["1", "2", "", "4", "5", "6", "7", "8"]
    assert isinstance(receipts[2].error, Refused)
