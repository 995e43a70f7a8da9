"""The demo's folder: its landscape, its secrets, and what its practice systems hold at the beginning.

One rule: a folder that some other landscape lives in is left alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from erpsync.cli.practice import Control
from erpsync.errors import UsageError

ITEMS, CUSTOMERS, ORDERS, SHIPMENTS, MOVEMENTS, LEVELS = 160, 60, 100, 50, 80, 120
_MARK = ".erpsync-demo"
_ROLES = {"erp": "erp", "shop": "commerce", "wms": "wms"}

_HEAD = """\
# The demo's landscape: an ERP, a shop and a warehouse on this machine. erpsync sim up brings them up again.

name = "demo"
production = false
company = "main"
timezone = "UTC"
currency = "USD"

[store]
url = "sqlite:///erpsync.db"

[retry]
first = "300ms"
longest = "2s"
tries = 12
unknown_after = "10s"

[breaker]
failures = 5
within = "30s"
probe = "1s"
probe_longest = "3s"
"""

_SYSTEM = """
[systems.{name}]
role = "{role}"
adapter = "http"
spec = "sim_{name}"
url = "{url}"
secret = "file:secrets/{name}"
{options}limits = {{ concurrency = 8, timeout = "2s", deadline = "6s", settle_after = "3s" }}
run_by = "the demo"
"""

_FLOWS = """
[owners]
item = "erp"
customer = "erp"
order = "shop"
shipment = "wms"
movement = "wms"
stock = "wms"

[[flows]]
name = "items"
kind = "item"
from = "erp"
to = ["shop", "wms"]
every = "1m"

[[flows]]
name = "customers"
kind = "customer"
from = "erp"
to = ["shop", "wms"]
every = "1m"

[[flows]]
name = "orders"
kind = "order"
from = "shop"
to = ["erp", "wms"]
every = "10s"

[[flows]]
name = "shipments"
kind = "shipment"
from = "wms"
to = ["erp"]
every = "10s"

[[flows]]
name = "movements"
kind = "movement"
from = "wms"
to = ["erp"]
every = "10s"

[[flows]]
name = "levels"
kind = "stock"
from = "wms"
to = ["shop"]
every = "1m"
"""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Around what makes the demo's files; a folder that takes none (a full disk, no permission) is a UsageError."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{folder} cannot be written: {why}", hint="--folder names another") from None


def clear(folder: Path) -> None:
    """An empty folder for the demo; what an earlier demo left there goes. Raises UsageError for any other folder."""
    if folder.exists():
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder", hint="--folder names another")
        if any(folder.iterdir()) and not (folder / _MARK).is_file():
            raise UsageError(
                f"{folder} holds something that is not the demo's", hint="--folder names another, or empty it"
            )
        with contextlib.suppress(UsageError):
            Control(folder / "systems").post("stop", {})
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).write_text("made by erpsync demo; removed and made anew by the next one\n", encoding="utf-8")


def write_landscape(folder: Path, systems: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the landscape and its secrets (0600) for these systems; returns the landscape's file."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    text = _HEAD
    for name, about in systems.items():
        with os.fdopen(
            os.open(secrets / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(f"{about['secret']}\n")
        options = f'options = {{ user = "{about["user"]}" }}\n' if about.get("user") else ""
        text += _SYSTEM.format(name=name, role=_ROLES[name], url=about["url"], options=options)
    file_path = folder / "erpsync.toml"
    file_path.write_text(text + _FLOWS, encoding="utf-8")
    return file_path


def plant_masters(control: Control, seed: int) -> None:
    """What the ERP holds before anything was synchronised."""
    control.post("seed", {"system": "erp", "seed": seed, "items": ITEMS, "customers": CUSTOMERS})


def plant_night(control: Control, seed: int) -> None:
    """What an evening brings: orders in the shop, shipments, movements and levels in the warehouse."""
    of = {"items": ITEMS, "customers": CUSTOMERS}
    control.post("seed", {"system": "shop", "seed": seed, "orders": ORDERS, "of": of})
    control.post(
        "seed",
        {"system": "wms", "seed": seed, "shipments": SHIPMENTS, "movements": MOVEMENTS, "stock": LEVELS, "of": of},
    )


def plant_faults(control: Control, seed: int) -> None:
    """What goes wrong: answers fail and get lost, feeds repeat themselves, some documents are refused for good."""
    usual = {"error_before": 0.08, "throttle": 0.03, "lose_answer": 0.03}
    blind = {"error_before": 0.0, "throttle": 0.05, "lose_answer": 0.0}  # what it does not answer, a person must settle
    feed = {"duplicate": 0.2, "reorder": 0.2}
    for system, more in (("erp", {}), ("shop", {}), ("wms", blind)):
        control.post(
            "faults",
            {"system": system, "seed": seed, "writes": {**usual, **more}, "feed": feed, "settings": {"retry_after": 1}},
        )


def plant_troubles(control: Control) -> list[str]:
    """Documents that will not go through, planted in the far systems; returns what they are, for people."""
    control.post(
        "faults",
        {
            "system": "erp",
            "refuse": [
                {
                    "kind": "shipment",
                    "field": "carrier_service",
                    "value": "UPSG",
                    "code": "unknown_value",
                    "message": 'unknown value "UPSG"',
                }
            ],
        },
    )
    for number in ("SH-1003", "SH-1011", "SH-1020"):
        control.post(
            "edit", {"system": "wms", "kind": "shipment", "number": number, "changes": {"carrier_service": "UPSG"}}
        )
    busiest = _busiest_customer(control)
    control.post(
        "faults",
        {
            "system": "wms",
            "refuse": [{"kind": "customer", "number": busiest, "field": "tax_number", "message": "is not valid"}],
        },
    )
    lost = control.get("documents?system=shop&kind=order")["documents"][0]["number"]
    control.post(
        "faults", {"system": "wms", "once": [{"fault": "lose_answer", "kind": "order", "number": lost, "times": 1}]}
    )
    return ['a carrier code that erp refuses ("UPSG")', f"a customer that wms refuses ({busiest})"]


def _busiest_customer(control: Control) -> str:
    orders: dict[str, int] = {}
    for document in control.get("documents?system=shop&kind=order")["documents"]:
        number = str(document["fields"]["customer"])
        orders[number] = orders.get(number, 0) + 1
    return max(sorted(orders), key=lambda number: orders[number])


def end_faults(control: Control) -> None:
    """No more errors by chance; what is refused for good stays refused."""
    for system in ("erp", "shop", "wms"):
        control.post("faults", {"system": system, "writes": {}, "reads": {}, "feed": {}})
