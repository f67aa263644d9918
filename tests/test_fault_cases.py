"""Every case of fault_cases.toml names tests that there are, or says why no test shows it."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
CASES: list[dict[str, Any]] = tomllib.loads((FOLDER / "fault_cases.toml").read_text("utf-8"))["case"]


@cache
def names_in(file: str) -> frozenset[str]:
    """As pytest calls them, within the file."""
    return frozenset(_collected(ast.parse((FOLDER / file).read_text("utf-8")).body))


def _collected(body: list[ast.stmt], of: str = "") -> list[str]:
    names: list[str] = []
    for statement in body:
        if isinstance(statement, ast.ClassDef) and statement.name.startswith("Test"):
            names += _collected(statement.body, f"{of}{statement.name}::")
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name.startswith("test_"):
            names.append(f"{of}{statement.name}")
    return names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["number"])
def test_a_case_is_shown_by_tests_or_says_why_not(case: dict[str, Any]) -> None:
    assert case.keys() <= {"number", "area", "fault", "tests", "without"}
    assert case["area"] and case["fault"].endswith(".")
    assert case.get("tests") or case.get("without")
    for test in case.get("tests", ()):
        file, _, name = test.partition("::")
        assert name in names_in(file), test


def test_cases_are_numbered_and_name_no_test_twice() -> None:
    assert [case["number"] for case in CASES] == list(range(1, len(CASES) + 1))
    assert all(len(case.get("tests", ())) == len(set(case.get("tests", ()))) for case in CASES)
