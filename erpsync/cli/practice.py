"""The practice landscape's process, from outside: starting it, waiting until it serves, steering it, stopping it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from erpsync.errors import Unreachable, UsageError

READY = "ready.json"
_START_SECONDS = 20.0
_CALL_SECONDS = 30.0


def systems_folder(folder: Path) -> Path:
    """Where the simulator keeps its documents, beside the landscape of a practice folder."""
    return folder / "systems"


def start(folder: Path, *, seed: int = 7) -> subprocess.Popen[bytes]:
    """The simulator serving the documents in ``folder``; its output goes to ``simulator.log`` there. Raises Unreachable."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "simulator.log"
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        process = subprocess.Popen(  # noqa: S603  (our own module, our own arguments, no shell)
            [sys.executable, "-m", "erpsync.simulator", "--folder", str(folder), "--seed", str(seed)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Unreachable(
                f"the simulator did not start: {said[-1] if said else f'exit code {process.returncode}'}",
                hint=f"see {log}",
            )
        ready = _ready(folder)
        if ready and ready.get("pid") == process.pid:
            return process
        time.sleep(0.05)
    process.terminate()
    process.wait()
    raise Unreachable(f"the simulator did not serve within {_START_SECONDS:g} s", hint=f"see {log}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop it cleanly, so that its documents are whole."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ready(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / READY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class Control:
    """The control interface of a running simulator."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError when nothing runs there."""
        ready = _ready(folder)
        if ready is None or not _alive(int(ready["pid"])):
            raise UsageError("no practice systems run here", hint="erpsync sim up brings them up")
        self.pid = int(ready["pid"])
        self.systems: dict[str, dict[str, Any]] = ready["systems"]
        address = urlsplit(str(ready["control"]["url"]))
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._token = str(ready["control"]["token"])

    def get(self, what: str) -> dict[str, Any]:
        """What the simulator says of ``what`` (``state``, ``documents?...``)."""
        return self._call("GET", what, None)

    def post(self, what: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask the simulator for something; raises UsageError with its words when it refuses."""
        return self._call("POST", what, wish)

    def _call(self, method: str, what: str, wish: dict[str, Any] | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_CALL_SECONDS)
        try:
            body = None if wish is None else json.dumps(wish).encode()
            connection.request(
                method, f"/{what}", body=body, headers={"X-Sim-Token": self._token, "Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(
                f"the simulator did not answer: {error}", hint="erpsync sim up brings it up again"
            ) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise UsageError(f"the simulator refused: {found.get('error', answer.status)}")
        return dict(found)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
