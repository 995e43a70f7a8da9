"""Secrets are read where the landscape says, and only if nobody else can read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from erpsync.config.landscape import SecretRef
from erpsync.config.secrets import reveal
from erpsync.errors import UsageError

TOKEN = SecretRef(scheme="env", name="SHOP_TOKEN")
Keep = Callable[..., SecretRef]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Writes a secret file and gives the reference to it."""

    def kept(content: bytes, *, mode: int = 0o600) -> SecretRef:
        file = tmp_path / "token"
        file.write_bytes(content)
        file.chmod(mode)
        return SecretRef(scheme="file", name=str(file))

    return kept


def refusal(ref: SecretRef, environ: dict[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        reveal(ref, environ=environ or {})
    return caught.value


def test_a_secret_comes_from_the_environment_as_it_is() -> None:
    assert reveal(TOKEN, environ={"SHOP_TOKEN": " s3cret "}) == " s3cret "


@pytest.mark.parametrize(("environ", "state"), [({}, "is not set"), ({"SHOP_TOKEN": ""}, "is empty")])
def test_a_variable_that_is_not_there_is_named(environ: dict[str, str], state: str) -> None:
    error = refusal(TOKEN, environ)
    assert error.message == f"environment variable SHOP_TOKEN, which holds a secret, {state}"
    assert error.hint == "export SHOP_TOKEN=..."
    assert error.exit_code == 2


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
def test_a_secret_comes_from_a_file_without_its_last_line_end(keep: Keep, content: bytes) -> None:
    assert reveal(keep(content), environ={}) == "s3cret"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_that_only_its_owner_can_read_is_taken(keep: Keep, mode: int) -> None:
    assert reveal(keep(b"x", mode=mode), environ={}) == "x"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_reach_is_refused(keep: Keep, mode: int) -> None:
    ref = keep(b"s3cret", mode=mode)
    error = refusal(ref)
    assert error.message == f"secret file {ref.name} is open to others (mode {mode:04o})"
    assert error.hint == f"chmod 600 {ref.name}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "holds more than one line"),
        (b"one\0", "holds more than one line"),
        (b"\xff\xfe", "is no text (UTF-8)"),
        (b"x" * 70_000, "is too long for a secret"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(keep: Keep, content: bytes, text: str) -> None:
    error = refusal(keep(content))
    assert error.message.endswith(text)
    assert "one\n" not in error.message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(SecretRef(scheme="file", name=str(tmp_path / "none"))).message.endswith("does not exist")
    assert refusal(SecretRef(scheme="file", name=str(tmp_path))).message == f"secret file {tmp_path} is no regular file"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refusal(SecretRef(scheme="file", name=str(pipe))).message.endswith("is no regular file")


def test_a_link_to_a_closed_file_is_followed(keep: Keep, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(keep(b"s3cret").name)
    assert reveal(SecretRef(scheme="file", name=str(tmp_path / "link")), environ={}) == "s3cret"
