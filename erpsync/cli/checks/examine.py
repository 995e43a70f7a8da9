"""All checks, in the order in which one looks: from the machine outwards. Whatever one of them meets, the others are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from erpsync.cli.checks import landscape, machine, store, work
from erpsync.cli.checks.finding import Finding, State
from erpsync.cli.checks.patient import Needs, Patient
from erpsync.errors import ErpsyncError

if TYPE_CHECKING:
    from erpsync.workbench import Workbench

CHECKS: dict[str, Callable[[Patient], Finding]] = {
    "python": machine.python,
    "sqlite": machine.sqlite,
    "store": store.store,
    "disk": machine.disk,
    "clock": machine.clock,
    "landscape": landscape.landscape,
    "secrets": landscape.secrets,
    "workers": work.workers,
    "systems": work.systems,
    "oldest": work.oldest,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One check and what it found."""

    check: str
    finding: Finding


def examine(bench: Workbench, *, online: bool, told: Callable[[str, int, int], None]) -> list[Checked]:
    """What every check found; ``online``: the systems are asked too. Raises nothing.

    ``told`` hears which check is made next, how many were and how many there are.
    """
    patient = Patient(bench, online=online)
    found: list[Checked] = []
    try:
        for name, check in CHECKS.items():
            told(name, len(found), len(CHECKS))
            found.append(Checked(name, _made(check, patient)))
        return found
    finally:
        patient.close()


def _made(check: Callable[[Patient], Finding], patient: Patient) -> Finding:
    try:
        return check(patient)
    except Needs as lack:
        return Finding(State.UNKNOWN, f"needs {lack}")
    except ErpsyncError as error:
        return Finding(
            State.UNKNOWN, error.message, "erpsync check" if error.exit_code == 2 else "erpsync store verify"
        )
    except Exception as error:  # noqa: BLE001  (in a damaged store anything may stand anywhere: the other checks go on)
        return Finding(
            State.UNKNOWN, f"could not be looked at: {type(error).__name__}: {error}", "erpsync store verify"
        )
