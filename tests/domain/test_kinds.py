"""Every kind is known by its module alone; the model of its documents is there when the first one is read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from erpsync.domain.document import Document
from erpsync.domain.kinds import kind_named, kinds


@pytest.mark.parametrize("name", kinds())
def test_a_kind_finds_the_model_of_its_documents(name: str) -> None:
    model = kind_named(name).model
    assert issubclass(model, Document)
    assert model.__name__.lower() == name
    assert kind_named(name).model is model


@pytest.mark.parametrize("name", kinds())
def test_the_field_a_kind_is_known_by_is_one_of_its_documents(name: str) -> None:
    kind = kind_named(name)
    assert not kind.natural_key or kind.natural_key in kind.model.model_fields
    assert set(kind.parent_kinds) <= set(kinds())


def test_all_kinds_are_known_before_any_model_is_loaded() -> None:
    code = "import sys; from erpsync.domain.kinds import kind_words; print(*kind_words(), 'pydantic' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[-1] == "False"
    assert {"customer", "items", "movements", "orders", "shipment", "stocks"} <= set(said)
