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

TESTED_ELSEWHERE = {
    "__init__.py": "tests/cli/test_main.py",
    "__main__.py": "tests/cli/test_main.py",
    "alerts/deliver.py": "tests/alerts/test_courier.py",
    "alerts/lane.py": "tests/alerts/test_outbox.py",
    "api/admin.py": "tests/api/routes/test_admin_routes.py",
    "api/bodies.py": "tests/api/test_hot.py",
    "api/query.py": "tests/api/routes/test_admin_routes.py",
    "api/routes/limits.py": "tests/api/routes/test_admin_routes.py",
    "api/routes/requests.py": "tests/api/routes/test_admin_routes.py",
    "api/rules.py": "tests/api/test_guards.py",
    "cli/ascii.py": "tests/cli/test_main.py",
    "cli/collect.py": "tests/e2e/test_lifecycle.py",
    "cli/demo.py": "tests/e2e/test_alerting.py",
    "cli/findings.py": "tests/cli/test_check.py",
    "cli/in_force.py": "tests/cli/test_limits.py",
    "cli/spending.py": "tests/cli/test_spend.py",
    "cli/status_file.py": "tests/cli/test_status.py",
    "cli/stop.py": "tests/e2e/test_lifecycle.py",
    "collector/sample.py": "tests/sample_data/test_loader.py",
    "config/channel_urls.py": "tests/config/test_channels.py",
    "config/document.py": "tests/config/test_load.py",
    "config/limits.py": "tests/config/test_settings.py",
    "config/pricing.py": "tests/config/test_load.py",
    "config/rules.py": "tests/config/test_load.py",
    "config/server.py": "tests/config/test_settings.py",
    "config/shape.py": "tests/config/test_template.py",
    "config/toml_text.py": "tests/config/test_apply.py",
    "config/zone.py": "tests/config/test_paths.py",
    "domain/clock.py": "tests/domain/test_windows.py",
    "domain/conversation_stream.py": "tests/domain/test_conversation.py",
    "domain/filter_parser.py": "tests/domain/test_filters.py",
    "domain/filter_tree.py": "tests/domain/test_filters.py",
    "domain/filter_values.py": "tests/domain/test_filters.py",
    "domain/request.py": "tests/domain/test_usage.py",
    "services/announcing.py": "tests/services/test_evaluating.py",
    "services/episodes.py": "tests/services/test_evaluating.py",
    "services/limit_book.py": "tests/services/test_recording.py",
    "services/totals.py": "tests/services/test_recording.py",
    "sources/settings.py": "tests/config/test_settings.py",
    "store/failures.py": "tests/store/test_engine.py",
    "store/reads/filter_sql.py": "tests/store/reads/test_requests.py",
    "store/reads/rows.py": "tests/store/reads/test_requests.py",
    "store/reads/spans.py": "tests/store/reads/test_spending.py",
    "store/statements.py": "tests/services/test_recording.py",
}
"""Modules with logic whose tests are not in the mirrored file, and where they are."""


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


def has_logic(module: Path) -> bool:
    """Whether a function in it decides or repeats something."""
    decisions = (ast.If, ast.For, ast.While, ast.Try, ast.Match)
    functions = (node for node in definitions(module) if not isinstance(node, ast.ClassDef))
    return any(isinstance(inner, decisions) for function in functions for inner in ast.walk(function))


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
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if not isinstance(node, (*allowed, ast.AnnAssign, ast.If)) and not is_text(node)
    ]
    assert loud == []


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
