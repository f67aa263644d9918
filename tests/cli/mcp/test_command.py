from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def _same_threshold_afterwards() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_a_server_looks_for_garbage_more_often_than_a_command_that_ends(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("--version").code == 0
    looks_of_short_ones = gc.get_threshold()[0]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert cli("mcp").code == 0
    assert gc.get_threshold()[0] * 10 <= looks_of_short_ones
