"""Where each setting comes from: a line of the landscape file, a spec file, or what holds when nothing is said.

One rule: a value is shown as it is in force; a secret is shown by where it is found, never as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

from erpsync.config.landscape import Landscape, SecretRef, System
from erpsync.config.places import Path as Where
from erpsync.config.places import Place

_PLAIN = ("name", "production", "colour", "company", "timezone", "currency", "rounding")
_PARTS = ("limits", "retry", "breaker")
_OF_SYSTEM = ("role", "adapter", "url", "spec", "secret", "run_by")
_OF_FLOW = {"kind": "kind", "from": "source", "to": "targets"} | {
    name: name for name in ("every", "full_every", "watch", "where", "weight", "mode")
}
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Setting:
    """One setting as it is in force: ``systems.erp.limits.timeout``. ``origin`` is file, spec or default; ``line`` of the file."""

    name: str
    value: Value
    origin: str
    line: int | None = None


def settings(landscape: Landscape, written: Landscape, found: dict[Where, Place]) -> Iterator[Setting]:
    """Every setting of ``landscape``, in the order of DESIGN 7; ``written`` is it without what spec files say.

    ``found``: where things stand in the file (``places.places``).
    """
    file = _File(found)
    for name in _PLAIN:
        yield file.setting(name, getattr(landscape, name), (name,))
    yield file.setting("store", landscape.store, ("store", "url"))
    yield file.setting("store.keep", landscape.keep, ("store", "keep"))
    for kind, owner in landscape.owners.items():
        yield file.setting(f"owners.{kind}", owner, ("owners", kind))
    for system in landscape.systems.values():
        yield from _of_system(system, written.systems[system.name], file)
    for number, flow in enumerate(landscape.flows):
        for name, attribute in _OF_FLOW.items():
            yield file.setting(f"flows.{flow.name}.{name}", getattr(flow, attribute), ("flows", number, name))


@dataclass(frozen=True)
class _File:
    """Where things stand in the landscape file."""

    found: dict[Where, Place]

    def setting(self, name: str, value: object, *paths: Where, from_spec: bool = False) -> Setting:
        """A setting that the first of these paths that is written says; else the spec file, else nobody."""
        line = next((self.found[path].value[0] for path in paths if path in self.found), None)
        origin = "file" if line else "spec" if from_spec else "default"
        return Setting(name, _value(value), origin, line)


def _of_system(system: System, written: System, file: _File) -> Iterator[Setting]:
    at: Where = ("systems", system.name)
    name = f"systems.{system.name}"
    for part in _OF_SYSTEM:
        yield file.setting(f"{name}.{part}", getattr(system, part), (*at, part))
    for option, value in system.options.items():
        yield file.setting(f"{name}.options.{option}", value, (*at, "options", option), (*at, "options"))
    for part in _PARTS:
        values, said = getattr(system, part), getattr(written, part)
        for each in fields(values):
            value = getattr(values, each.name)
            yield file.setting(
                f"{name}.{part}.{each.name}",
                value,
                (*at, part, each.name),
                (part, each.name),
                from_spec=value != getattr(said, each.name),
            )


def _value(value: object) -> Value:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case timedelta():
            return span_text(value)
        case SecretRef(scheme=scheme, name=name):
            return f"{scheme}:{name}"
        case tuple() | list():
            return ", ".join(str(part) for part in value)
        case Path():
            return str(value)
        case _:
            return str(value)


def span_text(span: timedelta) -> str:
    """As the file would say it: ``90s``, ``5m``, ``1d``, ``500ms``."""
    milliseconds = round(span.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
