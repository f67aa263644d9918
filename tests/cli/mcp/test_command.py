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


class Questions(io.BytesIO):
    """None; remembers after how many new objects garbage is looked for while they are waited for."""

    looked_after = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.looked_after = gc.get_threshold()[0]
        return super().readline(size)


def test_a_server_looks_for_garbage_more_often_than_a_command_that_ends(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("--version").code == 0
    short_ones_look_after = gc.get_threshold()[0]
    questions = Questions()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(questions))
    assert cli("mcp").code == 0
    assert 0 < questions.looked_after * 10 <= short_ones_look_after
