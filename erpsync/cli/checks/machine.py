"""This machine: Python, its SQLite, the disk under the store, and the clock."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from erpsync.cli.checks.finding import Finding, bad, ok, together, warn
from erpsync.cli.checks.patient import Needs
from erpsync.cli.output import command_line
from erpsync.terminal import duration, plural, size

if TYPE_CHECKING:
    from erpsync.cli.checks.patient import Patient

_OLDEST_PYTHON = (3, 11)
_MIB = 2**20
_LEAST_ROOM = 1024 * _MIB  # below it somebody should look; a copy of the store needs its size
_LEAST_FILES = 1_000
_BEFORE_THIS = datetime(2025, 1, 1, tzinfo=UTC)  # no clock that is right says so
_BACK, _FAR_BACK = timedelta(seconds=2), timedelta(seconds=60)
_APART_SECONDS = 30.0
_JUMP_SECONDS = 0.5
_NOT_IN_STEP = 5  # adjtimex(2): TIME_ERROR
_TIMEX_BYTES = 512  # more than its struct has anywhere


def python(_: Patient) -> Finding:
    """Whether this Python is one that erpsync runs on."""
    return of_python(tuple(sys.version_info[:3]))


def of_python(version: tuple[int, ...]) -> Finding:
    """The same, of a version."""
    number = ".".join(map(str, version))
    if version[:2] < _OLDEST_PYTHON:
        return bad(f"{number}, erpsync needs 3.11 or newer", "python3 --version")
    return ok(number)


def sqlite(_: Patient) -> Finding:
    """Whether several processes may write through this SQLite."""
    from erpsync.store.connection import SQLITE_VERSION  # noqa: PLC0415  (not for help)

    return of_sqlite(SQLITE_VERSION)


def of_sqlite(version: tuple[int, ...]) -> Finding:
    """The same, of a version."""
    from erpsync.store.connection import unsound_advice  # noqa: PLC0415  (as above)

    what, _, mend = unsound_advice(version).partition(": ")
    return warn(what, mend) if what else ok(f"{'.'.join(map(str, version))}, sound for several writers")


def disk(patient: Patient) -> Finding:
    """Whether the store can grow, and be copied."""
    from erpsync.store.connection import LOG_BYTES  # noqa: PLC0415  (as above)
    from erpsync.store.whereabouts import room  # noqa: PLC0415  (as above)

    folder = patient.path.parent
    found = room(folder)
    run = command_line("df", "-h", str(folder))
    needs = patient.files.size + patient.files.log_size
    free = f"{size(found.free)} free of {size(found.size)}"
    wrong = []
    if found.read_only:
        wrong.append(bad("it can only be read, not written", command_line("findmnt", "-T", str(folder))))
    if found.free < LOG_BYTES:
        wrong.append(bad(f"{free}: the store cannot grow, workers stop", run))
    elif found.free < max(_LEAST_ROOM, needs):
        copy = f", a copy of the store takes {size(needs)}" if found.free < needs else ""
        wrong.append(warn(f"{free}{copy}", run))
    if found.files_free is not None and found.files_free < _LEAST_FILES:
        run = command_line("df", "-i", str(folder))
        text = f"room for {plural(found.files_free, 'more file')} of {found.files:,}"
        wrong.append(bad(text, run) if not found.files_free else warn(text, run))
    return together(wrong, good=free)


def clock(patient: Patient) -> Finding:
    """Whether this machine's clock can be believed: against itself, the store's rows, and the far systems' clocks."""
    wrong = []
    if patient.now < _BEFORE_THIS:
        wrong.append(bad(f"the clock says {patient.now:%Y-%m-%d}: it was never set", "timedatectl"))
    began, at = patient.began
    jumped = (time.time() - began) - (time.monotonic() - at)
    if abs(jumped) > _JUMP_SECONDS:
        wrong.append(bad(f"the clock jumped by {jumped:+.1f} s while it was looked at", "timedatectl"))
    if (synchronised := kernel_is_in_step()) is False:
        wrong.append(warn("this machine does not keep its clock in step with others", "timedatectl"))
    try:
        wrong += _against_the_store(patient)
    except Needs:
        if not wrong:
            raise
    said = {True: ", kept in step", False: "", None: ""}[synchronised]
    return together(wrong, good=f"{patient.times.whole(patient.now)}{said}")


def _against_the_store(patient: Patient) -> list[Finding]:
    from erpsync.store.reading.checkup import newest  # noqa: PLC0415  (as above)
    from erpsync.store.systems import systems  # noqa: PLC0415  (as above)

    with patient.read() as db:
        last = newest(db)
        clocks = {name: row.clock_offset for name, row in systems(db).items() if name in patient.landscape.systems}
    wrong = []
    if last is not None and last - patient.now > _BACK:
        behind = duration((last - patient.now).total_seconds())
        text = f"the clock went back: it is {behind} before the newest row of the store ({patient.times.whole(last)})"
        wrong.append((bad if last - patient.now > _FAR_BACK else warn)(text, "timedatectl"))
    known = {name: ms / 1000 for name, ms in clocks.items() if ms is not None}
    apart = {name: seconds for name, seconds in known.items() if abs(seconds) > _APART_SECONDS}
    if apart:
        each = ", ".join(
            f"{name} is {duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"
            for name, seconds in apart.items()
        )
        ours = len(apart) > 1 and len(apart) == len(known) and len({seconds > 0 for seconds in apart.values()}) == 1
        text = f"against ours {each}" + ("; all of them, so ours is the one that is wrong" if ours else "")
        run = "timedatectl" if ours else command_line("erpsync", "systems", "probe", min(apart))
        wrong.append(bad(text, run) if ours else warn(text, run))
    return wrong


def kernel_is_in_step() -> bool | None:
    """Whether the kernel says that its clock is synchronised; None where it does not say."""
    try:
        import ctypes  # noqa: PLC0415  (for this alone)

        said = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (ImportError, OSError, AttributeError):
        return None
    return None if said < 0 else said != _NOT_IN_STEP
