"""The landscape made ready for work: ids instead of names, each target's flows, what each one carries.

Compiled once at the start of a worker or command; everything the engine asks of the landscape, it asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from erpsync.adapters.protocol import Adapter, Capabilities, Reads, Writes
from erpsync.config.landscape import Flow, Landscape, System
from erpsync.domain.filter_documents import document_values
from erpsync.domain.filters import Node, matches, parse
from erpsync.domain.flat import Fields, Scalar
from erpsync.domain.kinds import Kind, kind_named
from erpsync.errors import LandscapeError
from erpsync.store.connection import ms
from erpsync.store.names import Names, known, register

if TYPE_CHECKING:
    from erpsync.store.store import Store


@dataclass(frozen=True)
class Route:
    """One flow to one target."""

    flow: Flow
    flow_id: int
    kind: Kind
    source: str
    target: str
    target_id: int
    writes: Writes
    reads: Reads
    where: Node | None

    @property
    def carries(self) -> frozenset[str] | None:
        """The canonical fields that reach the target; None: all."""
        return self.writes.fields

    def lets_through(self, fields: Mapping[str, Scalar], *, now: datetime) -> bool:
        """Whether the flow's ``where`` admits a record with these fields."""
        return self.where is None or matches(self.where, document_values(self.kind, fields), now=now)


@dataclass(frozen=True)
class Routes:
    """All routes of a landscape, and whom to ask about what."""

    landscape: Landscape
    names: Names
    adapters: Mapping[str, Adapter]
    capabilities: Mapping[str, Capabilities]
    all: tuple[Route, ...]

    @property
    def company_id(self) -> int:
        """The company's id in the store."""
        return self.names.company_id

    def owner(self, kind: str) -> str | None:
        """The system of record for a kind."""
        return self.landscape.owner(kind)

    def leaving(self, source: str, kind: str) -> list[Route]:
        """The routes by which a source's documents of a kind travel."""
        return self._leaving.get((source, kind), [])

    @cached_property
    def _leaving(self) -> dict[tuple[str, str], list[Route]]:
        leaving: dict[tuple[str, str], list[Route]] = {}
        for route in self.all:
            leaving.setdefault((route.source, route.kind.name), []).append(route)
        return leaving

    def reaching(self, target: str, kind: str) -> Route | None:
        """The route by which documents of a kind reach a target; None when none does."""
        return next((route for route in self.all if route.target == target and route.kind.name == kind), None)

    def by_flow(self, flow_id: int, target_id: int) -> Route | None:
        """The route of a message; None when the landscape has no such flow any more."""
        return self._by_flow.get((flow_id, target_id))

    @cached_property
    def _by_flow(self) -> dict[tuple[int, int], Route]:
        return {(route.flow_id, route.target_id): route for route in self.all}

    def to(self, target: str) -> list[Route]:
        """Every route that ends at a target."""
        return [route for route in self.all if route.target == target]

    @property
    def targets(self) -> list[str]:
        """The systems that are written to, by name."""
        return sorted({route.target for route in self.all})

    def system(self, name: str) -> System:
        """A system of the landscape."""
        return self.landscape.systems[name]

    def pulls(self) -> list[tuple[str, str, Flow]]:
        """What is read: each flow's source, and its targets where they are watched; every (system, kind) once."""
        found: dict[tuple[str, str], tuple[str, str, Flow]] = {}
        for route in self.all:
            for system in (route.source, route.target) if route.flow.watch else (route.source,):
                if route.kind.name in self.capabilities[system].reads:
                    found.setdefault((system, route.kind.name), (system, route.kind.name, route.flow))
        return list(found.values())


def must_be_read_first(route: Route) -> bool:
    """Whether a target that cannot be searched, but can be read, is read once before anything is created in it."""
    return not route.writes.finds and not route.writes.upsert and (route.reads.scan or route.reads.changes)


def compile_routes(store: Store, landscape: Landscape, adapters: Mapping[str, Adapter], *, now: datetime) -> Routes:
    """The routes of a landscape; raises LandscapeError where a system cannot do what a flow asks of it."""
    capabilities = {name: adapter.capabilities() for name, adapter in adapters.items()}
    names = names_of(store, landscape, now=now)
    routes = []
    for flow in landscape.flows:
        if flow.mode == "off":
            continue
        kind = kind_named(flow.kind)
        if kind.name not in capabilities[flow.source].reads:
            raise _cannot(landscape, flow, flow.source, "tell", sorted(capabilities[flow.source].reads))
        where = parse(flow.where) if flow.where else None
        for target in flow.targets:
            writes = capabilities[target].writes.get(kind.name)
            if writes is None:
                raise _cannot(landscape, flow, target, "take", sorted(capabilities[target].writes))
            routes.append(
                Route(
                    flow=flow,
                    flow_id=names.flows[flow.name],
                    kind=kind,
                    source=flow.source,
                    target=target,
                    target_id=names.systems[target],
                    writes=writes,
                    reads=capabilities[target].reads.get(kind.name, Reads(scan=False)),
                    where=where,
                )
            )
    return Routes(landscape, names, adapters, capabilities, tuple(routes))


def names_of(store: Store, landscape: Landscape, *, now: datetime) -> Names:
    """The ids behind a landscape's names; those that the store has not got yet are written down."""
    systems, flows = list(landscape.systems), [flow.name for flow in landscape.flows]
    with store.read() as db:
        found = known(db, company=landscape.company, systems=systems, flows=flows, digest=landscape.digest)
    if found is not None:
        return found
    content = landscape.as_json()
    return store.writer.call(
        lambda db: register(
            db,
            company=landscape.company,
            systems=systems,
            flows=flows,
            digest=landscape.digest,
            content=content,
            now=ms(now),
        )
    )


def _cannot(landscape: Landscape, flow: Flow, system: str, verb: str, can: list[str]) -> LandscapeError:
    return LandscapeError(
        f'flows "{flow.name}": system {system} cannot {verb} {flow.kind}',
        hint=f"it can {verb}: {', '.join(can) or 'nothing'}",
        file=landscape.file,
        where=f"flows.{flow.name}",
        valid=tuple(can),
    )


def changed_only(fields: Fields, changed: frozenset[str]) -> Fields:
    """The part of the fields that is asked of a target; a line field that is gone is asked to be empty."""
    if len(changed) == len(fields) and changed == fields.keys():
        return fields
    return {name: fields.get(name) for name in changed}
