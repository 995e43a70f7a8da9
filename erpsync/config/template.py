"""What ``erpsync init`` writes: a small landscape that works at once, between two folders.

One rule: nothing that is there is written over.
"""

from __future__ import annotations

import re
from pathlib import Path

from erpsync.errors import UsageError

_LANDSCAPE = """\
# The landscape: the systems, who owns what, and the flows between them.
# Look it over with: erpsync check     Carry the documents with: erpsync sync item customer order

name = "{name}"                  # on every screen
production = false               # true: every act asks twice
company = "main"
timezone = "UTC"                 # of the business day, like "Europe/Berlin"
currency = "USD"                 # where a document names none

[store]
url = "sqlite:///erpsync.db"     # paths are relative to this file

# Two practice systems, both of them folders. A real one is spoken to by the "http" adapter, from a spec file, or by
# "tryton". Its secret never stands here: "env:SHOP_TOKEN" names where it is, or "file:shop.token" with mode 0600.

[systems.office]
role = "erp"
adapter = "files"
options.folder = "in"            # tables as an office exports them: change a row and sync again

[systems.office.options.kinds.item]
file = "items.csv"
columns = {{ sku = "SKU", name = "Name", unit = "Unit", price = "Price" }}
constants = {{ currency = "USD" }}

[systems.office.options.kinds.customer]
file = "customers.csv"
columns = {{ number = "Customer", name = "Name", city = "City", country = "Country" }}

[systems.office.options.kinds.order]
file = "orders.csv"
columns = {{ number = "Order", customer = "Customer", ordered_on = "Date" }}
constants = {{ currency = "USD" }}

[systems.office.options.kinds.order.lines]
file = "order_lines.csv"
join = "Order"
line = {{ column = "Line" }}       # or "item": the line's id is its SKU; never its position
columns = {{ sku = "SKU", quantity = "Quantity", unit_price = "Price" }}

[systems.warehouse]
role = "wms"
adapter = "files"
options.folder = "out"           # one file a document
# limits = {{ rate = "20/s", concurrency = 4, timeout = "10s", deadline = "30s" }}
# run_by = "warehouse team, +1 555 0100"

[systems.warehouse.options.kinds]
item.write.folder = "items"
customer.write.folder = "customers"
order.write.folder = "orders"

[owners]                         # whose word counts
item = "office"
customer = "office"
order = "office"

[[flows]]                        # who is told what
name = "items"
kind = "item"
from = "office"
to = ["warehouse"]
every = "5m"

[[flows]]
name = "customers"
kind = "customer"
from = "office"
to = ["warehouse"]
every = "5m"

[[flows]]
name = "orders"                  # an order waits until its customer and items are there
kind = "order"
from = "office"
to = ["warehouse"]
every = "1m"
# where = "not cancelled and ordered_on >= 2026-01-01"

# [retry]                        # a message that failed for now; these are the defaults
# first = "1s"
# longest = "5m"
# tries = 12
# expires = "3d"

# [breaker]                      # when a system is taken for down
# failures = 5
# within = "2m"
# probe = "5s"
# probe_longest = "5m"
"""

_TABLES = {
    "items.csv": """\
SKU,Name,Unit,Price
SKU-1,Hand truck,each,89.00
SKU-2,Pallet wrap,roll,12.50
SKU-3,Packing tape,roll,2.15
""",
    "customers.csv": """\
Customer,Name,City,Country
CU-1,Harbour Supplies,Hamburg,DE
CU-2,Prairie Tools,Omaha,US
""",
    "orders.csv": """\
Order,Customer,Date
SO-1,CU-1,2026-10-14
SO-2,CU-2,2026-10-15
""",
    "order_lines.csv": """\
Order,Line,SKU,Quantity,Price
SO-1,1,SKU-1,2,89.00
SO-1,2,SKU-3,24,2.15
SO-2,1,SKU-2,6,12.50
""",
}


def landscape_text(name: str) -> str:
    """The text of the landscape, for a landscape of this name."""
    return _LANDSCAPE.format(name=name)


def write_template(folder: Path) -> list[Path]:
    """Write ``erpsync.toml`` and two practice systems into ``folder`` (made if need be); returns the files written.

    Raises UsageError, and writes nothing, where one of them is there already or the folder cannot be written to.
    """
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.absolute().name.lower()).strip("-._")[:50] or "practice"
    texts = {folder / "in" / table: text for table, text in _TABLES.items()}
    texts[folder / "erpsync.toml"] = landscape_text(name)
    for path in sorted(texts, key=lambda path: len(path.parts)):
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} is there already", hint="nothing was written; init wants a folder of its own")
    try:
        (folder / "out").mkdir(parents=True, exist_ok=True)
        (folder / "in").mkdir(exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {(error.strerror or 'error').lower()}"
        ) from None
    return list(texts)
