"""The landscape as the rest of erpsync sees it. Read by ``reading.py``; everything here has been checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

LEAST_KEEP = timedelta(hours=1)  # what is finished for less than that may still be in somebody's hands
ROLES = ("erp", "wms", "commerce", "crm", "tax", "carrier", "billing", "edi", "notify", "other")


@dataclass(frozen=True, kw_only=True)
class SecretRef:
    """Where a secret is found: never the secret itself. ``secrets.reveal`` reads it when it is needed."""

    scheme: Literal["env", "file"]
    name: str  # the variable, or the file's path made absolute


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a system can bear. ``rate`` is requests a second, None without a limit."""

    rate: float | None = None
    concurrency: int = 4
    timeout: timedelta = timedelta(seconds=10)
    deadline: timedelta = timedelta(seconds=30)
    settle_after: timedelta | None = None
    max_answer: int = 16 * 1024 * 1024

    @property
    def believes_after(self) -> timedelta:
        """How long after the last byte a *not found* is believed: twice the time-out, at least 30 s, unless given."""
        return self.settle_after if self.settle_after is not None else max(2 * self.timeout, timedelta(seconds=30))


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How a message that failed for now is tried again, and when that ends."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    tries: int = 12
    expires: timedelta = timedelta(days=3)
    unknown_after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """When a system is taken for down, and how it is asked whether it is back."""

    failures: int = 5
    within: timedelta = timedelta(minutes=2)
    probe: timedelta = timedelta(seconds=5)
    probe_longest: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class System:
    """One connected application."""

    name: str
    role: str
    adapter: str
    url: str = ""
    spec: Path | None = None
    secret: SecretRef | None = None
    options: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    retry: Retry = field(default_factory=Retry)
    breaker: Breaker = field(default_factory=Breaker)
    run_by: str = ""
    folder: Path = Path()  # of the landscape file: what relative paths in options start from


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Documents of one kind from the system that tells them to those that need them."""

    name: str
    kind: str
    source: str
    targets: tuple[str, ...]
    every: timedelta = timedelta(minutes=5)
    full_every: timedelta = timedelta(days=1)
    watch: bool = False
    where: str = ""
    weight: int = 1
    mode: Literal["active", "off"] = "active"


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """All of it. ``digest`` is a hash of what was read, secrets not included (they are not in it)."""

    name: str
    production: bool = False
    colour: str = ""
    company: str = "main"
    timezone: str = "UTC"
    rounding: str = "half-up per line"
    currency: str = "USD"
    store: Path
    keep: timedelta = timedelta(days=90)  # what is finished for longer, ``store prune`` removes
    systems: dict[str, System]
    owners: dict[str, str]
    flows: tuple[Flow, ...]
    file: Path
    digest: str

    def owner(self, kind: str) -> str | None:
        """The system of record for a kind: as written under [owners], else the one source its flows have."""
        if kind in self.owners:
            return self.owners[kind]
        sources = {flow.source for flow in self.flows if flow.kind == kind}
        return sources.pop() if len(sources) == 1 else None

    def as_json(self) -> str:
        """All of it as JSON, for the books; where secrets are found is left out."""
        from pydantic import TypeAdapter  # noqa: PLC0415  (only when a landscape is registered)

        return TypeAdapter(Landscape).dump_json(self, exclude={"systems": {"__all__": {"secret"}}}).decode()
