"""The writer: one transaction for many, each by itself, and nobody is told before it is on disk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from erpsync.errors import Defect, StoreError, StoreLocked
from erpsync.store.connection import Connection, IntegrityError, open_writer, sqlite_is_sound
from erpsync.store.rows import insert_rows
from erpsync.store.store import Store
from erpsync.store.writer import Writer

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)
shares = pytest.mark.skipif(
    not sqlite_is_sound(), reason="this SQLite lets one process write only: pip install pysqlite3"
)


_DANGLING = [(1, 1, "item", None, 0, "accepted"), (1, 1, "item", 99, 0, "accepted")]


def named(name: str) -> Callable[[Connection], int]:
    def insert(db: Connection) -> int:
        (flow_id,) = db.execute("INSERT INTO flows (name) VALUES (?) RETURNING flow_id", (name,)).fetchone()
        return int(flow_id)

    return insert


def names(store: Store) -> list[str]:
    with store.read() as db:
        return [name for (name,) in db.execute("SELECT name FROM flows ORDER BY flow_id")]


class Held:
    """A write that stands still until it is let go, so that what is submitted meanwhile shares one transaction."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, _: Connection) -> None:
        self.begun.set()
        assert self.go.wait(10)


def test_what_arrives_together_is_committed_once_and_in_order(store: Store) -> None:
    commits: list[int] = []
    db = open_writer(store.path)
    writer = Writer(db, store.path, committed=lambda: commits.append(db.total_changes))
    try:
        held = Held()
        first = writer.submit(held)
        assert held.begun.wait(10)
        futures = [writer.submit(named(f"flow {n:03}")) for n in range(100)]
        held.go.set()
        wait([first, *futures], timeout=10)
        assert [f.result() for f in futures] == list(range(1, 101))
        assert len(commits) <= 3
        assert names(store) == [f"flow {n:03}" for n in range(100)]
    finally:
        writer.close()


def test_a_write_that_fails_is_undone_alone_and_only_its_caller_hears_of_it(store: Store) -> None:
    def half_done(db: Connection) -> None:
        named("half done")(db)
        raise LookupError("no such warehouse")

    held = Held()
    store.writer.submit(held)
    assert held.begun.wait(10)
    before, bad, twice, after = (store.writer.submit(f) for f in (named("a"), half_done, named("a"), named("b")))
    held.go.set()
    with pytest.raises(LookupError, match="no such warehouse"):
        bad.result(10)
    with pytest.raises(IntegrityError):
        twice.result(10)
    assert (before.result(10), after.result(10)) == (1, 2)
    assert names(store) == ["a", "b"]


def test_a_write_that_names_what_is_not_there_is_undone_alone_too(store: Store) -> None:
    """A reference that only the COMMIT looked at would take everybody else's work with it."""

    def dangling(db: Connection) -> None:
        insert_rows(db, "events (company_id, system_id, kind, record_id, received_at, verdict)", _DANGLING)

    held = Held()
    first = store.writer.submit(held)
    assert held.begun.wait(10)
    before, broken, after = (store.writer.submit(fn) for fn in (named("one"), dangling, named("two")))
    held.go.set()
    first.result(10)
    assert before.result(10)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        broken.result(10)
    assert after.result(10)
    assert names(store) == ["one", "two"]
    with store.read() as db:
        assert db.execute("SELECT count(*) FROM events").fetchone()[0] == 0


def test_a_lone_write_that_fails_leaves_nothing_and_the_next_goes_through(store: Store) -> None:
    def half_done(db: Connection) -> None:
        named("half done")(db)
        raise LookupError("no such warehouse")

    with pytest.raises(LookupError):
        store.writer.call(half_done)
    store.writer.call(named("whole"))
    assert names(store) == ["whole"]


def test_nobody_is_told_before_the_commit(store: Store) -> None:
    seen_by_others: list[list[str]] = []
    held = Held()
    store.writer.submit(held)
    assert held.begun.wait(10)
    future = store.writer.submit(named("prices"))
    future.add_done_callback(lambda _: seen_by_others.append(names(store)))
    assert not future.done()
    held.go.set()
    future.result(10)
    store.close()
    assert seen_by_others == [["prices"]]


