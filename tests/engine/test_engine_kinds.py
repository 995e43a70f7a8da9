"""A made-up kind, registered in one place, is known everywhere: it is read, sent, listed and traced with no other edit."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from erpsync.cli.main import main
from erpsync.domain.document import Document
from erpsync.domain.field_types import Amount, Currency, Number, Quantity, Text
from erpsync.domain.kinds import Kind, Nature, Supersedes, kind_words, register, unregister
from erpsync.workbench import Workbench

NOON = datetime(2026, 10, 15, 12, 0, tzinfo=UTC)


class Pallet(Document):
    """A pallet in a rack, worth something."""

    number: Number
    sku: Number | None = None
    place: Text | None = None
    boxes: Quantity | None = None
    currency: Currency | None = None
    worth: Amount | None = None


def _worth(fields):
    return (fields["worth"], str(fields["currency"])) if fields.get("worth") else None


PALLET = Kind(
    name="pallet",
    plural="pallets",
    document=Pallet,
    nature=Nature.KEPT,
    number=lambda fields: str(fields["number"]),
    natural_key="number",
    stake=_worth,
)
WEIGHING = Kind(
    name="weighing",
    plural="weighings",
    document=Pallet,
    nature=Nature.HAPPENED,
    number=lambda fields: str(fields["number"]),
    supersedes=Supersedes.NEVER,
    natural_key="number",
)
RELOCATION = Kind(
    name="relocation",
    plural="relocations",
    document=Pallet,
    nature=Nature.HAPPENED,
    number=lambda fields: str(fields["number"]),
    supersedes=Supersedes.NEVER,
    natural_key="number",
    lane_key=lambda _, fields: f"stock:{fields['sku']}@{fields['place']}",
    parents=lambda fields: (f"item:{fields['sku']}",),
    parent_kinds=("item",),
)


@pytest.fixture(autouse=True)
def made_up() -> Iterator[None]:
    """The made-up kinds, known while a test runs."""
    kind_words()
    for kind in (PALLET, WEIGHING, RELOCATION):
        register(kind)
    yield
    for kind in (PALLET, WEIGHING, RELOCATION):
        unregister(kind.name)
    assert "pallets" not in kind_words()


def test_a_kept_kind_is_sent_updated_and_superseded(make_books):
    books = make_books(kinds=("pallet",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("pallet", number="P-1", place="A1", boxes=40)
    books.sync("pallets")
    erp.keep("pallet", number="P-1", place="B2", boxes=40)
    books.tell("erp", erp.feed[-1])
    erp.keep("pallet", number="P-1", place="C3", boxes=40)
    books.tell("erp", erp.feed[-1])
    books.sync("pallet")
    assert books.states("wms")["pallet:P-1"] == [("done", "created"), ("skipped", "superseded"), ("done", "updated")]
    assert json.loads(wms.writes[-1][2])["fields"] == {"place": "C3"}
    erp.remove("pallet", "P-1")
    for n in range(2, 30):
        erp.keep("pallet", number=f"P-{n}")
    books.sync("pallet")
    books.clock.turn(seconds=1)
    books.sync("pallet", full=True)
    assert wms.kept("pallet", "P-1") == []


def test_a_kind_that_happened_is_sent_once_and_never_changed(make_books):
    books = make_books(kinds=("weighing",))
    erp, wms = books.systems["erp"], books.systems["wms"]
    erp.keep("weighing", number="W-1", sku="SKU-1", boxes=3)
    books.sync()
    erp.keep("weighing", number="W-1", sku="SKU-1", boxes=4)
    books.sync()
    assert books.open_cases() == [("event_conflict", "weighing:W-1")]
    assert wms.kept("weighing", "W-1")[0].fields["boxes"] == 3_000_000
    assert len(wms.writes) == 1


def test_a_kind_with_a_lane_by_stock_key_goes_in_order_after_its_parents(make_books):
    books = make_books(kinds=("item", "relocation"))
    erp, wms = books.systems["erp"], books.systems["wms"]
    for n in range(1, 7):
        erp.keep("relocation", number=f"R-{n}", sku="SKU-1", place="A1" if n % 2 else "B2", boxes=n)
    books.sync("relocation")
    assert wms.writes == []
    erp.keep("item", sku="SKU-1", name="Drill")
    books.sync()
    arrived = [far.number for far in wms.documents.values() if far.kind == "relocation"]
    assert [n for n in arrived if int(n[2:]) % 2] == ["R-1", "R-3", "R-5"]
    assert [n for n in arrived if not int(n[2:]) % 2] == ["R-2", "R-4", "R-6"]
    assert books.rows("SELECT DISTINCT lane FROM v_messages WHERE lane LIKE 'stock%' ORDER BY 1") == [
        ("stock:SKU-1@A1",),
        ("stock:SKU-1@B2",),
    ]


# Through the real adapters and the command line --------------------------------------------------------------------

SPEC = """\
spec = 1
name = "Rack house"

