"""Everything that the systems before could do is shown by a test: `python -m tests.test_replaced_systems` lists it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


def functions() -> Mapping[str, str]:
    """What each function does, by `system/function`."""
    systems = tomllib.loads((FOLDER / "replaced_systems.toml").read_text("utf-8"))
    return {f"{system}/{name}": does for system, about in systems.items() for name, does in about["functions"].items()}


@cache
def shown() -> Mapping[str, list[str]]:
    """The tests that carry the mark, by what they show."""
    tests: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(FOLDER.rglob("test_*.py")):
        text = file.read_text("utf-8")
        if "mark.replaces(" in text:
            for function, test in _marks(ast.parse(text)):
                tests[function].append(f"{file.relative_to(FOLDER)}::{test}")
    return tests


def _marks(module: ast.Module) -> Iterator[tuple[str, str]]:
    for test in ast.walk(module):
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in test.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.replaces":
                    yield ast.literal_eval(mark.args[0]), test.name


def test_every_function_is_shown_and_every_mark_names_one() -> None:
    assert shown().keys() == functions().keys()


def main() -> None:
    for function, does in functions().items():
        sys.stdout.write(f"{function}: {does}\n" + "".join(f"    {test}\n" for test in shown()[function]))


if __name__ == "__main__":
    main()
