"""Evidence in real numbers: what a system told is read as people write prices, quantities and amounts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import LANDSCAPE, NIGHT, Night

from erpsync.adapters.protocol import Told
from erpsync.domain.document import Document
from erpsync.domain.documents.item import Item
from erpsync.domain.documents.order import Order, OrderLine
from erpsync.engine.intake.incoming import receive
from erpsync.store import payloads
from erpsync.store.store import Store

LINE = OrderLine(line="1", sku="SKU-7", quantity=Decimal(3), unit_price=Decimal("19.95"), discount=Decimal("0.15"))


@pytest.fixture
def told(tmp_path: Path, run_in: Callable[[Path], Run]) -> Callable[[str, str, Document], Run]:
    """A way to have a system tell a document, as event 1, and then to run ``erpsync``."""

    def tell(kind: str, number: str, document: Document) -> Run:
        (tmp_path / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
        incoming = receive([Told(kind, b"{}", document)], read_at=NIGHT)[0]
        with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
            canonical = store.writer.call(lambda db: payloads.put(db, incoming.canonical))
            Night(store).event("shop", f"{kind}:{number}", canonical_id=canonical)
        return run_in(tmp_path)

    return tell


def said(erpsync: Run, *words: str) -> dict[str, str]:
    """What ``events show`` says under ``as it was read``, by field."""
    shown = erpsync("events", "show", "1", *words).out.partition("as it was read\n")[2].partition("\n\n")[0]
    return {line.split()[0]: line[2:].partition("  ")[2].strip() for line in shown.splitlines()}


def read(erpsync: Run) -> dict[str, Any]:
    """The same in JSON."""
    found: dict[str, Any] = erpsync("events", "show", "1", "-o", "json").json["canonical"]
    return found


def test_an_order_that_was_told_is_read_in_real_numbers(told: Callable[[str, str, Document], Run]) -> None:
    order = Order(
        number="SO-1", customer="CU-7", currency="USD", freight=Decimal("12.50"), cancelled=False, lines=(LINE,)
    )
    erpsync = told("order", "SO-1", order)
    as_text, as_json = said(erpsync), read(erpsync)
    for field, number in {
        "freight": "12.50",
        "lines.1.quantity": "3",
        "lines.1.unit_price": "19.95",
        "lines.1.discount": "0.15",
    }.items():
        assert as_text[field] == number
        assert as_json[field] == number
    assert as_text["cancelled"] == "no"
    assert as_json["cancelled"] is False
    assert as_text["lines.1.sku"] == as_json["lines.1.sku"] == "SKU-7"


@pytest.mark.parametrize(("currency", "freight"), [("JPY", "1200"), ("KWD", "1.250"), ("EUR", "7.00")])
def test_an_amount_has_the_decimals_of_its_currency(
    currency: str, freight: str, told: Callable[[str, str, Document], Run]
) -> None:
    erpsync = told("order", "SO-1", Order(number="SO-1", customer="CU-7", currency=currency, freight=Decimal(freight)))
    assert said(erpsync)["freight"] == read(erpsync)["freight"] == freight


def test_a_field_told_to_be_empty_is_not_a_nought(told: Callable[[str, str, Document], Run]) -> None:
    erpsync = told("item", "SKU-7", Item(sku="SKU-7", price=None, weight=Decimal("0.5")))
    assert said(erpsync) == {"sku": "SKU-7", "price": "empty", "weight": "0.5"}
    assert read(erpsync) == {"sku": "SKU-7", "price": None, "weight": "0.5"}


def test_a_long_description_is_cut_unless_all_of_it_is_asked_for(told: Callable[[str, str, Document], Run]) -> None:
    erpsync = told("item", "SKU-7", Item(sku="SKU-7", description="a sturdy box " * 40))
    assert said(erpsync)["description"].endswith('..." (520)')
    assert said(erpsync, "--full")["description"] == ("a sturdy box " * 40).strip()
    assert read(erpsync)["description"] == "a sturdy box " * 40
    in_a_terminal = erpsync("events", "show", "1", "--full", columns=80).out
    assert max(map(len, in_a_terminal.splitlines())) <= 80
    assert in_a_terminal.count("sturdy") == 40


def test_what_could_not_be_read_has_no_reading(erpsync: Run) -> None:
    shown = erpsync("events", "show", "1")
    assert "what was told" in shown.out
    assert "as it was read" not in shown.out
    assert erpsync("events", "show", "1", "-o", "json").json["canonical"] is None


def test_a_yen_amount_reads_the_same_in_a_message_and_in_its_json(
    tmp_path: Path, run_in: Callable[[Path], Run]
) -> None:
    (tmp_path / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        night = Night(store)
        night.record("order:SO-1", {"number": "SO-1", "customer": "CU-7", "currency": "JPY", "freight": 1200})
        message = night.message("order:SO-1", to="wms")
        night.attempt(message, ago=5, outcome="updated", content='{"freight": 1200}')
        night.finish()
    erpsync = run_in(tmp_path)
    assert erpsync("messages", "show", "1", "-o", "json").json["payload"] == {"freight": "1200"}
    assert "  freight  1200\n" in erpsync("messages", "show", "1").out
