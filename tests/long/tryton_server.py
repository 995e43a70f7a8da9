"""A real Tryton for tests: installed from the package index into a folder, filled, and started on a free port.

``TrytonServer.start(folder)`` takes about a minute in an empty folder and a few seconds where it was before: the
environment, the database and what tests wrote into it stay. ``stop`` ends the process it started, and no other.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

MODULES = ("sale", "sale_shipment_cost")
PACKAGES = ("trytond", "proteus", *(f"trytond-{module.replace('_', '-')}" for module in MODULES))
SERIES = ">=8.2,<8.3"
DATABASE, USER, PASSWORD = "acme", "admin", "Quay-side-42-crates"
_CONFIGURATION = """\
[database]
uri = sqlite://
path = {folder}/db
[web]
listen = 127.0.0.1:{port}
[session]
timeout = 3600
"""


class SaidNo(Exception):  # noqa: N818  (what it did, not what it is)
    """Tryton answered with an error; ``args`` is what stood in the envelope."""


@dataclass
class TrytonServer:
    """A running Tryton. ``rpc`` calls a method as its administrator, the context added as the last parameter."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    database: str = DATABASE
    user: str = USER
    password: str = PASSWORD
    context: dict[str, Any] = field(default_factory=dict)
    _client: httpx.Client | None = None

    @classmethod
    def start(cls, folder: Path) -> TrytonServer:
        """Install, fill and start what is not there yet; raises RuntimeError with the end of the log."""
        folder.mkdir(parents=True, exist_ok=True)
        _install(folder)
        port = _free_port()
        (folder / "trytond.conf").write_text(_CONFIGURATION.format(folder=folder, port=port))
        _fill(folder)
        with (folder / "trytond.log").open("ab") as log:
            command = [folder / "venv/bin/trytond", "-c", folder / "trytond.conf", "-d", DATABASE]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment(folder)
            )
        server = cls(folder, port, process)
        try:
            server._wait()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """Where it listens, without the database."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What a landscape says of it."""
        return {"database": self.database, "user": self.user, "warehouse": "WH"}

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of a method as Tryton wrote it; raises SaidNo."""
        assert self._client is not None, "the server is not running"
        body = {"id": 1, "method": method, "params": [*params, self.context]}
        answer = self._client.post(f"/{self.database}/rpc/", json=body)
        if answer.status_code != 200:
            raise SaidNo(answer.status_code, answer.text)
        content = answer.json()
        if "error" in content:
            raise SaidNo(*content["error"])
        return content["result"]

    def records(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        """Every record a domain finds, in order of their ids."""
        return self.rpc(f"model.{model}.search_read", domain, 0, None, [["id", "ASC"]], fields)

    def stop(self) -> None:
        """End it, and wait until it is gone."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _wait(self) -> None:
        self._client = httpx.Client(base_url=self.url, auth=(self.user, self.password), timeout=60, trust_env=False)
        for _ in range(240):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                self.context = {}
                preferences = self.rpc("model.res.user.get_preferences", True)
                self.context = {name: preferences[name] for name in ("company", "language")}
                return
            time.sleep(0.25)  # a foreign process that tells nobody when it is ready
        raise RuntimeError(f"Tryton did not come up:\n{_tail(self.folder / 'trytond.log')}")


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[TrytonServer]:
    """A server started in a folder, stopped whatever happens."""
    server = TrytonServer.start(folder)
    try:
        yield server
    finally:
        server.stop()


def _install(folder: Path) -> None:
    """The environment with Tryton in it."""
    done = folder / "installed"
    if done.exists():
        return
    _run([sys.executable, "-m", "venv", folder / "venv"], folder)
    packages = [f"{package}{SERIES}" for package in PACKAGES]
    _run([folder / "venv/bin/python", "-m", "pip", "install", "--quiet", *packages], folder)
    done.touch()


def _fill(folder: Path) -> None:
    """The database, its modules, and what is in it at the beginning."""
    done = folder / "filled"
    if done.exists():
        return
    (folder / "db").mkdir(exist_ok=True)
    (folder / f"db/{DATABASE}.sqlite").write_bytes(b"")
    (folder / "password").write_text(PASSWORD)
    admin = [folder / "venv/bin/trytond-admin", "-c", folder / "trytond.conf", "-d", DATABASE]
    _run([*admin, "--all", "--password", "--email", "admin@harbour.test"], folder)
    _run([*admin, "--activate-dependencies", "-u", *MODULES], folder)
    seed = Path(__file__).with_name("tryton_seed.py")
    _run([folder / "venv/bin/python", seed, folder / "trytond.conf", DATABASE], folder)
    done.touch()


def _run(command: list[Any], folder: Path) -> None:
    log = folder / "setup.log"
    with log.open("ab") as out:
        done = subprocess.run(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=_environment(folder), check=False
        )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{_tail(log)}")


def _environment(folder: Path) -> dict[str, str]:
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "TRYTON"))
    }
    return ours | {"TRYTONPASSFILE": str(folder / "password"), "LC_ALL": "C.UTF-8"}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
