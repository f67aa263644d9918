"""What is loaded where, in interpreters of their own: services load no terminal face, and `status` next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copy

import pytest

from spendtop.domain.errors import ExitCode
from tests.e2e.processes import LISTENER, collecting, command, configured, environment
from tests.helicone_captures import captures
from tests.waiting import eventually

TERMINAL = {"textual", "rich"}
HEAVY = TERMINAL | {"apprise", "fastapi", "genai_prices", "sqlalchemy", "sqlmodel", "pydantic", "httpx", "uvicorn"}


SHOWN = """
import os
os.environ["TEXTUAL_DRIVER"] = "textual.drivers.headless_driver:HeadlessDriver"
from spendtop.cli.start import view
from spendtop.domain.errors import UsageError
from spendtop.tui.app import run
from spendtop.tui.session import Session
def connect(_):
    raise UsageError("this is when the store is opened")
run(Session(connect=connect, clock=lambda: 0, collector=lambda: None, stop_collector=lambda: None, store_name="it"))
"""
"""A viewer until its first picture is there."""


def loaded_by(statement: str) -> set[str]:
    """The modules that a clean interpreter has after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def imported(log: str) -> set[str]:
    """The modules in what `-X importtime` says."""
    return {line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize(
    "module",
    [
        "spendtop.collector.collector",
        "spendtop.cli.start.collect",
        "spendtop.api.app",
        "spendtop.services.recording.recorder",
        "spendtop.store.engine",
    ],
)
def test_a_service_loads_no_terminal_face(module: str) -> None:
    assert not packages(loaded_by(f"import {module}")) & TERMINAL


def test_the_collector_loads_what_is_rarely_needed_when_it_is_needed() -> None:
    assert not packages(loaded_by("import spendtop.collector.collector")) & {"apprise", "fastapi", "genai_prices"}


def test_the_screens_are_shown_before_a_store_is_loaded() -> None:
    loaded = loaded_by(SHOWN)
    assert "spendtop.tui.overview.screen" in loaded
    assert not packages(loaded) & (HEAVY - TERMINAL - {"pydantic"})
    assert not {module for module in loaded if module.startswith(("spendtop.store", "spendtop.services"))}


def test_a_viewer_of_a_file_loads_neither_the_other_dialect_nor_what_watches_files() -> None:
    loaded = loaded_by("import spendtop.cli.start.view, spendtop.tui.overview.questions, spendtop.config.file_watch")
    assert "sqlalchemy.dialects.sqlite" in loaded
    assert not loaded & {"sqlalchemy.dialects.postgresql", "alembic", "watchfiles", "anyio"}


def test_the_package_and_the_way_in_load_next_to_nothing() -> None:
    assert not packages(loaded_by("import spendtop, spendtop.__main__")) & (HEAVY | {"asyncio", "msgspec"})


def test_a_headless_collector_never_loads_a_terminal_face_nor_migrations_of_a_store_that_is_new_enough(
    tmp_path: Path, empty_file: Path
) -> None:
    copy(empty_file, tmp_path / "spendtop.db")
    with collecting(tmp_path, LISTENER, environ={**environment(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"}) as collector:
        for capture in captures().values():
            assert collector.post(capture.raw).status_code == 200
        assert collector.client.get("/requests").status_code == 200
        ended = collector.end()
    loaded = imported(ended.err)
    assert "spendtop.collector.collector" in loaded
    assert not packages(loaded) & (TERMINAL | {"alembic", "mako", "pygments"})


def test_status_loads_next_to_nothing(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        eventually(lambda: list(tmp_path.rglob("*.status.json")))
        collector.end()
    done = subprocess.run(
        command("status", "--config", configured(tmp_path)),
        capture_output=True,
        text=True,
        env={**environment(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    loaded = imported(done.stderr)
    assert not packages(loaded) & (HEAVY | {"asyncio", "dataclasses", "inspect", "msgspec"})
    assert {name.removeprefix("spendtop.domain.") for name in loaded if name.startswith("spendtop.domain.")} == {
        "clock",
        "condition",
        "cost_words",
        "errors",
        "ledger",
        "ledger.bill_kinds",
        "ledger.bills",
        "limits",
        "limits.measure",
        "money",
        "percent",
        "sight",
        "untrusted",
    }


def test_status_loads_no_tables_to_find_out_where_its_file_would_be(tmp_path: Path) -> None:
    """Of a store in PostgreSQL, or of one that nobody has collected for."""
    done = subprocess.run(
        command("status", "--config", configured(tmp_path)),
        capture_output=True,
        text=True,
        env={**environment(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.USAGE
    assert not packages(imported(done.stderr)) & {"sqlmodel"}
