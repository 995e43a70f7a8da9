"""The process: which systems, at which ports, in which folder; from ready file to clean stop.

Ports and secrets are fixed once chosen, so that addresses written in a landscape stay true.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from erpsync.domain.kinds import kinds
from erpsync.errors import UsageError
from erpsync.simulator.counting import Counting
from erpsync.simulator.erp import Erp
from erpsync.simulator.far_system import FarSystem
from erpsync.simulator.faults import Faults
from erpsync.simulator.fields import Json, stamp
from erpsync.simulator.kills import Kills
from erpsync.simulator.serving import Serving
from erpsync.simulator.shop import Shop
from erpsync.simulator.steering import Steering
from erpsync.simulator.wms import Wms

SYSTEMS: dict[str, type[FarSystem]] = {"erp": Erp, "wms": Wms, "shop": Shop}
CONTROL = "control"
_PORTS = range(18_000, 31_000)  # below those that systems hand out by themselves, so that ours are still free next time


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line. ``folder`` None keeps everything in memory; port 0 means any."""

    folder: Path | None
    seed: int
    systems: tuple[str, ...]
    ports: dict[str, int]
    ready_file: Path | None


async def serve(wish: Wish) -> int:
    """Run until told to stop; the exit code (0, or 130 after Ctrl-C). Raises UsageError when a port is taken."""
    kinds()  # read once here, not at the first request
    stop, interrupted = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    settings = _settings(wish)
    servings: dict[str, Serving] = {}
    kills = Kills()
    runner: web.AppRunner | None = None
    ready_file = wish.ready_file or (wish.folder / "ready.json" if wish.folder else None)
    try:
        for name in wish.systems:
            servings[name] = await _started(name, wish, kills, settings)
        token = secrets.token_hex(16)
        runner = web.AppRunner(
            Steering(servings, kills, token=token, stop=stop).app(), access_log=None, shutdown_timeout=0.5
        )
        await runner.setup()
        port = await _listen_for_control(runner, settings)
        if wish.folder:
            _write(wish.folder / "settings.json", settings)
        ready = _ready(servings, wish, control=f"http://127.0.0.1:{port}", token=token)
        if ready_file:
            _write(ready_file, ready)
        await stop.wait()
        return 130 if interrupted.is_set() else 0
    finally:
        for serving in servings.values():
            await serving.stop()
        if runner:
            await runner.cleanup()
        if ready_file and _is_ours(ready_file):
            ready_file.unlink()


async def _started(name: str, wish: Wish, kills: Kills, settings: Json) -> Serving:
    faults = Faults(name, seed=wish.seed)
    if name == "wms":
        faults.rules["parents"] = False  # a warehouse takes the consignee and the articles as they are told
    port = settings["ports"].get(name) or _free_port()
    serving = Serving(SYSTEMS[name](wish.folder, faults), Counting(name, kills), port)
    try:
        await serving.start()
    except OSError as error:
        await serving.stop()
        raise _taken(name, port) from error
    settings["ports"][name] = port
    return serving


async def _listen_for_control(runner: web.AppRunner, settings: Json) -> int:
    port = settings["ports"].get(CONTROL) or _free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        raise _taken(CONTROL, port) from error
    settings["ports"][CONTROL] = port
    return int(port)


def _taken(name: str, port: int) -> UsageError:
    return UsageError(
        f"port {port} of {name} is taken by another process",
        hint=f"stop that process (perhaps this same landscape is up already), or give another with --ports {name}=PORT",
    )


def _settings(wish: Wish) -> Json:
    settings: Json = {"ports": {}, "seed": wish.seed}
    if wish.folder:
        wish.folder.mkdir(parents=True, exist_ok=True)
        path = wish.folder / "settings.json"
        if path.exists():
            settings = json.loads(path.read_text(encoding="utf-8"))
    settings["ports"] |= {name: port for name, port in wish.ports.items() if port}
    return settings


def _free_port() -> int:
    """A port nobody listens on, drawn so that several landscapes begun at once do not meet."""
    for _ in range(200):
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UsageError("no free port was found", hint="give ports with --ports")


def _ready(servings: dict[str, Serving], wish: Wish, *, control: str, token: str) -> Json:
    systems: Json = {}
    for name, serving in servings.items():
        systems[name] = {"url": serving.url, "secret": serving.system.secret, "class": serving.system.once}
        if serving.system.user:
            systems[name]["user"] = serving.system.user
    return {
        "pid": os.getpid(),
        "folder": str(wish.folder) if wish.folder else None,
        "seed": wish.seed,
        "since": stamp(datetime.now(UTC)),
        "systems": systems,
        "control": {"url": control, "token": token},
    }


def _write(path: Path, content: Json) -> None:
    """Write a file whole, readable by its owner alone."""
    half = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    half.replace(path)


def _is_ours(ready_file: Path) -> bool:
    try:
        return bool(json.loads(ready_file.read_text(encoding="utf-8")).get("pid") == os.getpid())
    except (OSError, ValueError):
        return False
