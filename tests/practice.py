"""A practice landscape for a test: the simulator, a landscape file that names it, and the command line over both.

The ERP owns items, customers and orders; the shop and the warehouse are told. The warehouse owns levels, shipments and
movements; shop and ERP are told. So each class of system is a target: ERP findable, shop idempotent, warehouse blind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulation import Simulation

_FLOWS = (
    ("items", "item", "erp", ("shop", "wms")),
    ("customers", "customer", "erp", ("shop", "wms")),
    ("orders", "order", "erp", ("shop", "wms")),
    ("levels", "stock", "wms", ("shop",)),
    ("shipments", "shipment", "wms", ("erp",)),
    ("movements", "movement", "wms", ("erp",)),
)
_ROLES = {"erp": "erp", "shop": "commerce", "wms": "wms"}


@dataclass
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def content(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


class Practice:
    """One landscape in a folder over a running simulation."""

    def __init__(
        self,
        folder: Path,
        sim: Simulation,
        *,
        flows: Sequence[str] = ("items", "customers", "orders"),
        settings: str = "",
        limits: Mapping[str, str] | None = None,
        every: str = "1s",
    ) -> None:
        self.folder = folder
        self.sim = sim
        folder.mkdir(parents=True, exist_ok=True)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ERPSYNC_")}
        text = ['name = "practice"', settings]
        chosen = [flow for flow in _FLOWS if flow[0] in flows]
        for system in sim.systems:
            self.environ[f"{system.upper()}_SECRET"] = sim.secret(system)
            text += [
                f"[systems.{system}]",
                f'role = "{_ROLES[system]}"',
                'adapter = "http"',
                f'spec = "sim_{system}"',
                f'url = "{sim.url(system)}"',
                f'secret = "env:{system.upper()}_SECRET"',
            ]
            if system == "wms":
                text.append('options = { user = "erpsync" }')
            if limits:
                text.append(f"limits = {{ {', '.join(f'{name} = {value}' for name, value in limits.items())} }}")
        for name, kind, source, targets in chosen:
            to = ", ".join(f'"{target}"' for target in targets if target in sim.systems)
            text += [
                "[[flows]]",
                f'name = "{name}"',
                f'kind = "{kind}"',
                f'from = "{source}"',
                f"to = [{to}]",
                f'every = "{every}"',
            ]
        self.landscape = folder / "erpsync.toml"
        self.landscape.write_text("\n".join(text) + "\n", encoding="utf-8")

    def run(self, *words: str, stdin: str | None = None, seconds: float = 120, **environ: str) -> Ran:
        """One command, its answer whole."""
        done = subprocess.run(
            [sys.executable, "-m", "erpsync", *words],
            cwd=self.folder,
            env=self.environ | environ,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that goes on by itself (a worker); whoever starts it ends it by its id."""
        with (self.folder / "workers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "erpsync", *words],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ends_workers(self, system: str, *, on: str, path: str, times: int) -> None:
        """The network ends whoever ``works``, at each of the next such requests (see ``Kill``), so many times."""
        for count in range(1, times + 1):
            wish = {"on": on, "path": path, "pid_file": str(self._pids), "count": count}
            self.sim.control.post("kill", system=system, **wish)

    def works(self, *words: str, seconds: float = 60) -> int:
        """A worker process to its end, which may be the network's; its exit code."""
        worker = self.start(*words)
        self._pids.write_text(str(worker.pid), encoding="ascii")
        try:
            return worker.wait(timeout=seconds)
        finally:
            worker.kill()
            worker.wait()
            self._pids.unlink()

    @property
    def _pids(self) -> Path:
        return self.folder / "pids"

    def messages(self, where: str = "") -> list[dict[str, Any]]:
        """Every message a filter admits, as ``messages list`` tells it."""
        ran = self.run("messages", "list", "-o", "json", "--limit", "100000", *(("--where", where) if where else ()))
        assert ran.code == 0, ran.err
        items: list[dict[str, Any]] = ran.content["items"]
        return items

    def settle_by_looking(self, system: str) -> int:
        """Do what a person does with lost answers at a blind system: look there, then say what was seen."""
        unknown = self.messages(f"state = unknown and system = {system}")
        for message in unknown:
            kind, _, number = message["key"].partition(":")
            there = [found for found in self.sim.control.documents(system, kind, number) if not found["deleted"]]
            said = ("--delivered", there[0]["id"]) if there else ("--not-delivered", "--reason", "not there")
            ran = self.run("messages", "settle", str(message["id"]), *said, "--yes")
            assert ran.code == 0, ran.err
        return len(unknown)
