"""Workers that write into a real Tryton, each by a way of its own, so that any of them can be killed at a chosen call."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from typing import Any

from killing_proxy import KillingProxy, Trap
from practice import Practice
from tryton_office import reaching

WORKERS = 3


class Crew:
    """Worker processes, each with its own way to the Tryton; one that was killed is replaced."""

    def __init__(self, practice: Practice, proxy: KillingProxy) -> None:
        self.practice, self.proxy = practice, proxy
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0
        for _ in range(WORKERS):
            self.add()

    def add(self) -> None:
        """One more."""
        self.started += 1
        name = f"w{self.started}"
        self.processes[name] = reaching(self.practice, self.proxy.url_for(name)).start("run")
        self.proxy.workers[name] = self.processes[name].pid

    def kill_one(self, moment: Trap | float, rng: random.Random) -> tuple[str, str]:
        """Bring about a kill; the worker it took, and the act (or '') whose answer it waited for."""
        if isinstance(moment, Trap):
            self.proxy.trap = moment
            assert moment.sprung.wait(timeout=240), f"no {moment.methods} came\n{self.log}"
            return moment.caught, moment.method
        time.sleep(moment)
        busy = self.proxy.busy(within=60)
        assert busy, f"nothing is asked of Tryton any more\n{self.log}"
        victim = rng.choice(busy)
        return victim, (self.proxy.kill(victim) or [""])[0]

    def replace(self, name: str) -> int:
        """Take another in for one that was killed; how many messages it had in its hands, begun and not ended."""
        process = self.processes.pop(name)
        assert process.wait(timeout=10) == -signal.SIGKILL
        begun = begun_by(self.practice, process.pid)
        assert [other.poll() for other in self.processes.values()] == [None] * (WORKERS - 1), self.log
        self.add()
        return begun

    @property
    def log(self) -> str:
        """The end of what they said."""
        return (self.practice.folder / "workers.log").read_text()[-2000:]

    def stop(self) -> list[int]:
        """Ask all to stop; their exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(timeout=60) for process in self.processes.values()]

    def end(self) -> None:
        """Leave none behind, whatever happened."""
        for process in self.processes.values():
            process.kill()
            process.wait()


def begun_by(practice: Practice, pid: int) -> int:
    """How many messages to Tryton a worker that is gone had begun to send and not finished, as the store has it."""
    return asked(
        practice,
        "SELECT count(*) FROM attempts JOIN workers USING (worker_id) JOIN messages USING (message_id) "
        "JOIN systems ON system_id = target_id "
        "WHERE pid = ? AND name = 'tryton' AND what = 'write' AND begun_at IS NOT NULL AND ended_at IS NULL",
        pid,
    )[0][0]


def asked(practice: Practice, query: str, *values: Any) -> list[Any]:
    """What the store's file says."""
    with sqlite3.connect(f"file:{practice.folder / 'erpsync.db'}?mode=ro", uri=True, timeout=5) as db:
        rows = db.execute(query, values).fetchall()
    db.close()
    return rows
