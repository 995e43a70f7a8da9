"""A try as a curl command: bash and the real curl send the very bytes that were sent; no secret and nothing raw is printed."""

from __future__ import annotations

import http.server
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT, Night

from erpsync.cli.curl import shell_word
from erpsync.store.store import Store

SHELL = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "WMS_TOKEN": "wms-secret",
    "ERP_TOKEN": "e r$p'",
    "SHOP_TOKEN": "s!h",
}
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
EVERY_BYTE = bytes(range(256))
BODIES = {
    "plain": b'{"partnerNo":"CU-1107"}',
    "quotes": b"""it's "$HOME" `id` $(id) \\n \\ ! !! 'x'""",
    "a file's name": b"@/etc/passwd",
    "lines": b"a\r\nb\n\n",
    "not UTF-8": b"\xff\xfe\x80abc\xc3",
    "other letters": "Grüße 東京 \U0001f469".encode(),
    "an escape sequence": b"\x1b[31mred\x07\x7f",
    "every byte but one": EVERY_BYTE[1:],
    "every byte": EVERY_BYTE,
    "ends in nothing": b"abc\0",
    "percent": b"100%\0%s %% \\x41",
    "a dash": b"-n -e\0",
    "long": b"'\xff" * 100_000,
    "empty": b"",
}


@dataclass
class Got:
    """What a server got, byte by byte."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def far() -> Iterator[Got]:
    """A server on loopback that keeps what it is sent."""
    got = Got()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value.encode("latin-1").decode("utf-8") for name, value in self.headers.items()}
            got.requests.append((self.requestline, headers, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PATCH(self) -> None:
            self.do_POST()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tried(night: Path, far: Got, run_in: Callable[[Path], Run]) -> Callable[..., tuple[Run, str]]:
    """A message to the warehouse with a try of these bytes, at a server that listens; returns the command line and its id."""
    landscape = night / "erpsync.toml"
    landscape.write_text(landscape.read_text("utf-8").replace("127.0.0.1:9", f"127.0.0.1:{far.port}"), "utf-8")

    numbers = itertools.count(7000)

    def make(body: bytes = b"{}", *, to: str = "wms", state: str = "dead", **attempt: object) -> tuple[Run, str]:
        with Store.open(night / "erpsync.db", now=NIGHT) as store:
            made = Night(store)
            message = made.message(f"customer:CU-{next(numbers)}", to=to, state=state, tries=1)
            told = {"request": "POST /wms/partners", "headers": '[["Content-Type", "application/json"]]', **attempt}
            made.attempt(message, ago=3, outcome="refused", body=body, **told)
        return run_in(night), str(message)

    return make


def in_bash(command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a person pastes it."""
    script = f"set -o pipefail\n{command}".encode()  # read as it would be typed: no argument is that long
    return subprocess.run(
        ["bash", "-s"], input=script, env={**SHELL, **environ}, capture_output=True, check=False, timeout=60
    )


def test_a_narrow_terminal_does_not_break_it(tried: Callable[..., tuple[Run, str]]) -> None:
    erpsync, number = tried(
        b'{"name": "a name of several words", "street": "a street of several words", "city": "Bremen"}'
    )
    narrow = erpsync("messages", "show", number, "--curl", columns=40)
    assert narrow.out == erpsync("messages", "show", number, "--curl").out


@needs_curl
@pytest.mark.parametrize("name", BODIES)
def test_what_was_sent_arrives_byte_for_byte(name: str, tried: Callable[..., tuple[Run, str]], far: Got) -> None:
    erpsync, number = tried(BODIES[name])
    command = erpsync("messages", "show", number, "--curl").out
    assert command.isascii()
    assert all(line.isprintable() for line in command.splitlines())
    done = in_bash(command)
    assert done.returncode == 0, done.stderr
    ((line, headers, body),) = far.requests
    assert (line, body) == ("POST /wms/partners HTTP/1.1", BODIES[name])
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Basic ZXJwc3luYzp3bXMtc2VjcmV0", "erpsync:wms-secret"


@needs_curl
def test_target_and_headers_arrive_as_they_were_sent(tried: Callable[..., tuple[Run, str]], far: Got) -> None:
    target = "/wms/a/../b/{x}/[1-3]?q=it's&n=%20\u6771"
    headers = '[["X-Name", "it\'s $(id) \u6771 !"], ["Idempotency-Key", "es-1"], ["Accept-Encoding", "gzip"]]'
    erpsync, number = tried(b"x", request=f"PATCH {target}", headers=headers)
    done = in_bash(erpsync("messages", "show", number, "--curl").out)
    assert done.returncode == 0, done.stderr
    ((line, got, body),) = far.requests
    assert line == "PATCH /wms/a/../b/%7Bx%7D/[1-3]?q=it's&n=%20%E6%9D%B1 HTTP/1.1"
    assert (got["x-name"], got["idempotency-key"], body) == ("it's $(id) \u6771 !", "es-1", b"x")
    assert "content-type" not in got, "none was sent"


