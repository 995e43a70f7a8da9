"""The work: whether somebody does it, whether the systems take it, and whether anything stands still."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import erpsync
from erpsync.cli.checks.finding import Finding, bad, ok, together, warn
from erpsync.cli.output import command_line
from erpsync.cli.pausing import pause_text
from erpsync.terminal import duration, plural, safe, took

if TYPE_CHECKING:
    from erpsync.cli.checks.patient import Patient
    from erpsync.store.connection import Connection
    from erpsync.store.reading.checkup import Unread
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.store.reading.workers import WorkerRow

OLDEST = timedelta(hours=1)
_LATE_TIMES = 3  # so many times the pace of a flow without a reading is late
_ERROR = 100


def workers(patient: Patient) -> Finding:
    """Whether somebody works where there is work."""
    from erpsync.store.connection import ms  # noqa: PLC0415  (not for help)
    from erpsync.store.reading.checkup import last_worker_at, unread  # noqa: PLC0415  (as above)
    from erpsync.store.reading.workers import at_work  # noqa: PLC0415  (as above)

    with patient.read() as db:
        rows, last = at_work(db), last_worker_at(db)
        due = sum(system.due for system in _standings(patient, db))
        late = _late(patient, unread(db, patient.landscape.company, now_ms=ms(patient.now)))
    silent = [row for row in rows if row.state(patient.now) == "silent"]
    there = [row for row in rows if row not in silent]
    if not there:
        return _nobody(patient, silent, last, due=due, late=late)
    wrong = []
    if silent:
        wrong.append(
            warn(f"{_names(silent)} silent for {patient.times.lasting(_seen(silent))}", "erpsync workers list")
        )
    others = [row for row in there if row.version and row.version != erpsync.__version__]
    if others:
        versions = ", ".join(dict.fromkeys(row.version for row in others))
        text = f"{_names(others)} of erpsync {versions}, this is {erpsync.__version__}"
        wrong.append(warn(text, "erpsync workers stop --all"))
    in_hand = sum(row.in_hand for row in there)
    running = f"{plural(len(there), 'worker')} at work, {in_hand:,} in hand, {due:,} due"
    return together(wrong, good=running)


def _nobody(
    patient: Patient, silent: list[WorkerRow], last: datetime | None, *, due: int, late: Unread | None
) -> Finding:
    since = f"for {patient.times.lasting(last)}" if last else "yet"
    who = (
        f"none has run {since}" if not silent else f"{_names(silent)} silent for {patient.times.lasting(_seen(silent))}"
    )
    if due:
        return bad(f"{who}, {plural(due, 'message')} wait{'s' if due == 1 else ''}", "erpsync run")
    if late is not None:
        ago = f"was last read {patient.times.lasting(late.read_at)} ago" if late.read_at else "was never read"
        return warn(f"{who}: {late.kind} of {late.system} {ago}", "erpsync run")
    return warn(who, "erpsync workers list") if silent else ok(f"{who}, and nothing waits")


def _late(patient: Patient, due: list[Unread]) -> Unread | None:
    """What should have been read long ago, by the pace of its flow."""
    pace = {(flow.source, flow.kind): flow.every for flow in patient.landscape.flows if flow.mode == "active"}
    for one in due:
        every = pace.get((one.system, one.kind))
        if every is not None and patient.now - one.due_at > _LATE_TIMES * every:
            return one
    return None


def _names(rows: list[WorkerRow]) -> str:
    return f"worker{'s' if len(rows) > 1 else ''} {', '.join(str(row.worker_id) for row in rows)}"


def _seen(rows: list[WorkerRow]) -> datetime:
    return max(row.seen_at for row in rows)


def _standings(patient: Patient, db: Connection) -> list[SystemStanding]:
    from erpsync.store.connection import ms  # noqa: PLC0415  (as above)
    from erpsync.store.reading.systems import standings  # noqa: PLC0415  (as above)

    return standings(db, patient.landscape.company, now_ms=ms(patient.now), names=patient.landscape.systems)


def systems(patient: Patient) -> Finding:
    """How each system stands, by the store; asked now where that was wished for."""
    if patient.online:
        return _asked(patient)
    with patient.read() as db:
        found = _standings(patient, db)
    wrong = [_standing(patient, system) for system in found if system.state != "up" or system.pause]
    limited = ", ".join(system.name for system in found if system.shown_state == "limited")
    up = f"{len(found)} of {plural(len(patient.landscape.systems), 'system')} up" if found else "none was spoken to yet"
    return together(wrong, good=f"{up}{f'; {limited} asks for quiet' if limited else ''}")


def _standing(patient: Patient, system: SystemStanding) -> Finding:
    if system.state == "up":
        paused = pause_text(system.pause, system.paused_by)
        text = f"{system.name} {paused} since {patient.times.both(system.shown_since)}, {system.due:,} wait"
        return warn(text, command_line("erpsync", "systems", "resume", system.name))
    error = f": {safe(system.last_error, limit=_ERROR)}" if system.last_error else ""
    by = f" by {system.stopped_by}" if system.stopped_by else ""
    text = f"{system.name} {system.state}{by} since {patient.times.both(system.since)}, {system.due:,} wait{error}"
    return bad(text, command_line("erpsync", "systems", "probe", system.name))


def _asked(patient: Patient) -> Finding:
    from erpsync.adapters.opening import with_limits_of_spec  # noqa: PLC0415  (the engine: only where systems are asked)
    from erpsync.engine.checking import ask_each  # noqa: PLC0415  (as above)

    bench = patient.bench
    whom = {name: with_limits_of_spec(system) for name, system in patient.landscape.systems.items()}
    reached = bench.wait_for(lambda: ask_each(whom, bench.adapter))
    wrong = [
        bad(
            f"{name} failed in {took(seconds)}: {safe(text, limit=_ERROR)}",
            command_line("erpsync", "systems", "probe", name),
        )
        for name, up, seconds, text in reached
        if not up
    ]
    slowest = max((seconds for _, _, seconds, _ in reached), default=0.0)
    return together(wrong, good=f"{plural(len(reached), 'system')} answered, the slowest in {took(slowest)}")


def oldest(patient: Patient) -> Finding:
    """Whether what is due moves, and lost answers are settled; which flows a person paused. What is dead, ``status`` tells."""
    from erpsync.store.connection import moment  # noqa: PLC0415  (as above)
    from erpsync.store.flows import paused  # noqa: PLC0415  (as above)
    from erpsync.store.reading.checkup import oldest_unknown, oldest_unpaused  # noqa: PLC0415  (as above)

    with patient.read() as db:
        found = _standings(patient, db)
        lost = {system.name: oldest_unknown(db, system.system_id) for system in found}
        free = {system.name: oldest_unpaused(db, system.system_id) for system in found if system.state == "up"}
        flows = paused(db).values()
    wrong, ages = [], []
    for flow in flows:
        text = (
            f"flow {flow.name} {pause_text('both', flow.paused_by)} since {patient.times.both(moment(flow.paused_at))}"
        )
        wrong.append(warn(text, command_line("erpsync", "flows", "resume", flow.name)))
    for system in found:
        if system.oldest_due is not None:
            ages.append(patient.now - system.oldest_due)
        still = free.get(system.name)
        if still is not None and patient.now - still > OLDEST:
            where = f"state = ready and system = {system.name}"
            run = command_line("erpsync", "messages", "list", "--where", where, "--sort", "-age")
            text = f"{system.due:,} due to {system.name}, the oldest for {patient.times.lasting(still)}: not moving"
            wrong.append(bad(text, run))
        since = lost[system.name]
        if since is not None and patient.now - since > patient.landscape.systems[system.name].retry.unknown_after:
            run = command_line("erpsync", "messages", "list", "--where", f"state = unknown and system = {system.name}")
            wrong.append(warn(f"an answer of {system.name} is lost since {patient.times.both(since)}", run))
    longest = f"the oldest due for {duration(max(ages).total_seconds())}" if ages else "nothing is due"
    dead = sum(system.counts.get("dead", 0) for system in found)
    return together(wrong, good=f"{longest}{f'; {dead:,} dead: erpsync status' if dead else ''}")
