"""The runbooks over real systems: each names the fault that is there, and is well where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from practice import Practice, Ran
from simulation import Simulation

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "scripts" / "runbooks"
SKU = "SKU-PLANTED"
MOVEMENT = "MV-PLANTED"
TRIES = 3


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """Items on their way from the ERP to a shop (idempotent) and a warehouse (blind); all delivered."""
    with Simulation(tmp_path / "sim", seed=5, systems=("erp", "shop", "wms")) as sim:
        sim.control.post("seed", system="erp", seed=5, items=5)
        settings = (
            f'[retry]\nfirst = "100ms"\nlongest = "300ms"\ntries = {TRIES}\n'
            '[breaker]\nfailures = 2\nprobe = "500ms"\nprobe_longest = "1s"'
        )
        limits = {"timeout": '"2s"', "deadline": '"3s"', "settle_after": '"1s"'}
        made = Practice(tmp_path / "erpsync", sim, flows=("items", "movements"), settings=settings, limits=limits)
        assert made.run("sync", "--timeout", "60s").code == 0
        yield made


def command(script: str) -> list[str]:
    """A runbook by its name."""
    return [str(RUNBOOKS / script)]


def environ(practice: Practice) -> dict[str, str]:
    """What a runbook finds around it."""
    erpsync = str(Path(sys.executable).parent / "erpsync")
    return {**practice.environ, "ERPSYNC": erpsync, "PYTHON": sys.executable}


def run(practice: Practice, script: str, *words: str, **more: str) -> Ran:
    """A runbook to its end."""
    done = subprocess.run(
        [*command(script), *words],
        cwd=practice.folder,
        env=environ(practice) | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def put(practice: Practice, sku: str = SKU) -> None:
    """An item that is new in the ERP."""
    fields = {"sku": sku, "name": "planted", "unit": "pc", "price": "1.00", "currency": "USD", "active": True}
    practice.sim.control.post("put", system="erp", kind="item", fields=fields)


def shop_is_down(practice: Practice) -> None:
    """The shop takes nothing."""
    practice.sim.control.faults("shop", mode="down")
    put(practice)
    assert practice.run("sync", "item", "--timeout", "5s").code == 8


def wrong_mapping(practice: Practice) -> None:
    """The shop knows no such unit."""
    refuse = [{"kind": "item", "number": SKU, "field": "unit", "message": "unknown unit PLANTED"}]
    practice.sim.control.faults("shop", refuse=refuse)
    put(practice)
    assert practice.run("sync", "item", "--timeout", "20s").code == 1


def lost_answer(practice: Practice) -> None:
    """The warehouse took it, or did not: its answer was lost."""
    once = [{"fault": "lose_answer", "kind": "item", "number": SKU, "times": 1}]
    practice.sim.control.faults("wms", once=once)
    put(practice)
    assert practice.run("sync", "item", "--timeout", "5s").code == 8


def poison(practice: Practice) -> None:
    """Whoever looks for this movement in the ERP, dies of it: the network sees to that."""
    practice.ends_workers("erp", on="asked", path=f"reference={MOVEMENT}", times=TRIES)
    fields = {"number": MOVEMENT, "type": "receipt", "sku": "SKU-0001", "location": "WH1", "quantity": "3"}
    practice.sim.control.post("put", system="wms", kind="movement", fields=fields)
    assert [practice.works("run") for _ in range(TRIES)] == [-signal.SIGKILL] * TRIES
    assert practice.run("sync", "movement", "--timeout", "20s").code == 1


@pytest.mark.parametrize(
    ("plant", "needles"),
    [
        (shop_is_down, ["shop is down, breaker open", "erpsync systems probe shop", "BAD  systems"]),
        (wrong_mapping, [f"item:{SKU}", "unknown unit PLANTED", "## Dead letters"]),
        (lost_answer, [f"item:{SKU}", "answer lost", "erpsync messages show"]),
        (poison, [f"movement:{MOVEMENT}", "the worker died of it each time"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_triage_names_what_is_wrong_and_its_key_and_nothing_where_nothing_is(
    practice: Practice, plant: Callable[[Practice], None], needles: list[str]
) -> None:
    before = run(practice, "triage.sh")
    assert (before.code, before.err) == (0, ""), before
    assert before.out.splitlines()[0].endswith("UTC: well")
    told_of = [needle for needle in needles if needle in before.out and not needle.startswith("##")]
    assert not told_of, "without the fault nothing of it is on the page"
    plant(practice)
    page = run(practice, "triage.sh")
    assert (page.code, page.err) == (1, ""), page
    assert page.out.splitlines()[0].endswith("UTC: NOT WELL")
    assert [needle for needle in needles if needle not in page.out] == [], page.out
    assert len(page.out) < 60_000
    assert not any(value in page.out for name, value in practice.environ.items() if name.endswith("_SECRET"))
    for line in page.out.splitlines():
        assert line.startswith(("    ", "# ", "## ")) or not line, "nothing that was told is Markdown"


def test_triage_hands_on_that_there_is_no_landscape_or_no_store(practice: Practice) -> None:
    (practice.folder / "erpsync.db").write_bytes(b"no store at all" * 1_000)
    page = run(practice, "triage.sh")
    assert page.code == 4
    assert "BAD  store" in page.out
    practice.landscape.write_text("name = ", encoding="utf-8")
    page = run(practice, "triage.sh")
    assert page.code == 2
    assert "BAD  landscape" in page.out
    assert run(practice, "triage.sh", "now").code == 2
    nowhere = run(practice, "triage.sh", ERPSYNC="no-such-program")
    assert (nowhere.code, nowhere.out) == (2, "")


def test_drain_is_done_at_once_where_nothing_moves(practice: Practice) -> None:
    told = run(practice, "drain.sh")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("idle after ")


def test_drain_says_what_is_left_at_its_time_limit(practice: Practice) -> None:
    shop_is_down(practice)
    told = run(practice, "drain.sh", "--timeout", "2", "--every", "1")
    assert told.code == 8
    assert ": 1 ready, 0 leased" in told.out
    assert told.err.startswith("nobody works: ")


@pytest.mark.parametrize("refused", [False, True])
def test_drain_waits_for_what_moves_and_fails_on_what_dies_meanwhile(practice: Practice, refused: bool) -> None:
    shop_is_down(practice)
    refuse = [{"kind": "item", "number": SKU, "field": "unit", "message": "unknown unit"}] if refused else []
    with subprocess.Popen(
        [*command("drain.sh"), "--timeout", "60", "--every", "1"],
        cwd=practice.folder,
        env=environ(practice),
        stdout=subprocess.PIPE,
        text=True,
    ) as drain:
        time.sleep(3)
        assert drain.poll() is None, "it waits"
        practice.sim.control.faults("shop", mode="up", refuse=refuse)
        worker = practice.start("run")
        try:
            said, _ = drain.communicate(timeout=60)
        finally:
            worker.kill()
            worker.wait()
    if refused:
        assert drain.returncode == 1, said
        assert f"'item:{SKU}'" in said
    else:
        assert drain.returncode == 0, said


def test_drain_does_not_fail_on_what_died_before(practice: Practice) -> None:
    wrong_mapping(practice)
    told = run(practice, "drain.sh")
    assert (told.code, "1 dead" in told.out) == (0, True)


@pytest.mark.parametrize("words", [("--timeout",), ("--timeout", "soon"), ("--evry", "1"), ("now",)])
def test_drain_refuses_what_it_does_not_know(practice: Practice, words: tuple[str, ...]) -> None:
    told = run(practice, "drain.sh", *words)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: ")


def test_drain_hands_on_that_the_store_cannot_be_used(practice: Practice) -> None:
    (practice.folder / "erpsync.db").write_bytes(b"no store at all" * 1_000)
    told = run(practice, "drain.sh")
    assert told.code == 4
    assert told.err.startswith("error: "), "for people, not for programs"


@pytest.mark.parametrize("script", sorted(RUNBOOKS.glob("*.sh")), ids=lambda path: path.name)
def test_a_runbook_can_be_started_and_says_what_it_does(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[1].startswith("# ")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
