"""A simulator process for a test: started in a folder, steered and asked through its control, stopped by its pid.

    with Simulation(tmp_path / "sim", systems=("erp", "shop")) as sim:
        sim.control.post("seed", system="erp", items=50)
        sim.url("shop"), sim.secret("shop")
        sim.control.faults("shop", writes={"lose_answer": 0.1})

It is a real process with real servers: tests touch it over HTTP alone.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from erpsync.simulator.control import Control

_opener = build_opener(ProxyHandler({}))
_START_SECONDS = 30.0


class Answered(NamedTuple):
    """An answer as it came: ``content`` is its JSON, None without a body."""

    status: int
    headers: Mapping[str, str]
    content: Any


class Simulation:
    """One simulator process. ``ready`` is its ready file's content, ``control`` speaks to its control interface."""

    def __init__(self, folder: Path, *, seed: int = 7, systems: Sequence[str] = ("erp", "wms", "shop")) -> None:
        self.folder = folder
        self.seed = seed
        self.systems = tuple(systems)
        self.ready: dict[str, Any] = {}
        self.control: Control
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the simulator."""
        return int(self.ready["pid"])

    def url(self, system: str) -> str:
        """The root of a system's interface."""
        return str(self.ready["systems"][system]["url"])

    def secret(self, system: str) -> str:
        """The token, key or password that a system lets in."""
        return str(self.ready["systems"][system]["secret"])

    def start(self) -> None:
        """Start it (again: the same folder brings the same documents and ports back) and wait until it serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "erpsync.simulator", "--folder", str(self.folder), "--seed", str(self.seed)]
        with (self.folder / "output.log").open("ab") as output:
            process = subprocess.Popen([*command, "--systems", ",".join(self.systems)], stdout=output, stderr=output)
        self._process = process
        until = time.monotonic() + _START_SECONDS
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"the simulator did not start: {(self.folder / 'output.log').read_text()}")
            time.sleep(0.02)
        self.ready = json.loads(ready_file.read_text(encoding="utf-8"))
        self.control = Control(self.ready["control"]["url"], self.ready["control"]["token"])

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End it with a signal and wait; its exit code, None when it was not running."""
        if self._process is None:
            return None
        self._process.send_signal(number)
        try:
            return self._process.wait(timeout=15)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self, *, seconds: float = 15) -> int:
        """Wait for it to end by itself; its exit code. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(timeout=seconds)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.stop(signal.SIGKILL)

    def call(
        self, system: str, method: str, path: str, body: Any = None, *, timeout: float = 10, **headers: str
    ) -> Answered:
        """One request to a system as someone it lets in; header names are given with ``_`` for ``-``.

        Raises OSError or http.client.HTTPException when no whole answer comes, ValueError when it is no JSON.
        """
        secret = self.secret(system)
        basic = base64.b64encode(f"{self.ready['systems'][system].get('user')}:{secret}".encode()).decode()
        entry = {"erp": {"Authorization": f"Bearer {secret}"}, "shop": {"X-Api-Key": secret}}.get(
            system, {"Authorization": f"Basic {basic}"}
        )
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url(system) + path, data=data, method=method, headers={**entry, **given})
        try:
            with _opener.open(request, timeout=timeout) as answer:
                content = answer.read()
                return Answered(answer.status, answer.headers, json.loads(content) if content else None)
        except HTTPError as error:
            with error:
                content = error.read()
                return Answered(error.code, error.headers, json.loads(content) if content else None)
