"""The JSON of every command, declared: its keys, their types, what they say. ``keys`` has the one rule.

A command with ``-o json`` has its shape here, under the name that stands in ``schema``; a test holds each answer to it.
"""

from __future__ import annotations

from functools import cache

from erpsync.cli.shapes import keeping, queue, running, standing, told
from erpsync.cli.shapes.keys import TEXT, WHOLE, Keys, Shape, key, keys, maybe

ERROR = Shape(
    "error",
    "What went wrong: on stderr, with -o json and jsonl",
    keys(
        key("schema", TEXT, "erpsync/error/1"),
        key("error", TEXT, "what is true, in a line"),
        maybe("hint", TEXT, "what to do"),
        key("code", WHOLE, "the exit code"),
    ),
)


@cache
def shapes() -> dict[str, Shape]:
    """Every shape by its name, in alphabetical order."""
    every = (*queue.SHAPES, *told.SHAPES, *standing.SHAPES, *keeping.SHAPES, *running.SHAPES, ERROR)
    return {shape.name: shape for shape in sorted(every, key=lambda shape: shape.name)}


def items_of(name: str) -> Keys:
    """The keys of each item of a listing; raises KeyError for what is no listing."""
    found = shapes()[name].items
    if found is None:
        raise KeyError(name)
    return found
