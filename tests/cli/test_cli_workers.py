"""Workers: who runs where, and asking them to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT

from erpsync.store import workers
from erpsync.store.connection import ms
from erpsync.store.store import Store


def ago(**spans: float) -> int:
    return ms(NIGHT - timedelta(**spans))


@pytest.fixture
def crew(night: Path, run_in: Callable[[Path], Run]) -> Run:
    """Three workers: one at work, one that nothing was seen of for a minute, one that was asked to stop."""
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        store.writer.call(lambda db: db.execute("DELETE FROM workers"))
        for host, pid, seen in (("dock-1", 4121, 1), ("dock-2", 977, 60), ("\x1b[2Jevil", 8, 0)):
            worker = store.writer.call(
                lambda db, host=host, pid=pid: workers.arrive(db, host=host, pid=pid, command="run", now=ago(hours=3))
            )
            store.writer.call(lambda db, worker=worker, seen=seen: workers.beat(db, worker, now=ago(seconds=seen)))
        store.writer.call(lambda db: workers.ask_to_stop(db, 3, by="rlopez"))
        store.writer.call(
            lambda db: workers.leave(db, workers.arrive(db, host="gone", pid=1, command="sync", now=1), now=2)
        )
    return run_in(night)


def test_those_that_have_not_left_are_listed_with_how_they_are(crew: Run) -> None:
    items = crew("workers", "list", "-o", "json").json["items"]
    assert [(item["worker"], item["host"], item["state"]) for item in items] == [
        (1, "dock-1", "works"),
        (2, "dock-2", "silent"),
        (3, "\x1b[2Jevil", "stopping"),
    ]
    assert items[0]["age_seconds"] == 3 * 3600
    assert items[2]["stop_asked_by"] == "rlopez"


def test_workers_are_found_by_what_they_are(crew: Run) -> None:
    def ids(*words: str) -> list[str]:
        return crew("workers", "list", "-o", "ids", *words).out.split()

    assert ids("--where", "state = silent") == ["2"]
    assert ids("--where", "host ~ dock", "--sort", "-id") == ["2", "1"]
    assert ids("--limit", "1") == ["1"]
    assert crew("workers", "list", "--where", "hsot = x").err.splitlines()[1].startswith("hint: host? ")
    assert crew("workers", "list", "--sort", "hsot").err.splitlines()[1].startswith("hint: host? ")


def test_what_a_host_calls_itself_is_shown_harmless(crew: Run) -> None:
    told = crew("workers", "list", columns=100)
    assert "\\x1b[2Jevil" in told.out
    assert "\x1b" not in told.out
    assert told.err == "3 workers; 1 silent one\nnext: erpsync status\n"


def test_who_has_not_stopped_at_the_time_limit_is_named(crew: Run, night: Path) -> None:
    told = crew("workers", "stop", "2", "--timeout", "0s", "--reason", "release 1.4")
    assert told.code == 8
    assert told.out.startswith(
        "worker 2, process 977 on dock-2, has not stopped yet: seen 1m00s ago, 0 messages in hand"
    )
    act = crew("audit", "list", "-o", "json", "--where", "what = worker.stop").json["items"][0]
    assert (act["actor"], act["subject"], act["reason"]) == ("mira", "worker:2", "release 1.4")
    assert crew("workers", "list", "-o", "json", "--where", "id = 2").json["items"][0]["stop_asked_by"] == "mira"


def test_asking_all_and_not_waiting_is_good(crew: Run) -> None:
    told = crew("workers", "stop", "--all", "--no-wait")
    assert (told.code, told.out) == (
        0,
        "3 workers asked to stop after what is in flight.\nnext: erpsync workers list\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "workers stop needs ids, or --all"),
        (("1", "--all"), "workers stop needs ids, or --all"),
        (("9",), "worker 9 is not in the store"),
        (("4",), "worker 4 has stopped already"),
        (("x",), '"x" is no id'),
        (("1", "--timeout", "soon"), "--timeout"),
    ],
)
def test_whom_it_cannot_ask_it_says(crew: Run, words: tuple[str, ...], said: str) -> None:
    told = crew("workers", "stop", *words)
    assert told.code == 2
    assert said in told.err
    assert crew("workers", "list", "-o", "json", "--where", "id = 1").json["items"][0]["stop_asked_by"] is None


def test_read_only_stops_nobody(crew: Run) -> None:
    assert crew("--read-only", "workers", "stop", "--all").code == 2


def test_where_nobody_works_that_is_said(erpsync: Run, night: Path) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        store.writer.call(lambda db: db.execute("DELETE FROM workers"))
    assert erpsync("workers", "list").err == "0 workers\nnext: erpsync run\n"
    told = erpsync("workers", "stop", "--all")
    assert (told.code, told.out) == (0, "no worker runs.\nnext: erpsync status\n")