[auth]
kind = "none"

[probe]
path = "/racks"

[kinds.pallet]
far_id = "id"
number = "label"

[kinds.pallet.fields]
number = "label"
sku = "article"
place = "slot"
boxes = "boxes"

[kinds.pallet.scan]
path = "/pallets"
items = "data"

[kinds.pallet.find.by_reference]
path = "/pallets"
query = { label = "{number}" }
items = "data"

[kinds.pallet.write]
once = "findable"

[kinds.pallet.create]
path = "/pallets"
answer = { item = "data", full = true }

[kinds.pallet.update]
method = "PUT"
path = "/pallets/{far_id}"
answer = { item = "data", full = true }

[kinds.pallet.body]
label = "=number"
article = "=sku"
slot = "=place"
boxes = "=boxes"
"""

LANDSCAPE = """\
name = "racks"
currency = "USD"

[store]
url = "sqlite:///erpsync.db"

[systems.office]
role = "erp"
adapter = "files"
options.folder = "in"

[systems.office.options.kinds.pallet]
file = "pallets.csv"
columns = { number = "Label", sku = "Article", place = "Slot", boxes = "Boxes" }

[systems.racks]
role = "wms"
adapter = "http"
spec = "racks.toml"
url = "${RACKS}"

[owners]
pallet = "office"

[[flows]]
name = "pallets"
kind = "pallet"
from = "office"
to = ["racks"]
"""


class Racks(BaseHTTPRequestHandler):
    """A rack house's interface: it lists, finds, makes and changes pallets."""

    pallets: dict[str, dict[str, object]]

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        label = self.path.partition("label=")[2]
        self._answer({"data": [p for p in self.pallets.values() if not label or p["label"] == label]})

    def do_POST(self) -> None:
        self._keep(f"{len(self.pallets) + 1}")

    def do_PUT(self) -> None:
        self._keep(self.path.rpartition("/")[2])

    def _keep(self, far_id: str) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pallet = self.pallets.setdefault(far_id, {"id": far_id})
        pallet.update(told)
        self._answer({"data": pallet})

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def racks() -> Iterator[ThreadingHTTPServer]:
    """A rack house that listens on this machine."""
    Racks.pallets = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Racks) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_made_up_kind_travels_from_a_table_to_an_interface_and_is_listed_and_traced(
    tmp_path: Path, racks, capsys, monkeypatch
):
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "erpsync.toml").write_text(LANDSCAPE)
    (tmp_path / "racks.toml").write_text(SPEC)
    (tmp_path / "in").mkdir()
    table = tmp_path / "in" / "pallets.csv"

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(words, bench=Workbench(folder=tmp_path, environ={"RACKS": f"http://127.0.0.1:{racks.server_port}"}))
        caught = capsys.readouterr()
        return code, caught.out + caught.err

    def put(*rows: str) -> None:
        table.write_text("\n".join(["Label,Article,Slot,Boxes", *rows]) + "\n")
        os.utime(table, (NOON.timestamp() - 10**8, NOON.timestamp() - 10**8 + len(rows) + len(rows[0])))

    put("P-1,SKU-1,A1,40", "P-2,SKU-2,B2,12.5")
    code, said = run("sync", "pallets")
    assert code == 0, said
    assert {p["label"]: p["slot"] for p in Racks.pallets.values()} == {"P-1": "A1", "P-2": "B2"}
    put("P-1,SKU-1,A1,40", "P-2,SKU-2,C33,12.5")
    code, said = run("sync", "pallet")
    assert code == 0, said
    assert {p["label"]: p["slot"] for p in Racks.pallets.values()} == {"P-1": "A1", "P-2": "C33"}
    code, said = run("messages", "list", "--where", "kind = pallet", "-o", "json")
    assert code == 0, said
    listed = json.loads(said[: said.rindex("}") + 1])
    assert sorted(item["key"] for item in listed["items"]) == ["pallet:P-1", "pallet:P-2", "pallet:P-2"]
    assert {item["state"] for item in listed["items"]} == {"done"}
    for word in ("pallet:P-2", "pallets:P-2"):
        code, said = run("trace", word)
        assert code == 0, said
        assert "racks" in said
        assert "office" in said
    code, said = run("sync", "palets")
    assert code == 2
    assert "pallet" in said
