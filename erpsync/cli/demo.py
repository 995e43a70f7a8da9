"""``demo``: three practice systems with faults, synchronised before your eyes; what is stuck is there to be explored."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erpsync.cli import demo_landscape as made
from erpsync.cli import practice
from erpsync.cli.commands import Command, alone, workbench
from erpsync.cli.options import HOW, Answer, AnswerFormat
from erpsync.cli.output import emit, envelope, flush, remark, say
from erpsync.cli.status import DELIVERED, LOST, read_status, status_lines
from erpsync.cli.status_json import status_answer
from erpsync.cli.syncing import run_sync
from erpsync.errors import ErpsyncError, UsageError
from erpsync.terminal import duration, plural, safe
from erpsync.workbench import Workbench

if TYPE_CHECKING:
    from erpsync.store.reading.status import Status

_MASTERS = ["item", "customer"]
_NIGHT = ["order", "shipment", "movement", "stock"]
_DOWN_SECONDS = 3


app = alone()


@app.command(name="demo", cls=Command, epilog="Example: erpsync demo --seed 11")
def demo(
    ctx: typer.Context,
    *,
    folder: Annotated[
        str,
        typer.Option(
            "--folder", metavar="FOLDER", help="where it is made, afresh each time (demo)", rich_help_panel=HOW
        ),
    ] = "demo",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="another number tells another night (7)", rich_help_panel=HOW)
    ] = 7,
    output: AnswerFormat = Answer.TABLE,
) -> None:
    """A practice landscape with faults: synchronised, then left with what is stuck, to try the other commands on."""
    outer = workbench(ctx)
    outer.refuse_change("demo")
    if "\0" in folder or not folder.strip():
        raise UsageError("--folder is no folder's name")
    root = ((outer.folder or Path.cwd()) / folder).absolute()
    with made.writing(root):
        made.clear(root)
    told = _Steps(quiet=output is not Answer.TABLE)
    told.begin("demo: an ERP, a shop and a warehouse on loopback, and an evening with faults.")
    process = None
    try:
        with told.step("start") as step:
            with made.writing(root):
                process = practice.start(practice.systems_folder(root), seed=seed)
                control = practice.Control(practice.systems_folder(root))
                file = made.write_landscape(root, control.systems)
            step.text = " ".join(control.systems)
        bench = Workbench(landscape_file=str(file), environ=outer.environ, folder=root, clock=outer.clock)
        bench.command = "erpsync demo"
        with bench.closing():
            _evening(bench, control, told, seed)
            found = read_status(bench)
            counted = _counted(control)
            if output is Answer.JSON:
                emit(
                    envelope(
                        bench,
                        "demo",
                        steps=told.steps,
                        status=status_answer(bench, found),
                        diff=None,
                        counted=counted,
                        folder=str(root),
                    )
                )
            else:
                _ending(bench, found, counted, folder)
    finally:
        if process is not None:
            practice.stop(process)


def _evening(bench: Workbench, control: practice.Control, told: _Steps, seed: int) -> None:
    with told.step("sync") as step:
        made.plant_masters(control, seed)
        made.plant_night(control, seed)
        made.plant_faults(control, seed)
        troubles = made.plant_troubles(control)
        report = run_sync(bench, _MASTERS, to=(), full=False, timeout="25s", wait=True, quiet=told.quiet)
        step.text = f"{made.ITEMS} items, {made.CUSTOMERS} customers to shop and wms: {_written(report):,} written"
    with told.step("traffic") as step:
        control.post("faults", {"system": "shop", "mode": "up"})
        control.post("faults", {"system": "erp", "mode": "down", "for_seconds": _DOWN_SECONDS})
        report = run_sync(bench, _NIGHT, to=(), full=False, timeout="25s", wait=True, quiet=told.quiet)
        step.text = (
            f"{made.ORDERS} orders, {made.SHIPMENTS} shipments, {made.MOVEMENTS} movements, {made.LEVELS} levels"
        )
        step.more = [
            f"faults: 8 % errors, 3 % answers lost, erp down for {_DOWN_SECONDS}s,",
            "repeated and reordered feeds,",
            *(f"{trouble}," for trouble in troubles[:-1]),
            troubles[-1],
        ]
    with told.step("settle") as step:
        made.end_faults(control)
        run_sync(bench, [*_MASTERS, *_NIGHT], to=(), full=False, timeout="15s", wait=True, quiet=told.quiet)
        hour = read_status(bench).last_hour
        lost = sum(hour.get(name, 0) for name in LOST)
        still = read_status(bench).counts.get("unknown", 0)
        delivered = sum(hour.get(name, 0) for name in DELIVERED)
        step.text = f"{delivered:,} delivered; {plural(lost, 'answer')} lost, {lost - still:,} settled by themselves"


def _written(report: Any) -> int:
    return sum(row.created + row.updated for row in report.rows)


def _counted(control: practice.Control) -> dict[str, Any]:
    """What each practice system counted: its documents, and those it was made to keep twice."""
    state = control.get("state")["systems"]
    return {
        name: {
            "documents": about.get("documents", {}),
            "twice": sum(len(kinds) for kinds in about.get("twice", {}).values()),
        }
        for name, about in state.items()
    }


def _ending(bench: Workbench, found: Status, counted: dict[str, Any], folder: str) -> None:
    say("", *status_lines(bench, found), "")
    twice = sum(about["twice"] for about in counted.values())
    orders = {name: about["documents"].get("order", 0) for name, about in counted.items()}
    said = ", ".join(f"{safe(name)} {count:,}" for name, count in orders.items())
    say(f"Counted in the systems themselves: orders {said}; kept twice: {twice}.", "")
    say(f"The landscape, the store and the systems' documents stay in {safe(folder)}/. Try, from there:")
    for command in _to_try(found):
        say(f"  {command}")
    say(
        "",
        "The systems are stopped now. This brings the same ones back, until Ctrl-C:",
        f"  cd {safe(folder)} && erpsync sim up",
    )


def _to_try(found: Status) -> list[str]:
    commands = ["erpsync status", "erpsync dlq list"]
    for cause in found.causes:
        if cause.code == "dead_letters" and cause.first_id is not None:
            commands += [f"erpsync dlq show {cause.first_id}", f"erpsync trace {safe(cause.first_key)}"]
            break
    for cause in found.causes:
        if cause.code == "outcome_unknown" and cause.first_id is not None:
            commands.append(f"erpsync messages show {cause.first_id}")
            break
    return [*commands, "erpsync exceptions list", "erpsync systems list"]


class _Step:
    def __init__(self, steps: _Steps, name: str) -> None:
        self.steps, self.name, self.text = steps, name, ""
        self.more: list[str] = []
        self._began = 0.0

    def __enter__(self) -> _Step:
        self._began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        seconds = time.monotonic() - self._began
        if error is None:
            self.steps.done(self, seconds)
        elif isinstance(error, ErpsyncError):
            remark(f"the demo stopped at {self.name}, after {duration(seconds)}")


class _Steps:
    """The steps of the demo, told as each ends."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.steps: list[dict[str, object]] = []

    def begin(self, line: str) -> None:
        if not self.quiet:
            say(line, "")
            flush()

    def step(self, name: str) -> _Step:
        return _Step(self, name)

    def done(self, step: _Step, seconds: float) -> None:
        self.steps.append({"name": step.name, "seconds": f"{seconds:.1f}", "text": " ".join([step.text, *step.more])})
        if not self.quiet:
            first = f"  {len(self.steps)} {step.name:<8} {step.text}"
            say(f"{first:<72} {seconds:5.1f}s", *(f"{'':<13}{line}" for line in step.more))
            flush()
