"""The landscape: its mistakes, whether workers work by it, and whether its secrets can be had. None is ever shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.checks.finding import Finding, bad, ok, together, warn
from erpsync.cli.checks.patient import Needs
from erpsync.errors import ErpsyncError, LandscapeError, UsageError
from erpsync.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erpsync.cli.checks.patient import Patient
    from erpsync.store.reading.workers import WorkerRow

_ENVIRONMENT = "environment variable"


def landscape(patient: Patient) -> Finding:
    """Where it was found, its mistakes, and whether those who work have read it as it is now."""
    from erpsync.cli.checking import mistakes_of_adapters  # noqa: PLC0415  (not for help)
    from erpsync.config.reading import all_mistakes  # noqa: PLC0415  (as above)

    try:
        file = patient.bench.landscape_path
    except UsageError as error:
        return bad(error.message, "erpsync init")
    mistakes = all_mistakes(file, environ=patient.bench.environ) or mistakes_of_adapters(patient.bench)
    if mistakes:
        return bad(_told(mistakes), "erpsync check")
    here = patient.landscape
    good = f"{file}: {here.name}, {plural(len(here.systems), 'system')}, {plural(len(here.flows), 'flow')}"
    older = [row for row in working(patient) if row.digest is not None and row.digest != here.digest]
    if older:
        who = ", ".join(str(row.worker_id) for row in older)
        text = f"{file.name} changed since {plural(len(older), 'worker')} started ({who}): they work by the older one"
        return warn(text, "erpsync workers stop --all")
    return ok(good)


def _told(mistakes: Sequence[LandscapeError]) -> str:
    first = mistakes[0]
    where = f"{first.place}: " if first.file and first.line else ""
    more = f"; {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
    return f"{where}{first.message}{more}"


def working(patient: Patient) -> list[WorkerRow]:
    """Workers that are there; none where the store cannot tell."""
    from erpsync.store.reading.workers import at_work  # noqa: PLC0415  (as above)

    try:
        with patient.read() as db:
            return [row for row in at_work(db) if row.state(patient.now) != "silent"]
    except (ErpsyncError, Needs):
        return []


def secrets(patient: Patient) -> Finding:
    """Whether each secret can be had from here. Workers that run have theirs, whatever is set here."""
    from erpsync.config.secrets import reveal  # noqa: PLC0415  (as above)

    wanted = {name: system.secret for name, system in patient.landscape.systems.items() if system.secret is not None}
    wrong = []
    for name, secret in wanted.items():
        try:
            reveal(secret, environ=patient.bench.environ)
        except UsageError as error:
            text = f"{name}: {error.message}"
            if working(patient) and error.message.startswith(_ENVIRONMENT):
                wrong.append(warn(f"{text} here; the workers that run have theirs", error.hint or "erpsync check"))
            else:
                wrong.append(bad(text, error.hint or "erpsync check"))
    good = f"{plural(len(wanted), 'secret')} at hand" if wanted else "no system needs one"
    return together(wrong, good=good)
