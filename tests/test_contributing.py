"""What `.github/CONTRIBUTING.md` names is there, and its recipes take as many files as they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.readme import README

ROOT = README.parent
TEXT = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", TEXT)))
RECIPES = re.findall(r"^### ([^\n]+): (\d+) files?\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", PATHS)
def test_paths_exist(path: str) -> None:
    """From the root, or within the package; of what is yet to be made, the folder that it goes into; of commands, the
    one in the environment that runs this, whatever its name."""
    named = [place / path for place in (ROOT, ROOT / "src" / "spendtop")]
    if path.startswith(".venv/"):
        named = [Path(sys.prefix) / path.removeprefix(".venv/")]
    if "NAME" in path:
        known = path.partition("NAME")[0].rpartition("/")[0]
        named = [ROOT / known]
    assert any(place.exists() for place in named)


@pytest.mark.parametrize(("recipe", "count", "steps"), RECIPES)
def test_recipes_take_as_many_files_as_they_say(recipe: str, count: str, steps: str) -> None:
    named = re.findall(r"^\d\. `([^`]+)`", steps, re.MULTILINE)
    assert len(named) == len(set(named)) == len(re.findall(r"^\d\.", steps, re.MULTILINE)) == int(count)


def test_all_recipes_are_looked_at() -> None:
    assert len(RECIPES) == TEXT.count("\n### ") - len(("One webhook's way", "One alert's way"))
