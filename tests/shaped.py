"""Every answer in JSON that any test of the command line sees is held to its declared shape, by a validator that is not ours."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from erpsync.cli.shapes import items_of, shapes
from erpsync.cli.shapes.keys import json_schema, schema_of


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a whole answer."""
    return Draft202012Validator(json_schema(shapes()[name], strict=True))


@cache
def item_validator(name: str) -> Draft202012Validator:
    """The validator of one item of a listing."""
    return Draft202012Validator(schema_of(items_of(name), strict=True))


def hold_to_shape(text: str) -> None:
    """Fail when this is an answer of ours in JSON that is not as it was declared."""
    if not text.startswith("{"):
        return
    try:
        value: Any = json.loads(text)
    except ValueError:
        return  # several objects, a line each
    if not isinstance(value, dict) or "schema" not in value:
        return
    program, name, version = value["schema"].split("/")
    assert (program, version) == ("erpsync", str(shapes()[name].version))
    wrong = [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(value)]
    assert not wrong, (name, wrong)
