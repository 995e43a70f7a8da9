"""Our side of reading: each command that looks, run as a person runs it; and a worker, for the most memory it takes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from past import DEAD, HELD, UNKNOWN
from rounds import Measured
from yardstick_typer import start

# {one} is a document of long ago, {lost} an unknown one, {dead} a dead one; each listing as it comes, filtered, and sorted.
READS = (
    ("status",),
    ("systems", "list"),
    ("workers", "list", "-o", "json"),
    ("audit", "list"),
    ("audit", "list", "--where", "actor = mira"),
    ("exceptions", "list"),
    ("dlq", "list"),
    ("dlq", "list", "-o", "json"),
    ("dlq", "list", "--where", "error ~ price"),
    ("dlq", "show", "{dead}"),
    ("messages", "list"),
    ("messages", "list", "--where", "key = {key}"),
    ("messages", "list", "--where", "state = unknown and system = shop"),
    ("messages", "list", "--where", "system = shop"),
    ("messages", "list", "--sort", "age"),
    ("messages", "show", "{one}"),
    ("messages", "show", "{lost}"),
    ("events", "list"),
    ("events", "list", "--where", "key = {key}"),
    ("events", "list", "--where", "from = erp"),
    ("events", "show", "{one}"),
    ("xref", "list"),
    ("xref", "list", "--where", "system = shop"),
    ("xref", "list", "--where", "far = {far}"),
    ("find", "SO-{one}"),
    ("find", "{far}"),
    ("find", "buyer.{buyer}@"),
    ("find", "nothing-like-this", "-o", "json"),
    ("flows", "list"),
    ("lanes", "list"),
    ("lanes", "list", "--where", "state = unknown"),
    ("lanes", "show", "shop", "{key}"),
    ("tail", "--no-wait"),
    ("trace", "{key}"),
    ("store", "info"),
)
_ERPSYNC = str(Path(sys.executable).parent / "erpsync")
_WORKS_SECONDS = 20


def slowest(landscape: Path, *, documents: int) -> Measured:
    """The command that took longest; what each took is told on stderr."""
    one = documents // 2 - documents // 2 % 3 + 2  # an order
    words = {
        "one": one,
        "buyer": one - 1,
        "key": f"order:SO-{one}",
        "far": 700_000_000 + one,
        "dead": documents - DEAD // 2,
        "lost": documents - DEAD - UNKNOWN // 2,
        "held": documents - DEAD - UNKNOWN - HELD // 2,
    }
    took = {}
    for command in READS:
        filled = [word.format(**words) for word in command]
        found = start([sys.executable, _ERPSYNC, "--landscape", str(landscape), *filled], starts=1)
        took[" ".join(filled)] = found.seconds
    worst = sorted(took.items(), key=lambda pair: -pair[1])
    sys.stderr.write("".join(f"  {seconds:6.2f} s  {name}\n" for name, seconds in worst[:5]) + "\n")
    return Measured(count=1, seconds=worst[0][1])


def peak_of_a_worker(landscape: Path) -> float:
    """The most memory (MB) that a worker had resident while it delivered for a while from a backlog; it is stopped then."""
    command = [sys.executable, _ERPSYNC, "--landscape", str(landscape), "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        time.sleep(_WORKS_SECONDS)
        status = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii")
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=60)
    if worker.returncode != 143:
        raise RuntimeError(f"the worker ended with {worker.returncode}")
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if peak is None:
        raise RuntimeError("this system does not say how much memory a process had")
    return int(peak[1]) / 1000