def test_thousands_of_waiting_tasks_are_woken_once_a_batch(store: Store) -> None:
    async def main() -> tuple[list[object], int]:
        loop = asyncio.get_running_loop()
        wakes = 0
        plain = loop.call_soon_threadsafe

        def counted(*args: object, **kwargs: object) -> object:
            nonlocal wakes
            wakes += 1
            return plain(*args, **kwargs)  # type: ignore[arg-type]  # handed through as it came

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign,assignment]  # to count what wakes the loop
        async with asyncio.timeout(20):
            done = await asyncio.gather(
                *(store.writer.run(named(f"flow {n % 1900}")) for n in range(2000)), return_exceptions=True
            )
        return list(done), wakes

    done, wakes = asyncio.run(main())
    assert sum(isinstance(answer, IntegrityError) for answer in done) == 100
    assert sum(isinstance(answer, int) for answer in done) == 1900
    assert wakes <= 200
    assert len(names(store)) == 1900


def test_a_task_that_stops_waiting_does_not_stop_the_write(store: Store) -> None:
    held = Held()

    async def main() -> None:
        store.writer.submit(held)
        task = asyncio.create_task(store.writer.run(named("prices")))
        other = asyncio.create_task(store.writer.run(named("levels")))
        await asyncio.sleep(0)
        task.cancel()
        held.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await other

    asyncio.run(main())
    assert sorted(names(store)) == ["levels", "prices"]


def test_a_write_cancelled_before_it_began_is_not_done(store: Store) -> None:
    held = Held()
    store.writer.submit(held)
    assert held.begun.wait(10)
    future = store.writer.submit(named("prices"))
    assert future.cancel()
    held.go.set()
    store.writer.call(named("levels"))
    assert names(store) == ["levels"]


def test_closing_writes_what_was_submitted_and_takes_nothing_more(store: Store) -> None:
    held = Held()
    writer = store.writer
    writer.submit(held)
    futures = [writer.submit(named(f"flow {n}")) for n in range(700)]
    held.go.set()
    store.close()
    assert [future.result(0) for future in futures] == list(range(1, 701))
    with pytest.raises(StoreError, match="is closed"):
        writer.submit(named("late"))
    with pytest.raises(StoreError, match="is closed"):
        writer.call(named("late"))


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
def test_a_write_that_ends_the_transaction_is_a_defect_of_ours(store: Store, statement: str) -> None:
    with pytest.raises(Defect, match="ended the transaction"):
        store.writer.call(lambda db: db.execute(statement))
    held = Held()
    store.writer.submit(held)
    assert held.begun.wait(10)
    before = store.writer.submit(named("before"))
    ender = store.writer.submit(lambda db: [db.execute(statement), db.execute("BEGIN")])
    held.go.set()
    for future in (before, ender):
        with pytest.raises(Defect, match="ended the transaction"):
            future.result(10)
    store.writer.call(named("after"))
    assert names(store)[-1] == "after"


def test_calling_the_writer_from_inside_a_write_is_refused_at_once(store: Store) -> None:
    with pytest.raises(Defect, match="from inside a write"):
        store.writer.call(lambda _: store.writer.call(named("inner")))


def test_who_stands_still_for_a_write_does_it_when_nobody_waits(store: Store) -> None:
    assert store.writer.call(lambda _: threading.get_ident()) == threading.get_ident()
    store.writer.call(named("items"))
    assert names(store) == ["items"]


def test_what_was_submitted_first_is_written_first(store: Store) -> None:
    submitted = [store.writer.submit(named(f"early {n}")) for n in range(20)]
    store.writer.call(named("late"))
    assert all(future.done() for future in submitted)
    assert names(store) == [*(f"early {n}" for n in range(20)), "late"]


def test_an_interrupted_write_leaves_nothing_and_the_next_goes_through(store: Store) -> None:
    def interrupted(db: Connection) -> None:
        named("half")(db)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.writer.call(interrupted)
    store.writer.call(named("whole"))
    assert names(store) == ["whole"]