@needs_curl
@pytest.mark.parametrize(
    ("to", "header", "value"), [("erp", "authorization", "Bearer e r$p'"), ("shop", "x-api-key", "s!h")]
)
def test_the_secret_is_looked_up_by_the_shell_and_nowhere_else(
    to: str, header: str, value: str, tried: Callable[..., tuple[Run, str]], far: Got
) -> None:
    erpsync, number = tried(b"{}", to=to, request="POST /x")
    answer = erpsync("messages", "show", number, "--curl")
    assert f'"${{{to.upper()}_TOKEN:?}}"' in answer.out
    for secret in ("erp-secret", "shop-secret", "wms-secret"):
        assert secret not in answer.out + answer.err
    assert in_bash(answer.out).returncode == 0
    assert far.requests[0][1][header] == value
    unset = in_bash(answer.out, **{f"{to.upper()}_TOKEN": ""})
    assert unset.returncode != 0
    assert len(far.requests) == 1, "nothing is sent without a secret: it might lock the account"


def test_a_secret_that_lies_in_a_file_is_not_read(tried: Callable[..., tuple[Run, str]], night: Path) -> None:
    erpsync, number = tried(b"{}")
    secret = night / "wms.secret"
    secret.write_text("from-a-file", encoding="utf-8")
    secret.chmod(0o600)
    file = night / "erpsync.toml"
    file.write_text(file.read_text("utf-8").replace("env:WMS_TOKEN", f"file:{secret}"), "utf-8")
    answer = erpsync("messages", "show", number, "--curl")
    assert "-u erpsync:'(secret removed)'" in answer.out
    assert "warning: put the secret of wms in the place of (secret removed)\n" in answer.err
    assert "from-a-file" not in answer.out + answer.err


def test_a_create_that_would_be_there_twice_is_warned_of(tried: Callable[..., tuple[Run, str]]) -> None:
    def warned(to: str, **attempt: object) -> str:
        erpsync, number = tried(b"{}", to=to, **attempt)
        return str(erpsync("messages", "show", number, "--curl").err)

    twice = "a second time if the first arrived; look there first"
    assert "warning: wms is blind for this kind: running this writes customer:CU-" in warned("wms")
    assert twice in warned("wms")
    assert warned("wms", far_id="W-1") == "", "an update"
    assert warned("shop") == "", "idempotent"


def test_the_command_is_a_field_in_json_and_null_unless_asked_for(tried: Callable[..., tuple[Run, str]]) -> None:
    erpsync, number = tried(b"{}")
    asked = erpsync("messages", "show", number, "--curl", "-o", "json")
    assert asked.json["curl"] == erpsync("messages", "show", number, "--curl").out.removesuffix("\n")
    assert erpsync("messages", "show", number, "-o", "json").json["curl"] is None


def test_the_last_write_is_meant_not_a_question_after_it(tried: Callable[..., tuple[Run, str]], night: Path) -> None:
    erpsync, number = tried(b"first")
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        made = Night(store)
        made.attempt(int(number), ago=2, outcome="refused", body=b"second", request="PUT /wms/partners/1")
        made.attempt(int(number), ago=1, outcome="unknown", what="settle", request="GET /wms/partners")
        made.attempt(int(number), ago=0, outcome="system_down")
    out = erpsync("messages", "show", number, "--curl").out
    assert out.startswith("curl -X PUT http://127.0.0.1:")
    assert "--data-raw second" in out


def test_without_a_try_it_says_so(erpsync: Run) -> None:
    answer = erpsync("messages", "show", "12", "--curl")
    assert answer.code == 2
    assert answer.err == (
        "error: message 12 was not sent yet: there is no request to repeat\nhint: erpsync messages show 12\n"
    )


def test_what_is_not_one_http_request_is_said_in_a_line(tried: Callable[..., tuple[Run, str]], night: Path) -> None:
    erpsync, number = tried(b"{}", request="put out/items/x.json")
    answer = erpsync("messages", "show", number, "--curl")
    assert answer.code == 2
    assert answer.err.startswith(f"error: message {number} went to wms, ")
    assert answer.err.splitlines()[0].endswith("its try is not one HTTP request")


@needs_curl
def test_the_address_of_a_system_that_is_not_in_the_landscape_any_more_is_asked_for(
    tried: Callable[..., tuple[Run, str]], night: Path, far: Got
) -> None:
    erpsync, number = tried(b"{}")
    file = night / "erpsync.toml"
    text = file.read_text("utf-8")
    begin, end = text.index("[systems.wms]"), text.index("[owners]")
    gone = (text[:begin] + text[end:]).replace('shipment = "wms"\n', "").replace(', "wms"]', "]")
    file.write_text(gone[: gone.index('[[flows]]\nname = "shipments"')], "utf-8")
    answer = erpsync("messages", "show", number, "--curl")
    assert answer.code == 0, answer.err
    assert "how wms is told who calls is not known here" in answer.err
    assert in_bash(answer.out).returncode != 0
    assert in_bash(answer.out, WMS_URL=f"http://127.0.0.1:{far.port}").returncode == 0
    assert far.requests[0][0] == "POST /wms/partners HTTP/1.1"


@pytest.mark.parametrize("text", ["", "a b", "it's", "$x", "-H", "~", "#", "a\nb", "\x1b", "é", "\\", "!", "a=b", "*"])
def test_a_word_is_one_word_of_bash(text: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {shell_word(text)}"], env=SHELL, capture_output=True, check=True, timeout=30
    )
    assert done.stdout.decode() == text
    assert shell_word(text).isascii()
    assert shell_word(text).isprintable()
