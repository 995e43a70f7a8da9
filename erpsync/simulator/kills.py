"""Killing the process under test at an exact moment: when its write was received, or had just been answered; when it asked.

Only processes named in the wish are ever killed, and only with SIGKILL.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from erpsync.simulator.fields import Json, stamp

SENDER = "sender"


@dataclass
class Kill:
    """A kill that waits for the ``count``-th event from when it was asked for, of requests with ``path`` in theirs."""

    id: int
    system: str
    on: str
    count: int
    pids: tuple[int, ...]
    pid_file: str
    pick: str | int
    path: str = ""
    done: bool = False
    pid: int | None = None
    request: int | None = None
    at: str = ""


class Kills:
    """The kills asked for."""

    def __init__(self) -> None:
        self.asked: list[Kill] = []

    def ask(self, wish: Mapping[str, Any]) -> int:
        """Ask for a kill; returns its id. Raises ValueError when the wish cannot be read."""
        pids, pid_file, pick = wish.get("pids", []), wish.get("pid_file", ""), wish.get("pick", SENDER)
        if wish.get("on") not in ("received", "answered", "asked"):
            raise ValueError("on must be received or answered (a write), or asked (a read)")
        if not isinstance(pids, list) or any(type(pid) is not int or pid <= 1 for pid in pids):
            raise ValueError("pids must be a list of process ids")
        if not pids and not pid_file:
            raise ValueError("pids or pid_file must say who may be killed")
        if pick != SENDER and type(pick) is not int:
            raise ValueError("pick must be sender or a seed")
        kill = Kill(
            id=len(self.asked) + 1,
            system=str(wish.get("system", "")),
            on=str(wish["on"]),
            count=int(wish.get("count", 1)),
            pids=tuple(pids),
            pid_file=str(pid_file),
            pick=pick,
            path=str(wish.get("path", "")),
        )
        self.asked.append(kill)
        return kill.id

    def happened(self, system: str, event: str, *, request_no: int, path: str, peer_port: int) -> None:
        """Do the kills that were waiting for this event."""
        for kill in self.asked:
            if kill.done or kill.on != event or kill.system not in ("", "all", system):
                continue
            if kill.path not in path:
                continue
            kill.count -= 1
            if kill.count > 0:
                continue
            kill.done, kill.request, kill.at = True, request_no, stamp(datetime.now(UTC))
            alive = [pid for pid in (*kill.pids, *_pids_in(kill.pid_file)) if Path(f"/proc/{pid}").exists()]
            kill.pid = _sender(alive, peer_port) if kill.pick == SENDER else None
            if kill.pid is None and alive:
                kill.pid = random.Random(f"{kill.pick}:{kill.id}").choice(sorted(alive))
            if kill.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(kill.pid, signal.SIGKILL)

    def listed(self) -> list[Json]:
        """The kills asked for, and whom each hit."""
        return [asdict(kill) for kill in self.asked]


def _pids_in(file: str) -> Sequence[int]:
    if not file or not Path(file).exists():
        return ()
    words = Path(file).read_text(encoding="utf-8").split()
    return [int(word) for word in words if word.isdigit() and int(word) > 1]


def _sender(pids: Sequence[int], port: int) -> int | None:
    """Which of the processes holds the socket whose own port is ``port`` (Linux); None when that cannot be told."""
    try:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return None
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1].rpartition(":")[2] == f"{port:04X}"}
    for pid in pids:
        with suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if str(handle.readlink()) in inodes:
                        return pid
    return None
