"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "spendtop"
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 400, 300, 60
MOST_CLASSES_IN_ONE = 4
"""Of ours in the order of resolution, the class itself included: a class has parts, it is not stacked of slices."""


def modules() -> list[Path]:
    """All but migrations, which are declarations of a schema's past."""
    return sorted(module for module in SOURCE.rglob("*.py") if "migrations" not in module.parts)


def name_of(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def definitions(module: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_the_floors_hold() -> None:
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert linter is not None
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_files_classes_and_functions_are_small() -> None:
    files = [name_of(each) for each in modules() if len(each.read_text().splitlines()) > LONGEST_FILE]
    large = [
        f"{name_of(module)}: {node.name} has {lines_of(node)} lines"
        for module in modules()
        for node in definitions(module)
        if lines_of(node) > (LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION)
    ]
    assert (files, large) == ([], [])


def test_no_class_is_stacked_of_many() -> None:
    stacked = {
        f"{each.__module__}.{each.__qualname__}": ours
        for module in modules()
        if module.name != "__main__.py" and "client" not in module.parts  # what applications load needs its extras
        for each in vars(importlib.import_module(dotted(module))).values()
        if isinstance(each, type)
        and (ours := sum(str(base.__module__).startswith("spendtop.") for base in each.__mro__)) > MOST_CLASSES_IN_ONE
    }
    assert stacked == {}


def dotted(module: Path) -> str:
    return ".".join(("spendtop", *module.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def test_every_room_has_its_tests_in_the_mirrored_folder() -> None:
    rooms = {module.parent.relative_to(SOURCE) for module in modules() if module.name != "__init__.py"} - {Path()}
    rooms -= {Path("sources")}  # its settings are tested with the configuration that they are a part of
    rooms -= {Path("store", "tables")}  # declarations, tested with the schema
    bare = [str(room) for room in sorted(rooms) if not list((ROOT / "tests" / room).glob("test_*.py"))]
    assert bare == []


@pytest.mark.parametrize("word", ["manager", "helper", "util", "misc", "common"])
def test_no_module_is_a_drawer_for_everything(word: str) -> None:
    assert [name_of(module) for module in modules() if word in module.stem] == []


def test_nothing_happens_on_import() -> None:
    """No statement at module level but imports, definitions, constants and guards."""
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Assign)
    loud = [
        f"{name_of(module)}:{node.lineno}"
        for module in modules()
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if not isinstance(node, (*allowed, ast.AnnAssign, ast.If)) and not is_text(node)
    ]
    assert loud == []


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
