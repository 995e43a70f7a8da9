"""The house rules that no linter knows: sizes, names, where SQL lies, and nothing of the machine it was written on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "erpsync").rglob("*.py"))
ROOMS = ("erpsync", "tests", "fixtures", "scripts", ".ci")
VISIBLE = {"pyproject.toml", "README.md", "LICENSE", "erpsync", "tests", "fixtures", "scripts"}
MADE_HERE = {"demo", "build", "__pycache__"}  # ignored by git
TOO_GENERAL = {"utils", "util", "helpers", "helper", "common", "manager", "service", "processor", "misc"}
SQL = re.compile(
    r"\b(SELECT\s.*\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+[a-z_]+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX))\b"
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _own_files() -> list[Path]:
    """Every file that belongs to the project: nothing that a run left, nothing of git or the environment."""
    rooms = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    top = [path for path in ROOT.iterdir() if path.is_file()]
    return [path for path in (*rooms, *top) if path.suffix not in {".pyc", ".so"}]


def test_there_is_a_house_to_look_at():
    assert len(MODULES) > 10


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_what_it_is_for_and_fits_on_a_few_screens(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    lines = len(text.splitlines())
    assert lines <= 300, "split it: one idea per file"


@pytest.mark.parametrize("path", [*MODULES, *sorted({path.parent for path in MODULES})], ids=_name)
def test_a_module_has_a_name_that_says_something(path):
    assert not TOO_GENERAL.intersection(path.stem.split("_"))


@pytest.mark.parametrize("path", sorted((ROOT / "erpsync" / "domain").rglob("*.py")), ids=_name)
def test_money_and_quantities_never_pass_through_a_float(path):
    uses = [node.lineno for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if _uses_float(node)]
    assert not uses, f"float in lines {uses}"


def _uses_float(node: ast.AST) -> bool:
    """A float made, or used as a type. Seconds may be floats, by name; refusing a foreign one is no use of it."""
    match node:
        case ast.Call(func=ast.Name(id="float")):
            return True
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.expr() as annotation):
            pass
        case ast.arg(arg=name, annotation=ast.expr() as annotation):
            pass
        case ast.FunctionDef(name=name, returns=ast.expr() as annotation):
            pass
        case _:
            return False
    names = {part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)}
    return "float" in names and "seconds" not in name


def test_only_the_store_holds_sql():
    outside = [path for path in MODULES if not path.is_relative_to(ROOT / "erpsync" / "store")]
    assert [_name(path) for path in outside if SQL.search(path.read_text(encoding="utf-8"))] == []


def test_the_top_level_holds_what_the_design_names_and_nothing_else():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    extra = {n for n in visible - VISIBLE - MADE_HERE if not re.fullmatch(r"requirements\..*|.*\.egg-info", n)}
    assert extra == set()
    assert visible >= VISIBLE


def test_nothing_of_the_machine_it_was_written_on_is_left_in_it():
    places = "|".join(("work", "root", r"home/\w+", r"tmp/\w+", r"Users/\w+"))
    of_a_machine = re.compile(rf"(?<![\w.\-}}])/({places})/")
    found = [
        f"{_name(path)}:{number}"
        for path in _own_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if of_a_machine.search(line)
    ]
    assert found == []
