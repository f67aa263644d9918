"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "spendtop"
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 400, 250, 60

TESTED_ELSEWHERE: dict[str, str] = {}
"""Modules with logic whose tests are not in the mirrored file, and where they are."""


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


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


def has_logic(module: Path) -> bool:
    """Whether there is a function that does more than declare."""
    return any(not isinstance(node, ast.ClassDef) for node in definitions(module))


def mirrored(module: Path) -> Path:
    relative = module.relative_to(SOURCE)
    return ROOT / "tests" / relative.with_name(f"test_{relative.name}")


def test_every_module_with_logic_has_its_tests_in_the_mirrored_file() -> None:
    untested = [
        name_of(module)
        for module in modules()
        if has_logic(module) and not mirrored(module).exists() and name_of(module) not in TESTED_ELSEWHERE
    ]
    assert untested == []


def test_the_list_of_what_is_tested_elsewhere_is_true() -> None:
    needless = [name for name in TESTED_ELSEWHERE if mirrored(SOURCE / name).exists()]
    missing = [place for place in TESTED_ELSEWHERE.values() if not (ROOT / place).exists()]
    gone = [name for name in TESTED_ELSEWHERE if not (SOURCE / name).exists()]
    assert (needless, missing, gone) == ([], [], [])


@pytest.mark.parametrize("word", ["manager", "helper", "util", "misc", "common"])
def test_no_module_is_a_drawer_for_everything(word: str) -> None:
    assert [name_of(module) for module in modules() if word in module.stem] == []


def test_nothing_happens_on_import() -> None:
    """No statement at module level but imports, definitions, constants and guards."""
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Assign)
    loud = [
        f"{name_of(module)}:{node.lineno}"
        for module in modules()
        if "migrations" not in module.parts
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if not isinstance(node, (*allowed, ast.AnnAssign, ast.If)) and not is_text(node)
    ]
    assert loud == []


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
