"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "spendtop"
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 450, 300, 60
"""Lines. Generous, as what is one thing is not cut in two to be short."""
MOST_CLASSES_IN_ONE = 4
"""Of ours in the order of resolution, the class itself included: a class has parts, it is not stacked of slices."""
ALIKE = {
    "_Body": "a prompt or response of Helicone, raw and read",
    "_Cost": "one amount in a provider's bill",
    "_Cursor": "where the next page of a list begins",
    "_Day": "one day in a provider's bill",
    "_Days": "a page of a provider's bill",
    "_Event": "an event as its sender writes it",
    "_Refused": "ends the reading of a call with an answer",
    "_Written": "a value as the store's JSON has it",
    "_Wrong": "a value of a file that cannot be taken",
}
"""Names that modules have for their own use, each with the one thing that it means in all of them."""
VERBS = frozenset(
    """
    asked asking attending deciding dressed editing errands holding importing in_force joining polled pollers polling
    polls selecting settling standing taking_away tallying telling watching writing
    """.split()  # noqa: SIM905 - a list of one a line reads worse
)
"""Names that files had: found by whoever knew them only."""


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


def test_files_classes_and_functions_can_be_looked_over() -> None:
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


def test_a_class_name_means_one_thing() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules():
        for node in definitions(module):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(module))
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in ALIKE} == {}


def test_files_are_named_by_nouns() -> None:
    assert [name_of(module) for module in modules() if module.stem in VERBS] == []


def test_every_rule_is_said_where_it_is_used() -> None:
    """No reference to a document that is not here."""
    texts = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "README.md"]
    assert [str(text.relative_to(ROOT)) for text in texts if re.search(r"\bSPEC \d", text.read_text())] == []


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


def test_migrations_follow_one_another_by_number() -> None:
    """Two branches can each add the next one."""
    names = [path.stem for path in (SOURCE / "store" / "migrations" / "versions").glob("[0-9]*.py")]
    modules = [importlib.import_module(f"spendtop.store.migrations.versions.{name}") for name in sorted(names)]
    numbers = [f"{number:04}" for number in range(1, len(names) + 1)]
    assert [(name[:4], module.revision) for name, module in zip(sorted(names), modules, strict=True)] == [
        (number, number) for number in numbers
    ]
    assert [module.down_revision for module in modules] == [None, *numbers[:-1]]
