"""The yardstick for taking in: huey's SQLite storage with its defaults, enqueuing and executing tasks that do nothing.

Its defaults are WAL and SQLite's own ``synchronous=FULL``: one commit to enqueue a task, one to take it.
"""

from __future__ import annotations

import time
from pathlib import Path

from huey import SqliteHuey
from rounds import Measured


def enqueue_and_execute(folder: Path, *, tasks: int) -> Measured:
    """So many tasks enqueued one by one, then taken and executed one by one, in this process and thread."""
    queue = SqliteHuey(filename=str(folder / "huey.db"))
    executed = 0

    def count_one() -> None:
        nonlocal executed
        executed += 1

    task = queue.task()(count_one)
    begun = time.perf_counter()
    for _ in range(tasks):
        task()
    while (taken := queue.dequeue()) is not None:
        queue.execute(taken)
    seconds = time.perf_counter() - begun
    queue.storage.close()
    if executed != tasks:
        message = f"huey executed {executed} of {tasks} tasks"
        raise RuntimeError(message)
    return Measured(count=tasks, seconds=seconds)
