"""Fixtures of the engine's tests: books over far systems in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from far import FarSystem
from kit import Books, Clock, MakeBooks

from erpsync.config.landscape import Flow
from erpsync.domain.messages import Once


@pytest.fixture
def make_books(tmp_path: Path) -> Iterator[MakeBooks]:
    """Make the books of a landscape: the ERP tells, WMS and shop are told; each may be of any class."""
    made: list[Books] = []

    def make(
        *,
        kinds: Sequence[str] = ("item", "customer", "order"),
        wms: Once = Once.IDEMPOTENT,
        targets: Sequence[str] = ("wms",),
        watch: bool = False,
        where: str = "",
        **settings: object,
    ) -> Books:
        clock = Clock()
        systems = {"erp": FarSystem("erp", Once.FINDABLE, clock)}
        for target in targets:
            systems[target] = FarSystem(target, wms if target == "wms" else Once.IDEMPOTENT, clock)
        for system in systems.values():
            system.kinds = tuple(dict.fromkeys((*system.kinds, *kinds)))
        flows = tuple(
            Flow(name=f"{kind}s", kind=kind, source="erp", targets=tuple(targets), watch=watch, where=where)
            for kind in kinds
        )
        folder = tmp_path / f"books-{len(made)}"
        folder.mkdir()
        books = Books(folder, clock, systems, flows, dict.fromkeys(kinds, "erp"), **settings)  # type: ignore[arg-type]  # a test's own
        made.append(books)
        return books

    yield make
    for books in made:
        books.assert_sound()
        books.store.close()
