"""Exact versions everywhere: of what is installed with `-c requirements.lock`, and of what builds this package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = [Requirement(line) for line in LOCK.splitlines() if not line.lstrip().startswith("#")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
DECLARED = [*PYPROJECT["project"]["dependencies"], *EXTRAS["test"], *EXTRAS["tunnel"]]


def version_of(requirement: Requirement) -> str | None:
    """The version where it is exactly one."""
    exact = re.fullmatch(r"==([^,*]+)", str(requirement.specifier))
    return exact[1] if exact else None


@pytest.mark.parametrize("declared", DECLARED)
def test_the_lock_names_every_dependency_with_a_version_that_is_allowed(declared: str) -> None:
    wanted = Requirement(declared)
    versions = [version_of(each) for each in LOCKED if each.name == canonicalize_name(wanted.name)]
    assert versions, "run .ci/lock"
    assert all(version is not None and version in wanted.specifier for version in versions), "run .ci/lock"


def test_the_lock_names_exact_versions_and_no_place_that_they_come_from() -> None:
    assert [str(each) for each in LOCKED if version_of(each) is None or each.extras or each.url] == []
    assert "://" not in LOCK
    assert not re.search(r"^-", LOCK, re.MULTILINE)


def test_what_builds_this_package_is_exact_too() -> None:
    required = PYPROJECT["build-system"]["requires"]
    assert [each for each in required if version_of(Requirement(each)) is None] == []


def test_the_readmes_commands_install_what_the_lock_names() -> None:
    installing = re.findall(r"^python3 -m venv .*pip install (.*?) &&", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert installing == ["-c requirements.lock .", "-c requirements.lock -e '.[test]'"]
