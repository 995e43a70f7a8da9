"""What the long tests share: one real Tryton for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tryton_server import TrytonServer, running_server


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    """A real Tryton with 20 products, 5 customers and their stock; what a test writes into it stays."""
    with running_server(tmp_path_factory.mktemp("tryton")) as server:
        yield server
