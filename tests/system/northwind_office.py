"""The office of the Northwind tests: its landscape beside a copy of its tables, between two simulated systems.

The copy lies in a test's own folder, so that a clerk may edit it; what the maker published is only read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from practice import Practice
from simulation import Simulation

FIXTURE = Path(__file__).parents[2] / "fixtures" / "northwind" / "erpsync.toml"
PRODUCTS, CUSTOMERS = "products.csv", "customers.csv"
ORDERS, LINES = "orders_1996_1997.csv", "order_details_1996_1997.csv"
TARGETS = ("erp", "shop")


class Office(Practice):
    """The landscape of ``fixtures/northwind`` as it stands, over a copy of the tables."""

    def __init__(self, folder: Path, sim: Simulation) -> None:
        super().__init__(folder / "erpsync", sim, flows=())
        shutil.copy(FIXTURE, self.landscape)
        self.tables = folder / "data" / "northwind"
        self.published = Path(os.environ["ERPSYNC_REAL_DATA"]) / "northwind"
        self._clock = 1_000_000_000
        if not self.tables.exists():
            self.tables.mkdir(parents=True)
            for name in (PRODUCTS, CUSTOMERS, ORDERS, LINES):
                self.mend(name)
        for system in TARGETS:
            self.environ[f"ERPSYNC_{system.upper()}_URL"] = sim.url(system)
            self.environ[f"ERPSYNC_{system.upper()}_SECRET"] = sim.secret(system)
        self.environ["ERPSYNC_REAL_DATA"] = str(self.tables.parent)

    def put(self, name: str, content: bytes) -> None:
        """Write a table as an export does that ended long ago: it is read at once."""
        (self.tables / name).write_bytes(content)
        self._clock += 60
        os.utime(self.tables / name, (self._clock, self._clock))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one place of a table."""
        text = (self.tables / name).read_bytes().decode()
        assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {name}"
        self.put(name, text.replace(old, new).encode())

    def drop(self, name: str, *firsts: str) -> None:
        """Take out the rows that begin with these cells."""
        rows = (self.tables / name).read_bytes().decode().splitlines(keepends=True)
        kept = [row for row in rows if row.split(",")[0] not in firsts]
        assert len(kept) == len(rows) - len(firsts)
        self.put(name, "".join(kept).encode())

    def believe_soon(self) -> None:
        """Have the ERP's silence believed after a second, where a landscape says half a minute."""
        text = self.landscape.read_text(encoding="utf-8")
        spec = 'spec = "sim_erp"\n'
        limits = 'limits = { timeout = "1s", deadline = "2s", settle_after = "1s" }\n'
        self.landscape.write_text(text.replace(spec, spec + limits), encoding="utf-8")

    def keep_orders(self, n: int) -> None:
        """Leave the first orders alone in the tables, with their lines: enough for what they are to show."""
        orders = [row["OrderID"] for row in self.rows(ORDERS)]
        for name in (ORDERS, LINES):
            self.drop(name, *[row["OrderID"] for row in self.rows(name) if row["OrderID"] in orders[n:]])

    def mend(self, name: str) -> None:
        """Put a table back as its maker published it."""
        self.put(name, (self.published / name).read_bytes())

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table, read by the test's own means."""
        return list(csv.DictReader(io.StringIO((self.tables / name).read_bytes().decode())))

    def sync(self, *kinds: str) -> Any:
        """Run the main job; what it came to, with its exit code as ``code``."""
        ran = self.run("sync", *(kinds or ("item", "customer", "order")), "-o", "json")
        assert ran.out, ran.err
        return {**ran.content, "code": ran.code}

    def writes(self, system: str) -> list[dict[str, Any]]:
        """Every write request the system received, in order."""
        return self.sim.control.requests(system)

    def counts(self) -> dict[str, int]:
        """How many write requests each system has received."""
        return {system: len(self.writes(system)) for system in TARGETS}

    def since(self, counts: dict[str, int]) -> dict[str, list[tuple[str, str, str]]]:
        """Write requests received since then: method, kind, number."""
        return {
            system: [(w["method"], w["kind"], w["number"]) for w in self.writes(system)[counts[system] :]]
            for system in TARGETS
        }

    def theirs(self, system: str, kind: str, number: str) -> dict[str, Any] | None:
        """The fields of the one document a system keeps under a number, None when it keeps none."""
        found = self.sim.control.documents(system, kind, number)
        assert len(found) < 2, found
        return found[0]["fields"] if found else None

    def prices(self, number: str) -> list[str | None]:
        """An item's price in both systems."""
        return [(self.theirs(system, "item", number) or {}).get("price") for system in TARGETS]

    def exceptions(self, where: str = "state = open") -> list[dict[str, Any]]:
        """The exceptions a filter admits."""
        ran = self.run("exceptions", "list", "-o", "json", "--where", where)
        assert ran.code == 0, ran.err
        items: list[dict[str, Any]] = ran.content["items"]
        return items

    def held_removals(self) -> list[str]:
        """The ids of removals that wait for a person."""
        return self.run("events", "list", "-o", "ids", "--where", "verdict = held").out.split()


def body_hash(content: Any, separators: Sequence[str] = (",", ":")) -> str:
    """What the simulator notes of a request body that says exactly this."""
    text = json.dumps(content, separators=(separators[0], separators[1]), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