def test_threads_that_write_for_themselves_and_tasks_that_have_it_written_all_get_their_own_answer(
    store: Store,
) -> None:
    told: dict[str, int] = {}

    def calls(who: int) -> None:
        for n in range(60):
            told[f"{who}/{n}"] = store.writer.call(named(f"{who}/{n}"))

    async def runs() -> None:
        for n in range(60):
            told[f"task/{n}"] = await store.writer.run(named(f"task/{n}"))

    threads = [threading.Thread(target=calls, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(runs())
    for thread in threads:
        thread.join()
    with store.read() as db:
        assert dict(db.execute("SELECT name, flow_id FROM flows").fetchall()) == told
    assert len(told) == 300


def test_when_no_turn_comes_everybody_waiting_hears_that_the_store_is_locked(store: Store) -> None:
    writer = Writer(open_writer(store.path), store.path, deadline_seconds=0.05)
    try:
        with closing(open_writer(store.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            futures = [writer.submit(named(f"flow {n}")) for n in range(3)]
            for future in futures:
                with pytest.raises(StoreLocked, match=r"store erpsync\.db is locked"):
                    future.result(10)
            other.execute("ROLLBACK")
        assert writer.call(named("now")) == 1
    finally:
        writer.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_nothing_is_acknowledged_once_the_file_is_another(store: Store, how: str) -> None:
    store.writer.call(named("kept"))
    store.path.rename(store.path.with_suffix(".away"))
    if how == "replaced":
        store.path.write_bytes(b"")
    with pytest.raises(StoreError, match="while it was open") as caught:
        store.writer.call(named("lost"))
    assert "stop every erpsync process" in caught.value.hint


_WRITES = """
import sys
from datetime import UTC, datetime
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store.rows import insert_rows
from erpsync.store.store import Store
path, me, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store.open(path, now=datetime(2026, 10, 15, 12, tzinfo=UTC)) as store:
    for n in range(count):
        store.writer.call(lambda db: db.execute("INSERT INTO flows (name) VALUES (?)", (f"{me} {n}",)))
    print(store.epoch)
"""


@shares
def test_eight_processes_write_at_once_and_none_is_told_of_a_lock(store: Store) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITES, str(store.path), str(me), "40"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(8)
    ]
    answers = [(writer.communicate(timeout=60), writer.returncode) for writer in writers]
    assert answers == [(("1\n", ""), 0)] * 8
    assert sorted(names(store)) == sorted(f"{me} {n}" for me in range(8) for n in range(40))


_FILLS = """
import resource, sys
from datetime import UTC, datetime
from datetime import UTC, datetime
from pathlib import Path
from erpsync.errors import StoreFull
from erpsync.store import payloads
from erpsync.store.rows import insert_rows
from erpsync.store.store import Store
path, limit = Path(sys.argv[1]), int(sys.argv[2])
with Store.open(path, now=datetime(2026, 10, 15, 12, tzinfo=UTC)) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    n = 0
    try:
        while n < 10_000:
            store.writer.call(lambda db: payloads.put(db, f"{n:08}".encode() * 2000))
            print(f"{n:08}", flush=True)
            n += 1
    except StoreFull as full:
        print(full.message, "|", full.hint, file=sys.stderr)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.writer.call(lambda db: payloads.put(db, b"room again"))
        print("room again", flush=True)
        sys.exit(full.exit_code)
"""


def test_a_full_disk_is_said_in_one_line_and_nothing_acknowledged_is_lost(store: Store) -> None:
    store.close()
    run = subprocess.run(
        [sys.executable, "-c", _FILLS, str(store.path), str(3_000_000)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 4, run.stderr
    assert run.stderr.splitlines() == [
        "store erpsync.db cannot grow: no room, a quota, or a limit on file sizes | "
        "make room, then run it again: nothing acknowledged was lost"
    ]
    acknowledged = run.stdout.split("\n")[:-1]
    assert len(acknowledged) > 20
    with Store.open(store.path, now=NOON, write=False) as after, after.read() as db:
        contents = {bytes(content) for (content,) in db.execute("SELECT content FROM payloads")}
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert contents >= {line.encode() * 2000 for line in acknowledged[:-1]} | {b"room again"}


def test_the_path_of_a_closed_store_can_be_opened_again(store: Store, tmp_path: Path) -> None:
    store.writer.call(named("prices"))
    store.close()
    store.close()
    with Store.open(tmp_path / "erpsync.db", now=NOON) as again:
        assert names(again) == ["prices"]


_KEEPS_BUSY = """
import sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
from erpsync.store.rows import insert_rows
from erpsync.store.store import Store
def four_ms(db):
    db.execute("INSERT OR REPLACE INTO meta VALUES ('busy', '1')")
    until = time.perf_counter() + 0.004
    while time.perf_counter() < until:
        pass
with Store.open(Path(sys.argv[1]), now=datetime(2026, 10, 15, 12, tzinfo=UTC)) as store:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()
    print("busy", flush=True)
    while not stop.is_set():
        for future in [store.writer.submit(four_ms) for _ in range(100)]:
            future.result()
"""


@shares
def test_a_person_gets_a_turn_while_a_worker_never_stops_writing(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KEEPS_BUSY, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == "busy\n"
        waits = []
        for n in range(5):
            begun = time.monotonic()
            store.writer.call(named(f"by hand {n}"))
            waits.append(time.monotonic() - begun)
        busy.communicate("stop\n")
    assert max(waits) < 5
    assert names(store) == [f"by hand {n}" for n in range(5)]
